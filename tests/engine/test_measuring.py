"""Of many held-out blocks those are measured that lie evenly over them, and how many tokens that are is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.conftest import make_model, write_corpus
from weitiao.engine.pretraining import measuring
from weitiao.engine.pretraining.blocks import Blocks
from weitiao.engine.pretraining.token_files import TokenWriter

SETTINGS: dict[str, Any] = {"batch_size": 8, "block_size": 32, "held_out": 0.4, "threads": 1, "raw": True, "quiet": True, "max_steps": 2}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, weitiao.Run]:
    """The same tiny pretraining, with all held-out blocks measured and with some."""
    folder = tmp_path_factory.mktemp("measured")
    model, made = make_model(folder / "base"), {}
    for name, seed in (("a", 3), ("b", 4)):
        write_corpus(folder / f"{name}.txt", 150, seed)
    for name, most in (("all", measuring.MOST), ("some", 320)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(measuring, "MOST", most)
            made[name] = weitiao.pretrain(folder / "a.txt", folder / "b.txt", model=str(model), out=str(folder / name), **SETTINGS)
    return made


def blocks_of(folder: Path, lengths: list[int]) -> Blocks:
    writer = TokenWriter(folder, 100, 32, ([], []), through=False)
    for length in lengths:
        writer.add(np.arange(length) % 100)
    writer.close()
    return Blocks(folder)


def test_blocks_of_every_part_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "MOST", 320)
    blocks = blocks_of(tmp_path / "many", [32] * 100)
    assert measuring.measured(blocks) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert measuring.tokens_measured(blocks) == 320
    few = blocks_of(tmp_path / "few", [32] * 7)
    assert measuring.measured(few) == list(range(7))
    # A first block with next to nothing in it does not make them more.
    assert len(measuring.measured(blocks_of(tmp_path / "uneven", [9, *[32] * 99]))) == 10
    assert measuring.measured(blocks_of(tmp_path / "none", [])) == []


def test_how_many_is_in_the_record_and_on_the_card(runs: dict[str, weitiao.Run]) -> None:
    some, every = (runs[name].record["pretraining"]["held_out"] for name in ("some", "all"))
    assert every["measured"] == every["tokens"] == some["tokens"]
    assert some["measured"] <= 320 < some["tokens"]
    said = f"On {some['measured']:,} of the {some['tokens']:,} tokens of documents that were held out (40% of all documents)"
    assert said in runs["some"].folder.card.read_text(encoding="utf-8")
    assert said in runs["some"].folder.report.read_text(encoding="utf-8")
    assert f"On all {every['tokens']:,} tokens of the documents" in runs["all"].folder.card.read_text(encoding="utf-8")


def test_the_report_has_the_figures_beside_those_before(runs: dict[str, weitiao.Run]) -> None:
    record, page = runs["all"].record, runs["all"].folder.report.read_text(encoding="utf-8")
    before, after = record["pretraining"]["before"], record["held_out"]
    table = page.partition('id="held-out"')[2].partition("</table>")[0]
    for name in ("perplexity", "masked_accuracy", "loss"):
        assert f"{before[name]:.3f}" in table and f"{after[name]:.3f}" in table
    assert "accuracy on masked tokens" in table and "lower is better" in table
    assert f"<dt>tokens seen</dt><dd>{record['training']['tokens']:,}</dd>" in page
    assert "has not been tested" not in page and "when it is fine-tuned: weitiao train DATA --model" in page
    assert "Hidden at a time: whole words" in runs["all"].folder.card.read_text(encoding="utf-8")
