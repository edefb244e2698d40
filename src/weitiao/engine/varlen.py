"""A packed batch on a GPU: rows one behind the other, (tokens, heads, width), and flash attention told where each of them ends.

In place of buckets, whose many small products a GPU would wait for. FlashAttention-2 (Dao, 2023) in torch's own build takes sequences of
ever other lengths in one call, forward and back, with dropout of the probabilities; it computes in 16 bits only. It knows lengths and no
model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Room:
    """Shapes that a batch is to have whatever its rows, so that a recorded step fits it.

    Attributes:
        tokens: of the packed batch; behind the real ones stand empty ones, which no row sees.
        segments: rows of attention, those of the empty tokens included.
        longest: no row is longer.
    """

    tokens: int
    segments: int
    longest: int

    @classmethod
    def for_rows(cls, rows: int, tokens: int, longest: int) -> "Room":
        """The room for so many real tokens in rows of at most ``longest``: at most an eighth more, or 63 tokens, so that few shapes do.

        >>> Room.for_rows(32, 1061, 64).tokens, Room.for_rows(32, 1100, 64).tokens
        (1152, 1152)
        """
        step = max(64, 1 << max(0, (tokens - 1).bit_length() - 4))
        whole = -(-tokens // step) * step
        return cls(whole, rows + -(-step // longest), longest)


@dataclass(frozen=True)
class Varlen:
    """How one padded batch is packed for flash attention. All tensors are on the device.

    Attributes:
        keep: (tokens,) the tokens' places in the flattened batch; an empty token's is one behind its end. None where the batch is the
            tokens alone.
        positions: (1, tokens) each token's position in its own row.
        ends: (segments + 1,) int32, where the rows begin and the last one ends.
        longest: no row is longer.
        spare: whether there are places for empty tokens.
    """

    keep: torch.Tensor | None
    positions: torch.Tensor
    ends: torch.Tensor
    longest: int
    spare: bool = False

    @classmethod
    def of(cls, lengths: Sequence[int], device: str, width: int, room: Room | None = None) -> "Varlen":
        """The plan for rows of these lengths in tokens.

        Args:
            width: length of the padded rows.
            room: shapes to fill up to; None takes the batch as it is.
        """
        every = torch.tensor(lengths)  # (rows,)
        keep = (torch.arange(width) < every[:, None]).flatten().nonzero()[:, 0]
        positions, sizes, longest = keep % width, list(lengths), max(lengths)
        if room is not None:
            empty, longest = room.tokens - len(keep), room.longest
            keep = torch.cat([keep, keep.new_full((empty,), len(lengths) * width)])
            # Rows of their own, none longer than what attention was told: what it leaves out holds anything, not a number included.
            filled = [min(longest, empty - at) for at in range(0, empty, longest)]
            positions = torch.cat([positions, *(torch.arange(size) for size in filled)])
            sizes += filled + [0] * (room.segments - len(sizes) - len(filled))
        ends = torch.tensor([0, *sizes]).cumsum(0).to(torch.int32)
        keep, positions, ends = (tensor.to(device, non_blocking=True) for tensor in (keep, positions[None], ends))
        return cls(keep, positions, ends, longest, room is not None)

    @classmethod
    def flat(cls, lengths: Sequence[int], device: str) -> "Varlen":
        """The plan for rows that come one behind the other, (1, tokens), unpadded."""
        every = torch.tensor(lengths)  # (rows,)
        ends = F.pad(every.cumsum(0), (1, 0))
        positions = torch.arange(int(ends[-1])) - ends[:-1].repeat_interleave(every)
        positions, ends = (tensor.to(device, non_blocking=True) for tensor in (positions[None], ends.to(torch.int32)))
        return cls(None, positions, ends, max(lengths))

    def copy_from(self, other: "Varlen") -> None:
        """Take over another plan of the same shapes, in place."""
        for mine, theirs in ((self.keep, other.keep), (self.positions, other.positions), (self.ends, other.ends)):
            if mine is not None and theirs is not None:
                mine.copy_(theirs, non_blocking=True)

    def attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool, window: int | None, dropout: float, scale: float
    ) -> torch.Tensor:
        """What each token gathers from its row.

        Args:
            q, k, v: (tokens, heads, width); keys and values may have fewer heads, each for several of the queries'.
            causal: a token sees only those before it and itself.
            window: it sees only those nearer than this, where there is one.
            dropout: the probability with which an attention weight is dropped.
            scale: of the products of queries and keys.

        Returns:
            (tokens, heads, width)
        """
        if q.dtype == torch.float32:  # rotary positions and norms of heads leave single precision beside half
            q, k, v = (x.to(torch.get_autocast_dtype(q.device.type)) for x in (q, k, v))
        near = {} if window is None else {"window_size_left": window - 1, "window_size_right": 0 if causal else window - 1}
        return flash(q, k, v, self.ends, self.longest, dropout, causal, scale, **near)


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
    """torch's flash attention over rows that end where ``ends`` says."""
    mixed: torch.Tensor = torch.ops.aten._flash_attention_forward(
        q, k, v, ends, ends, longest, longest, dropout, causal, False, scale=scale, **near
    )[0]
    return mixed
