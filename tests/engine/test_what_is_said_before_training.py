"""What a training is asked that it cannot do is refused, and what is changed is said, before the first step."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import weitiao
from tests.conftest import make_model, write_csv
from weitiao import api
from weitiao.engine import hub
from weitiao.engine.model_folder import length_limit, longest_read
from weitiao.engine.prepared import usual_rate
from weitiao.observer import Observer

Train = Callable[..., weitiao.Run]


class Listener(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.plan: dict[str, Any] = {}

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def planned(self, plan: Any) -> None:
        self.plan = dict(plan)


def test_patience_without_validation_rows_is_refused(train_tiny: Train) -> None:
    with pytest.raises(weitiao.UsageError, match=r"--patience 2 waits for better validation figures.* --valid 0\.1"):
        train_tiny(patience=2, valid=0)
    assert train_tiny(patience=2, epochs=1).record["status"] == "finished"


def test_a_family_that_keeps_all_activations_is_named(train_tiny: Train, tmp_path: Path) -> None:
    model = make_model(tmp_path / "mpnet", "mpnet")
    with pytest.raises(weitiao.UsageError, match="--gradient-checkpointing is not made for mpnet models"):
        train_tiny(model=str(model), gradient_checkpointing=True)
    assert not (tmp_path / "run").exists()


def test_the_check_counts_by_the_length_that_is_read(train_tiny: Train, tmp_path: Path) -> None:
    """The model of these tests has 64 positions."""
    rows = [row for at in range(20) for row in ((f"{at} " + "the day " * 50, "good"), (f"{at} a sad room", "bad"))]
    data = write_csv(tmp_path / "long.csv", rows)
    heard = Listener()
    run = train_tiny(data=str(data), max_length=128, epochs=1, observer=heard)
    found = run.folder.check()["lengths"]
    assert (found["limit"], found["truncated_rows"]) == (64, 20)
    assert "--max-length 128 is lowered to 64: tiny reads no more tokens." in heard.notes
    again = Listener()
    train_tiny(data=str(data), epochs=1, observer=again, overwrite=True)
    assert not any("lowered" in note for note in again.notes)
    checked = weitiao.check(str(data), model=str(tmp_path / "tiny"), max_length=128)["check"]
    assert checked["lengths"]["limit"] == 64


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "llama", "modernbert"])
def test_the_longest_text_is_read_from_the_folder_alone(family: str, tmp_path: Path) -> None:
    from weitiao.engine.devices import Machine
    from weitiao.engine.models import load_model

    folder = make_model(tmp_path / "m", family)
    assert longest_read(folder) == load_model(folder, ("AutoModel",), {}, Machine("cpu", "fp32", 1)).limit == 64
    assert length_limit("t5", None, 0, 10**30) is None


def test_auto_asks_what_will_train(train_tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that is left alone decides nothing."""
    asked: list[tuple[Any, Any]] = []

    def resolve(name: str, **settings: Any) -> Any:
        asked.append((settings["gpu"], settings["memory_bytes"]))
        raise weitiao.ModelError("enough.")

    monkeypatch.setattr(hub, "resolve", resolve)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda at: type("Properties", (), {"total_memory": 7}))
    for device in ("cpu", "auto"):
        with pytest.raises(weitiao.ModelError, match="enough"):
            train_tiny(model="auto", device=device)
    assert asked == [(False, None), (True, 7)]


def test_a_blank_model_takes_larger_steps_and_is_warned_about(reviews: Path, tmp_path: Path) -> None:
    heard = Listener()
    settings: dict[str, Any] = {"model": "blank:bert", "epochs": 1, "batch_size": 16, "max_length": 32, "threads": 1, "observer": heard}
    run = weitiao.train(str(reviews), out=str(tmp_path / "run"), **settings)
    assert heard.plan["lr"] == run.record["settings"]["lr"] == 1e-3
    assert max(line["lr"] for line in run.folder.log() if "lr" in line) == 1e-3
    assert any("A blank model starts from nothing and will have learnt little from " in warning for warning in heard.warnings)
    assert api.plan(str(reviews), **settings, lr=2e-5)["lr"] == 2e-5
    assert api.plan(str(reviews), **{**settings, "model": str(make_model(tmp_path / "m"))})["lr"] == 5e-5


def test_a_packaged_base_may_ask_for_larger_steps() -> None:
    english, chinese = (hub.resolve("offline", language=language) for language in ("en", "zh"))
    assert [usual_rate("full", base) for base in (english, chinese)] == [5e-5, 2e-4]
    assert [usual_rate("lora", base) for base in (english, chinese)] == [5e-4, 5e-4]


def test_what_only_the_questions_lose_is_in_the_ledger(tmp_path: Path) -> None:
    """A conversation fits; what its answer is asked with leaves room for the answer, and is cut."""
    rows = [{"prompt": "the day " * 15, "response": "fine"}, {"prompt": "a box", "response": "sad"}]
    data = tmp_path / "talk.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows * 4))
    folder = make_model(tmp_path / "decoder", "gpt2", bos_token_id=0, eos_token_id=0)
    told: dict[str, Any] = {"task": "chat", "valid": 0, "test": str(data), "max_new_tokens": 32, "epochs": 1, "threads": 1, "lr": 1e-3}
    run = weitiao.train(str(data), model=str(folder), out=str(tmp_path / "run"), max_length=60, **told)
    cut = [entry for entry in run.folder.ledger() if entry["action"] == "truncated"]
    assert [entry["row"] for entry in cut] == [1, 3, 5, 7]
    assert run.record["data"]["ledger"]["truncated:too_long"] == 4


def test_no_row_stands_in_the_ledger_twice(tmp_path: Path) -> None:
    """Rows that are too long to be learned whole are known before the training; asking them finds them again."""
    rows = [{"prompt": "the day " * 10, "response": "fine " * 55}, {"prompt": "a box", "response": "sad"}]
    data = tmp_path / "talk.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows * 4))
    folder = make_model(tmp_path / "decoder", "gpt2", bos_token_id=0, eos_token_id=0)
    told: dict[str, Any] = {"task": "chat", "valid": 0, "test": str(data), "max_new_tokens": 55, "epochs": 1, "threads": 1, "lr": 1e-3}
    run = weitiao.train(str(data), model=str(folder), out=str(tmp_path / "run"), max_length=60, **told)
    cut = [entry["row"] for entry in run.folder.ledger() if entry["action"] == "truncated"]
    assert sorted(cut) == [1, 1, 3, 3, 5, 5, 7, 7]  # of the training rows and of the test rows, which are the same file


def test_a_learning_rate_that_must_be_a_slip_is_warned_about(train_tiny: Train) -> None:
    heard = Listener()
    train_tiny(epochs=1, observer=heard)  # 60 times what suits: small models may want that
    assert not any("--lr" in warning for warning in heard.warnings)
    train_tiny(epochs=1, lr=5, observer=heard, overwrite=True)
    assert sum("--lr 5 is 100,000 times what suits --method full (5e-05)" in warning for warning in heard.warnings) == 1


def test_a_blank_models_learning_rate_is_compared_with_its_own(reviews: Path) -> None:
    settings: dict[str, Any] = {"model": "blank:bert", "max_length": 32, "threads": 1}
    heard = Listener()
    api.plan(str(reviews), **settings, lr=0.5, observer=heard)  # 10,000 times what suits a base, and 500 times what suits this
    assert not any("--lr" in warning for warning in heard.warnings)
    api.plan(str(reviews), **settings, lr=5, observer=heard)
    (warning,) = [warning for warning in heard.warnings if "--lr" in warning]
    assert "--lr 5 is 5,000 times what suits a blank model (0.001)" in warning and "base" not in warning
