"""Attention over the rows of a packed batch, none of which sees another. It knows plans of batches, and no model.

Scaled dot-product attention (Vaswani et al., 2017). With dropout of the probabilities, which torch's fused attention has not on a CPU,
the steps are written out, forward and back: heads are gathered once into the order that matrix products want, a few rows at a time go
through all steps while their scores are in the processor's cache, and of all that is as large as the scores one tensor is kept for the way
back, the probabilities, with the dropout's mask in their signs.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from weitiao.engine.buckets import Bucket, Plan
from weitiao.engine.dropout import draw
from weitiao.engine.dropout import dropout as drop

SCORES = 1 << 19  # of rows that go through attention together: they stay in the processor's cache, which took half the time at 512 tokens
Masked = Sequence[tuple[Bucket, torch.Tensor | None]]  # see ``Plan.masked``


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, plan: Plan, masked: Masked, dropout: float, scale: float) -> torch.Tensor:
    """What each token gathers from its row.

    Args:
        q, k, v: (tokens, heads, width); keys and values may have fewer heads, each for several of the queries'.
        dropout: the probability with which an attention weight is dropped.
        scale: of the products of queries and keys.

    Returns:
        (tokens, heads, width)
    """
    heads = q.shape[1]
    if k.shape[1] != heads:
        k, v = (x.repeat_interleave(heads // x.shape[1], dim=1) for x in (k, v))
    if dropout:
        if torch.is_autocast_enabled(q.device.type):  # rotary positions and norms of heads leave single precision beside half
            q, k, v = (x.to(torch.get_autocast_dtype(q.device.type)) for x in (q, k, v))
        dropped: torch.Tensor = q * 0 if dropout >= 1 else _Dropped.apply(q, k, v, plan, masked, dropout, scale)
        return dropped
    width = q.shape[-1]
    if plan.even:
        every = zip(masked, *(_in_place(x, plan) for x in (q, k, v)), strict=True)
        return torch.cat([_together(_attended(own_q, own_k, own_v, mask, scale)) for (_own, mask), own_q, own_k, own_v in every])
    spread, collect = plan.by_head(heads)
    # Pieces of a split, and not slices: the gradients of slices are each as large as the whole, and added up.
    sizes = [bucket.rows * bucket.length * heads for bucket in plan.buckets]
    pieces = [_Spread.apply(x.reshape(-1, width), spread, collect).split(sizes) for x in (q, k, v)]
    out = []
    for (bucket, mask), *parts in zip(masked, *pieces, strict=True):
        own_q, own_k, own_v = (x.view(bucket.rows, heads, bucket.length, width) for x in parts)
        out.append(_attended(own_q, own_k, own_v, mask, scale).reshape(-1, width))
    collected: torch.Tensor = Selected.apply(torch.cat(out), collect)
    return collected.view(q.shape)


def attend_from_first(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, plan: Plan, dropout: float, scale: float) -> torch.Tensor:
    """What the first token of each row gathers from it.

    Args:
        q: (rows, heads, width), longest row first.
        k, v: (tokens, heads, width)
        dropout, scale: see ``attend``.

    Returns:
        (rows, heads, width)
    """
    heads, width = q.shape[1:]
    own = q.split([bucket.rows for bucket in plan.buckets])  # (rows, heads, width) of each bucket
    if plan.even and not dropout:
        pairs = zip(own, _in_place(k, plan), _in_place(v, plan), strict=True)
        return torch.cat([_together(_attended(own_q[:, :, None], own_k, own_v, None, scale)) for own_q, own_k, own_v in pairs])
    spread, collect = plan.by_head(heads)
    sizes = [bucket.rows * bucket.length * heads for bucket in plan.buckets]
    pieces = [_Spread.apply(x.reshape(-1, width), spread, collect).split(sizes) for x in (k, v)]
    out = []
    for bucket, own_q, *parts in zip(plan.buckets, own, *pieces, strict=True):
        own_k, own_v = (x.view(bucket.rows, heads, bucket.length, width) for x in parts)
        scores = torch.matmul(own_k, own_q[..., None]).mul(scale)[..., 0]  # (rows, heads, length)
        if bucket.ended is not None:
            scores = scores.masked_fill(bucket.ended[:, None], float("-inf"))
        chances = drop(torch.softmax(scores, dim=-1, dtype=torch.float32).to(v.dtype), dropout)
        out.append(torch.matmul(chances[:, :, None], own_v)[:, :, 0])
    return torch.cat(out)


def _in_place(x: torch.Tensor, plan: Plan) -> list[torch.Tensor]:
    """(tokens, heads, width) -> (rows, heads, length, width) of each bucket of an even plan, without a copy."""
    pieces = x.split([bucket.rows * bucket.length for bucket in plan.buckets])
    pairs = zip(pieces, plan.buckets, strict=True)
    return [piece.view(bucket.rows, bucket.length, *x.shape[1:]).transpose(1, 2) for piece, bucket in pairs]


def _together(mixed: torch.Tensor) -> torch.Tensor:
    """(rows, heads, length, width) -> (rows * length, heads, width)"""
    return mixed.transpose(1, 2).flatten(0, 1)


def _attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, scale: float) -> torch.Tensor:
    """(rows, heads, length, width)"""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask.to(q.dtype), scale=scale)


class _Spread(torch.autograd.Function):
    """The rows ``there`` of a tensor, some of them more than once; ``back`` says where each row of it has gone first. From all places but
    those no gradient comes, since attention leaves them out: so the way back is a selection as well, and not a sum.
    """

    @staticmethod
    def forward(context: Any, x: torch.Tensor, there: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
        context.back = back
        return x.index_select(0, there)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return gradient.index_select(0, context.back), None, None


class Selected(torch.autograd.Function):
    """Rows of a tensor, each at most once. torch, which cannot know that, adds their gradients up one by one."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        context.rows, context.size = rows, len(x)
        return x.index_select(0, rows)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient.new_zeros(context.size, *gradient.shape[1:]).index_copy_(0, context.rows, gradient), None


class _Dropped(torch.autograd.Function):
    """``attend`` with dropout."""

    @staticmethod
    def forward(
        context: Any,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        plan: Plan,
        masked: Masked,
        dropout: float,
        scale: float,
    ) -> torch.Tensor:
        heads, width = q.shape[1:]
        spread, collect = plan.by_head(heads)
        q, k, v = (x.reshape(-1, width).index_select(0, spread) for x in (q, k, v))  # (places * heads, width)
        out = torch.empty_like(v)
        signed = []
        factor = 1.0
        for bucket, mask in masked:
            own_q, own_k, own_v, own_out = (_of(x, bucket, heads) for x in (q, k, v, out))
            kept = q.new_empty(len(own_q), bucket.length, bucket.length)
            for part in _parts(bucket, heads):
                scores = torch.bmm(own_q[part], own_k[part].transpose(1, 2)).mul_(scale)  # (rows * heads, length, length)
                if mask is not None:
                    own_mask = mask if len(mask) == 1 else mask[part.start // heads : part.stop // heads]
                    scores.view(-1, heads, bucket.length, bucket.length).add_(own_mask)
                chances = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
                stays, factor = draw(chances, dropout)
                dropped = stays.mul_(chances)
                torch.bmm(dropped, own_v[part], out=own_out[part])
                # A chance is never below zero: its sign has room for whether it was dropped.
                torch.sub(dropped.mul_(2), chances, out=kept[part])
            signed.append(kept)
        context.plan, context.factor, context.scale, context.heads = plan, factor, scale, heads
        context.save_for_backward(q, k, v, *signed)
        return out.mul_(factor).index_select(0, collect).view(-1, heads, width)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q, k, v, *signed = context.saved_tensors
        plan, heads, width = context.plan, context.heads, q.shape[1]
        _spread, collect = plan.by_head(heads)
        # Nothing comes back from the places behind a row's end.
        placed = torch.zeros_like(v).index_copy_(0, collect, gradient.reshape(-1, width))
        of_q, of_k, of_v = (torch.empty_like(x) for x in (q, k, v))
        for bucket, kept in zip(plan.buckets, signed, strict=True):
            own_q, own_k, own_v, given, out_q, out_k, out_v = (_of(x, bucket, heads) for x in (q, k, v, placed, of_q, of_k, of_v))
            for part in _parts(bucket, heads):
                dropped = kept[part].clamp_min(0)
                torch.bmm(dropped.transpose(1, 2), given[part], out=out_v[part])
                # The derivative of the softmax, p * (g - sum(p * g)), where g is nothing for what was dropped.
                shares = torch.bmm(given[part], own_v[part].transpose(1, 2)).mul_(dropped)
                of_scores = shares.addcmul_(torch.abs(kept[part], out=dropped), shares.sum(-1, keepdim=True), value=-1)
                of_scores.mul_(context.factor * context.scale)
                torch.bmm(of_scores, own_k[part], out=out_q[part])
                torch.bmm(of_scores.transpose(1, 2), own_q[part], out=out_k[part])
        of_v.mul_(context.factor)
        back = (x.index_select(0, collect).view(-1, heads, width) for x in (of_q, of_k, of_v))
        return (*back, None, None, None, None)


def _parts(bucket: Bucket, heads: int) -> list[slice]:
    """Whole rows of a bucket, (rows * heads, ...), so many at a time that their scores stay in the processor's cache."""
    step = max(SCORES // (bucket.length**2 * heads), 1) * heads
    return [slice(begin, min(begin + step, bucket.rows * heads)) for begin in range(0, bucket.rows * heads, step)]


def _of(x: torch.Tensor, bucket: Bucket, heads: int) -> torch.Tensor:
    """A bucket's part of all places, (rows * heads, length, width)."""
    end = (bucket.start + bucket.rows * bucket.length) * heads
    return x[bucket.start * heads : end].view(bucket.rows * heads, bucket.length, -1)
