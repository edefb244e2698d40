"""Between which values each figure lies, so that nobody asks for one that it never has. It measures nothing."""

Range = tuple[float | None, float | None]  # None: it has no end there

_SHARES = (
    *("accuracy", "balanced_accuracy", "f1_macro", "f1_micro", "f1_weighted", "precision", "recall", "f1", "subset_accuracy", "ece"),
    *("average_precision", "average_precision_micro", "exact_match", "answerable_f1", "unanswerable_accuracy", "rouge1", "rouge2"),
    *("rougeL", "token_accuracy", "replaced_f1", "replaced_accuracy", "masked_accuracy", "f1_at_5", "precision_at_5", "recall_at_5"),
    "recall_at_1",
)
RANGES: dict[str, Range] = {
    **dict.fromkeys(_SHARES, (0.0, 1.0)),
    **dict.fromkeys(("pearson", "spearman", "mcc"), (-1.0, 1.0)),
    **dict.fromkeys(("bleu", "chrf"), (0.0, 100.0)),
    **dict.fromkeys(("mae", "rmse", "loss", "log_loss", "detection_loss", "generator_loss"), (0.0, None)),
    "perplexity": (1.0, None),
    "r2": (None, 1.0),
}


def within(name: str, value: float) -> bool:
    """Whether a figure can have a value; of a figure that is not known, any.

    >>> within("accuracy", 0.8), within("accuracy", 80), within("bleu", 80), within("mine", 80)
    (True, False, True, True)
    """
    low, high = RANGES.get(name, (None, None))
    return (low is None or value >= low) and (high is None or value <= high)
