"""Products with the vocabulary only where something is learned, and never as one tensor.

A network that writes multiplies every position of a padded batch with its whole vocabulary: 5 GB of logits for 8,192 positions and
150,000 words, and as much again for their gradients, although a prompt, padding and words that are not hidden teach nothing. While it
trains here, the layer that would do so hands on what it is given; the objective picks the positions that it judges, and only those meet
the vocabulary (``Unprojected``). The mathematics is the same, and where a family does more with its logits, so that the loss differs on
the spot, everything stays as it was. It knows no task and no loop.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from weitiao.engine.objectives import Collated, Example, Objective, language
from weitiao.engine.objectives.unprojected import Unprojected

if TYPE_CHECKING:
    from weitiao.engine.models import LoadedModel

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
                batch = objective.collate(rows, loaded.padding).to(loaded.machine.device)
                plain, found = (float(objective.loss(run(batch), batch)) for run in (loaded.forward, late.forward))
        except (RuntimeError, TypeError, IndexError, ValueError):  # a family that computes with its logits
            return None
        finally:
            loaded.network.train(training)
        tolerance = TOLERANCE if loaded.machine.precision == "fp32" else HALF_TOLERANCE
        return late if abs(found - plain) <= tolerance * abs(plain) else None

    def forward(self, batch: Collated) -> Any:
        """The network's outputs for a batch, their logits ``Unprojected``."""
        with self._put_off():
            outputs = self.loaded.forward(batch)
        outputs.logits = Unprojected(outputs.logits, self.layer.weight, self.layer.bias)
        return outputs

    @contextmanager
    def _put_off(self) -> Iterator[None]:
        # Set on the module and not on its class, and taken back: the layer stays what it is.
        self.layer.forward = lambda input: input  # type: ignore[method-assign]
        try:
            yield
        finally:
            del self.layer.forward
