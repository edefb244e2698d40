"""Predictions and references become numbers with intervals, and an honest sentence about them. Knows no model, task or file.

Every scoring function gives {"metrics", "intervals", "draws", ...}: ``draws`` are the bootstrap's values of each figure, by which
``compare`` judges a model against its baselines. Further keys are details that reports know how to draw.

Names are loaded when they are used: who only predicts judges nothing, and answers sooner.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weitiao.metrics.classification import classification_scores
    from weitiao.metrics.comparing import compare, standing
    from weitiao.metrics.multi_label import multi_label_scores
    from weitiao.metrics.regression import regression_scores
    from weitiao.metrics.resampling import interval, mean_scores, ratio_scores, resamples
    from weitiao.metrics.rouge_scoring import rouge, rouge_rows, rouge_scores
    from weitiao.metrics.titles import SMALLER_IS_BETTER, TITLES, smaller_is_better, title

# No module is called as one of its names is: once imported, it would stand in its place.
_PLACES = {
    "classification": ("classification_scores",),
    "comparing": ("compare", "standing"),
    "demands": ("Demand", "check_demands", "check_figures", "foresee_demands", "parse_demands"),
    "multi_label": ("multi_label_scores",),
    "regression": ("regression_scores",),
    "resampling": ("interval", "mean_scores", "ratio_scores", "resamples"),
    "rouge_scoring": ("rouge", "rouge_rows", "rouge_scores"),
    "titles": ("SMALLER_IS_BETTER", "TITLES", "smaller_is_better", "title"),
}
__all__ = [
    "SMALLER_IS_BETTER",
    "TITLES",
    "Demand",
    "check_demands",
    "check_figures",
    "classification_scores",
    "compare",
    "foresee_demands",
    "interval",
    "mean_scores",
    "multi_label_scores",
    "parse_demands",
    "ratio_scores",
    "regression_scores",
    "resamples",
    "rouge",
    "rouge_rows",
    "rouge_scores",
    "smaller_is_better",
    "standing",
    "title",
]


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"weitiao.metrics.{module}"), name)
    raise AttributeError(f"module 'weitiao.metrics' has no attribute {name!r}")
