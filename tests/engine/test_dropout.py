"""Cheap dropout is dropout: the probability, the scale, the gradient and the seed."""

import pytest
import torch
from torch import nn

from weitiao.engine.dropout import dropout, make_dropout_cheap


@pytest.mark.parametrize("p", [0.1, 0.37, 0.5])
def test_probability_and_scale(p: float) -> None:
    torch.manual_seed(0)
    out = dropout(torch.ones(400_001), p)
    zeros = (out == 0).float().mean().item()
    assert abs(zeros - p) < 5 * (p * (1 - p) / 400_001) ** 0.5  # five standard deviations
    assert out[out != 0].unique().numel() == 1
    assert abs(out.max().item() - 1 / (1 - p)) < 1e-4
    # The four elements of one draw are independent of each other.
    lanes = (out[:400_000] == 0).float().view(-1, 4)
    assert torch.corrcoef(lanes.T).fill_diagonal_(0).abs().max() < 0.02
    assert (lanes.mean(dim=0) - p).abs().max() < 0.01


def test_the_gradient_passes_where_the_value_did() -> None:
    x = torch.randn(7, 33, requires_grad=True)
    out = dropout(x, 0.3)
    out.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(out, x * x.grad)


def test_it_is_seeded_and_off_when_it_should_be() -> None:
    x = torch.ones(100)
    torch.manual_seed(1)
    first = dropout(x, 0.5)
    torch.manual_seed(1)
    assert torch.equal(first, dropout(x, 0.5))
    assert not torch.equal(first, dropout(x, 0.5))
    assert dropout(x, 0.0) is x and dropout(x, 0.5, training=False) is x
    assert dropout(x, 1.0).abs().sum() == 0
    assert dropout(x, 1 - 1e-7).isfinite().all()
    assert dropout(torch.empty(0, 3), 0.5).shape == (0, 3)


def test_a_network_keeps_its_weights_and_its_modes() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    names = list(network.state_dict())
    make_dropout_cheap(network)
    assert list(network.state_dict()) == names
    x = torch.ones(64, 4)
    assert torch.equal(network.eval()(x), network[0](x))
    assert (network.train()(x) == 0).any()
