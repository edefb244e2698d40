"""The last layer on first tokens alone: the same logits and gradients where a head reads no more, and left whole where it does."""

from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from transformers import BertForSequenceClassification
from transformers.modeling_outputs import SequenceClassifierOutput

from tests.conftest import make_model
from tests.engine.test_packing import MACHINE, batch, gradients, load, run
from weitiao.config import AdapterSettings
from weitiao.engine.adapters import add_adapter, merge_adapter
from weitiao.engine.models import load_model
from weitiao.engine.packing import pack

FAMILIES = ["bert", "roberta", "xlm-roberta", "electra", "distilbert"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_computes_the_last_layer_where_it_is_read(family: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", family)
    plain, packed = load(folder, packed=False), load(folder, packed=True)
    assert packed.packing is not None
    assert packed.packing.last is not None
    seen = []
    packed.packing.last.layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    for loaded in (plain, packed):
        loaded.network.eval()
    logits, slopes = gradients(plain, batch(plain))
    rows = batch(packed)
    packed_logits, packed_slopes = gradients(packed, rows)
    output = seen[-1][0] if isinstance(seen[-1], tuple) else seen[-1]
    assert output.shape[-2] == len(rows)  # not all of their tokens
    torch.testing.assert_close(packed_logits, logits, atol=1e-5, rtol=0)
    for name, slope in slopes.items():
        torch.testing.assert_close(packed_slopes[name], slope, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("head", ["AutoModelForTokenClassification", "AutoModelForQuestionAnswering", "AutoModelForMaskedLM", "AutoModel"])
def test_a_head_that_reads_every_token_gets_every_token(head: str, tmp_path: Path) -> None:
    loaded = load_model(make_model(tmp_path / "m", "bert"), (head,), {}, MACHINE)
    assert loaded.packing is not None
    assert loaded.packing.last is None


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_an_adapter_on_the_last_layer_learns_the_same(family: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", family)
    results = []
    for packed in (False, True):
        loaded = load(folder, packed=packed)
        torch.manual_seed(0)
        add_adapter(loaded, AdapterSettings(lora_dropout=0.0))
        with torch.no_grad():
            for name, parameter in loaded.network.named_parameters():
                if "lora_B" in name:
                    parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view(parameter.shape))
        loaded.network.eval()
        results.append(gradients(loaded, batch(loaded)))
    (logits, slopes), (packed_logits, packed_slopes) = results
    torch.testing.assert_close(packed_logits, logits, atol=1e-5, rtol=0)
    assert packed_slopes.keys() == slopes.keys()
    for name, slope in slopes.items():
        torch.testing.assert_close(packed_slopes[name], slope, atol=1e-5, rtol=1e-3, msg=name)


def test_a_merged_adapter_is_still_read_by_the_narrow_layer(tmp_path: Path) -> None:
    loaded = load(make_model(tmp_path / "m", "bert"), packed=True)
    add_adapter(loaded, AdapterSettings())
    with torch.no_grad():
        for name, parameter in loaded.network.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
    loaded.network.eval()
    before, _slopes = gradients(loaded, batch(loaded))
    merge_adapter(loaded)
    loaded.network.requires_grad_(True)
    after, _slopes = gradients(loaded, batch(loaded))
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_dropout_of_its_attention_is_drawn_and_keeps_the_mean(tmp_path: Path) -> None:
    loaded = load(make_model(tmp_path / "m", "bert", attention_probs_dropout_prob=0.3, hidden_dropout_prob=0.0), packed=True)
    rows = batch(loaded)
    loaded.network.eval()
    calm = gradients(loaded, rows)[0]
    loaded.network.train()
    torch.manual_seed(0)
    drawn = torch.stack([gradients(loaded, rows)[0] for _time in range(300)])
    assert drawn.std(dim=0).max() > 0
    assert (drawn.mean(dim=0) - calm).abs().max() < 0.1 * calm.abs().max()


class MeanOfAll(BertForSequenceClassification):
    """Reads every token, and starts from zeros, so that its first answers do not show it."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        torch.nn.init.zeros_(self.classifier.weight)

    def forward(self, input_ids: Any, attention_mask: Any = None, **more: Any) -> SequenceClassifierOutput:
        states = self.bert(input_ids, attention_mask=attention_mask).last_hidden_state * attention_mask[..., None]
        return SequenceClassifierOutput(logits=self.classifier(states.sum(dim=1)))


@pytest.mark.parametrize("module", ["tests.engine.test_last_layer", "transformers.models.bert.modeling_bert"])
def test_a_head_of_zeros_does_not_hide_what_it_reads(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MeanOfAll, "__module__", module)
    network = MeanOfAll.from_pretrained(str(make_model(tmp_path / "m", "bert")), num_labels=3).eval()
    torch.nn.init.zeros_(network.classifier.weight)
    probe = {"input_ids": torch.tensor([[5, 6, 7], [8, 9, 0]]), "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}
    packing = pack(network, probe)
    assert packing is not None
    assert packing.last is None


def test_threads_that_share_a_model_take_turns(tmp_path: Path) -> None:
    loaded = load(make_model(tmp_path / "m", "bert"), packed=True)
    loaded.network.eval()
    rows = batch(loaded)
    wanted = {number: run(loaded, rows[number:]) for number in range(3)}
    wrong: list[str] = []

    def ask(number: int) -> None:
        try:
            for _time in range(20):
                for found, right in zip(run(loaded, rows[number:]), wanted[number], strict=True):
                    if abs(found["logits"] - right["logits"]).max() > 1e-5:
                        wrong.append(f"thread {number}: another answer")
        except Exception as error:  # told by the main thread
            wrong.append(repr(error))

    threads = [Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
