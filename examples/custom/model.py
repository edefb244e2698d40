"""The network and the loss: everything that is torch. It knows nothing of files, labels or figures."""

from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from weitiao.engine.objectives import Collated
from weitiao.engine.objectives.rows import Classification
from weitiao.engine.own_network import OwnNetwork


class MeanMaxNetwork(OwnNetwork):
    """BERT, or any other encoder, whose head is replaced: mean and maximum of all tokens, then two layers."""

    def __init__(self, base: Any) -> None:
        super().__init__(base)
        width, hidden = base.config.hidden_size, base.config.mlp_width
        self.mlp = nn.Sequential(nn.Linear(2 * width, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, base.config.num_labels))

    def forward(self, **inputs: torch.Tensor) -> SequenceClassifierOutput:
        """input_ids, attention_mask, ..., each (rows, length) -> logits, (rows, labels)."""
        states = self.base(**inputs).last_hidden_state  # (rows, length, width)
        real = inputs["attention_mask"][..., None].bool()  # (rows, length, 1); behind a text's end there is padding
        mean = (states * real).sum(dim=1) / real.sum(dim=1)  # (rows, width)
        largest = states.masked_fill(~real, float("-inf")).amax(dim=1)  # (rows, width)
        return SequenceClassifierOutput(logits=self.mlp(torch.cat([mean, largest], dim=-1)))


class FocalLoss(Classification):
    """Cross-entropy in which rows that are already right count little (Lin et al., 2017): the loss of a row times (1 - its share)²."""

    def loss(self, outputs: Any, batch: Collated) -> torch.Tensor:
        """Summed over rows: weitiao divides by their number over the whole step, however it was cut up."""
        right = torch.log_softmax(outputs.logits.float(), dim=-1).gather(1, batch.targets["labels"][:, None])[:, 0]  # (rows,)
        return -((1 - right.exp()) ** 2 * right).sum()
