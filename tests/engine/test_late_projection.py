"""Products with the vocabulary that are put off change neither loss nor gradients, and are left alone where they would."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import make_model
from weitiao.engine.devices import Machine
from weitiao.engine.late_projection import LateProjection
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives import Example, Objective, unprojected
from weitiao.engine.objectives.language import CausalLM, MaskedLM, Seq2SeqLM
from weitiao.engine.objectives.rows import Classification
from weitiao.processing import IGNORED, Features

MACHINE = Machine("cpu", "fp32", 1)
KINDS: dict[str, tuple[str, type[Objective]]] = {
    "bert": ("AutoModelForMaskedLM", MaskedLM),
    "gpt2": ("AutoModelForCausalLM", CausalLM),
    "llama": ("AutoModelForCausalLM", CausalLM),
    "t5": ("AutoModelForSeq2SeqLM", Seq2SeqLM),
}


def prepared(family: str, tmp_path: Path, smoothing: float = 0.0) -> tuple[LoadedModel, Objective, Sequence[Example]]:
    name, kind = KINDS[family]
    more = {"decoder_start_token_id": 0} if family == "t5" else {}
    loaded = load_model(make_model(tmp_path / "m", family, **more), (name,), {}, MACHINE)
    loaded.network.eval()
    draw = np.random.default_rng(0)
    rows = []
    for length in (14, 9, 5):
        ids = draw.integers(1, 48, length).tolist()  # some of them larger than the models are wide
        columns = {"input_ids": ids, "attention_mask": [1] * length, "token_type_ids": [0] * length}
        target = [IGNORED] * (length // 2) + ids[length // 2 :]
        inputs = {name: columns[name] for name in loaded.tokenizer.model_input_names}
        rows.append([Features(inputs, target=target, words=list(range(length)))])
    objective = MaskedLM(4, 48, smoothing=smoothing) if kind is MaskedLM else kind(smoothing)  # type: ignore[call-arg]
    return loaded, objective, rows


def step(way: Any, loaded: LoadedModel, objective: Objective, rows: Sequence[Example]) -> tuple[float, dict[str, torch.Tensor]]:
    loaded.network.zero_grad()
    batch = objective.collate(objective.drawn(rows, np.random.default_rng(1)), loaded.padding)
    loss = objective.loss(way.forward(batch), batch) / 7
    loss.backward()
    return loss.item(), {n: p.grad.clone() for n, p in loaded.network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("family", KINDS)
def test_loss_and_gradients_stay_what_they_are(family: str, smoothing: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces of a few positions each, with tied vocabularies and with biases."""
    monkeypatch.setitem(unprojected.PIECE, "cpu", 100)
    loaded, objective, rows = prepared(family, tmp_path, smoothing)
    late = LateProjection.of(loaded, objective, rows[:1])
    assert late is not None
    loss, slopes = step(loaded, loaded, objective, rows)
    late_loss, late_slopes = step(late, loaded, objective, rows)
    assert late_loss == pytest.approx(loss, rel=1e-5)
    assert late_slopes.keys() == slopes.keys()
    for name, slope in slopes.items():
        torch.testing.assert_close(late_slopes[name], slope, atol=1e-5, rtol=1e-4, msg=name)


def test_no_gradient_is_made_for_a_frozen_vocabulary(tmp_path: Path) -> None:
    loaded, objective, rows = prepared("llama", tmp_path)
    loaded.network.get_output_embeddings().requires_grad_(False)
    late = LateProjection.of(loaded, objective, rows[:1])
    assert late is not None
    _loss, slopes = step(late, loaded, objective, rows)
    assert "lm_head.weight" not in slopes
    assert slopes


def test_the_layer_is_what_it_was_afterwards(tmp_path: Path) -> None:
    loaded, objective, rows = prepared("llama", tmp_path)
    batch = objective.collate(rows, loaded.padding)
    before = loaded.forward(batch).logits
    late = LateProjection.of(loaded, objective, rows[:1])
    assert late is not None
    late.forward(batch)
    torch.testing.assert_close(loaded.forward(batch).logits, before)


def test_a_family_that_adds_to_its_logits_is_left_alone(tmp_path: Path) -> None:
    loaded, objective, rows = prepared("llama", tmp_path)
    forward = loaded.network.forward

    def scaled(*args: Any, **kwargs: Any) -> Any:
        outputs = forward(*args, **kwargs)
        outputs.logits = torch.tanh(outputs.logits * 5)
        return outputs

    loaded.network.forward = scaled
    assert LateProjection.of(loaded, objective, rows[:1]) is None


def test_a_loss_of_somebodys_own_sees_logits(tmp_path: Path) -> None:
    class Own(CausalLM):
        def loss(self, outputs: Any, batch: Any) -> torch.Tensor:
            result: torch.Tensor = outputs.logits.softmax(-1).sum()
            return result

    loaded, _objective, rows = prepared("llama", tmp_path)
    assert LateProjection.of(loaded, Own(), rows[:1]) is None


def test_a_model_without_a_vocabulary_has_nothing_to_put_off(tmp_path: Path) -> None:
    loaded = load_model(make_model(tmp_path / "m", "bert"), ("AutoModelForSequenceClassification",), {"num_labels": 2}, MACHINE)
    rows = [[replace(Features({"input_ids": [1, 2], "attention_mask": [1, 1]}), target=0)]]
    assert LateProjection.of(loaded, Classification(), rows) is None


@pytest.mark.parametrize("scale", [1.0, 8.0, 11.0])
def test_slopes_in_16_bits_are_as_good_as_their_digits(scale: float) -> None:
    """Also where the right word is nearly certain already, and 1 minus its probability is smaller than those digits tell apart from 1."""
    torch.manual_seed(0)
    states, weight = torch.randn(64, 32), torch.randn(200, 32)
    targets = torch.randint(200, (64,))
    states = torch.nn.functional.normalize(states + scale * weight[targets]) * scale
    slopes = {}
    for way in ("unprojected", "plain", "exact"):
        dtype = torch.float64 if way == "exact" else torch.bfloat16
        own, matrix = states.bfloat16().to(dtype).requires_grad_(), weight.bfloat16().to(dtype)
        if way == "unprojected":
            unprojected.Unprojected(own, matrix, None).cross_entropy(targets, 0.0).backward()
        else:
            logits = own @ matrix.t()
            torch.nn.functional.cross_entropy(logits if way == "exact" else logits.float(), targets, reduction="sum").backward()
        assert own.grad is not None
        slopes[way] = own.grad.double()
    errors = {way: float((slopes[way] - slopes["exact"]).norm()) for way in ("unprojected", "plain")}
    assert errors["unprojected"] < 1.2 * errors["plain"]
