"""How a batch's rows are laid into buckets of similar length for attention, without padding between. It knows lengths and no model."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

# How much shorter than its longest a row of a bucket may be: so many tokens, or this share of the longest, whichever is more. Only
# attention sees the difference; more buckets are more small products, each with its own cost.
BUCKET_TOKENS, BUCKET_SHARE = 16, 0.25
_Wanted = tuple[bool, int | None]  # causal, window


@dataclass(frozen=True)
class Bucket:
    """Rows of similar length, padded to the longest of them: ``rows * length`` places from ``start``.

    Attributes:
        ended: (rows, length), where a row has ended; None where all rows are equally long.
    """

    start: int
    rows: int
    length: int
    ended: torch.Tensor | None

    def mask(self, causal: bool, window: int | None) -> torch.Tensor | None:
        """(rows or 1, 1, length or 1, length), minus infinity where a place is not seen from another; None where all is seen.

        Args:
            causal: a place sees only those before it and itself.
            window: it sees only those nearer than this, where there is one.
        """
        narrow = window is not None and window < self.length
        # What stands behind a row's end comes later than all of it: causal attention never looks there.
        hidden = None if causal or self.ended is None else self.ended[:, None, None]  # (rows, 1, 1, length)
        if causal or narrow:
            places = torch.arange(self.length)
            distance = places[:, None] - places  # (length, length), from the one that looks back to the one that is seen
            far = distance < 0 if causal else torch.zeros_like(distance, dtype=torch.bool)
            if window is not None:
                far = far | (distance.abs() >= window)
            # A place always sees itself: behind a row's end there may be nothing else, and a softmax over nothing is not a number.
            hidden = far[None, None] if hidden is None else (hidden | far) & (distance != 0)
        return None if hidden is None else torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))


@dataclass(frozen=True)
class Plan:
    """How one padded batch is packed.

    Attributes:
        keep: (tokens,) the real tokens' places in the flattened batch; None where there is nothing else in it.
        positions: (1, tokens) each token's position in its own row.
        spread: (places,) which token stands at each place of the buckets; behind a row's end any token, which attention leaves out.
        collect: (tokens,) the place of each token.
        firsts: (rows,) each row's first token, and behind them the first empty one where there is ``spare`` room.
        buckets: longest first.
        spare: whether empty tokens stand behind those of the rows, as a row of their own, at a place behind the end of the batch.
        masks: what ``Bucket.mask`` gave, so that all layers share it.
        places: what ``by_head`` gave.
    """

    keep: torch.Tensor | None
    positions: torch.Tensor
    spread: torch.Tensor
    collect: torch.Tensor
    firsts: torch.Tensor
    buckets: tuple[Bucket, ...]
    spare: bool = False
    masks: dict[_Wanted, list[torch.Tensor | None]] = field(default_factory=dict)
    places: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    @property
    def even(self) -> bool:
        """Whether the rows of each bucket are equally long: then its places are its tokens as they stand, and nothing is moved."""
        return all(bucket.ended is None for bucket in self.buckets)

    @classmethod
    def of(cls, lengths: Sequence[int], *, even: bool = False, flat: bool = False, multiple: int = 1) -> "Plan":
        """The plan for rows of these lengths in tokens, longest first.

        Args:
            even: put only rows of one length into a bucket.
            flat: the rows come one behind the other, unpadded.
            multiple: fill the tokens of a padded batch up to a multiple of this.
        """
        every = torch.tensor(lengths)  # (rows,)
        firsts = every.cumsum(0) - every  # (rows,) each row's first token among the kept
        spread, real, buckets = [], [], []
        start = first = 0
        while first < len(lengths):
            longest, last = lengths[first], first
            shortest = longest if even else min(longest - BUCKET_TOKENS, int(longest * (1 - BUCKET_SHARE)))
            while last < len(lengths) and lengths[last] >= shortest:
                last += 1
            positions = torch.arange(longest)
            ended = positions >= every[first:last, None]  # (rows, length)
            spread.append(torch.where(ended, 0, firsts[first:last, None] + positions).flatten())
            real.append(~ended.flatten())
            buckets.append(Bucket(start, last - first, longest, None if lengths[last - 1] == longest else ended))
            start += (last - first) * longest
            first = last
        keep = (torch.arange(lengths[0]) < every[:, None]).flatten().nonzero()[:, 0]
        positions = (keep % lengths[0])[None]
        tokens = len(keep)
        empty = -tokens % multiple
        if empty:
            spread.append(torch.arange(tokens, tokens + empty))
            real.append(torch.ones(empty, dtype=torch.bool))
            buckets.append(Bucket(start, 1, empty, None))
            firsts = torch.cat([firsts, torch.tensor([tokens])])
            keep = torch.cat([keep, torch.full((empty,), len(lengths) * lengths[0])])
            positions = torch.cat([positions, torch.arange(empty)[None]], dim=1)
        collect = torch.cat(real).nonzero()[:, 0]
        return cls(None if flat else keep, positions, torch.cat(spread), collect, firsts, tuple(buckets), bool(empty))

    def masked(self, causal: bool, window: int | None) -> list[tuple[Bucket, torch.Tensor | None]]:
        """The buckets with their masks."""
        if (causal, window) not in self.masks:
            self.masks[causal, window] = [bucket.mask(causal, window) for bucket in self.buckets]
        return list(zip(self.buckets, self.masks[causal, window], strict=True))

    def by_head(self, heads: int) -> tuple[torch.Tensor, torch.Tensor]:
        """``spread`` and ``collect`` for tokens of so many heads, each head a row of its own, (tokens * heads, width), in buckets that hold
        (rows, heads, length): matrix products want each head's places side by side.
        """
        if heads not in self.places:
            number = torch.arange(heads)
            spread, at = [], []
            for bucket in self.buckets:
                end = bucket.start + bucket.rows * bucket.length
                tokens = self.spread[bucket.start : end].view(bucket.rows, 1, bucket.length)
                spread.append((tokens * heads + number[:, None]).flatten())
                own = torch.arange(bucket.start * heads, end * heads).view(bucket.rows, heads, bucket.length)
                at.append(own.transpose(1, 2).reshape(-1, heads))
            self.places[heads] = torch.cat(spread), torch.cat(at)[self.collect].flatten()
        return self.places[heads]
