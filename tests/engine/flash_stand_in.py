"""What flash attention computes, written out, for machines without a GPU; and a recorder that computes anew instead of playing back."""

from collections.abc import Callable
from typing import Any

import torch


def flash(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    ends: torch.Tensor,
    longest: int,
    dropout: float,
    causal: bool,
    scale: float,
    **near: Any,
) -> torch.Tensor:
    """Rows one behind the other, (tokens, heads, width); what lies in no row, or behind the longest, holds no number."""
    assert not dropout
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    pieces, at = [], 0
    for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        assert start == at
        assert end - start <= longest
        at = end
        scores = torch.einsum("qhw,khw->hqk", q[start:end], k[start:end]).mul(scale)
        places = torch.arange(end - start)
        distance = places[:, None] - places
        hidden = distance < 0 if causal else torch.zeros_like(distance, dtype=torch.bool)
        if near:
            hidden = hidden | (distance > near["window_size_left"]) | (-distance > near["window_size_right"])
        pieces.append(torch.einsum("hqk,khw->qhw", scores.masked_fill(hidden, float("-inf")).softmax(-1), v[start:end]))
    return torch.cat([*pieces, q.new_full((len(q) - at, *q.shape[1:]), float("nan"))])


def again(run: Callable[[], None]) -> Callable[[], None]:
    """A recorder in the manner of CUDA graphs."""
    run()

    def replay() -> None:
        with torch.enable_grad():
            run()

    return replay
