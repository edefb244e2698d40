"""What a model must beat to be worth anything: the most frequent answer, and a linear model over TF-IDF.

Plain texts or pairs of them and answers in, predictions in the shape of the task's own out. Knows no task, no file, no model folder;
scikit-learn is loaded when a linear model is asked for.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.metrics.multi_label import indicator
from weitiao.metrics.thresholds import one_threshold

Text = str | tuple[str, str]  # a text, or a pair of texts
MOST_CHARACTERS = 20_000_000  # of training text: some 200,000 short rows; keeps the matrix under 1 GB
_MOST_WEIGHTS = 4_000_000  # classes x features: L-BFGS holds about twenty such vectors of float64
_SEED = 42
_CHUNK = 10_000  # texts answered at once


def majority_class(train_labels: Sequence[str], rows: int, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The most frequent training label for each of ``rows`` rows, with the labels' frequencies as probabilities.

    >>> majority_class(["a", "b", "b", "b"], 1, ["a", "b"])
    [{'label': 'b', 'score': 0.75, 'probabilities': {'a': 0.25, 'b': 0.75}}]
    """
    counts = Counter(train_labels)
    shares = {label: counts[label] / len(train_labels) for label in labels}
    best = max(labels, key=shares.__getitem__)
    return [{"label": best, "score": shares[best], "probabilities": dict(shares)} for _row in range(rows)]


def most_frequent_labels(train_labels: Sequence[Sequence[str]], rows: int, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The most frequent labels for each of ``rows`` rows: as many as have the best micro F1 on the training rows.

    >>> most_frequent_labels([["a"], ["a", "b"], ["a"]], 1, ["a", "b"])[0]["labels"]
    ['a']
    """
    counts = Counter(label for row in train_labels for label in set(row))
    ranked = sorted(labels, key=lambda label: -counts[label])
    right = np.cumsum([counts[label] for label in ranked])  # (labels,) of all rows, if that many are given
    given = len(train_labels) * np.arange(1, len(ranked) + 1)
    best = ranked[: int((right / (given + right[-1])).argmax()) + 1]
    shares = {label: counts[label] / len(train_labels) for label in labels}
    return [{"labels": list(best), "probabilities": dict(shares)} for _row in range(rows)]


def mean_value(train_values: Sequence[float], rows: int) -> list[dict[str, Any]]:
    """The training values' mean for each of ``rows`` rows.

    >>> mean_value([1.0, 2.0], 1)
    [{'value': 1.5}]
    """
    return [{"value": float(np.mean(train_values))} for _row in range(rows)]


def tfidf_logistic_regression(
    train_texts: Sequence[Text], train_labels: Sequence[str], test_texts: Sequence[Text], labels: Sequence[str], *, spaces: bool = True
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
    rows = _sample(train_texts)
    texts, targets = [train_texts[i] for i in rows], [train_labels[i] for i in rows]
    counts = _Counts.of(texts, spaces, weights_each=len(labels) if len(labels) > 2 else 1)
    if counts is None or len(set(targets)) < 2:
        return majority_class(train_labels, len(test_texts), labels)
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=5.0, max_iter=1000).fit(counts(texts), targets)
    known = [str(label) for label in model.classes_]
    predictions: list[dict[str, Any]] = []
    for start in range(0, len(test_texts), _CHUNK):
        probabilities = model.predict_proba(counts(test_texts[start : start + _CHUNK])).astype(np.float64)  # (chunk, known)
        for row in probabilities:
            by_label = dict.fromkeys(labels, 0.0) | dict(zip(known, row.tolist(), strict=True))
            best = known[int(row.argmax())]
            predictions.append({"label": best, "score": by_label[best], "probabilities": by_label})
    return predictions


def tfidf_one_vs_rest(
    train_texts: Sequence[Text],
    train_labels: Sequence[Sequence[str]],
    test_texts: Sequence[Text],
    labels: Sequence[str],
    *,
    spaces: bool = True,
) -> list[dict[str, Any]]:
    """A logistic regression over TF-IDF n-grams for each label, and one threshold for all: the one with the best micro F1 on training rows
    that the models had not seen (3 folds). Arguments and errors as ``tfidf_logistic_regression``; a row has several labels or none.
    """
    rows = _sample(train_texts)
    texts, truth = [train_texts[i] for i in rows], indicator([train_labels[i] for i in rows], labels)  # (rows, labels)
    counts = _Counts.of(texts, spaces, weights_each=1)
    if counts is None or len(texts) < 3:
        return most_frequent_labels(train_labels, len(test_texts), labels)
    features = counts(texts)
    fold_of = np.random.default_rng(_SEED).permutation(len(texts)) % 3  # (rows,)
    unseen = np.zeros(truth.shape)
    for fold in range(3):
        unseen[fold_of == fold] = _one_vs_rest(features[fold_of != fold], truth[fold_of != fold], features[fold_of == fold])
    threshold = float(one_threshold(unseen, truth))
    predictions: list[dict[str, Any]] = []
    for start in range(0, len(test_texts), _CHUNK):
        for row in _one_vs_rest(features, truth, counts(test_texts[start : start + _CHUNK])):
            given = [label for label, probability in zip(labels, row, strict=True) if probability >= threshold]
            predictions.append({"labels": given, "probabilities": dict(zip(labels, row.tolist(), strict=True))})
    return predictions


def tfidf_ridge(
    train_texts: Sequence[Text], train_values: Sequence[float], test_texts: Sequence[Text], *, spaces: bool = True
) -> list[dict[str, Any]]:
    """A ridge regression over TF-IDF n-grams; arguments and errors as ``tfidf_logistic_regression``. Where the texts hold nothing to count,
    the mean.
    """
    rows = _sample(train_texts)
    texts = [train_texts[i] for i in rows]
    counts = _Counts.of(texts, spaces, weights_each=1)
    if counts is None:
        return mean_value(train_values, len(test_texts))
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=1.0, solver="sparse_cg").fit(counts(texts), [train_values[i] for i in rows])
    values = [model.predict(counts(test_texts[start : start + _CHUNK])) for start in range(0, len(test_texts), _CHUNK)]
    return [{"value": float(value)} for chunk in values for value in chunk]


def tfidf_similarity(train_texts: Sequence[str], pairs: Sequence[tuple[str, str]], *, spaces: bool = True) -> list[float]:
    """The cosine of each pair's TF-IDF vectors, weighed by how rare n-grams are in the training texts; 0 where nothing can be counted.

    >>> tfidf_similarity(["a red fox", "a blue sea"], [("a red fox", "the red fox"), ("a red fox", "a blue sea")])[0] > 0.5
    True
    """
    counts = _Counts.of([train_texts[i] for i in _sample(train_texts)], spaces, weights_each=1)
    if counts is None or not pairs:
        return [0.0] * len(pairs)
    cosines: list[float] = []
    for start in range(0, len(pairs), _CHUNK):
        first, second = (counts(list(side)) for side in zip(*pairs[start : start + _CHUNK], strict=True))
        cosines += np.asarray(first.multiply(second).sum(axis=1)).ravel().astype(float).tolist()
    return cosines


def tfidf_ranks(train_texts: Sequence[str], pairs: Sequence[tuple[str, str]], *, spaces: bool = True) -> list[int]:
    """How many second texts are nearer to each first one than its own is, by the cosine of TF-IDF vectors: 0 where its own is found first.

    >>> tfidf_ranks(["a red fox", "a blue sea"], [("the red fox", "a red fox"), ("the blue sea", "a blue sea")])
    [0, 0]
    """
    counts = _Counts.of([train_texts[i] for i in _sample(train_texts)], spaces, weights_each=1)
    if counts is None or not pairs:
        return [len(pairs) - 1] * len(pairs)  # nothing is known of any of them
    first, second = (counts(list(side)) for side in zip(*pairs, strict=True))
    ranks: list[int] = []
    for start in range(0, len(pairs), 1000):
        cosines = (first[start : start + 1000] @ second.T).toarray()  # (chunk, pairs)
        own = cosines[np.arange(len(cosines)), start + np.arange(len(cosines))]
        # Where nothing is shared, not even with its own text, every other one would do as well.
        ranks += np.where(own > 0, (cosines > own[:, None] + 1e-6).sum(axis=1), len(pairs) - 1).tolist()
    return ranks


def _one_vs_rest(features: Any, truth: np.ndarray, asked: Any) -> np.ndarray:
    """(asked rows, labels) probabilities from a model a label; a label that all rows have, or none, keeps its share."""
    from sklearn.linear_model import LogisticRegression

    probabilities = np.empty((asked.shape[0], truth.shape[1]))
    for at, has in enumerate(truth.T):
        if has.all() or not has.any():
            probabilities[:, at] = float(has.all())
        else:
            model = LogisticRegression(C=5.0, solver="liblinear", random_state=_SEED).fit(features, has)
            probabilities[:, at] = model.predict_proba(asked)[:, 1]
    return probabilities


class _Counts:
    """Texts as rows of TF-IDF weights: (rows, n-grams). A pair is both texts, where they differ, what they share, and their cosine."""

    def __init__(self, vectorizer: Any) -> None:
        self.vectorizer = vectorizer

    @classmethod
    def of(cls, texts: Sequence[Text], spaces: bool, *, weights_each: int) -> "_Counts | None":
        """Fitted to texts; None where they hold nothing to count. ``weights_each`` n-gram weights are learned at a time."""
        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
            from sklearn.linear_model import LogisticRegression, Ridge  # noqa: F401 - the error comes before the work
        except ImportError as error:
            raise UsageError(_("The TF-IDF baseline needs scikit-learn. Install it: pip install 'weitiao[train]'")) from error

        # A single letter or digit is a word too: scikit-learn's own pattern leaves them out.
        words = {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
        characters = {"analyzer": "char", "ngram_range": (1, 3)}
        vectorizer = TfidfVectorizer(
            **(words if spaces else characters),
            sublinear_tf=True,
            min_df=2 if len(texts) >= 1000 else 1,
            max_features=max(1000, _MOST_WEIGHTS // weights_each),
            dtype=np.float32,
        )
        try:
            vectorizer.fit([part for text in texts for part in ((text,) if isinstance(text, str) else text)])
        except ValueError:  # texts of nothing but punctuation: an empty vocabulary
            return None
        return cls(vectorizer)

    def __call__(self, texts: Sequence[Text]) -> Any:
        """(rows, features), sparse."""
        if not texts or isinstance(texts[0], str):
            return self.vectorizer.transform(texts)
        from scipy.sparse import csr_matrix, hstack

        first, second = (self.vectorizer.transform(side) for side in zip(*texts, strict=True))
        shared = first.multiply(second)
        return hstack([first, second, abs(first - second), shared, csr_matrix(shared.sum(axis=1))], format="csr")


def _sample(texts: Sequence[Text]) -> np.ndarray:
    """Indices, in order, of all texts, or of a seeded sample of them that holds at most ``MOST_CHARACTERS``."""
    lengths = np.fromiter((len(text) if isinstance(text, str) else sum(map(len, text)) for text in texts), np.int64, len(texts))
    if lengths.sum() <= MOST_CHARACTERS:
        return np.arange(len(texts))
    order = np.random.default_rng(_SEED).permutation(len(texts))
    return np.sort(order[: max(1, int(np.searchsorted(lengths[order].cumsum(), MOST_CHARACTERS, side="right")))])
