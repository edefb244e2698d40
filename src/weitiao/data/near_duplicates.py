"""Texts that are nearly the same, found by MinHash over runs of characters. It knows texts only: no rows, no labels, no splits.

Two texts are near-duplicates when the sets of their character runs (shingles) overlap by at least ``THRESHOLD`` (Jaccard). MinHash
signatures cut into bands bring likely pairs together without comparing all with all; the exact overlap then decides.
"""

from collections.abc import Iterator, Sequence
from hashlib import shake_128

import numpy as np

THRESHOLD = 0.8
_BANDS, _ROWS = 14, 5  # a pair that overlaps by 0.8 is met with probability 0.996, one by 0.4 with 0.13
_MOST_CHARACTERS = 1500  # of a text that are looked at
_BLOCK = 2_000_000  # characters hashed at once: 16 MB for each of a few arrays
_MOST_VERIFIED = 2  # likeliest partners of a text in each block whose overlap is computed: a million variants of one text stay linear
_PRIMES = np.random.Generator(np.random.PCG64(20240229)).integers(1, 2**63, size=_BANDS * _ROWS, dtype=np.uint64) | np.uint64(1)


def near_pairs(texts: Sequence[str], shingle: int, block: np.ndarray | None = None) -> list[tuple[int, int, float]]:
    """Pairs of near-duplicates as (earlier index, later index, overlap), each later text with the best of its partners.

    >>> near_pairs(["the parcel arrived broken today", "nobody answers the phone", "the parcel arrived broken today!"], 4)[0][:2]
    (0, 2)

    Args:
        texts: normalised and all different.
        shingle: characters in a run: 5 where words are spelled with letters, 3 where characters are words.
        block: (texts,) optional integers, such as the split's number. Then partners are also sought in the first block that a bucket
            holds, so that a test text finds its training twin among any number of other test texts.
    """
    if len(texts) < 2:
        return []
    cut = [text[:_MOST_CHARACTERS] for text in texts]
    minima = np.concatenate([signatures(part, shingle) for part in _blocks(cut)])  # (texts, bands * rows)
    blocks = np.zeros(len(texts), dtype=np.int64) if block is None else np.asarray(block)
    pairs, likely = _likeliest(minima, _candidates(minima, blocks), blocks)  # (pairs, 2)
    # The share of equal minima estimates the overlap; what is far below is not worth the exact computation.
    pairs = pairs[likely >= THRESHOLD - 0.15]
    best: dict[tuple[int, int], tuple[int, float]] = {}
    sets: dict[int, frozenset[str]] = {}
    for a, b in pairs.tolist():
        overlap = _overlap(_shingles(cut, a, shingle, sets), _shingles(cut, b, shingle, sets))
        key = (b, int(blocks[a]))
        if overlap >= THRESHOLD and overlap > best.get(key, (0, 0.0))[1]:
            best[key] = (a, overlap)
    return sorted((a, b, overlap) for (b, _block), (a, overlap) in best.items())


def told_apart(own: str, shared: str) -> str:
    """What to search where many rows share a long text on purpose: all that is a row's own, and a mark of what it shares, long enough to
    keep apart the same question about two texts, and too short to make two questions about one text alike.

    >>> told_apart("Who won?", "The match was long. It ended with a goal by Ann.").startswith("Who won?\\n")
    True
    """
    return f"{own}\n{shake_128(shared.encode()).hexdigest(1 + len(own) // 6)}"


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in pieces of bounded size."""
    part: list[str] = []
    size = 0
    for text in texts:
        part.append(text)
        size += len(text)
        if size >= _BLOCK:
            yield part
            part, size = [], 0
    if part:
        yield part


def signatures(texts: Sequence[str], shingle: int, hashes: int = _BANDS * _ROWS) -> np.ndarray:
    """(texts, hashes) uint32 minima of as many hash functions over each text's shingles."""
    # Each text is padded to one shingle at least; a separator keeps shingles from running over text borders.
    padded = [text.ljust(shingle, "\0") for text in texts]
    points = np.frombuffer("".join(padded).encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    values = np.zeros(len(points) - shingle + 1, dtype=np.uint64)
    for offset in range(shingle):  # a polynomial in an odd base, modulo 2**64
        values = values * np.uint64(0x9E3779B97F4A7C15) + points[offset : offset + len(values)]
    values = _mixed(values)
    # The last shingle - 1 positions of a text run into the next one: they repeat the text's first shingle instead.
    position = np.arange(len(values))
    owner = np.repeat(np.arange(len(texts)), lengths)[: len(values)]
    outside = position > (starts + lengths - shingle)[owner]
    values[outside] = values[starts[owner[outside]]]
    minima = np.empty((len(texts), hashes), dtype=np.uint32)
    for number, prime in enumerate(_PRIMES[:hashes]):
        minima[:, number] = np.minimum.reduceat(((values * prime) >> np.uint64(32)).astype(np.uint32), starts)
    return minima


def _mixed(values: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on every bit of the value (splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _candidates(signatures: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """(pairs, 2) distinct index pairs, earlier first, that share a bucket in some band."""
    found = []
    for band in range(_BANDS):
        part = signatures[:, band * _ROWS : (band + 1) * _ROWS].astype(np.uint64)
        keys = np.zeros(len(part), dtype=np.uint64)
        for column in range(_ROWS):
            keys = _mixed(keys * np.uint64(0x100000001B3) + part[:, column])
        order = np.lexsort((np.arange(len(keys)), blocks, keys))
        ordered = keys[order]
        first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        size = np.diff(np.r_[first, len(ordered)])
        start = np.repeat(first, size)  # where each position's bucket begins
        at = np.arange(len(order))
        # Its neighbour in the bucket, and the bucket's first member, which is of the lowest block.
        for partner in (at - 1, start):
            inside = (partner >= start) & (partner < at)
            low, high = np.sort(np.stack([order[partner[inside]], order[inside]]), axis=0)
            found.append(np.unique(low * len(order) + high))
    pairs = np.unique(np.concatenate(found))
    return np.stack(np.divmod(pairs, len(signatures)), axis=1)


def _likeliest(signatures: np.ndarray, pairs: np.ndarray, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs worth verifying and their estimated overlap: for every later text its likeliest partners in each block."""
    likely = _agreement(signatures, pairs)
    order = np.lexsort((pairs[:, 0], -likely, blocks[pairs[:, 0]], pairs[:, 1]))
    pairs, likely = pairs[order], likely[order]
    group = np.stack([pairs[:, 1], blocks[pairs[:, 0]]])
    new = np.ones(len(pairs), dtype=bool)
    new[1:] = (group[:, 1:] != group[:, :-1]).any(axis=0)
    rank = np.arange(len(pairs)) - np.maximum.accumulate(np.where(new, np.arange(len(pairs)), 0))
    return pairs[rank < _MOST_VERIFIED], likely[rank < _MOST_VERIFIED]


def _agreement(signatures: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(pairs,) share of equal minima."""
    shares = np.empty(len(pairs))
    for start in range(0, len(pairs), 100_000):
        part = pairs[start : start + 100_000]
        shares[start : start + 100_000] = (signatures[part[:, 0]] == signatures[part[:, 1]]).mean(axis=1)
    return shares


def _shingles(texts: Sequence[str], index: int, shingle: int, known: dict[int, frozenset[str]]) -> frozenset[str]:
    if index not in known:
        if len(known) > 20_000:
            known.clear()
        text = texts[index].ljust(shingle, "\0")
        known[index] = frozenset(text[i : i + shingle] for i in range(len(text) - shingle + 1))
    return known[index]


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Jaccard: shared shingles over all shingles."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)
