"""Every failure is one paragraph and a public exit code; a traceback only for --debug."""

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Outcome
from weitiao.cli.commands import Verb, Verbs
from weitiao.errors import DataError, GateError, ModelError, NetworkError, ResourceError, RunError, UsageError, WeitiaoError

Command = Callable[..., Outcome]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("trian a.csv", ['"trian"', '"train"']),
        ("train a.csv --epohcs 3", ["--epohcs", "--epochs"]),
        ("train a.csv --learning_rate 1e-4", ["no option --learning_rate", '"--lr"']),
        ("train a.csv --num-train-epochs=3", ['"--epochs"']),
        ("train --train_file a.csv", ["weitiao train DATA"]),
        ("train a.csv --epochs 0", ["--epochs is 0", "between 1 and 10000", "default is 3"]),
        ("train a.csv --epochs abc", ["--epochs", "'abc'", "whole number"]),
        ("train a.csv --epochs -4", ["--epochs is -4"]),
        ("train a.csv --epochs 1e99", ["--epochs"]),
        ("train a.csv --lr nan", ["--lr", "a number"]),
        ("train a.csv --schedule cosin", ["--schedule", "linear, cosine, constant", '"cosine"']),
        ("train a.csv --epochs", ["--epochs needs a value"]),
        ("train a.csv --overwrite=yes", ["--overwrite takes no value"]),
        ("train a.csv b.csv", ['"b.csv"', "weitiao train"]),
        ("train", ["weitiao train reviews.csv"]),
        ("check", ["weitiao check reviews.csv"]),
        ("evaluate", ["needs RUN"]),
        ("evaluate runs/a", ["needs DATA"]),
        ("train --resume runs/a --epochs 3", ["--resume", "--epochs"]),
        ("train a.csv --resume runs/a", ["DATA"]),
        ("predict runs/a text --file a.csv", ["not both"]),
        ("predict runs/a text --encoding gbk", ["--encoding", "--file"]),
        ("predict runs/a text --out a.csv", ["--out", "--file"]),
        ("predict runs/a -x", ["-x", '"--"']),
        ("fetch", ["weitiao fetch NAME"]),
        ("fetch a --unpack b.zip", ["weitiao fetch NAME"]),
        ("--lang fr", ["fr", "en, zh"]),
        ("train a.csv --lang fr", ["fr", "en, zh"]),
        ("check a.csv --config nowhere.yaml", ["nowhere.yaml"]),
    ],
)
def test_a_mistyped_command_is_one_paragraph_and_exit_code_2(command: Command, api: SimpleNamespace, line: str, words: list[str]) -> None:
    outcome = command(*line.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("Error: ")
    assert len(outcome.err.strip().splitlines()) == 1
    for word in words:
        assert word in outcome.err
    assert api.calls == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        *((kind("What was wrong."), kind.exit_code) for kind in (UsageError, ModelError, NetworkError, ResourceError, RunError, GateError)),
        (WeitiaoError("What was wrong."), 1),
        (MemoryError(), 6),
        (OSError(errno.ENOSPC, "No space left on device", "runs/a/model"), 6),
        (PermissionError(errno.EACCES, "Permission denied", "runs/a"), 6),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 2),
        (KeyboardInterrupt("Saved. Go on with: weitiao train --resume runs/a"), 130),
        (KeyboardInterrupt(), 130),
        (RuntimeError("first line\nsecond line"), 1),
        (OSError(errno.EIO, "Input/output error"), 1),
    ],
)
@pytest.mark.parametrize("manner", ["", "--json", "--quiet"])
def test_exit_codes_are_public(command: Command, api: SimpleNamespace, error: BaseException, code: int, manner: str) -> None:
    api.train = _raising(error)
    outcome = command("train", "a.csv", *manner.split())
    assert outcome.code == code
    assert "Traceback" not in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    if manner == "--json":
        assert outcome.json["error"]["exit_code"] == code
        assert outcome.json["error"]["message"] in outcome.err
    else:
        assert outcome.out == ""


def test_where_it_is_wrong_reaches_scripts(command: Command, api: SimpleNamespace) -> None:
    api.check = _raising(DataError("Row 7 is broken.", file="a.csv", row=7, column="text"))
    expected = {"type": "DataError", "message": "Row 7 is broken.", "exit_code": 3, "file": "a.csv", "row": 7, "column": "text"}
    assert command("check", "a.csv", "--json").json == {"error": expected}


def test_a_missing_package_names_the_extra_that_brings_it(command: Command, api: SimpleNamespace) -> None:
    api.train = _raising(ModuleNotFoundError("No module named 'accelerate.utils'", name="accelerate.utils"))
    assert 'pip install "weitiao[train]"' in command("train", "a.csv").err


def test_how_to_resume_is_said_whatever_the_manner(command: Command, api: SimpleNamespace) -> None:
    for manner in ("", "--quiet", "--json"):
        api.train = _raising(KeyboardInterrupt("Saved. Go on with: weitiao train --resume runs/a"))
        outcome = command("train", "a.csv", *manner.split())
        assert outcome.err.startswith("Stopped: ")
        assert "weitiao train --resume runs/a" in outcome.err


def test_a_bug_asks_for_a_report_and_debug_shows_the_traceback(command: Command, api: SimpleNamespace) -> None:
    api.train = _raising(ZeroDivisionError("division by zero"))
    assert "This is a bug in weitiao: ZeroDivisionError: division by zero." in command("train", "a.csv").err
    outcome = command("train", "a.csv", "--debug")
    assert "Traceback" in outcome.err
    assert "This is a bug" in outcome.err


def test_debug_behind_two_dashes_is_a_text(command: Command, api: SimpleNamespace) -> None:
    assert command("predict", "runs/a", "--json", "--", "--debug").json["predictions"][0]["label"] == "good"
    assert api.calls == [("predict", ["--debug"])]


def _raising(error: BaseException) -> Callable[..., None]:
    def call(*_arguments: object, **_settings: object) -> None:
        raise error

    return call


def test_a_verb_that_cannot_be_made_is_no_missing_verb() -> None:
    def broken() -> Callable[..., None]:
        raise KeyError("a bug of ours")

    verbs = Verbs({"train": Verb(broken, "", "", "")})
    assert verbs.get("trian") is None and verbs.get("trian", 3) == 3 and "trian" not in verbs
    assert "train" in verbs
    with pytest.raises(KeyError, match="a bug of ours"):
        verbs.get("train")


def test_what_is_told_to_stop_leaves_nothing_half_written(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from weitiao import cli, runs\n"
        "def written(arguments):\n"
        "    with runs.atomic(runs.Path(sys.argv[1]) / 'made') as place:\n"
        "        place.mkdir(); os.kill(os.getpid(), signal.SIGTERM)\n"
        "cli._parsed = written\n"
        "sys.exit(cli.run(['space', 'x']))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 143 and not done.stderr and not list(tmp_path.iterdir()), done.stderr
