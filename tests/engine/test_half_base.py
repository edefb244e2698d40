"""Frozen weights in 16 bits beside adapters that learn: what learns stays fine, what is frozen comes back bit for bit."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.conftest import make_model
from weitiao.config import AdapterSettings
from weitiao.engine.adapters import add_adapter
from weitiao.engine.devices import Machine
from weitiao.engine.half_base import HalfBase
from weitiao.engine.models import LoadedModel, load_model


@pytest.fixture
def adapted(tmp_path: Path) -> LoadedModel:
    torch.manual_seed(0)
    folder = make_model(tmp_path / "m", "llama", num_key_value_heads=2)
    loaded = load_model(folder, ("AutoModelForCausalLM",), {}, Machine("cpu", "fp32", 1), packed=False)
    add_adapter(loaded, AdapterSettings(lora_dropout=0.0))
    for name, parameter in loaded.network.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.1)  # a product of zeros would show nothing
    return loaded


def test_only_frozen_weights_are_held_in_half_and_they_come_back(adapted: LoadedModel) -> None:
    before = {name: p.detach().clone() for name, p in adapted.network.named_parameters()}
    half = HalfBase(adapted.network)
    for parameter in adapted.network.parameters():
        assert parameter.dtype == (torch.float32 if parameter.requires_grad else torch.bfloat16)
    half.undo()
    for name, parameter in adapted.network.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_weights_that_were_made_in_half_are_not_kept_twice(adapted: LoadedModel) -> None:
    frozen = [p for p in adapted.network.parameters() if not p.requires_grad]
    with torch.no_grad():
        for parameter in frozen:
            parameter.copy_(parameter.bfloat16().float())
    assert all(whole is None for _parameter, whole in HalfBase(adapted.network).held)


def test_lora_beside_half_weights_learns_what_pefts_own_layers_learn(adapted: LoadedModel) -> None:
    """Logits and gradients, in bfloat16, as near as its digits go; the adapters' gradients are in full precision."""
    network, ids = adapted.network, torch.tensor([[5, 9, 3, 7, 2]])
    HalfBase(network)
    results = []
    for own in (True, False):
        if not own:
            for module in network.modules():
                if "forward" in vars(module) and hasattr(module, "lora_A"):
                    del module.forward
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(input_ids=ids).logits
        logits.float().square().sum().backward()
        slopes = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
        assert slopes
        assert all(slope.dtype == torch.float32 for slope in slopes.values())
        results.append((logits.detach().float(), slopes))
    (logits, slopes), (peft_logits, peft_slopes) = results
    assert (logits - peft_logits).norm() < 0.02 * peft_logits.norm()
    for name, slope in peft_slopes.items():
        assert (slopes[name] - slope).norm() < 0.05 * slope.norm() + 1e-6, name
