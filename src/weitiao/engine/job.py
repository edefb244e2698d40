"""What a training is about: everything its loop is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weitiao.config import TrainingSettings
from weitiao.engine.checkpoints import CheckpointStore
from weitiao.engine.course import Course
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
        headline: picks the best weights by what ``evaluate`` gives; None keeps the last.
        paced: the course of the training; None takes the settings' epochs, one a round.
    """

    loaded: LoadedModel
    objective: Objective
    examples: Sequence[Example]
    settings: TrainingSettings
    headline: Headline | None
    evaluate: Callable[[], dict[str, float]] | None
    store: CheckpointStore
    log: Callable[[Mapping[str, Any]], None]
    observer: Observer
    tracker: Callable[[Mapping[str, float], int], None] = field(default=lambda values, step: None)
    paced: Course | None = None

    @property
    def course(self) -> Course:
        """How many steps there are, and when it is evaluated."""
        settings = self.settings
        return self.paced or Course(len(self.examples), settings.batch_size, settings.seed, settings.epochs)

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.course.steps
