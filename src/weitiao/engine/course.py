"""How many steps a training has, which rows each of them sees, and when it is looked at. Numbers only: it knows no tensor and no model."""

import math
from dataclasses import dataclass

from weitiao.engine.batching import optimizer_batches


@dataclass(frozen=True)
class Course:
    """The course of a training: passes over its rows, cut into rounds that each end with an evaluation and a checkpoint.

    >>> course = Course(rows=10, batch_size=4, seed=1, passes=2, every=4)
    >>> course.steps, course.rounds, [len(course.batches(round)) for round in range(course.rounds)]
    (6, 2, [4, 2])

    Attributes:
        rows: training rows.
        batch_size: of them a step.
        seed: of their order.
        passes: over all rows.
        most_steps: stop after so many; 0 does not.
        seconds: stop after so many seconds of training steps, the learning rate falling with them; 0 does not.
        every: steps of a round; 0 is a pass.
    """

    rows: int
    batch_size: int
    seed: int
    passes: int
    most_steps: int = 0
    seconds: float = 0.0
    every: int = 0

    @property
    def steps_per_pass(self) -> int:
        """Optimizer steps in one pass."""
        return math.ceil(self.rows / self.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer steps in all, where the time does not end before."""
        return min(self.passes * self.steps_per_pass, self.most_steps or self.passes * self.steps_per_pass)

    @property
    def steps_per_round(self) -> int:
        """Optimizer steps in every round but perhaps the last."""
        return min(self.every or self.steps_per_pass, self.steps)

    @property
    def rounds(self) -> int:
        """Evaluations in all."""
        return math.ceil(self.steps / self.steps_per_round)

    def batches(self, round: int) -> list[list[int]]:
        """The rows of each of a round's steps."""
        first = round * self.steps_per_round
        last = min(first + self.steps_per_round, self.steps)
        batches: list[list[int]] = []
        for number in range(first // self.steps_per_pass, -(-last // self.steps_per_pass)):
            own = optimizer_batches(self.rows, self.batch_size, seed=self.seed, epoch=number)
            begin = number * self.steps_per_pass
            batches += own[max(0, first - begin) : last - begin]
        return batches

    def at(self, step: int, seconds: float) -> int:
        """How far along the training is, in steps of ``steps``: those that were done, or the share of the time, whichever is more."""
        return max(step, min(self.steps, int(self.steps * seconds / self.seconds))) if self.seconds else step
