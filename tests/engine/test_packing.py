"""Padding-free steps change nothing: logits and gradients equal the plain model's, family by family."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.conftest import make_model
from weitiao.engine.backend import TorchBackend
from weitiao.engine.devices import Machine
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives.language import CausalLM
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


DECODERS = {
    "gpt2": {"n_positions": 64, "resid_pdrop": 0.0},
    "llama": {"num_key_value_heads": 2},
    "mistral": {"num_key_value_heads": 2, "sliding_window": 8},
    "qwen2": {"num_key_value_heads": 2, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "gemma": {"num_key_value_heads": 1, "head_dim": 8},
    "modernbert": {"local_attention": 8, "global_attn_every_n_layers": 2},
}


@pytest.mark.parametrize("family", DECODERS)
def test_rows_packed_one_behind_the_other_do_not_see_each_other(family: str, tmp_path: Path) -> None:
    """Logits of every real token and all gradients, with windows of attention that are shorter than the texts."""
    folder = make_model(tmp_path / "m", family, **DECODERS[family])
    classes = ("AutoModelForMaskedLM" if family == "modernbert" else "AutoModelForCausalLM",)
    results = []
    for packed in (False, True):
        torch.manual_seed(1)
        loaded = load_model(folder, classes, {}, MACHINE, packed=packed)
        assert (loaded.packing is not None) == packed
        loaded.network.eval()
        rows = [Features({n: f.inputs[n] for n in ("input_ids", "attention_mask")}, target=f.inputs["input_ids"]) for f in batch(loaded)]
        collated = CausalLM().collate([[row] for row in rows], loaded.padding)
        outputs = loaded.forward(collated)
        real = collated.inputs["attention_mask"].bool()  # (rows, length)
        F.cross_entropy(outputs.logits[real], collated.targets["labels"][real]).backward()
        results.append((outputs.logits.detach()[real], {n: p.grad for n, p in loaded.network.named_parameters() if p.grad is not None}))
    (logits, slopes), (packed_logits, packed_slopes) = results
    torch.testing.assert_close(packed_logits, logits, atol=1e-5, rtol=0)
    assert packed_slopes.keys() == slopes.keys()
    for name, slope in slopes.items():
        torch.testing.assert_close(packed_slopes[name], slope, atol=1e-5, rtol=1e-4, msg=name)


def test_a_packed_decoder_writes_as_the_plain_one_does(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", "llama", num_key_value_heads=2)
    written = []
    for packed in (False, True):
        torch.manual_seed(1)
        loaded = load_model(folder, ("AutoModelForCausalLM",), {}, MACHINE, packed=packed)
        rows = [Features({n: f.inputs[n] for n in ("input_ids", "attention_mask")}) for f in batch(loaded)]
        backend = TorchBackend(loaded, CausalLM(), {"max_new_tokens": 6, "do_sample": False})
        written.append([row["sequences"].tolist() for row in backend.run(rows)])
        assert loaded.forward(CausalLM().collate([[row] for row in rows], loaded.padding)).logits.isfinite().all()
    assert written[0] == written[1]


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

    honest = packing.attend
    monkeypatch.setattr(packing, "attend", lambda *args: honest(*args) * 1.01)
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


@pytest.mark.parametrize("family", ["bert", "distilbert", "albert", "modernbert"])
@pytest.mark.parametrize("multiple", [7, 64])
def test_tokens_filled_up_to_a_multiple_change_no_answer(family: str, multiple: int, tmp_path: Path) -> None:
    """BERT and DistilBERT run their last layer on first tokens alone, ALBERT does not, and ModernBERT is packed as a whole."""
    loaded = load(make_model(tmp_path / "m", family), packed=True)
    assert loaded.packing is not None
    rows = batch(loaded)
    wanted = run(loaded, rows)
    loaded.packing.multiple = multiple
    for ours, theirs in zip(run(loaded, rows), wanted, strict=True):
        assert abs(ours["logits"] - theirs["logits"]).max() < 1e-5
    plan = loaded.packing.current
    assert plan is not None and plan.spare and len(plan.collect) % multiple == 0


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
