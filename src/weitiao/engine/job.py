"""What a training is about: everything its loop is given."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weitiao.config import TrainingSettings
from weitiao.engine.checkpoints import CheckpointStore
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Example, Objective
from weitiao.observer import Observer
from weitiao.tasks.base import Headline


@dataclass(frozen=True)
class Job:
    """What the loop needs.

    Attributes:
        examples: the training rows: what belongs together in the loss, each a list of features.
        evaluate: predicts the validation rows with the network as it is and returns their metrics; None without validation rows.
        log: takes a line of the training log.
    """

    loaded: LoadedModel
    objective: Objective
    examples: Sequence[Example]
    settings: TrainingSettings
    headline: Headline
    evaluate: Callable[[], dict[str, float]] | None
    store: CheckpointStore
    log: Callable[[Mapping[str, Any]], None]
    observer: Observer
    tracker: Callable[[Mapping[str, float], int], None] = field(default=lambda values, step: None)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one pass."""
        return math.ceil(len(self.examples) / self.settings.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.steps_per_epoch * self.settings.epochs
