"""Padding-free steps change nothing: logits and gradients equal the plain model's, family by family."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import make_model
from weitiao.engine.backend import TorchBackend
from weitiao.engine.devices import Machine
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives.rows import Classification
from weitiao.processing import Features

MACHINE = Machine("cpu", "fp32", 1)
LENGTHS = (40, 33, 31, 12, 11, 5, 3)


def load(folder: Path, *, packed: bool) -> LoadedModel:
    torch.manual_seed(1)
    return load_model(folder, ("AutoModelForSequenceClassification",), {"num_labels": 3}, MACHINE, packed=packed)


def batch(loaded: LoadedModel) -> list[Features]:
    draw = torch.Generator().manual_seed(3)
    rows = []
    for length in LENGTHS:
        ids = torch.randint(1, 20, (length,), generator=draw).tolist()
        columns = {"input_ids": ids, "attention_mask": [1] * length, "token_type_ids": [0] * length}
        rows.append(Features({name: columns[name] for name in loaded.tokenizer.model_input_names}, target=length % 3))
    return rows


def run(loaded: LoadedModel, rows: list[Features]) -> list[dict[str, np.ndarray]]:
    return TorchBackend(loaded, Classification()).run(rows)


def gradients(loaded: LoadedModel, rows: list[Features]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    objective = Classification()
    collated = objective.collate([[row] for row in rows], loaded.padding)
    outputs = loaded.forward(collated)
    objective.loss(outputs, collated).backward()
    return outputs.logits.detach(), {n: p.grad for n, p in loaded.network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-roberta", "electra", "distilbert", "albert"])
def test_logits_and_gradients_equal_the_plain_model(family: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", family)
    plain, packed = load(folder, packed=False), load(folder, packed=True)
    assert packed.packing is not None
    for loaded in (plain, packed):
        loaded.network.eval()  # no dropout
    logits, slopes = gradients(plain, batch(plain))
    packed_logits, packed_slopes = gradients(packed, batch(packed))
    torch.testing.assert_close(packed_logits, logits, atol=1e-5, rtol=0)
    assert packed_slopes.keys() == slopes.keys()
    for name, slope in slopes.items():
        torch.testing.assert_close(packed_slopes[name], slope, atol=1e-5, rtol=1e-4, msg=name)


def test_attention_dropout_is_not_left_out(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.5, classifier_dropout=0.0)
    loaded = load(folder, packed=True)
    rows = batch(loaded)
    loaded.network.train()
    torch.manual_seed(0)
    first, _ = gradients(loaded, rows)
    torch.manual_seed(0)
    again, _ = gradients(loaded, rows)
    torch.manual_seed(1)
    other, _ = gradients(loaded, rows)
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 1e-4


def test_a_family_with_its_own_attention_is_left_alone(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", "deberta-v2", pos_att_type=["p2c", "c2p"], relative_attention=True)
    loaded = load(folder, packed=True)
    assert loaded.packing is None
    assert len(run(loaded, batch(loaded))) == len(LENGTHS)


def test_outputs_that_disagree_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from weitiao.engine import packing

    honest = packing._attend
    monkeypatch.setattr(packing, "_attend", lambda *args: honest(*args) * 1.01)
    loaded = load(make_model(tmp_path / "m"), packed=True)
    assert loaded.packing is None
    plain = load(tmp_path / "m", packed=False)
    rows = batch(loaded)
    for ours, theirs in zip(run(loaded, rows), run(plain, rows), strict=True):
        assert abs(ours["logits"] - theirs["logits"]).max() < 1e-6


def test_a_prediction_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    loaded = load(make_model(tmp_path / "m"), packed=True)
    rows = batch(loaded)
    together = run(loaded, rows)
    for row, outputs in zip(rows, together, strict=True):
        assert abs(run(loaded, [row])[0]["logits"] - outputs["logits"]).max() < 1e-5


def test_gradient_checkpointing_gives_the_same_gradients(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    plain, saved = load(folder, packed=True), load(folder, packed=True)
    saved.network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    for loaded in (plain, saved):
        loaded.network.train()
    torch.manual_seed(5)
    _, slopes = gradients(plain, batch(plain))
    torch.manual_seed(5)
    _, saved_slopes = gradients(saved, batch(saved))
    for name, slope in slopes.items():
        torch.testing.assert_close(saved_slopes[name], slope, atol=1e-6, rtol=1e-5, msg=name)
