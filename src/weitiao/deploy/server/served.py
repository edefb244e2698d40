"""What a server serves, and the limits that nobody sets. It knows no HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weitiao import asking
from weitiao.tasks.base import Spec, Task

MOST_RECORDS = 256  # in one request
LONGEST_TEXT = 100_000  # characters of one text


@dataclass
class Served:
    """A model by the name that it is served under.

    Attributes:
        spec: what is known of it before its weights are read.
        about: what ``/info`` says beside: its figures, its base model. Nothing of this machine.
        record: of the run or the export; None of a pretrained model.
        facts: what a worker found when it loaded the model, see ``answering.facts``; {} before.
    """

    name: str
    task: Task
    spec: Spec
    about: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gives_vectors(self) -> bool:
        """Whether its answers are vectors."""
        return "vector" in self.task.columns(self.spec)

    @property
    def talks(self) -> bool:
        """Whether it holds conversations: messages in, written answers out."""
        return asking.talks(self.task)
