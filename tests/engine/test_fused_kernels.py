"""Liger's kernels are put on a decoder's own modules, and taken off again where they compute something else. A stand-in takes their place:
the real ones need a GPU.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.conftest import make_model
from weitiao.engine import fused_kernels
from weitiao.engine.devices import Machine
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.own_network import OwnNetwork
from weitiao.engine.way_of_steps import way_of_steps

IDS = torch.tensor([[5, 9, 3, 7]])


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float, offset: float, casting: str) -> torch.Tensor:
    normed = x.float() * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + eps)
    return ((weight + offset) * normed).to(x.dtype)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    functional: Any = ModuleType("liger_kernel.transformers.functional")
    functional.liger_rms_norm = rms_norm
    functional.liger_swiglu = lambda a, b: F.silu(a) * b
    functional.liger_geglu = lambda a, b: F.gelu(a, approximate="tanh") * b
    functional.liger_rope = lambda *args: pytest.fail("a CPU takes the family's own function")
    transformers: Any = ModuleType("liger_kernel.transformers")
    transformers.functional = functional
    monkeypatch.setitem(sys.modules, "liger_kernel", ModuleType("liger_kernel"))
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", transformers)
    monkeypatch.setattr(fused_kernels, "installed", lambda: True)
    yield functional
    for name, module in list(sys.modules.items()):
        rotate = getattr(module, "apply_rotary_pos_emb", None) if name.startswith("transformers.models.") else None
        if hasattr(rotate, "plain"):
            module.apply_rotary_pos_emb = rotate.plain  # type: ignore[attr-defined, union-attr]


def loaded(family: str, folder: Path) -> LoadedModel:
    made = make_model(folder / "m", family, num_key_value_heads=2, **({"head_dim": 8} if family in ("qwen3", "gemma") else {}))
    return load_model(made, ("AutoModelForCausalLM",), {}, Machine("cpu", "fp32", 1), packed=False)


def outputs(network: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = network(input_ids=IDS).logits
    return logits


@pytest.mark.parametrize("family", fused_kernels.FAMILIES)
def test_every_norm_and_activation_is_taken_over(family: str, tmp_path: Path, kernels: Any) -> None:
    network = loaded(family, tmp_path).network
    plain = outputs(network)
    assert fused_kernels.fuse(network, lambda: outputs(network))
    torch.testing.assert_close(outputs(network), plain, atol=1e-5, rtol=1e-4)
    taken = [type(module).__name__ for module in network.modules() if "forward" in vars(module)]
    layers = network.config.num_hidden_layers
    assert sum(name.endswith("MLP") for name in taken) == layers
    assert sum(name.endswith("RMSNorm") for name in taken) >= 2 * layers + 1


def test_kernels_that_compute_something_else_are_taken_off_again(tmp_path: Path, kernels: Any) -> None:
    network = loaded("llama", tmp_path).network
    plain = outputs(network)
    kernels.liger_swiglu = lambda a, b: a * b
    assert not fused_kernels.fuse(network, lambda: outputs(network))
    assert not any("forward" in vars(module) for module in network.modules())
    torch.testing.assert_close(outputs(network), plain)


def test_kernels_that_break_are_taken_off_again(tmp_path: Path, kernels: Any) -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("no such shape")

    network = loaded("llama", tmp_path).network
    kernels.liger_rms_norm = broken
    assert not fused_kernels.fuse(network, lambda: outputs(network))
    assert outputs(network).isfinite().all()


def test_a_network_of_somebodys_own_stands_on_a_family(tmp_path: Path, kernels: Any) -> None:
    class Mine(OwnNetwork):
        def forward(self, **inputs: Any) -> Any:
            return self.base(**inputs)

    network = Mine(loaded("llama", tmp_path).network.model)

    def states() -> torch.Tensor:
        with torch.no_grad():
            return network(input_ids=IDS).last_hidden_state  # type: ignore[no-any-return]

    plain = states()
    assert fused_kernels.fuse(network, states)
    torch.testing.assert_close(states(), plain, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("family", "installed", "says"),
    [("llama", False, "weitiao[liger]"), ("llama", True, "with them the outputs differ"), ("gpt2", False, ""), ("gpt2", True, "")],
)
def test_the_plan_names_them_where_they_would_help(family: str, installed: bool, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_kernels, "installed", lambda: installed)
    network = SimpleNamespace(config=SimpleNamespace(model_type=family))
    machine, packing = Machine("cuda", "bf16", 1), SimpleNamespace(decoder=True, last=None)
    made = SimpleNamespace(network=network, machine=machine, packing=packing, half_base=None, fused=False)
    trainer: Any = SimpleNamespace(job=SimpleNamespace(loaded=made), recorded=None, late=None, every_word="")
    assert says in way_of_steps(trainer)
    assert ("Liger" in way_of_steps(trainer)) == bool(says)


def test_a_family_that_they_were_not_made_for_stays(tmp_path: Path, kernels: Any) -> None:
    made = make_model(tmp_path / "m", "gpt2")
    network = load_model(made, ("AutoModelForCausalLM",), {}, Machine("cpu", "fp32", 1), packed=False).network
    assert not fused_kernels.fuse(network, lambda: outputs(network))
