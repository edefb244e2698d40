"""Keyword extraction: a text in, the few of its words and short runs of words that say what it is about out.

Candidates come from the text by a light rule, and are ranked by how close their vectors are to the text's, with a handicap for what says
the same as a keyword before it. That needs no training; keywords that people gave teach a model which candidates they choose.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.candidates import candidates, rule
from weitiao.data.normalising import normalise
from weitiao.data.records import Records
from weitiao.data.text_pairs import TEXT
from weitiao.data.whole_words import seed_of
from weitiao.errors import DataError
from weitiao.fields import Field
from weitiao.messages import N_, _
from weitiao.metrics.keywords import FIRST, keyword_scores
from weitiao.metrics.vectors import unit
from weitiao.pooling import pooling_files, pooling_of
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

KEYWORD_LENGTH = 32  # tokens
DIGITS = 6  # of a candidate's worth
MOST_RIGHT, MOST_WRONG = 10, 20  # candidates of a text that a training step compares
_BETWEEN = re.compile("[;；、，|]")


@dataclass(frozen=True)
class KeywordSettings(TaskSettings):
    """How many keywords are given, and how different."""

    top_k: int = setting(5, N_("Keywords to give for each text."), low=1, high=100)
    diversity: float = setting(0.2, N_("How much a keyword loses by saying what one before it says (0 = nothing)."), low=0.0, high=1.0)


class KeywordExtraction(Task):
    """The keywords of a text."""

    name = "keyword-extraction"
    aliases = ("keywords", "keyphrase-extraction")
    summary = N_("The words and phrases that say what a text is about.")
    inputs = (replace(TEXT, second=""),)
    outputs = (
        Field(
            "keywords", "choices", N_("Keywords"), flag="keywords", hints=("keywords", "keyword", "keyphrases", "tags", "关键词", "关键字")
        ),
    )
    settings = KeywordSettings
    headline = Headline("f1_at_5", "max")
    max_length = 512
    example: ClassVar[Record] = {
        "text": N_("Solar panels turn sunlight into electricity, and large batteries store it for the night."),
        "keywords": ["solar panels", "batteries"],
    }

    def head(self, spec: Spec) -> Head:
        """None: a vector of the text and one of each candidate."""
        return Head(("AutoModelForTextEncoding", "AutoModel"), "ranking")

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """Keywords in one cell are parted at Chinese and other marks too; each is kept once. Raises DataError where none are left."""
        given = record.get("keywords")
        if given is None:
            return record
        if isinstance(given, str) or not all(isinstance(word, str) for word in given):
            raise DataError(_('The keywords must be a list of texts, such as ["solar panels", "batteries"].'))
        parts = _BETWEEN.split(given[0]) if len(given) == 1 else given
        keywords = list({normalise(word): word.strip() for word in parts if word.strip()}.values())
        if not keywords:
            raise DataError(_("The list of keywords is empty."))
        return {**record, "keywords": keywords}

    def learn(self, records: Records, settings: Any) -> Spec:
        """How many keywords are given; nothing is learned but by the model."""
        return {"top_k": settings.top_k, "diversity": settings.diversity}

    def based_on(self, spec: Spec, model_config: Mapping[str, Any]) -> Spec:
        """Vectors as the base was made to give them."""
        made = pooling_of(model_config)
        return {**spec, "pooling": made["pooling"], "normalise": made["normalise"]}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The same for a model that is used untrained."""
        return {"top_k": settings.top_k, "diversity": settings.diversity, **pooling_of(model_config)}

    def model_files(self, spec: Spec, width: int, longest: int) -> dict[str, Any]:
        """What makes the folder a model of sentence-transformers."""
        return pooling_files(spec, width, longest)

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """The text's Features, then one for each candidate, which notes the "keyword". For training, those that people gave, whether they
        stand in the text or not, and some that they did not give, drawn by the text itself.
        """
        found = [one.text for one in candidates(record["text"])]
        right: list[str] = []
        if for_training:
            right = record["keywords"][:MOST_RIGHT]
            known = {normalise(word) for word in record["keywords"]}
            wrong = [word for word in found if normalise(word) not in known]
            drawn = np.random.default_rng(seed_of(record["text"])).permutation(len(wrong))[:MOST_WRONG]
            found = [*right, *(wrong[at] for at in sorted(drawn))]
        text = processor.text(record["text"], max_length=min(max_length, spec.get("longest", max_length)))
        features = [processor.text(word, max_length=min(KEYWORD_LENGTH, max_length)) for word in found]
        for at, (one, word) in enumerate(zip(features, found, strict=True)):
            one.notes["keyword"] = word
            one.target = int(at < len(right)) if for_training else None
        text.target = "text" if for_training else None
        return [text, *features]

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """{"keywords": [{"keyword", "score"}, ...]}, best first; the score is the cosine with the text. There are fewer than
        ``top_k``, or none, where the text has no more candidates. Where ``top_k`` is below five, "_next" has those that follow, for
        ``score`` alone.
        """
        vectors = unit(np.stack([output["vector"] for output in outputs]))  # (1 + candidates, width)
        text, others = vectors[0], vectors[1:]
        chosen = _diverse(others @ text, others @ others.T, max(spec["top_k"], FIRST), spec["diversity"])
        return _prediction([(features[1 + at].notes["keyword"], float(others[at] @ text)) for at in chosen], spec["top_k"])

    def in_browser(self, spec: Spec) -> dict[str, Any]:
        """The text and its candidates, by the rule for texts without Chinese, and the most different of those that are near."""
        encode = {"kind": "candidates", "rule": rule(), "longest": spec.get("longest"), "keyword_length": KEYWORD_LENGTH}
        decode = {"kind": "keywords", "top_k": spec["top_k"], "diversity": spec["diversity"], "digits": DIGITS}
        return {"encode": encode, "decode": decode, "not_in": ["zh"]}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The keywords as one text, and with their scores as JSON."""
        return {"keywords": "text", "keyword_scores": "text"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        scores = {one["keyword"]: one["score"] for one in prediction["keywords"]}
        return {"keywords": "; ".join(scores), "keyword_scores": json.dumps(scores, ensure_ascii=False)}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Precision, recall and F1 of the first five, shown or not."""
        answers = [[one["keyword"] for one in (*prediction["keywords"], *prediction.get("_next", ()))] for prediction in predictions]
        return keyword_scores(records.columns["text"], records.columns["keywords"], answers)

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """Candidates that are frequent in the text and rare elsewhere."""
        from weitiao.baselines import tfidf_keywords

        seen, asked = ([{one.text: one.count for one in candidates(text)} for text in rows.columns["text"]] for rows in (train, test))
        answers = tfidf_keywords(seen, asked, most=max(spec["top_k"], FIRST))
        return {"tfidf_keywords": [_prediction(words, spec["top_k"]) for words in answers]}


def _prediction(ranked: Sequence[tuple[str, float]], top_k: int) -> Prediction:
    """The first ``top_k`` of the keywords with their scores, and what else is judged."""
    keywords = [{"keyword": word, "score": score} for word, score in ranked]
    return {"keywords": keywords[:top_k]} | ({"_next": keywords[top_k:]} if len(keywords) > top_k else {})


def _diverse(near: np.ndarray, alike: np.ndarray, most: int, diversity: float) -> list[int]:
    """Indices, best first, by maximal marginal relevance (Carbonell and Goldstein, 1998).

    Args:
        near: (candidates,) cosines with the text.
        alike: (candidates, candidates) cosines among themselves.
        most: how many.
        diversity: what likeness to one already chosen weighs, against nearness to the text.
    """
    chosen: list[int] = []
    closest = np.zeros(len(near))  # to any that was chosen
    while len(chosen) < min(most, len(near)):
        worth = (1 - diversity) * near - diversity * closest
        worth[chosen] = -np.inf
        best = int(np.round(worth, DIGITS).argmax())  # of candidates that are the same to the model the first, on every machine
        closest = alike[best] if not chosen else np.maximum(closest, alike[best])
        chosen.append(best)
    return chosen


task = KeywordExtraction()
