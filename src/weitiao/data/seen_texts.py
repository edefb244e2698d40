"""Which texts of a stream were there before, exactly or nearly, in bounded memory. It knows texts, no rows and no files.

What is exact is told by 8-byte keys; what is near by MinHash signatures of the last ``REMEMBERED`` texts.
"""

from collections.abc import Sequence

import numpy as np

from weitiao.data.near_duplicates import THRESHOLD, signatures

REMEMBERED = 1 << 19  # texts that a near-duplicate is sought among: 54 MB
_HASHES = 64  # minima of a text, a byte each: the share of equal ones estimates the overlap to +-0.05
_BANDS, _ROWS = 10, 4  # of these, 40 find candidates: a pair that overlaps by 0.8 is met with probability 0.995
_FEWEST_RECENT = 1 << 16


class SeenKeys:
    """A set of 64-bit keys at 8 bytes each, and a few recent ones in a Python set.

    >>> seen = SeenKeys()
    >>> seen.add(7), seen.add(8), seen.add(7)
    (True, True, False)
    """

    def __init__(self) -> None:
        self._sorted = np.empty(0, dtype=np.uint64)
        self._recent: set[int] = set()

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def add(self, key: int) -> bool:
        """Whether it is new."""
        if key in self._recent:
            return False
        at = int(np.searchsorted(self._sorted, np.uint64(key)))
        if at < len(self._sorted) and self._sorted[at] == key:
            return False
        self._recent.add(key)
        # Merging when a share of them is new keeps the cost of a key constant.
        if len(self._recent) >= max(_FEWEST_RECENT, len(self._sorted) // 8):
            recent = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
            self._sorted = np.sort(np.concatenate([self._sorted, recent]))
            self._recent = set()
        return True


class SeenNearly:
    """Signatures of the last texts, and where each bucket of them was last met.

    >>> seen = SeenNearly()
    >>> seen.add(["the parcel arrived broken today", "nobody answers the phone", "the parcel arrived broken today!"], 4)
    [True, True, False]
    """

    def __init__(self) -> None:
        self._signatures = np.zeros((REMEMBERED, _HASHES), dtype=np.uint8)
        self._last = np.full((_BANDS, REMEMBERED), -1, dtype=np.int32)  # a bucket's last text; what falls together overwrites
        self._next = 0

    def add(self, texts: Sequence[str], shingle: int) -> list[bool]:
        """Whether each is unlike all before it; those that are get remembered.

        Args:
            texts: normalised.
            shingle: characters in a run, see ``near_pairs``; texts of different shingles do not meet.
        """
        if not texts:
            return []
        minima = signatures(texts, shingle, _HASHES)  # (texts, hashes)
        short = (minima & np.uint32(0xFF)).astype(np.uint8)
        buckets = np.zeros((len(texts), _BANDS), dtype=np.uint64)
        for row in range(_ROWS):
            buckets = buckets * np.uint64(0x9E3779B97F4A7C15) + minima[:, row : _BANDS * _ROWS : _ROWS] + np.uint64(shingle)
        buckets = (buckets >> np.uint64(40)) % np.uint64(REMEMBERED)
        bands = np.arange(_BANDS)
        new = []
        for own, bucket in zip(short, buckets.astype(np.int64), strict=True):
            found = self._last[bands, bucket]
            found = found[found >= 0]
            alike = len(found) and (self._signatures[found] == own).mean(axis=1).max() >= THRESHOLD
            new.append(not alike)
            if not alike:
                self._signatures[self._next] = own
                self._last[bands, bucket] = self._next
                self._next = (self._next + 1) % REMEMBERED
        return new
