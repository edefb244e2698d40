"""Learning from blocks of running text, drawn and laid out for a whole step at once: hidden words, replaced ones, the next token.

A block is one features whose "input_ids" and "position_ids" are arrays: pieces of documents, one behind the other, each counted from 0, so
that no piece sees another. ``words`` numbers the words likewise, -1 for tokens of none. Where the model is packed a step is one row of all
its pieces, (1, tokens); elsewhere each piece is a row, and an example by itself once words are hidden, so that rows of like length share a
micro-batch.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from weitiao.engine.objectives.base import Collated, Example
from weitiao.engine.objectives.language import CausalLM, MaskedLM
from weitiao.engine.objectives.unprojected import Unprojected
from weitiao.engine.objectives.weighing import cross_entropy
from weitiao.processing import IGNORED, Features


class MaskedBlocks(MaskedLM):
    """Masked language modelling of blocks, see ``MaskedLM``; each word is hidden with a probability, all of a step's at once.

    Attributes:
        flat: whether a step is one row of all its pieces.
        types: whether the model reads token types.
        perplexing: whether its loss is that of one token among all.
    """

    flat, types, perplexing = False, False, True

    def drawn(self, examples: Sequence[Example], draw: np.random.Generator) -> list[list[Features]]:
        """The blocks with words hidden, and their tokens as targets; their pieces where each is a row."""
        features = [one for example in examples for one in example]
        sizes = [len(one) for one in features]
        ids = np.concatenate([one.inputs["input_ids"] for one in features])  # (tokens,)
        words = np.concatenate([one.words for one in features])  # (tokens,), counted anew in every block
        block = np.repeat(np.arange(len(features)), sizes)
        most = int(words.max(initial=0)) + 1
        # (blocks, words): two draws a word, so that all of its pieces share its fate.
        hide, fates = draw.random((2, len(features), most), dtype=np.float32)
        hidden = (words >= 0) & (hide[block, words] < self.share)
        fate = fates[block, words]
        target = np.where(hidden, ids, IGNORED)
        others = draw.integers(self.vocabulary, size=len(ids))
        changed = np.where(hidden & (fate < self.masked), self.mask, ids)
        changed = np.where(hidden & (fate >= self.masked) & (fate < self.masked + self.replaced), others, changed)
        ends = np.cumsum(sizes)[:-1]
        parts = zip(features, np.split(changed, ends), np.split(target, ends), strict=True)
        blocks = [replace(one, inputs=dict[str, Any](one.inputs, input_ids=own), target=wanted) for one, own, wanted in parts]
        return [[one] for one in (blocks if self.flat else itertools.chain.from_iterable(map(in_pieces, blocks)))]

    def terms(self, examples: Sequence[Example]) -> float:
        """Hidden tokens."""
        return float(max(1, sum(np.count_nonzero(np.asarray(one.target) != IGNORED) for example in examples for one in example)))

    def collate(self, examples: Sequence[Example], padding: Mapping[str, int]) -> Collated:
        """The pieces of all blocks, longest first."""
        return laid_out([one for example in examples for one in example], padding["input_ids"], flat=self.flat, types=self.types)

    def judged(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """Sums over a batch that was hidden: "loss", "right" tokens, "terms"."""
        return learned_sums(outputs.logits, batch.targets["labels"])

    def metrics(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Figures of summed sums."""
        return token_means(sums, "masked_accuracy")


class CausalBlocks(CausalLM):
    """The next token of every place in blocks of a stream."""

    perplexing = True

    def terms(self, examples: Sequence[Example]) -> float:
        """Tokens but the first of each block."""
        return float(max(1, sum(len(one) - 1 for example in examples for one in example)))

    def judged(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """Sums over a batch: "loss", "right" tokens, "terms"."""
        return learned_sums(outputs.logits[:, :-1], batch.targets["labels"][:, 1:])

    def metrics(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Figures of summed sums."""
        return token_means(sums, "token_accuracy")


class ReplacedTokens(MaskedBlocks):
    """Replaced-token detection (Clark et al., 2020, ELECTRA): a generator fills hidden words in, and the model says of every token whether
    it is the text's own. Both learn together.

    Attributes:
        WEIGHT: of the detection beside the generator's loss, both as means a token.
    """

    perplexing = False
    masked, replaced = 0.85, 0.0  # what is not the mask stays
    WEIGHT = 50.0

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Summed over hidden tokens; the detection, which is of all tokens, is brought to as many."""
        learned = cross_entropy(outputs.generator, outputs.right, smoothing=self.smoothing)
        found = torch.nn.functional.binary_cross_entropy_with_logits(outputs.detected, outputs.replaced, reduction="sum")
        return learned + self.WEIGHT * self.share * found

    def judged(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """Sums over a batch: the generator's, and of the detection its loss and how many tokens were found, missed and blamed wrongly."""
        said, true = outputs.detected > 0, outputs.replaced > 0
        loss = torch.nn.functional.binary_cross_entropy_with_logits(outputs.detected, outputs.replaced, reduction="sum")
        counts = {"found": said & true, "missed": ~said & true, "blamed": said & ~true}
        tokens = torch.tensor(float(len(said)))
        own = {"detection": loss, "tokens": tokens, **{name: flags.sum() for name, flags in counts.items()}}
        return {**token_sums(outputs.generator, outputs.right), **own}

    def metrics(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Figures of summed sums."""
        generator, tokens = super().metrics(sums), max(1.0, sums["tokens"])
        detection = sums["detection"] / tokens
        wrong = sums["missed"] + sums["blamed"]
        return {
            "loss": generator["loss"] + self.WEIGHT * detection,
            "detection_loss": detection,
            "replaced_f1": 2 * sums["found"] / max(1.0, 2 * sums["found"] + wrong),
            "replaced_accuracy": 1 - wrong / tokens,
            "generator_loss": generator["loss"],
            "masked_accuracy": generator["masked_accuracy"],
        }


def in_pieces(block: Features) -> list[Features]:
    """The pieces of a block, each a features of its own.

    >>> block = Features({"input_ids": np.array([7, 8, 9]), "position_ids": np.array([0, 1, 0])})
    >>> [one.inputs["input_ids"].tolist() for one in in_pieces(block)]
    [[7, 8], [9]]
    """
    begun = np.flatnonzero(np.asarray(block.inputs["position_ids"]) == 0)[1:]
    inputs: dict[str, Any] = {name: np.split(np.asarray(values), begun) for name, values in block.inputs.items()}
    targets = [None] * (len(begun) + 1) if block.target is None else np.split(np.asarray(block.target), begun)
    return [Features({name: parts[at] for name, parts in inputs.items()}, target=target) for at, target in enumerate(targets)]


def laid_out(features: Sequence[Features], padding: int, *, flat: bool, types: bool) -> Collated:
    """Blocks as a batch of their pieces, longest first.

    Args:
        padding: the token id that fills rows up.
        flat: one row of all pieces, (1, tokens), in the place of a padded row for each, (pieces, longest).
        types: with token types, all 0.
    """
    ids, places = (np.concatenate([one.inputs[name] for one in features]) for name in ("input_ids", "position_ids"))
    labels = np.concatenate([one.target for one in features])
    firsts = np.flatnonzero(np.append(True, places[1:] != places[:-1] + 1))  # (pieces,)
    sizes = np.diff(np.append(firsts, len(ids)))
    order = np.argsort(-sizes, kind="stable")
    sizes = sizes[order]
    ends = np.cumsum(sizes)
    place = np.arange(len(ids)) - np.repeat(ends - sizes, sizes)  # (tokens,) each token's in its piece
    taken = np.repeat(firsts[order], sizes) + place
    columns = {"input_ids": (ids[taken], padding), "labels": (labels[taken], IGNORED)}
    if flat:
        laid = {name: torch.from_numpy(values.astype(np.int64))[None] for name, (values, _fill) in columns.items()}
    else:
        columns["attention_mask"] = (np.ones(len(ids), dtype=np.int64), 0)
        row = np.repeat(np.arange(len(sizes)), sizes)
        laid = {}
        for name, (values, fill) in columns.items():
            padded = np.full((len(sizes), sizes[0]), fill, dtype=np.int64)
            padded[row, place] = values
            laid[name] = torch.from_numpy(padded)
    wanted = {"labels": laid.pop("labels")}
    if types:
        laid["token_type_ids"] = torch.zeros_like(laid["input_ids"])
    return Collated(laid, wanted, sizes.tolist(), list(range(len(sizes))), flat)


def token_sums(logits: torch.Tensor | Unprojected, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of (tokens, vocabulary) logits: the summed "loss" of the labels, how many were guessed "right", and how many there are, "terms"."""
    best = logits.best() if isinstance(logits, Unprojected) else logits.argmax(dim=-1)
    terms = torch.tensor(float(len(labels)))
    return {"loss": cross_entropy(logits, labels), "right": (best == labels).sum(), "terms": terms}


def learned_sums(logits: torch.Tensor | Unprojected, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """``token_sums`` of those labels that are learned, (batch, length) of them."""
    learned = labels != IGNORED
    return token_sums(logits[learned], labels[learned])


def token_means(sums: Mapping[str, float], accuracy: str) -> dict[str, float]:
    """The figures of summed ``token_sums``; ``accuracy`` is what the share of right tokens is called."""
    terms = max(1.0, sums["terms"])
    return {"loss": sums["loss"] / terms, accuracy: sums["right"] / terms}
