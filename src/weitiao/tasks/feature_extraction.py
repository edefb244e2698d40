"""Feature extraction: a text in, a vector out, so that texts which mean the same lie close together.

A model that was made for it is used as it came, pooled the way it was made. Any other learns from pairs of texts that belong together, or
from pairs with a score of how much they do.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.language import has_spaces
from weitiao.data.records import Records
from weitiao.data.text_pairs import has_pairs
from weitiao.errors import DataError
from weitiao.fields import Field
from weitiao.messages import N_, _
from weitiao.metrics.vectors import Rank, cosines, ranks_of_pairs, retrieval_scores, similarity_scores
from weitiao.pooling import AUTO, POOLINGS, pooling_files, pooling_of
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

DIGITS = 7  # of a vector's numbers: what single precision holds
TEXT_HINTS = (
    *("text", "anchor", "query", "question", "sentence1", "sentence_1", "sentence", "premise", "text1", "text_a", "content"),
    *("文本", "查询", "问题", "句子1", "文本1", "句子", "内容", "正文", "标题"),
)
PAIR_HINTS = (
    *("pair", "positive", "document", "passage", "answer", "sentence2", "sentence_2", "hypothesis", "text2", "text_b"),
    *("正例", "文档", "段落", "答案", "回答", "句子2", "文本2"),
)


@dataclass(frozen=True)
class VectorSettings(TaskSettings):
    """How a text's tokens become one vector."""

    pooling: str = setting(
        AUTO, N_("How tokens become one vector: their mean, the first (cls), the last; auto: as made."), choices=(AUTO, *POOLINGS)
    )
    normalise: str = setting(AUTO, N_("Give vectors of length 1 (auto: as the model was made)."), choices=(AUTO, "yes", "no"))


class FeatureExtraction(Task):
    """A vector for a text; for a pair of texts two, and their cosine."""

    name = "feature-extraction"
    aliases = ("embeddings", "sentence-similarity")
    summary = N_("A vector for a text, close to those of texts that mean the same.")
    inputs = (
        Field("text", "text", N_("Text"), flag="text", hints=TEXT_HINTS, second="pair"),
        Field("pair", "text", N_("Second text"), flag="pair", hints=PAIR_HINTS, optional=True),
    )
    outputs = (
        Field("score", "number", N_("Similarity"), flag="score", hints=("score", "similarity", "sim", "相似度", "分数"), optional=True),
    )
    settings = VectorSettings
    headline = Headline("spearman", "max")
    hub_tag = "feature-extraction"
    pipeline = True
    max_length = 512
    example: ClassVar[Record] = {"text": N_("How do I reset my password?"), "pair": N_("I forgot my password, what now?"), "score": 0.9}

    def judged_by(self, spec: Spec) -> Headline:
        """Pairs without scores are judged by what is found."""
        return Headline("recall_at_1", "max") if spec.get("scored") is False else self.headline

    def judged_on(self, spec: Spec, records: Records) -> Spec:
        """Whether the pairs have scores decides, whatever was learned; one score for all is compared with where scores were learned."""
        scores = _scores(records)
        return {**spec, "scored": len(set(scores)) > 1 or bool(scores and spec.get("scored"))}

    def selected_on(self, spec: Spec, records: Records) -> Headline:
        """Nothing goes together with what is always the same score, but cosines can be near it or far from it."""
        told_apart = not spec["scored"] or len(set(_scores(records))) > 1
        return self.selected_by(spec) if told_apart else Headline("loss", "min")

    def check_judging(self, spec: Spec, records: Records) -> None:
        """There are scores where scores were learned."""
        _scores(records, wanted=spec["scored"])

    def head(self, spec: Spec) -> Head:
        """None: the last hidden states, of an encoder-decoder those of its encoder."""
        return Head(("AutoModelForTextEncoding", "AutoModel"), "contrastive")

    def learn(self, records: Records, settings: Any) -> Spec:
        """Whether the pairs have scores and between which bounds they lie: 0 and 1, or the lowest and the highest that occur.

        Raises DataError where there are no pairs, or only some of them have a score.
        """
        if not has_pairs(records):
            message = _(
                "{file}: vectors are learned from pairs of texts that belong together, and there is no second text. Name its column "
                "with --pair NAME; without pairs a model can be used as it came: weitiao predict MODEL --task {task}"
            )
            raise DataError(message.format(file=records.source, task=self.name), file=records.source)
        scores = _scores(records)
        chosen = {name: getattr(settings, name) for name in ("pooling", "normalise") if getattr(settings, name) != AUTO}
        if "normalise" in chosen:
            chosen["normalise"] = chosen["normalise"] == "yes"
        # One score for all says nothing but that all belong together.
        if len(set(scores)) < 2:
            return {**chosen, "scored": False}
        low, high = (0.0, 1.0) if min(scores) >= 0 and max(scores) <= 1 else (min(scores), max(scores))
        return {**chosen, "scored": True, "low": low, "high": high}

    def based_on(self, spec: Spec, model_config: Mapping[str, Any]) -> Spec:
        """Pooled as the base was made, where nobody said how; texts may be as long as the settings say."""
        pooling = spec.get("pooling", AUTO)
        made = pooling_of(model_config, pooling, {True: "yes", False: "no", None: AUTO}[spec.get("normalise")])
        return {**spec, "pooling": made["pooling"], "normalise": made["normalise"]}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """Pooled as the model was made."""
        return pooling_of(model_config, settings.pooling, settings.normalise)

    def model_files(self, spec: Spec, width: int, longest: int) -> dict[str, Any]:
        """What makes the folder a model of sentence-transformers."""
        return pooling_files(spec, width, longest)

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """One Features a text. The target is (side, the cosine that the pair should have), None where it simply belongs together."""
        if for_training and not record.get("pair"):
            raise DataError(_("The second text is missing."), column="pair")
        texts = [record["text"], record["pair"]] if record.get("pair") else [record["text"]]
        features = [processor.text(text, max_length=min(max_length, spec.get("longest", max_length))) for text in texts]
        if for_training:
            wanted = None
            if spec["scored"]:
                wanted = min(1.0, max(0.0, (record["score"] - spec["low"]) / (spec["high"] - spec["low"])))
            for side, one in enumerate(features):
                one.target = (side, wanted)
        return features

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """{"vector": [...]} and, of a pair, "pair_vector" and "similarity", the cosine of the two."""
        vectors = [output["vector"] for output in outputs]  # each (width,)
        named = {name: np.round(v.astype(np.float64), DIGITS).tolist() for name, v in zip(("vector", "pair_vector"), vectors, strict=False)}
        return named if len(vectors) < 2 else {**named, "similarity": float(cosines(vectors[0][None], vectors[1][None])[0])}

    def in_browser(self, spec: Spec) -> dict[str, Any]:
        """Each text by itself, its vector, and the cosine of two."""
        encode = {"kind": "texts", "fields": [field.name for field in self.inputs], "longest": spec.get("longest")}
        return {"encode": encode, "decode": {"kind": "vectors", "digits": DIGITS}}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The vector as a JSON list, and the cosine of a pair."""
        return {"vector": "text", "similarity": "number"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return {"vector": json.dumps(prediction["vector"]), "similarity": prediction.get("similarity")}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Where the pairs have scores, the correlation of cosines with them; elsewhere how often each text's own second text is nearest
        among the second texts of all rows. A baseline gives its "rank" in place of vectors.
        """
        if not predictions or not all("similarity" in prediction for prediction in predictions):
            raise DataError(_("Vectors are judged by pairs of texts, and there is no second text. Name its column with --pair NAME."))
        if spec["scored"]:
            scores = records.columns["score"]
            figures = similarity_scores(scores, [prediction["similarity"] for prediction in predictions])
            if len(set(scores)) > 1:
                return figures
            note = _("{file}: all {rows} pairs have the score {score}, and nothing goes together with what is always the same: 0.")
            return {**figures, "notes": [note.format(file=records.source, rows=len(scores), score=scores[0])]}
        if "rank" in predictions[0]:
            return retrieval_scores([prediction["rank"] for prediction in predictions])
        first, second = (np.array([prediction[name] for prediction in predictions]) for name in ("vector", "pair_vector"))
        return retrieval_scores(ranks_of_pairs(first, second, records.columns["pair"]))

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """Words, or runs of characters, that two texts share."""
        from weitiao.baselines import tfidf_ranks, tfidf_similarity

        texts = [text for name in ("text", "pair") for text in train.columns[name] if text]
        pairs = list(zip(test.columns["text"], test.columns["pair"], strict=True))
        spaces = has_spaces(texts)
        ranks = [Rank(0)] * len(pairs) if spec["scored"] else tfidf_ranks(texts, pairs, spaces=spaces)
        similar = tfidf_similarity(texts, pairs, spaces=spaces)
        return {"tfidf_similarity": [{"similarity": cosine, "rank": rank} for cosine, rank in zip(similar, ranks, strict=True)]}


def _scores(records: Records, *, wanted: bool = False) -> list[float]:
    """The scores of all pairs, or none. Raises DataError where only some have one, or none has and that is ``wanted``."""
    scores = [score for score in records.columns.get("score", ()) if score is not None]
    if len(scores) < len(records) and (scores or wanted):
        message = _("{file}: {count} of {rows} pairs have no score. Give every pair one, or none.")
        raise DataError(message.format(file=records.source, count=len(records) - len(scores), rows=len(records)), file=records.source)
    return scores


task = FeatureExtraction()
