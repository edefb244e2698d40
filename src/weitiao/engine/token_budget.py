"""How many tokens a micro-batch may hold once memory ran out. It knows costs and settings, no tensor."""

from collections.abc import Sequence

from weitiao.engine.job import Job
from weitiao.engine.objectives import Example
from weitiao.errors import ResourceError
from weitiao.messages import _


def lowered(budget: int, rows: Sequence[Example], job: Job) -> int:
    """The token budget after a step of these rows did not fit into memory: half of what it held. The observer hears of it.

    Args:
        budget: so far; 0 is the whole step.

    Raises:
        ResourceError: it cannot be lowered: a single row does not fit, or the step cannot be cut.
    """
    costs = [job.objective.cost(row) for row in rows]
    longest, tokens = max(costs), sum(costs)
    used = min(budget or tokens, tokens)
    if not job.objective.divisible and len(rows) > 1:
        message = _(
            "Memory ran out on a step of {rows} rows with {tokens} tokens, and this task compares all rows of a step with each other, "
            "so that it cannot be cut. Lower --batch-size ({batch_size}) or --max-length, or switch on --gradient-checkpointing."
        )
        raise ResourceError(message.format(rows=len(rows), tokens=tokens, batch_size=job.settings.batch_size))
    if used <= longest:
        message = _(
            "Memory ran out on a single text of {tokens} tokens. Lower --max-length, switch on "
            "--gradient-checkpointing, or choose a smaller --model."
        )
        raise ResourceError(message.format(tokens=longest))
    found = max(longest, used // 2)
    message = _("Memory ran out: micro-batches now hold at most {tokens} tokens. The optimizer still sees {rows} rows a step.")
    job.observer.warn(message.format(tokens=found, rows=len(rows)))
    return found
