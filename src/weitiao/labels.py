"""A closed set of labels, wherever a task answers with one: what the model's config says of them, what logits say, what a table holds.
Plain Python and numpy; it knows no task.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np


def ordered(labels: Iterable[str]) -> list[str]:
    """Different labels in their fixed order: by number where all are whole numbers, else by text.

    >>> ordered(["10", "9", "1", "9"]), ordered(["10", "9", "b"])
    (['1', '9', '10'], ['10', '9', 'b'])
    """
    different = set(labels)
    try:
        return sorted(different, key=lambda label: (int(label), label))
    except ValueError:
        return sorted(different)


def labels_of(answer: str | Sequence[str]) -> list[str]:
    """The labels of a row, each once, without those that are empty.

    >>> labels_of("a"), labels_of(["b", "a", "b", ""])
    (['a'], ['b', 'a'])
    """
    return [answer] if isinstance(answer, str) else list(dict.fromkeys(label for label in answer if label))


def label_config(labels: Sequence[str]) -> dict[str, Any]:
    """Values of a transformers config: how many labels, by index and back.

    >>> label_config(["bad", "good"])
    {'num_labels': 2, 'id2label': {0: 'bad', 1: 'good'}, 'label2id': {'bad': 0, 'good': 1}}
    """
    return {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    """Shares that sum to 1 over the last axis, whatever the size of the logits.

    >>> softmax(np.array([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: np.ndarray = exponents / exponents.sum(axis=-1, keepdims=True)
    return shares


def likeliest(labels: Sequence[str], probabilities: np.ndarray) -> dict[str, Any]:
    """The prediction with one label: the likeliest, its probability, and every label's, from (labels,).

    >>> likeliest(["bad", "good"], np.array([0.25, 0.75]))
    {'label': 'good', 'score': 0.75, 'probabilities': {'bad': 0.25, 'good': 0.75}}
    """
    best = int(probabilities.argmax())
    named = dict(zip(labels, probabilities.tolist(), strict=True))
    return {"label": labels[best], "score": float(probabilities[best]), "probabilities": named}


def probability_columns(labels: Sequence[str]) -> dict[str, Literal["text", "number"]]:
    """One column of numbers a label."""
    return dict.fromkeys((f"probability_{label}" for label in labels), "number")


def label_columns(labels: Sequence[str]) -> dict[str, Literal["text", "number"]]:
    """The columns of a prediction with one label: the label, its probability, and every label's."""
    return {"label": "text", "score": "number", **probability_columns(labels)}


def flat_probabilities(prediction: Mapping[str, Any]) -> dict[str, float]:
    """A prediction's probabilities under the names of ``probability_columns``."""
    return {f"probability_{label}": value for label, value in prediction["probabilities"].items()}


def flat_label(prediction: Mapping[str, Any]) -> dict[str, Any]:
    """A prediction with one label under the names of ``label_columns``."""
    return {"label": prediction["label"], "score": prediction["score"], **flat_probabilities(prediction)}
