"""What people call each metric and each baseline. One table, so that a figure has one name on the terminal, on the page and on the card."""

from collections.abc import Mapping
from typing import Any

from weitiao.messages import N_, _

TITLES = {
    "accuracy": N_("accuracy"),
    "balanced_accuracy": N_("balanced accuracy"),
    "f1_macro": N_("macro F1"),
    "f1_micro": N_("micro F1"),
    "f1_weighted": N_("weighted F1"),
    "precision": N_("precision"),
    "recall": N_("recall"),
    "f1": N_("F1"),
    "subset_accuracy": N_("all labels right"),
    "average_precision": N_("average precision"),
    "average_precision_micro": N_("average precision over all labels"),
    "pearson": N_("Pearson correlation"),
    "spearman": N_("Spearman correlation"),
    "mae": N_("mean absolute error"),
    "rmse": N_("root mean squared error"),
    "r2": "R²",
    "exact_match": N_("exact match"),
    "answerable_f1": N_("F1 where there is an answer"),
    "unanswerable_accuracy": N_("right to give no answer"),
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "bleu": "BLEU",
    "chrf": "chrF",
    "perplexity": N_("perplexity"),
    "token_accuracy": N_("accuracy of the next token"),
    "detection_loss": N_("loss of the detection"),
    "replaced_f1": N_("F1 of replaced tokens"),
    "replaced_accuracy": N_("accuracy of replaced tokens"),
    "generator_loss": N_("loss of the generator"),
    "masked_accuracy": N_("accuracy on masked tokens"),
    "f1_at_5": N_("F1 of the first 5"),
    "precision_at_5": N_("precision of the first 5"),
    "recall_at_5": N_("recall of the first 5"),
    "recall_at_1": N_("right one first"),
    "mcc": N_("Matthews correlation"),
    "log_loss": N_("log loss"),
    "ece": N_("calibration error"),
    "loss": N_("loss"),
    "majority": N_("most frequent label"),
    "most_frequent_labels": N_("most frequent labels"),
    "mean": N_("the mean, always"),
    "tfidf_logistic_regression": N_("TF-IDF + logistic regression"),
    "tfidf_one_vs_rest": N_("TF-IDF + a logistic regression a label"),
    "tfidf_ridge": N_("TF-IDF + ridge regression"),
    "dictionary": N_("dictionary of training entities"),
    "lead": N_("the text's beginning"),
    "copy": N_("the text itself"),
    "tfidf_similarity": N_("TF-IDF similarity"),
    "tfidf_keywords": N_("TF-IDF keywords"),
    "unigram": N_("most frequent token"),
    "random": N_("chance"),
    "no_answer": N_("no answer, always"),
    "likest_sentence": N_("the sentence most like the question"),
}
SMALLER_IS_BETTER = frozenset({"log_loss", "ece", "loss", "mae", "rmse", "perplexity", "detection_loss", "generator_loss"})


def smaller_is_better(name: str, evaluation: Mapping[str, Any]) -> bool:
    """Whether less of a metric is better: by its name, or, for a figure of somebody's own, because the evaluation is judged by it that way.

    >>> smaller_is_better("log_loss", {}), smaller_is_better("cost", {"headline": "cost", "direction": "min"})
    (True, True)
    """
    return name in SMALLER_IS_BETTER or (name == evaluation.get("headline") and evaluation.get("direction") == "min")


def title(name: str) -> str:
    """What people call a metric or a baseline, in the language in force; a name that is not known stays as it is.

    >>> title("f1_macro"), title("mine")
    ('macro F1', 'mine')
    """
    return _(TITLES.get(name, name))
