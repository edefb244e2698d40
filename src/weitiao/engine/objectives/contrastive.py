"""Texts that belong together get vectors that are close: one vector a row, pooled from the last hidden states.

In-batch negatives (Henderson et al., 2017): each first text must find its own second one among all second ones of the step, so a step
cannot be cut.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from weitiao.config import TrainingSettings
from weitiao.engine.objectives.base import Collated, Example, Objective
from weitiao.processing import Features


class Contrastive(Objective):
    """An example is a pair of features. Targets are None, or one number a pair: the cosine that the pair should have.

    Args:
        pooling: "mean", "cls" or "last", as the model was made.
        normalise: give vectors of length 1.
        scale: what cosines are multiplied with before the softmax (20, as sentence-transformers has it).
    """

    divisible = False
    grouped = True

    def __init__(self, pooling: str = "mean", normalise: bool = True, scale: float = 20.0) -> None:
        self.pooling, self.normalise, self.scale = pooling, normalise, scale

    @classmethod
    def of(cls, settings: TrainingSettings, examples: Sequence[Example], spec: Mapping[str, Any]) -> "Contrastive":
        """What the task's spec says of the model."""
        return cls(spec.get("pooling", "mean"), spec.get("normalise", True))

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows,) each row's pair, its side (0 or 1), and the similarity wanted (not a number where every pair simply belongs together)."""
        sides, wanted = zip(*(f.target for f in rows), strict=True)
        numbers = [float("nan") if value is None else float(value) for value in wanted]
        return {"groups": torch.tensor(groups), "sides": torch.tensor(sides), "wanted": torch.tensor(numbers)}

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Summed over pairs: squared error of the cosine where it is given, cross-entropy over the step's second texts elsewhere."""
        vectors = F.normalize(self.pool(outputs.last_hidden_state.float(), batch), dim=-1)  # (rows, hidden)
        groups, sides = batch.targets["groups"], batch.targets["sides"]
        count = int(groups.max()) + 1
        first, second = (vectors.new_zeros(count, vectors.shape[1]).index_copy(0, groups[sides == s], vectors[sides == s]) for s in (0, 1))
        wanted = batch.targets["wanted"].new_zeros(count).index_copy(0, groups, batch.targets["wanted"])  # (pairs,)
        if not wanted.isnan().any():
            return ((first * second).sum(dim=-1) - wanted).square().sum()
        cosines = first @ second.T * self.scale  # (pairs, pairs)
        return F.cross_entropy(cosines, torch.arange(count, device=cosines.device), reduction="sum")

    def answers(self, outputs: Any, batch: Collated) -> dict[str, torch.Tensor]:
        """(rows, hidden) vectors."""
        vectors = self.pool(outputs.last_hidden_state.float(), batch)
        return {"vector": F.normalize(vectors, dim=-1) if self.normalise else vectors}

    def pool(self, hidden: torch.Tensor, batch: Collated) -> torch.Tensor:
        """(rows, length, hidden) -> (rows, hidden)."""
        lengths = torch.as_tensor(batch.lengths, device=hidden.device)
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pooling == "last":
            return hidden[torch.arange(hidden.shape[0], device=hidden.device), lengths - 1]
        real = torch.arange(hidden.shape[1], device=hidden.device) < lengths[:, None]  # (rows, length)
        return (hidden * real[..., None]).sum(dim=1) / lengths[:, None]
