"""Every method of fine-tuning takes a network of somebody's own; a mistake in it is told as one."""

from collections.abc import Callable
from pathlib import Path

import pytest

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import write_csv
from tests.own_tasks import NETWORK, QUICK, ROWS, WHOLE, written
from weitiao import api
from weitiao.engine import embeddings


def test_other_methods_take_an_own_network(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    whole = written(tmp_path / "mine", WHOLE, "whole.py", network=NETWORK)
    data = str(write_csv(tmp_path / "rows.csv", ROWS))
    for method in ("lora", "head"):
        run = weitiao.train(data, task=whole, model=str(tiny_model), method=method, out=str(tmp_path / method), **QUICK)
        before, after = run.predict(["a lovely day"]), weitiao.load(run.path).predict(["a lovely day"])
        assert abs(before[0]["score"] - after[0]["score"]) < 1e-5, method
    from weitiao.deploy.export import export

    export(tmp_path / "lora", "merged", tmp_path / "merged")
    before, after = (weitiao.load(tmp_path / name).predict(["a lovely day"]) for name in ("lora", "merged"))
    assert abs(before[0]["score"] - after[0]["score"]) < 1e-5


def test_the_plan_says_that_its_whole_vocabulary_is_trained(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(embeddings, "SMALLEST", 1)
    whole = written(tmp_path / "mine", WHOLE, "whole.py", network=NETWORK)
    data = str(write_csv(tmp_path / "rows.csv", ROWS))
    said = "every word of the vocabulary is trained: a network of somebody's own"
    plan = api.plan(data, task=whole, model=str(tiny_model), **QUICK)
    assert plan["vocabulary"] is None and said in plan["path"]
    assert said not in api.plan(data, model=str(tiny_model), **QUICK)["path"]
    # Nothing is to be had where no table learns.
    assert said not in api.plan(data, task=whole, model=str(tiny_model), method="lora", **QUICK)["path"]


def test_a_mistake_in_the_network_is_told_with_its_line(
    tiny_model: Path, tmp_path: Path, command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    network = NETWORK.replace("base.config.hidden_size", "base.config.hiden_size")
    line = next(number for number, text in enumerate(network.splitlines(), 1) if "hiden_size" in text)
    whole = written(tmp_path / "mine", WHOLE, "whole.py", network=network)
    data = str(write_csv(tmp_path / "rows.csv", ROWS))
    outcome = command("train", data, "--task", whole, "--model", str(tiny_model), "--out", str(tmp_path / "run"))
    assert outcome.code == 2
    assert f"network.py, line {line}: AttributeError" in outcome.err and "hiden_size" in outcome.err
    assert "cannot be loaded" not in outcome.err and "another --model" not in outcome.err
