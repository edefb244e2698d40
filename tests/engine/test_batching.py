"""What an optimizer step sees, and how it is cut."""

import pytest

from weitiao.engine.batching import micro_batches, optimizer_batches


def test_an_epoch_holds_every_row_once_and_batches_are_full() -> None:
    batches = optimizer_batches(103, 16, seed=1, epoch=0)
    assert [len(b) for b in batches] == [16] * 6 + [7]
    assert sorted(row for b in batches for row in b) == list(range(103))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    assert optimizer_batches(50, 8, seed=1, epoch=2) == optimizer_batches(50, 8, seed=1, epoch=2)
    assert optimizer_batches(50, 8, seed=1, epoch=2) != optimizer_batches(50, 8, seed=1, epoch=3)
    assert optimizer_batches(50, 8, seed=2, epoch=2) != optimizer_batches(50, 8, seed=1, epoch=2)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("budget", [0, 20, 64, 1000])
def test_micro_batches_keep_the_budget_and_lose_no_row(budget: int, padded: bool) -> None:
    lengths = [5, 40, 3, 12, 12, 9, 31, 2]
    groups = micro_batches(lengths, budget, padded=padded)
    assert sorted(row for g in groups for row in g) == list(range(len(lengths)))
    flat = [lengths[row] for g in groups for row in g]
    assert flat == sorted(lengths, reverse=True)
    for group in groups:
        tokens = max(lengths[r] for r in group) * len(group) if padded else sum(lengths[r] for r in group)
        assert not budget or tokens <= budget or len(group) == 1
