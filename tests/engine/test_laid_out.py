"""Laid-out layers: the same answers within rounding, and out of the way wherever a layer does more than answer in fp32."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weitiao

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from weitiao.engine import laid_out  # noqa: E402
from weitiao.engine.laid_out import lay_out  # noqa: E402

pytestmark = pytest.mark.skipif(not laid_out._available(), reason="no oneDNN products for this processor")


@pytest.fixture
def network() -> Any:
    """Two layers in a list of blocks, one without a bias, and one outside."""
    torch.manual_seed(0)
    return nn.Sequential(nn.ModuleList([nn.Linear(48, 40), nn.Linear(48, 40, bias=False)]), nn.Linear(40, 2))


@pytest.mark.parametrize("shape", [(48,), (1, 48), (7, 48), (100, 48), (2, 160, 48)])
@pytest.mark.parametrize("at", [0, 1])
def test_answers_are_those_of_the_plain_layer(network: Any, at: int, shape: tuple[int, ...]) -> None:
    layer, x = network[0][at], torch.randn(shape)
    plain = layer(x)
    lay_out(network)
    with torch.inference_mode():
        answers = [layer(x), layer(x)]  # the first call lays the weights out
    assert layer.forward.weight is not None
    for answer in answers:
        assert answer.shape == plain.shape and torch.allclose(answer, plain, atol=1e-5)


def test_a_row_gets_the_same_answer_alone_as_among_others(network: Any) -> None:
    layer, x = network[0][0], torch.randn(512, 48)
    lay_out(network)
    with torch.inference_mode():
        assert torch.allclose(layer(x)[3:4], layer(x[3:4]), atol=1e-6)


def test_only_answering_in_fp32_takes_this_way(network: Any) -> None:
    layer = network[0][0]
    lay_out(network)
    x = torch.randn(5, 48)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    with torch.inference_mode():
        assert layer(x[:0]).shape == (0, 40)
        assert layer(torch.randn(257, 48)).shape == (257, 40)  # every number of rows leaves memory behind
    assert layer.forward.weight is None


def test_layers_keep_type_name_and_weights(network: Any) -> None:
    names = list(network.state_dict())
    assert lay_out(network)
    lay_out(network)  # of a base that several adapters share
    assert list(network.state_dict()) == names and type(network[0][0]) is nn.Linear
    assert not isinstance(network[0][0].forward.plain, laid_out._LaidOut)
    assert not isinstance(network[1].forward, laid_out._LaidOut)  # a head is a small part of the work


def test_a_large_model_is_left_alone(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laid_out, "MOST", 1000)
    assert not lay_out(network)
    assert not isinstance(network[0][0].forward, laid_out._LaidOut)


def test_a_loaded_run_answers_from_laid_out_weights(train_tiny: Callable[..., Any], tmp_path: Path) -> None:
    train_tiny()
    predictor: Any = weitiao.load(tmp_path / "run").predictor()
    modules = predictor.backend.loaded.network.modules()
    assert any(isinstance(module.forward, laid_out._LaidOut) for module in modules)
