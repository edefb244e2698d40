"""How a model learns, by name. Objectives know no task and no loop; a task names one, and its spec sets it up."""

from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.config import TrainingSettings, nearest
from weitiao.engine.objectives.base import Collated, Example, Objective
from weitiao.engine.objectives.contrastive import Contrastive
from weitiao.engine.objectives.language import CausalLM, MaskedLM, Seq2SeqLM
from weitiao.engine.objectives.ranking import Ranking
from weitiao.engine.objectives.rows import Choice, Classification, MultiLabel, Regression
from weitiao.engine.objectives.tokens import Span, TokenClassification
from weitiao.errors import UsageError
from weitiao.messages import _

__all__ = ["OBJECTIVES", "Collated", "Example", "Objective", "check_honoured", "objective_class", "objective_for"]

OBJECTIVES: dict[str, type[Objective]] = {
    "classification": Classification,
    "multi-label": MultiLabel,
    "regression": Regression,
    "choice": Choice,
    "token-classification": TokenClassification,
    "span": Span,
    "causal-lm": CausalLM,
    "seq2seq-lm": Seq2SeqLM,
    "masked-lm": MaskedLM,
    "contrastive": Contrastive,
    "ranking": Ranking,
}


def objective_class(name: str | type) -> type[Objective]:
    """The class of an objective; a task file of somebody's own may give the class itself. Raises UsageError where there is none."""
    if isinstance(name, type):
        if not issubclass(name, Objective):
            message = _("The objective {name} is not made from weitiao.engine.objectives.Objective, as it must be.")
            raise UsageError(message.format(name=name.__name__))
        return name
    if name not in OBJECTIVES:
        message = _('There is no objective "{name}"; there are: {names}.').format(name=name, names=_(", ").join(OBJECTIVES))
        raise UsageError(message + nearest(name, list(OBJECTIVES)))
    return OBJECTIVES[name]


def check_honoured(name: str | type, settings: TrainingSettings, task: str) -> None:
    """Raises UsageError for a setting of the loss that was changed and that a task's objective does not listen to."""
    honours, plain = objective_class(name).honours, TrainingSettings()
    for setting in ("class_weights", "label_smoothing"):
        value = getattr(settings, setting)
        if setting not in honours and value != getattr(plain, setting):
            message = _("--{flag} {value} would change nothing: the loss of {task} has no use for it. Leave it out.")
            raise UsageError(message.format(flag=setting.replace("_", "-"), value=value, task=task))


def objective_for(
    name: str | type,
    spec: Mapping[str, Any],
    settings: TrainingSettings | None = None,
    examples: Sequence[Example] = (),
) -> Objective:
    """The objective a task names, set up from its spec and, for a training, from the settings and the training examples."""
    return objective_class(name).of(settings or TrainingSettings(), examples, spec)
