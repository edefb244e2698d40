"""8-bit layers: close to what they stand for, the same alone and in a batch, one product for layers that read the same, out again whole."""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from weitiao.engine.int8 import Int8Layers, Int8Linear, Int8Product, available, linear_layers  # noqa: E402

pytestmark = pytest.mark.skipif(not available(), reason="no FBGEMM for this processor")


class Block(nn.Module):
    """Three layers that read the same, and one that reads their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.Linear(32, 32), nn.Linear(32, 32, bias=False), nn.Linear(32, 32)
        self.last = nn.Linear(32, 32)
        self.unused = nn.Linear(32, 32)

    def forward(self, x: "torch.Tensor") -> "torch.Tensor":
        mixed: torch.Tensor = self.last(self.one(x) + self.two(x) + self.three(x))
        return mixed


class Network(nn.Module):
    """Two blocks under a head."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(32, 2)

    def forward(self, x: "torch.Tensor") -> "torch.Tensor":
        for block in self.blocks:
            x = block(x)
        answer: torch.Tensor = self.head(x)
        return answer


def test_a_product_is_close_and_each_token_is_rounded_by_itself() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(48, 16)
    x = torch.randn(2000, 48) * torch.logspace(-3, 3, 2000)[:, None]  # tokens of very different sizes
    x[7] = 0
    with torch.inference_mode():
        product = Int8Product([layer], x)
        (batched,) = product(x)
        wanted = layer(x)
        alone = torch.cat([product(row[None])[0] for row in x[:20]])
    errors = (batched - wanted).abs().amax(1) / x.abs().amax(1).clamp_min(1e-6)
    assert float(errors.max()) < 0.05
    assert torch.equal(batched[7], layer.bias)
    assert torch.equal(batched[:20], alone)


def test_the_largest_values_do_not_overflow() -> None:
    layer = nn.Linear(64, 4)
    nn.init.constant_(layer.weight, 1.0)
    with torch.inference_mode():
        (answer,) = Int8Product([layer], torch.ones(3, 64))(torch.ones(3, 64))
        assert torch.allclose(answer, layer(torch.ones(3, 64)), atol=1e-3)


def test_layers_that_read_the_same_share_a_product_and_come_out_again() -> None:
    torch.manual_seed(0)
    network = Network().eval()
    x = torch.randn(5, 32)
    with torch.inference_mode():
        before = network(x)
        layers = Int8Layers(network, lambda: network(x))
        groups: dict[int, list[str]] = {}
        for name, layer in layers.rounded.items():
            groups.setdefault(id(layer.product), []).append(name)
        assert sorted(groups.values()) == [
            ["blocks.0.last"],
            ["blocks.0.one", "blocks.0.two", "blocks.0.three"],
            ["blocks.1.last"],
            ["blocks.1.one", "blocks.1.two", "blocks.1.three"],
        ]
        layers.put_in()
        assert isinstance(network.blocks[0].one, Int8Linear)  # type: ignore[union-attr]
        assert type(network.head) is nn.Linear
        assert type(network.blocks[0].unused) is nn.Linear  # type: ignore[union-attr]
        rounded = network(x)
        assert not torch.equal(rounded, before)
        assert torch.allclose(rounded, before, atol=0.1)
        assert torch.equal(network(x), rounded)
        assert all(not layer.shared for layer in layers.rounded.values())  # nothing is held on to
        # In plain layers sums are added in another order for one row.
        assert torch.allclose(torch.cat([network(row[None]) for row in x]), rounded, atol=1e-6)
        layers.take_out()
        assert torch.equal(network(x), before)


def test_only_layers_in_blocks_are_meant() -> None:
    network = Network()
    assert "head" not in dict(linear_layers(network))
    assert len(list(linear_layers(network))) == 10
    assert list(linear_layers(nn.Sequential(nn.Linear(4, 4)))) == []


def test_a_network_that_asks_for_its_layers_weights_answers_too() -> None:
    import transformers

    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "vocab_size": 40, "num_labels": 2}
    config = transformers.T5Config(**sizes, decoder_start_token_id=0, eos_token_id=1)
    network = transformers.T5ForSequenceClassification(config).eval()
    ids = torch.tensor([[5, 6, 7, 8, 1], [9, 10, 11, 12, 1]])
    with torch.inference_mode():
        before = network(input_ids=ids).logits
        layers = Int8Layers(network, lambda: network(input_ids=ids))
        layers.put_in()
        after = network(input_ids=ids).logits
    assert not torch.equal(before, after)
    assert torch.allclose(before, after, atol=0.1)
