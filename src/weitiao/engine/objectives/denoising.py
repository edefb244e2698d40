"""Span corruption (Raffel et al., 2020, T5): spans of a text are each replaced by a sentinel, and what stood there is to be written.

Thank you for inviting me  ->  Thank you <extra_id_0> me <extra_id_1>   and   <extra_id_0> for inviting <extra_id_1> ... </s>
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from weitiao.config import MASK_SHARE
from weitiao.engine.objectives.base import Collated, Example
from weitiao.engine.objectives.blocks import in_pieces, learned_sums, token_means
from weitiao.engine.objectives.language import Seq2SeqLM
from weitiao.processing import Features

MEAN_SPAN = 3  # tokens


class Denoising(Seq2SeqLM):
    """Each piece of a block becomes a row and an example of its own, corrupted anew at every step.

    Args:
        sentinels: their ids, in the order of their use.
        end: the id that ends a text, None where there is none.
        share: of the tokens that are taken out.
    """

    perplexing = True

    def __init__(self, sentinels: Sequence[int], end: int | None, share: float = MASK_SHARE, smoothing: float = 0.0) -> None:
        super().__init__(smoothing)
        self.sentinels, self.share = np.array(sentinels), share
        self.ending = np.array([] if end is None else [end], dtype=np.int64)

    def drawn(self, examples: Sequence[Example], draw: np.random.Generator) -> list[list[Features]]:
        """The pieces of the blocks, corrupted."""
        blocks = (one for example in examples for one in example)
        return [[self._corrupted(np.asarray(piece.inputs["input_ids"]), draw)] for block in blocks for piece in in_pieces(block)]

    def _corrupted(self, ids: np.ndarray, draw: np.random.Generator) -> Features:
        taken = noise(len(ids), self.share, len(self.sentinels), draw)  # (tokens,)
        read, target = corrupted(ids, taken, self.sentinels)
        inputs: dict[str, Any] = {"input_ids": np.append(read, self.ending)}
        inputs["attention_mask"] = np.ones_like(inputs["input_ids"])
        return Features(inputs, target=np.append(target, self.ending))

    def terms(self, examples: Sequence[Example]) -> float:
        """Tokens to write."""
        return float(max(1, sum(len(one.target) for example in examples for one in example)))

    def cost(self, example: Example) -> int:
        """What is read and what is written; of a block that is not corrupted yet, what it holds."""
        return sum(len(one) + (0 if one.target is None else len(one.target)) for one in example)

    def judged(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """Sums over a batch: "loss", "right" tokens, "terms"."""
        return learned_sums(outputs.logits, batch.targets["labels"])

    def metrics(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Figures of summed sums."""
        return token_means(sums, "token_accuracy")


def noise(length: int, share: float, most: int, draw: np.random.Generator) -> np.ndarray:
    """(length,) which tokens are taken out: spans of ``MEAN_SPAN`` tokens on average, none at the beginning and no two side by side.

    Args:
        share: of the tokens; at least one is taken and one stays.
        most: spans.
    """
    if length < 2:
        return np.zeros(length, dtype=bool)
    count = min(max(1, round(length * share)), length - 1)
    spans = min(max(1, round(count / MEAN_SPAN)), length - count, most)
    sizes = np.column_stack([_parts(length - count, spans, draw), _parts(count, spans, draw)]).ravel()
    return np.repeat(np.arange(2 * spans) % 2 == 1, sizes)


def corrupted(ids: np.ndarray, taken: np.ndarray, sentinels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is read, and what is to be written: each run of tokens that are taken out, or that stay, is in the other a sentinel.

    >>> read, written = corrupted(np.array([5, 6, 7, 8]), np.array([False, True, True, False]), np.array([99, 98]))
    >>> read.tolist(), written.tolist()
    ([5, 99, 8], [99, 6, 7])
    """
    begins = taken & ~np.append(False, taken[:-1])
    number = np.cumsum(begins) - 1  # of the span that a taken token is in
    read = np.where(begins, sentinels[np.maximum(number, 0)], ids)[begins | ~taken]
    places = np.flatnonzero(begins)
    # Before each span its sentinel.
    written = np.insert(ids[taken], np.searchsorted(np.flatnonzero(taken), places), sentinels[number[places]])
    return read, written


def _parts(total: int, count: int, draw: np.random.Generator) -> np.ndarray:
    """``total`` in so many parts of at least 1, (count,), every way as likely as every other."""
    cuts = np.sort(draw.choice(total - 1, size=count - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]]))
