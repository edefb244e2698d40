"""Learning to write: the next token, the tokens of an answer, or tokens that were hidden. Labels that are -100 are not learned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from weitiao.config import MASK_SHARE, TrainingSettings
from weitiao.engine.objectives.base import Collated, Example, Objective, pad
from weitiao.engine.objectives.weighing import cross_entropy
from weitiao.processing import IGNORED, Features, judged


class _Language(Objective):
    """A target is one token id a position, -100 where nothing is to be learned.

    Args:
        smoothing: probability mass spread over the whole vocabulary.
    """

    honours = ("label_smoothing",)

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing

    @classmethod
    def of(cls, settings: TrainingSettings, examples: Sequence[Example], spec: Mapping[str, Any]) -> "_Language":
        """What the settings say."""
        return cls(settings.label_smoothing)

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows, length) token ids."""
        return {"labels": pad([f.target for f in rows], IGNORED)}

    def terms(self, examples: Sequence[Example]) -> float:
        """Learned tokens."""
        return float(max(1, sum(judged(self._learned(f)) for example in examples for f in example)))

    def row_losses(self, outputs: Any, batch: Collated) -> torch.Tensor | None:
        """Row by row, so that it is the same loss. One of somebody's own may look at more than this shows of a row: it has no parts."""
        if type(self).loss.__module__ != __name__:
            return None
        rows = zip(outputs.logits.split(1), batch.targets["labels"].split(1), strict=True)
        parts = (self.loss(SimpleNamespace(logits=logits), replace(batch, targets={"labels": labels})) for logits, labels in rows)
        return torch.stack(list(parts))

    def _learned(self, features: Features) -> Sequence[int]:
        learned: Sequence[int] = features.target
        return learned


class CausalLM(_Language):
    """The next token from those before it. The target stands beside the inputs: the id of the same position where it is learned."""

    parts = "tokens"

    def _learned(self, features: Features) -> Sequence[int]:
        # The first token follows nothing, so nothing can predict it.
        return super()._learned(features)[1:]

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Logits are (rows, length, vocabulary): position t predicts the label at t + 1."""
        labels = batch.targets["labels"][:, 1:]
        judged = labels != IGNORED  # (rows, length - 1)
        return cross_entropy(outputs.logits[:, :-1][judged], labels[judged], smoothing=self.smoothing)

    def answers(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """(rows, length, vocabulary) logits."""
        return {"logits": outputs.logits.float()}


class Seq2SeqLM(_Language):
    """The tokens of the answer from a text. The target is the answer's own tokens, of any length."""

    def cost(self, example: Example) -> int:
        """What is read and what is written."""
        return sum(len(f) + len(f.target) for f in example)

    def collate(self, examples: Sequence[Example], padding: Mapping[str, int]) -> Collated:
        """The model makes its decoder's inputs from the labels, so they go in with the inputs."""
        batch = super().collate(examples, padding)
        return Collated({**batch.inputs, **batch.targets}, batch.targets, batch.lengths, batch.order)

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Logits are (rows, target length, vocabulary): position t predicts the label at t."""
        labels = batch.targets["labels"]
        judged = labels != IGNORED
        return cross_entropy(outputs.logits[judged], labels[judged], smoothing=self.smoothing)


class MaskedLM(_Language):
    """Tokens that were hidden: 15% of the words, of which 80% become the mask, 10% another token and 10% stay (Devlin et al., 2019), whole
    words at a time, drawn anew at every step. ``Features.words`` numbers the words; tokens without one are never hidden.

    Args:
        mask: the mask's token id.
        vocabulary: number of token ids to draw other tokens from.
        share: of the words.
        top_k: answers to give for a mask.

    Attributes:
        masked, replaced: shares of the hidden words that become the mask, and another token.
    """

    reads = ("words",)
    parts = "counts"
    masked, replaced = 0.8, 0.1

    def __init__(self, mask: int, vocabulary: int, share: float = MASK_SHARE, top_k: int = 5, smoothing: float = 0.0) -> None:
        super().__init__(smoothing)
        self.mask, self.vocabulary, self.share, self.top_k = mask, vocabulary, share, top_k

    @classmethod
    def of(cls, settings: TrainingSettings, examples: Sequence[Example], spec: Mapping[str, Any]) -> "MaskedLM":
        """What the task's spec says of the tokenizer."""
        return cls(spec["mask_id"], spec["vocabulary"], spec.get("share", MASK_SHARE), spec.get("top_k", 5), settings.label_smoothing)

    def drawn(self, examples: Sequence[Example], draw: np.random.Generator) -> list[list[Features]]:
        """The examples with words hidden, and their tokens as targets."""
        return [[self._hide(f, draw) for f in example] for example in examples]

    def _hide(self, features: Features, draw: np.random.Generator) -> Features:
        ids = list(features.inputs["input_ids"])
        target = [IGNORED] * len(ids)
        words = sorted({word for word in features.words if word is not None})
        hidden = set(draw.permutation(words)[: max(1, round(self.share * len(words)))].tolist()) if words else set()
        fates = {word: draw.random() for word in sorted(hidden)}  # one fate a word: its pieces share it
        for at, word in enumerate(features.words):
            if word in hidden:
                target[at] = ids[at]
                if fates[word] < self.masked:
                    ids[at] = self.mask
                elif fates[word] < self.masked + self.replaced:
                    ids[at] = int(draw.integers(self.vocabulary))
        return replace(features, inputs={**features.inputs, "input_ids": ids}, target=target)

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Logits are (rows, length, vocabulary)."""
        labels = batch.targets["labels"]
        judged = labels != IGNORED
        return cross_entropy(outputs.logits[judged], labels[judged], smoothing=self.smoothing)

    def answers(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """At the masks only, row after row: "tokens" and their "log_probabilities", (masks, top_k), likeliest first; and of the token that
        the target names, its "log_probability" and "rank", (masks,), without meaning where it names none; and "counts", (rows,), how
        many masks each row has. All logits of a thousand texts would be gigabytes.
        """
        masks = batch.inputs["input_ids"] == self.mask  # (rows, length)
        every = F.log_softmax(outputs.logits[masks].float(), dim=-1)  # (masks, vocabulary)
        top = every.topk(min(self.top_k, every.shape[-1]), dim=-1)
        true = batch.targets["labels"][masks].clamp(min=0)
        chances = every.gather(1, true[:, None])  # (masks, 1)
        return {
            "tokens": top.indices,
            "log_probabilities": top.values,
            "log_probability": chances[:, 0],
            "rank": (every > chances).sum(dim=-1),
            "counts": masks.sum(dim=1),
        }
