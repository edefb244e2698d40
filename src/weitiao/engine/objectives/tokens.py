"""An answer for every token, or the two ends of a span of tokens. What is padding or not to be judged has the label -100."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from weitiao.engine.objectives.base import Collated, Example, Objective, pad
from weitiao.engine.objectives.weighing import Weighed, cross_entropy
from weitiao.processing import IGNORED, Features


class TokenClassification(Weighed):
    """Cross-entropy of the label of each judged token. A target is one label a token, -100 for tokens that are not judged.

    Args:
        weights: (labels,) or None: sum(w * loss) / sum(w) over the judged tokens.
        smoothing: probability mass spread over all labels.
    """

    parts = "tokens"

    @staticmethod
    def labels(examples: Sequence[Example]) -> Iterator[int]:
        """The labels of all judged tokens."""
        return (label for example in examples for features in example for label in features.target if label != IGNORED)

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows, length) label indices."""
        return {"labels": pad([f.target for f in rows], IGNORED)}

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Logits are (rows, length, labels)."""
        labels = batch.targets["labels"]
        judged = labels != IGNORED  # (rows, length)
        return cross_entropy(outputs.logits[judged], labels[judged], self.weights, self.smoothing)

    def answers(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """(rows, length, labels) logits."""
        return {"logits": outputs.logits.float()}


class Span(Objective):
    """Where an answer starts and where it ends: the mean of two cross-entropies over the tokens. A target is (first, last) token."""

    parts = "tokens"

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows,) first tokens, (rows,) last tokens."""
        first, last = zip(*(f.target for f in rows), strict=True)
        return {"first": torch.tensor(first), "last": torch.tensor(last)}

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Start and end logits are (rows, length) each."""
        ended = self._ended(batch)
        ends = ((outputs.start_logits, "first"), (outputs.end_logits, "last"))
        losses = [
            F.cross_entropy(logits.float().masked_fill(ended, float("-inf")), batch.targets[name], reduction="sum") for logits, name in ends
        ]
        return (losses[0] + losses[1]) / 2

    def answers(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """(rows, length) start and end logits."""
        return {"start_logits": outputs.start_logits.float(), "end_logits": outputs.end_logits.float()}

    @staticmethod
    def _ended(batch: Collated) -> torch.Tensor:
        """(rows, length) True on padding: what the softmax must not see, or a prediction would depend on its neighbours' lengths."""
        ids = batch.inputs["input_ids"]
        return torch.arange(ids.shape[1], device=ids.device) >= torch.tensor(batch.lengths, device=ids.device)[:, None]
