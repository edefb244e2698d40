"""LoRA computed cheaply is PEFT's LoRA: the same outputs and gradients, and PEFT's own way wherever a layer is not a plain one."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel

from weitiao.engine import low_rank
from weitiao.engine.dropout import make_dropout_cheap


def bert() -> Any:
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "vocab_size": 50}
    return BertForSequenceClassification(BertConfig(**small, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))


def gpt2() -> Any:
    return GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=50, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0))


def adapted(make: Any, targets: list[str], **settings: Any) -> Any:
    torch.manual_seed(0)
    network = get_peft_model(make(), LoraConfig(r=3, target_modules=targets, fan_in_fan_out=make is gpt2, **settings))
    for name, parameter in network.named_parameters():
        if "lora_B" in name:  # zeros at first, which would hide A
            nn.init.normal_(parameter)
    return network


def outcome(network: Any, ids: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    network.zero_grad()
    logits = network(input_ids=ids).logits
    logits.square().sum().backward()
    return logits, {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


FAMILIES = [(bert, ["query", "key", "value", "dense"]), (gpt2, ["c_attn", "c_proj", "c_fc"])]


@pytest.mark.parametrize(("make", "targets"), FAMILIES)
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_outputs_and_gradients_are_those_of_peft(make: Any, targets: list[str], p: float, monkeypatch: pytest.MonkeyPatch) -> None:
    network = adapted(make, targets, lora_dropout=p).train()
    make_dropout_cheap(network)  # the same numbers are drawn then
    ids = torch.randint(0, 50, (4, 7))
    torch.manual_seed(1)
    logits, gradients = outcome(network, ids)
    calls = 0
    apply = low_rank._Adapted.apply

    def counted(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        return apply(*args)

    monkeypatch.setattr(low_rank._Adapted, "apply", counted)
    low_rank.make_products_cheap(network)
    torch.manual_seed(1)
    cheap, cheap_gradients = outcome(network, ids)
    assert calls == sum("lora_A" in name for name in gradients)
    torch.testing.assert_close(cheap, logits, rtol=1e-4, atol=1e-5)
    assert cheap_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert (cheap_gradients[name] - gradient).abs().max() <= 1e-3 * gradient.abs().max(), name


def test_peft_keeps_what_is_not_plain() -> None:
    network = adapted(bert, ["query", "value"]).eval()
    ids = torch.randint(0, 50, (2, 5))
    network.add_adapter("other", LoraConfig(r=2, target_modules=["query", "value"]))
    with torch.no_grad():
        plain = network(input_ids=ids).logits
        with network.disable_adapter():
            without = network(input_ids=ids).logits
        low_rank.make_products_cheap(network)
        torch.testing.assert_close(network(input_ids=ids).logits, plain, rtol=1e-4, atol=1e-5)
        with network.disable_adapter():
            assert torch.equal(network(input_ids=ids).logits, without)
        network.set_adapter("other")  # its products are zero
        torch.testing.assert_close(network(input_ids=ids).logits, without, rtol=1e-4, atol=1e-5)
        network.set_adapter("default")
        network.merge_adapter()
        torch.testing.assert_close(network(input_ids=ids).logits, plain, rtol=1e-4, atol=1e-5)
        network.unmerge_adapter()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert (network(input_ids=ids).logits.float() - plain).abs().max() < 0.1


def test_dora_is_left_to_peft() -> None:
    network = adapted(bert, ["query"], use_dora=True).eval()
    ids = torch.randint(0, 50, (2, 5))
    with torch.no_grad():
        plain = network(input_ids=ids).logits
        low_rank.make_products_cheap(network)
        assert torch.equal(network(input_ids=ids).logits, plain)


def test_nothing_of_it_is_saved() -> None:
    network = adapted(bert, ["query"])
    names = list(network.state_dict())
    low_rank.make_products_cheap(network)
    assert list(network.state_dict()) == names
    assert type(network.merge_and_unload()).__name__ == "BertForSequenceClassification"
