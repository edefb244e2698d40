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

__all__ = ["OBJECTIVES", "Collated", "Example", "Objective", "objective_for"]

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


def objective_for(
    name: str,
    spec: Mapping[str, Any],
    settings: TrainingSettings | None = None,
    examples: Sequence[Example] = (),
) -> Objective:
    """The objective a task names, set up from its spec and, for a training, from the settings and the training examples."""
    if name not in OBJECTIVES:
        message = _('There is no objective "{name}"; there are: {names}.').format(name=name, names=", ".join(OBJECTIVES))
        raise UsageError(message + nearest(name, list(OBJECTIVES)))
    return OBJECTIVES[name].of(settings or TrainingSettings(), examples, spec)
