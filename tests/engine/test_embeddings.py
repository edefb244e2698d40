"""Kept gradients of embedding tables are the gradients that torch would make anew."""

import pytest
import torch
from torch import nn

from weitiao.engine import embeddings
from weitiao.engine.embeddings import KeptGradients


class Network(nn.Module):
    """A table and a layer; ``behind`` uses the whole table behind the embedding module's back as well."""

    def __init__(self, behind: bool = False, **options: object) -> None:
        super().__init__()
        self.table, self.layer, self.behind = nn.Embedding(20, 4, padding_idx=0, **options), nn.Linear(4, 2), behind

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        loss = self.layer(self.table(ids)).sum(dim=-1).square().sum()
        return loss + self.table.weight.square().sum() if self.behind else loss


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "SMALLEST", 1)


@pytest.mark.parametrize("behind", [False, True])
def test_steps_are_the_same(behind: bool) -> None:
    torch.manual_seed(0)
    plain, kept = Network(behind), Network(behind)
    kept.load_state_dict(plain.state_dict())
    optimizers = [torch.optim.AdamW(network.parameters(), lr=0.1) for network in (plain, kept)]
    gradients = KeptGradients(kept)
    assert len(gradients.tables) == 1
    for _step in range(4):
        ids = torch.randint(0, 20, (3, 5))
        for network in (plain, kept):
            (network(ids) + network(ids[:1])).backward()  # two passes before a step, as with micro-batches
        torch.testing.assert_close(kept.table.weight.grad, plain.table.weight.grad)
        assert behind or not kept.table.weight.grad[0].any()  # padding
        for optimizer in optimizers:
            optimizer.step()
        optimizers[0].zero_grad()
        gradients.clear(optimizers[1])
        assert not kept.table.weight.grad.any()
    torch.testing.assert_close(kept.table.weight, plain.table.weight)


def test_other_tables_are_left_alone() -> None:
    tied = Network()
    tied.head = nn.Linear(4, 20, bias=False)
    tied.head.weight = tied.table.weight
    frozen = Network()
    frozen.table.weight.requires_grad_(False)
    for network in (tied, frozen, Network(max_norm=1.0), Network(scale_grad_by_freq=True)):
        assert not KeptGradients(network).tables


def test_nothing_is_kept_where_no_gradient_is_asked_for() -> None:
    network = Network()
    gradients = KeptGradients(network)
    with torch.no_grad():
        network(torch.tensor([[1, 2]]))
    assert network.table.weight.grad is None
    assert "table.weight" in network.state_dict() and len(network.state_dict()) == 3
    gradients.clear(torch.optim.SGD(network.parameters(), lr=0.1))


def test_a_compact_vocabulary_ends_with_the_same_table() -> None:
    torch.manual_seed(0)
    whole, compact = Network(), Network()
    compact.load_state_dict(whole.state_dict())
    words = torch.tensor([0, 2, 3, 5, 11])
    kept = KeptGradients(compact)
    assert kept.compact(compact.table, words)
    assert compact.table.rows_in_use.shape == (5, 4)
    optimizers = [
        torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=0.01, weight_decay=0.1) for network in (whole, compact)
    ]
    for step in range(50):
        rate = 0.01 * (1 - step / 50)
        ids = words[torch.randint(0, 5, (3, 4))]
        for network, optimizer in zip((whole, compact), optimizers, strict=True):
            network(ids).backward()
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
        optimizers[0].zero_grad()
        kept.clear(optimizers[1])
        kept.stepped(rate * 0.1)
    everything = torch.arange(20)[None]
    with torch.no_grad():  # also words that no step has read
        torch.testing.assert_close(compact(everything), whole(everything), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(compact.table(everything), whole.table(everything), rtol=0, atol=1e-6)
    kept.restore()
    assert list(compact.state_dict()) == list(whole.state_dict())
    assert [p.requires_grad for p in compact.parameters()] == [True] * 3
    torch.testing.assert_close(compact.table.weight, whole.table.weight, rtol=0, atol=1e-6)
    torch.testing.assert_close(compact.layer.weight, whole.layer.weight, rtol=0, atol=1e-6)


def test_a_word_outside_a_compact_vocabulary_is_never_trained_in_silence() -> None:
    network = Network()
    KeptGradients(network).compact(network.table, torch.tensor([0, 1]))
    with pytest.raises(IndexError):
        network(torch.tensor([[1, 7]]))


def test_a_vocabulary_is_compact_only_where_it_pays_and_is_safe() -> None:
    some, nearly_all = torch.tensor([0, 1]), torch.arange(19)
    network = Network(behind=True)
    kept = KeptGradients(network)
    network(torch.tensor([[1]])).backward()  # shows that the whole table is used
    assert not kept.compact(network.table, some)
    network = Network()
    kept = KeptGradients(network)
    assert not kept.compact(network.table, nearly_all)
    assert not kept.compact(nn.Embedding(20, 4), some)
    assert "rows_in_use" not in dict(network.table.named_parameters())
