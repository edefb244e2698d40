"""Which of a text's candidates belong to it: they compete with each other by the cosine of their vectors with the text's.

Other texts' candidates do not come into it, so a step may be cut.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from weitiao.engine.objectives.base import Collated
from weitiao.engine.objectives.contrastive import Contrastive
from weitiao.processing import Features


class Ranking(Contrastive):
    """An example is a text and its candidates. The target is "text" for the text, and for a candidate 1 where it is a right one, else 0."""

    divisible = True

    def targets(self, rows: Sequence[Features], groups: Sequence[int]) -> dict[str, torch.Tensor]:
        """(rows,) each row's example, and -1 for the text, 1 for a right candidate, 0 for another."""
        return {"groups": torch.tensor(groups), "right": torch.tensor([-1 if f.target == "text" else int(f.target) for f in rows])}

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Summed over texts: the cross-entropy of a softmax over all candidates, averaged over the right ones."""
        vectors = F.normalize(self.pool(outputs.last_hidden_state.float(), batch), dim=-1)  # (rows, hidden)
        groups, right = batch.targets["groups"], batch.targets["right"]
        total = vectors.new_zeros(())
        for group in range(int(groups.max()) + 1):
            own = groups == group
            text, candidates = vectors[own & (right < 0)], vectors[own & (right >= 0)]  # (1, hidden), (candidates, hidden)
            chances = F.log_softmax(self.scale * (candidates @ text[0]), dim=0)
            total = total - chances[right[own & (right >= 0)] > 0].mean()
        return total
