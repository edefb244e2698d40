"""Where a model is not packed a step is planned over the pieces of its blocks, and computes what it computes in one."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import make_model, sentences
from weitiao.engine import models
from weitiao.engine.objectives import Example
from weitiao.engine.pretraining import measuring
from weitiao.engine.pretraining.measuring import held_out_figures
from weitiao.engine.pretraining.session import PretrainingSession
from weitiao.observer import SILENT
from weitiao.pretraining import recipe_of
from weitiao.runs import RunFolder

BUDGETS = (0, 64, 150)


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PretrainingSession]:
    """Prepares a pretraining of a family on lines of a few words."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(f"{text} {number}" for number, (text, _label) in enumerate(sentences(120, seed=3))), encoding="utf-8")
    tokenizer = make_model(tmp_path / "tokenizer")
    honest = models.load_model

    def prepare(family: str, *, packed: bool = True) -> PretrainingSession:
        monkeypatch.setattr(models, "load_model", partial(honest, packed=packed))
        settings: dict[str, Any] = {"batch_size": 6, "block_size": 48, "held_out": 0.3, "threads": 1, "raw": True}
        if family == "t5":
            settings |= {"config": "t5:tiny", "vocab_size": 400}
        else:
            settings |= {"config": str(make_model(tmp_path / family, family) / "config.json"), "tokenizer": str(tokenizer)}
        session = PretrainingSession(recipe_of([corpus], settings), SILENT, RunFolder(tmp_path / "run"))
        session.loaded.network.eval()  # no dropout, which draws by a batch's shape
        return session

    return prepare


def stepped(session: PretrainingSession, budget: int) -> tuple[float, dict[str, torch.Tensor], list[list[Example]], list[int]]:
    """Of a step under a token budget: loss, gradients, the rows of each micro-batch, and what each costs with its padding."""
    trainer = session.trainer
    trainer.progress.token_budget = budget
    session.loaded.network.zero_grad()
    rows = [session.blocks[at] for at in trainer.job.course.batches(0)[0]]
    ready = trainer._ready(rows, 0)
    loss = float(trainer._gradients(ready))
    slopes = {name: p.grad.clone() for name, p in session.loaded.network.named_parameters() if p.grad is not None}
    shapes = [[batch.inputs["input_ids"], *([batch.inputs["labels"]] if "labels" in batch.inputs else [])] for _part, batch in ready.parts]
    return loss, slopes, [part for part, _batch in ready.parts], [sum(one.numel() for one in those) for those in shapes]


def alike(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, slope in wanted.items():
        torch.testing.assert_close(found[name], slope, atol=2e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "t5"])
def test_a_step_is_cut_between_pieces_and_its_loss_stays(family: str, prepared: Callable[..., PretrainingSession]) -> None:
    session = prepared(family, packed=False)
    try:
        assert session.loaded.packing is None
        loss, slopes, ((*whole,),), _costs = stepped(session, 0)
        assert len(whole) > 6  # of so many blocks
        for budget in BUDGETS[1:]:
            found, own, parts, costs = stepped(session, budget)
            assert max(costs) <= budget and len(parts) > 1
            assert sorted(len(one) for part in parts for (one,) in part) == sorted(len(one) for (one,) in whole)
            assert found == pytest.approx(loss, rel=1e-5)
            alike(own, slopes)
    finally:
        session.close()


def test_packed_and_padded_steps_are_the_same(prepared: Callable[..., PretrainingSession]) -> None:
    packed = prepared("bert")
    try:
        assert packed.loaded.packing is not None
        weights = {name: tensor.clone() for name, tensor in packed.loaded.network.state_dict().items()}
        steps = [stepped(packed, budget) for budget in BUDGETS]
        assert [len(part) for part in steps[0][2]] == [6]  # whole blocks
    finally:
        packed.close()
    padded = prepared("bert", packed=False)
    try:
        padded.loaded.network.load_state_dict(weights)
        steps += [stepped(padded, budget) for budget in BUDGETS]
    finally:
        padded.close()
    for loss, slopes, _parts, _costs in steps[1:]:
        assert loss == pytest.approx(steps[0][0], rel=1e-5)
        alike(slopes, steps[0][1])


@pytest.mark.parametrize("family", ["bert", "t5"])
def test_what_is_held_out_is_measured_in_passes_of_bounded_size(
    family: str, prepared: Callable[..., PretrainingSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = prepared(family, packed=False)
    loaded, sizes = session.loaded, []
    honest = type(loaded).forward

    def noted(self: Any, batch: Any) -> Any:
        sizes.append(sum(batch.inputs[name].numel() for name in ("input_ids", "labels") if name in batch.inputs))
        return honest(self, batch)

    monkeypatch.setattr(type(loaded), "forward", noted)
    try:
        figures = []
        for tokens in (100_000, 150):
            monkeypatch.setattr(measuring, "TOKENS", tokens)
            sizes.clear()
            figures.append(held_out_figures(loaded, loaded.network, session.objective, session.held_out, loaded.padding, "cpu", 1))
            assert max(sizes) <= tokens
    finally:
        session.close()
    assert len(sizes) > 3
    assert figures[0].keys() == figures[1].keys()
