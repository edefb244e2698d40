"""What of a run's record anybody may read: no place of somebody's machine, of whatever system it is, in whatever setting it was given."""

import json
from typing import Any

import pytest

from weitiao.deploy.public import public

HUB = {"id": "org/base", "source": "hub", "license": "mit"}


@pytest.mark.parametrize(
    "place",
    [
        "My Clients/Acme Corp/base",
        "/home/ann/My Clients/Acme Corp/base",
        "~/Clients/Acme Corp/base",
        r"C:\Users\Ann Smith\Acme Corp\base",
        r"\\server\share\Acme Corp\base",
        "D:/Clients, Ann's/Acme Corp/base",
        r"Clients\Acme Corp\base",
    ],
)
def test_a_place_is_told_by_its_last_name_wherever_it_stands(place: str) -> None:
    names = ("data", "valid", "test", "out", "track", "task", "config", "tokenizer", "add_tokens", "trust_remote_code", "model")
    record: dict[str, Any] = {
        "base_model": {"id": "base", "source": "folder", "folder": place},
        "settings": {**dict.fromkeys(names, place), "corpus": [place, "x.txt"], "prefix": "and/or: "},
        "data": {"source": place, "splits": {"train": {"rows": 3, "source": place}}},
        "evaluation": {"source": place, "metrics": {"f1": 0.5}},
        "pretraining": {"corpus": {"documents": 1, "sources": {place: {"documents": 1}}}, "notes": [f"Read from {place}, all of it."]},
        "spec": {"labels": ["/a/b", "c/d"]},
    }
    told = public(record)
    text = json.dumps(told)
    assert not any(part in text for part in ("Acme", "Clients", "Ann", "ann/", "server", "share", "Users")), text
    assert told["settings"] == {**dict.fromkeys(names, "base"), "corpus": ["base", "x.txt"], "prefix": "and/or: "}
    assert told["base_model"] == {"id": "base", "source": "folder"} and told["spec"] == record["spec"]
    assert told["data"]["splits"]["train"] == {"rows": 3, "source": "base"}
    assert told["pretraining"]["corpus"] == {"documents": 1, "sources": {"base": {"documents": 1}}}
    assert told["pretraining"]["notes"] == ["Read from base, all of it."]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (r"C:\Users\Ann Smith\Secret Client\data.csv is read", "data.csv is read"),
        (r"see \\server\share\clients\a.csv.", "see a.csv."),
        ("see file:///home/ann/a.csv", "see a.csv"),
        ("at /home/ann/run: 3", "at run: 3"),
        ("precision/recall is 3/4, 20 / 30; see https://example.org/a/b and /docs or /ready", None),
    ],
)
def test_texts_lose_their_paths_and_nothing_else(text: str, told: str | None) -> None:
    assert public({"note": [text]})["note"] == [text if told is None else told]


def test_what_is_no_place_stays() -> None:
    settings = {"model": "org/base", "trust_remote_code": "org/base", "data": "hub:owner/rows", "valid": "0.1", "track": "wandb"}
    assert public({"base_model": HUB, "settings": settings})["settings"] == settings
    assert public({"base_model": {"id": "bert", "source": "blank"}, "settings": {"model": "blank:a b/c.json"}})["settings"]["model"] == (
        "blank:c.json"
    )
    assert public({"base_model": HUB, "settings": {"trust_remote_code": "clients/acme"}})["settings"] == {"trust_remote_code": "acme"}


def test_settings_of_a_task_of_ones_own_may_be_places() -> None:
    own = {"task_file": {"name": "mine.py"}, "base_model": HUB, "settings": {"task": "task/mine.py", "words": "clients/acme/words.txt"}}
    assert public(own)["settings"] == {"task": "task/mine.py", "words": "words.txt"}
