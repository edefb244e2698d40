"""What a model must beat to be worth anything: the most frequent label, and a linear model over TF-IDF.

Plain texts and labels in, predictions in the shape of text classification out. Knows no task, no file, no model folder; scikit-learn is
loaded when the linear model is asked for.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.errors import UsageError
from weitiao.messages import _

MOST_CHARACTERS = 20_000_000  # of training text: some 200,000 short rows; keeps the matrix under 1 GB
_MOST_WEIGHTS = 4_000_000  # classes x features: L-BFGS holds about twenty such vectors of float64
_SEED = 42


def majority_class(train_labels: Sequence[str], rows: int, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The most frequent training label for each of ``rows`` rows, with the labels' frequencies as probabilities.

    >>> majority_class(["a", "b", "b", "b"], 1, ["a", "b"])
    [{'label': 'b', 'score': 0.75, 'probabilities': {'a': 0.25, 'b': 0.75}}]
    """
    counts = Counter(train_labels)
    shares = {label: counts[label] / len(train_labels) for label in labels}
    best = max(labels, key=shares.__getitem__)
    return [{"label": best, "score": shares[best], "probabilities": dict(shares)} for _row in range(rows)]


def tfidf_logistic_regression(
    train_texts: Sequence[str], train_labels: Sequence[str], test_texts: Sequence[str], labels: Sequence[str], *, spaces: bool = True
) -> list[dict[str, Any]]:
    """A logistic regression over TF-IDF n-grams: minutes of work twenty years ago, and still hard to beat on topics.

    Args:
        train_texts, train_labels: the training split. Of more than ``MOST_CHARACTERS`` a seeded sample of the rows is used.
        test_texts: what to answer.
        labels: the labels in their fixed order; one that training lacks gets probability 0.
        spaces: whether the script puts spaces between words: words and pairs of words then, runs of 1 to 3 characters otherwise.

    Returns:
        One prediction a test text. Where the texts hold nothing to count, the most frequent label.

    Raises:
        UsageError: scikit-learn is not installed.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise UsageError(_("The TF-IDF baseline needs scikit-learn. Install it: pip install 'weitiao[train]'")) from error

    rows = _sample(train_texts)
    texts, targets = [train_texts[i] for i in rows], [train_labels[i] for i in rows]
    # A single letter or digit is a word too: scikit-learn's own pattern leaves them out.
    words = {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
    characters = {"analyzer": "char", "ngram_range": (1, 3)}
    vectorizer = TfidfVectorizer(
        **(words if spaces else characters),
        sublinear_tf=True,
        min_df=2 if len(texts) >= 1000 else 1,
        max_features=max(1000, _MOST_WEIGHTS // (len(labels) if len(labels) > 2 else 1)),
        dtype=np.float32,
    )
    try:
        features = vectorizer.fit_transform(texts)  # (rows, n-grams)
    except ValueError:  # texts of nothing but punctuation: an empty vocabulary
        return majority_class(train_labels, len(test_texts), labels)
    if len(set(targets)) < 2:
        return majority_class(train_labels, len(test_texts), labels)
    model = LogisticRegression(C=5.0, max_iter=1000).fit(features, targets)
    known = [str(label) for label in model.classes_]
    predictions: list[dict[str, Any]] = []
    for start in range(0, len(test_texts), 10_000):
        probabilities = model.predict_proba(vectorizer.transform(test_texts[start : start + 10_000])).astype(np.float64)  # (chunk, known)
        for row in probabilities:
            by_label = dict.fromkeys(labels, 0.0) | dict(zip(known, row.tolist(), strict=True))
            best = known[int(row.argmax())]
            predictions.append({"label": best, "score": by_label[best], "probabilities": by_label})
    return predictions


def _sample(texts: Sequence[str]) -> np.ndarray:
    """Indices, in order, of all texts, or of a seeded sample of them that holds at most ``MOST_CHARACTERS``."""
    lengths = np.fromiter((len(text) for text in texts), np.int64, len(texts))
    if lengths.sum() <= MOST_CHARACTERS:
        return np.arange(len(texts))
    order = np.random.default_rng(_SEED).permutation(len(texts))
    return np.sort(order[: max(1, int(np.searchsorted(lengths[order].cumsum(), MOST_CHARACTERS, side="right")))])
