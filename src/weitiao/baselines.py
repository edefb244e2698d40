"""What a model must beat to be worth anything: the most frequent answer, and a linear model over TF-IDF.

Plain texts or pairs of them and answers in, predictions in the shape of the task's own out. Knows no task, no file, no model folder;
scikit-learn is loaded when a linear model is asked for.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.errors import MissingPackage
from weitiao.messages import _
from weitiao.metrics.multi_label import indicator
from weitiao.metrics.thresholds import one_threshold
from weitiao.metrics.vectors import Rank, ranks_from

Text = str | tuple[str, str]  # a text, or a pair of texts
MOST_CHARACTERS = 20_000_000  # of training text: some 200,000 short rows; keeps the matrix under 1 GB
_MOST_WEIGHTS = 4_000_000  # classes x features: L-BFGS holds about twenty such vectors of float64
_SEED = 42
LONGEST_ENTITY = 8  # words of a name that is looked up
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
        MissingPackage: scikit-learn is not installed.
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


def tfidf_ranks(train_texts: Sequence[str], pairs: Sequence[tuple[str, str]], *, spaces: bool = True) -> list[Rank]:
    """How many second texts are nearer to each first one than its own is, and how many as near, by the cosine of TF-IDF vectors. Where
    nothing can be counted, all are as near.

    >>> tfidf_ranks(["a red fox", "a blue sea"], [("the red fox", "a red fox"), ("the blue sea", "a blue sea")])
    [Rank(nearer=0, as_near=0), Rank(nearer=0, as_near=0)]
    """
    counts = _Counts.of([train_texts[i] for i in _sample(train_texts)], spaces, weights_each=1)
    if not pairs:
        return []
    firsts, texts = zip(*pairs, strict=True)
    sides = None if counts is None else (counts(list(firsts)), counts(list(texts)))
    ranks: list[Rank] = []
    for start in range(0, len(pairs), 1000):
        size = min(1000, len(pairs) - start)
        near = np.zeros((size, len(pairs))) if sides is None else (sides[0][start : start + size] @ sides[1].T).toarray()  # (chunk, pairs)
        ranks += ranks_from(near, start, texts)
    return ranks


def tfidf_keywords(train: Sequence[Mapping[str, int]], test: Sequence[Mapping[str, int]], most: int = 5) -> list[list[tuple[str, float]]]:
    """The candidates of each text that are frequent in it and rare in the training texts, with their weights, heaviest first.

    >>> [word for word, weight in tfidf_keywords([{"the": 3}, {"the": 1, "fox": 1}], [{"the": 2, "fox": 2}], 1)[0]]
    ['fox']

    Args:
        train, test: how often each candidate occurs, one mapping a text.
    """
    texts_with = Counter(word for counts in train for word in counts)
    answers = []
    for counts in test:
        weights = {word: count * (1 + math.log((1 + len(train)) / (1 + texts_with[word]))) for word, count in counts.items()}
        answers.append(sorted(weights.items(), key=lambda item: -item[1])[:most])
    return answers


def entity_dictionary(
    train_texts: Sequence[str],
    train_words: Sequence[Sequence[tuple[int, int]]],
    train_spans: Sequence[Sequence[Mapping[str, Any]]],
    test_texts: Sequence[str],
    test_words: Sequence[Sequence[tuple[int, int]]],
) -> list[dict[str, Any]]:
    """The entities of the training texts wherever they turn up again, the longest first; each with the label it had most often.

    A name that stands unmarked in training more often than marked ("May") is left out.

    >>> marked = [[{"start": 6, "end": 10, "label": "LOC"}]]
    >>> found = entity_dictionary(["I saw Rome"], [[(0, 1), (2, 5), (6, 10)]], marked, ["Rome"], [[(0, 4)]])
    >>> found[0]["spans"][0]["label"]
    'LOC'

    Args:
        train_words, test_words: (start, end) of each word of each text, in characters.
        train_spans: {"start", "end", "label"} each.

    Returns:
        One {"spans": [...]} a test text.
    """
    labels: dict[str, Counter[str]] = {}
    for text, spans in zip(train_texts, train_spans, strict=True):
        for span in spans:
            labels.setdefault(text[span["start"] : span["end"]], Counter())[span["label"]] += 1
    seen: Counter[str] = Counter()
    for text, words in zip(train_texts, train_words, strict=True):
        seen.update(name for _first, _past, name in _runs(text, words, LONGEST_ENTITY) if name in labels)
    known = {name: counts.most_common(1)[0][0] for name, counts in labels.items() if 2 * counts.total() >= seen[name]}
    return [{"spans": _looked_up(text, words, known)} for text, words in zip(test_texts, test_words, strict=True)]


def _runs(text: str, words: Sequence[tuple[int, int]], longest: int) -> Iterator[tuple[int, int, str]]:
    """(first word, past the last, text) of every run of at most ``longest`` words, at each place the longest first."""
    for first in range(len(words)):
        for past in range(min(len(words), first + longest), first, -1):
            yield first, past, text[words[first][0] : words[past - 1][1]]


def _looked_up(text: str, words: Sequence[tuple[int, int]], known: Mapping[str, str]) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = []
    free = 0  # the first word that no entity holds yet
    for first, past, name in _runs(text, words, LONGEST_ENTITY):
        if first >= free and name in known:
            start, end = words[first][0], words[past - 1][1]
            spans.append({"start": start, "end": end, "label": known[name], "text": name, "score": 1.0})
            free = past
    return spans


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
            raise MissingPackage(_("The TF-IDF baseline needs scikit-learn. Install it: pip install 'weitiao[baselines]'")) from error

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
