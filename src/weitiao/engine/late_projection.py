"""Products with the vocabulary only where something is learned, and never as one tensor.

A network that writes multiplies every position of a padded batch with its whole vocabulary: 5 GB of logits for 8,192 positions and
150,000 words, and as much again for their gradients, although a prompt, padding and words that are not hidden teach nothing. While it
trains here, the layer that would do so hands on what it is given; the objective picks the positions that it judges, and only those meet
the vocabulary (``Unprojected``). The mathematics is the same, and where a family does more with its logits, so that the loss differs on
the spot, everything stays as it was. It knows no task and no loop.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from weitiao.engine.objectives import Collated, Example, Objective, language
from weitiao.engine.objectives.unprojected import Unprojected
from weitiao.engine.out_of_memory import is_out_of_memory
from weitiao.engine.replaced import replaced
from weitiao.processing import IGNORED, Features

if TYPE_CHECKING:
    from weitiao.engine.models import LoadedModel

PROBED = 64  # tokens of the row that is looked at
TOLERANCE, HALF_TOLERANCE = 1e-4, 0.02  # largest difference of a loss, as a share of it, in fp32 and in 16 bits


class LateProjection:
    """The way through a network without its last layer. Made by ``of``."""

    def __init__(self, loaded: "LoadedModel", layer: nn.Linear) -> None:
        self.loaded, self.layer = loaded, layer

    @classmethod
    def of(cls, loaded: "LoadedModel", objective: Objective, examples: Sequence[Example]) -> "LateProjection | None":
        """The late projection of a model that learns by ``objective``; None where its logits are not over a vocabulary, where the loss is
        somebody's own, which may ask more of logits, or where it is another on ``examples``.
        """
        find = getattr(loaded.network, "get_output_embeddings", None)
        layer = find() if find is not None else None
        if type(layer) is not nn.Linear or type(objective).loss.__module__ != language.__name__:
            return None
        late, training = cls(loaded, layer), loaded.network.training
        loaded.network.eval()
        try:
            with torch.no_grad():
                rows = objective.drawn(examples, np.random.default_rng(0))
                batch = objective.collate([[_short(one) for one in row] for row in rows], loaded.padding).to(loaded.machine.device)
                plain, found = (float(objective.loss(run(batch), batch)) for run in (loaded.forward, late.forward))
        except (RuntimeError, TypeError, IndexError, ValueError, AttributeError) as error:
            if is_out_of_memory(error):
                raise
            return None  # a family that computes with its logits
        finally:
            loaded.network.train(training)
        tolerance = TOLERANCE if loaded.machine.precision == "fp32" else HALF_TOLERANCE
        return late if abs(found - plain) <= tolerance * abs(plain) else None

    def forward(self, batch: Collated) -> Any:
        """The network's outputs for a batch, their logits ``Unprojected``."""
        if "labels" in batch.inputs:
            # From labels a network would make its decoder's inputs, and a loss of its own of what are no logits.
            inputs = {name: tensor for name, tensor in batch.inputs.items() if name != "labels"}
            shifted = self.loaded.network.prepare_decoder_input_ids_from_labels(labels=batch.inputs["labels"])
            batch = replace(batch, inputs={**inputs, "decoder_input_ids": shifted})
        with replaced([self.layer], lambda input: input):
            outputs = self.loaded.forward(batch)
        # A residual stream may leave the network in full precision; its products are those of the forward pass.
        states = outputs.logits.to(self.loaded.number_format)
        outputs.logits = Unprojected(states, self.layer.weight, self.layer.bias)
        return outputs


def _short(features: Features) -> Features:
    """A stretch of a row around the first position that is learned: the plain logits of a long one may be what memory has no room for."""
    ids, target = features.inputs["input_ids"], features.target
    at = 0
    if len(target) == len(ids):
        first = next((place for place, label in enumerate(target) if label != IGNORED), 0)
        at = max(0, first - PROBED // 2)
        target = target[at : at + PROBED]
    inputs = {name: values[at : at + PROBED] for name, values in features.inputs.items()}
    return replace(features, inputs=inputs, target=target[:PROBED])
