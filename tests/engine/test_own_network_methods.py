"""Every method of fine-tuning takes a network of somebody's own."""

from pathlib import Path

import pytest

import weitiao
from tests.conftest import write_csv
from tests.own_tasks import NETWORK, QUICK, ROWS, WHOLE, written


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
