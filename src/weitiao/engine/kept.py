"""How much of what a model decides stays as it is where it computes otherwise, and what so few decisions can show. It knows predictions and
what their task says of them; no network, no run.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from weitiao.messages import _
from weitiao.tasks.base import Prediction, Task

KEPT = 0.99  # least share of the decisions that 8 bits must leave as they are


class Kept(NamedTuple):
    """What two ways of answering the same records have in common.

    Attributes:
        share: of the decisions; 1 where nothing is decided.
        decided, otherwise: how many decisions the first way makes, and how many the other.
    """

    share: float
    decided: int
    otherwise: int


def kept(task: Task, one: Sequence[Prediction], other: Sequence[Prediction]) -> Kept:
    """The decisions that two rows of predictions have in common: twice those in both over all of both.

    Of one label a record the share is that of equal labels; of entities, the F1 of one's beside the other's, as the field judges them: an
    entity with another end or another type is another entity, and tokens outside of all of them count for nothing.
    """
    pairs = [(task.decisions(a) or frozenset(), task.decisions(b) or frozenset()) for a, b in zip(one, other, strict=True)]
    total = sum(len(a) + len(b) for a, b in pairs)
    share = 2 * sum(len(a & b) for a, b in pairs) / total if total else 1.0
    return Kept(share, sum(len(a) for a, _b in pairs), sum(len(b) for _a, b in pairs))


def few(decided: int, otherwise: int, allowed: float, *, of_figure: bool = False) -> str:
    """What to say where one answer is a larger share of all than is allowed to differ; "" where there are answers enough. What one answer
    costs is not said: that is more or less than its share where a figure is a mean over labels, or an answer goes missing.

    Args:
        decided: how many answers were compared.
        otherwise: how many there are in 8 bits.
        allowed: the share of them that may change; ``of_figure``, how much of a figure between 0 and 1 may be lost.

    >>> few(1000, 1000, 0.01)
    ''
    """
    if decided * allowed >= 1:
        return ""
    if not decided and not otherwise:
        return _("The model finds nothing in these rows, in 8 bits or without, so comparing them shows nothing.")
    if not decided:
        message = _("Without 8 bits the model finds nothing in these rows, and in 8 bits {count}, so no answer stays.")
        return message.format(count=otherwise)
    message = _("Only {count} answers were compared: one is {one:.1%} of them, and {allowed:.1%} may change.")
    if of_figure:
        message = _("Only {count} answers were compared: one is {one:.1%} of them, and {allowed:.1%} may be lost.")
    advice = _(
        "From {enough} answers on one is no more than {allowed:.1%}: hold out more rows when you train (--test, a larger share or a file)."
    )
    return f"{message} {advice}".format(count=decided, one=1 / decided, allowed=allowed, enough=math.ceil(1 / allowed - 1e-9))
