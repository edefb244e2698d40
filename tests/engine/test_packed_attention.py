"""Attention over packed rows beside the same written out row by row: answers, and gradients against finite differences."""

import pytest
import torch

from weitiao.engine import packed_attention
from weitiao.engine.buckets import Plan

LENGTHS = (40, 33, 31, 31, 12, 5, 5, 3)
HEADS, WIDTH, SCALE = 2, 3, 0.4


def inputs(kv_heads: int = HEADS) -> list[torch.Tensor]:
    torch.manual_seed(0)
    tokens = sum(LENGTHS)
    return [torch.randn(tokens, heads, WIDTH, dtype=torch.float64, requires_grad=True) for heads in (HEADS, kv_heads, kv_heads)]


def row_by_row(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool, window: int | None) -> torch.Tensor:
    group = q.shape[1] // k.shape[1]
    out = []
    for own_q, own_k, own_v in zip(*(x.split(LENGTHS) for x in (q, k, v)), strict=True):
        scores = torch.einsum("qhw,khw->hqk", own_q, own_k.repeat_interleave(group, 1)) * SCALE
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
        if window:
            far = (torch.arange(len(own_q))[:, None] - torch.arange(len(own_q))).abs() >= window
            scores = scores.masked_fill(far, -torch.inf)
        out.append(torch.einsum("hqk,khw->qhw", scores.softmax(-1), own_v.repeat_interleave(group, 1)))
    return torch.cat(out)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kv_heads", [2, 1])
@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("dropout", [0.0, 0.25])
@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("scores", [packed_attention.SCORES, 1])
def test_each_row_for_itself(
    causal: bool, kv_heads: int, window: int | None, dropout: float, even: bool, scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout that happens to drop nothing is none: its way of computing is another one. So few scores are those of one row at a time."""
    monkeypatch.setattr(packed_attention, "SCORES", scores)
    monkeypatch.setattr(packed_attention, "draw", lambda x, p: (torch.ones_like(x), 1.0))
    plan = Plan.of(LENGTHS, even=even)
    assert plan.even == even
    assert len(plan.buckets) > 1
    attended = []
    for way in ("packed", "rows"):
        q, k, v = inputs(kv_heads)
        if way == "packed":
            out = packed_attention.attend(q, k, v, plan, plan.masked(causal, window), dropout, SCALE)
        else:
            out = row_by_row(q, k, v, causal, window)
        (out * torch.arange(out.numel(), dtype=torch.float64).view_as(out).cos()).sum().backward()
        attended.append((out.detach(), q.grad, k.grad, v.grad))
    # Probabilities are single precision.
    for got, wanted in zip(*attended, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("even", [False, True])
def test_first_tokens_gather_what_they_gather_among_all(even: bool) -> None:
    plan = Plan.of(LENGTHS, even=even)
    q, k, v = (x.detach() for x in inputs())
    got = packed_attention.attend_from_first(q[plan.firsts], k, v, plan, 0.0, SCALE)
    torch.testing.assert_close(got, row_by_row(q, k, v, False, None)[plan.firsts], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("scores", [packed_attention.SCORES, 1])
def test_gradients_know_which_weights_were_dropped(scores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_attention, "SCORES", scores)
    honest, plan = packed_attention.draw, Plan.of((5, 4, 2))

    def same(x: torch.Tensor, p: float) -> tuple[torch.Tensor, float]:
        torch.manual_seed(x.numel())
        return honest(x, p)

    monkeypatch.setattr(packed_attention, "draw", same)
    monkeypatch.setattr(torch, "float32", torch.float64)  # finite differences need more digits than the probabilities have
    torch.manual_seed(1)
    q, k, v = (torch.randn(11, HEADS, WIDTH, dtype=torch.float64, requires_grad=True) for _ in range(3))
    masked = plan.masked(False, None)
    assert torch.autograd.gradcheck(lambda *x: packed_attention.attend(*x, plan, masked, 0.5, SCALE), (q, k, v))


@pytest.mark.parametrize("lengths", [(7,), (4, 4, 4)])
def test_one_row_and_rows_of_one_length(lengths: tuple[int, ...]) -> None:
    plan = Plan.of(lengths)
    q, k, v = (torch.randn(sum(lengths), HEADS, WIDTH) for _ in range(3))
    torch.manual_seed(0)
    out = packed_attention.attend(q, k, v, plan, plan.masked(False, None), 0.5, SCALE)
    assert out.shape == q.shape and len(plan.buckets) == 1 and out.isfinite().all()
    assert packed_attention.attend(q, k, v, plan, plan.masked(False, None), 1.0, SCALE).abs().sum() == 0


def test_half_precision_beside_what_rotary_positions_leave_in_single() -> None:
    plan = Plan.of(LENGTHS)
    q, k, v = (x.detach().float().requires_grad_() for x in inputs())
    with torch.autocast("cpu", torch.bfloat16):
        out = packed_attention.attend(q, k, v.to(torch.bfloat16), plan, plan.masked(True, None), 0.1, SCALE)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert all(x.grad is not None and x.grad.dtype == torch.float32 and x.grad.isfinite().all() for x in (q, k, v))
