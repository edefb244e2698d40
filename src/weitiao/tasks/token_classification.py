"""Token classification: a text in, the names in it out (people, places, products, whatever was marked), as spans of its characters.

The model gives each token a BIO tag; only the first token of a word is judged. Long texts are read in windows, each word judged where it
has most text around it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, TextIO

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.conll import ENDINGS, read_conll
from weitiao.data.entity_spans import checked_spans, tagged_spans
from weitiao.data.judged_words import judged_words
from weitiao.data.records import Records
from weitiao.data.table import Table
from weitiao.data.tag_schemes import OUTSIDE, entities, parted, tags_over
from weitiao.data.tagged_tables import with_spans
from weitiao.data.words import words_in
from weitiao.errors import DataError, ModelError
from weitiao.fields import Field
from weitiao.labels import label_config
from weitiao.messages import N_, _
from weitiao.processing import IGNORED, Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

TEXT_HINTS = (
    *("text", "sentence", "content", "document", "body", "abstract"),
    *("文本", "句子", "内容", "正文", "文字"),
)
SPAN_HINTS = (
    *("spans", "entities", "ner", "labels", "label", "annotations", "annotation", "mentions"),
    *("实体", "标注", "标签"),
)
STRIDE = 64  # tokens that neighbouring windows share
_MOST_SPECIAL = 8  # tokens that a tokenizer may add to a window


@dataclass(frozen=True)
class TokenClassificationSettings(TaskSettings):
    """How entities are marked in the file."""

    tokens: str = setting("", N_("Column of the tokens: a list in each row."), column=True)
    tags: str = setting("", N_("Column of the tokens' tags: B-PER, I-PER, O, ..."), column=True)
    tag_names: tuple[str, ...] = setting((), N_("What tags that are numbers mean, in their order: O,B-PER,I-PER."))
    tag_scheme: str = setting(
        "auto",
        N_("Scheme of the tags: recognised by itself (BIO, IOB1, BIOES, BILOU); plain has no prefixes; repair forgives wrong ones."),
        choices=("auto", "plain", "repair"),
    )


class TokenClassification(Task):
    """The entities of a text, with their types."""

    name = "token-classification"
    aliases = ("ner", "named-entity-recognition")
    summary = N_("The names in a text and what they are: people, places, products, terms.")
    inputs = (Field("text", "text", N_("Text"), flag="text", hints=TEXT_HINTS),)
    outputs = (Field("spans", "spans", N_("Entities"), flag="spans", hints=SPAN_HINTS),)
    settings = TokenClassificationSettings
    endings = ENDINGS
    headline = Headline("f1", "max")
    hub_tag = "token-classification"
    pipeline = True
    windowed = True
    finds = True
    example: ClassVar[Record] = {
        "text": N_("Ada Lovelace was born in London."),
        "spans": [{"start": 0, "end": 12, "label": "person"}, {"start": 25, "end": 31, "label": "place"}],
    }

    def head(self, spec: Spec) -> Head:
        """One logit a tag, for every token."""
        return Head(("AutoModelForTokenClassification",), "token-classification")

    def read(self, path: Path, open_text: Callable[[], TextIO]) -> Table | None:
        """CoNLL-like files: one token a line, its tag in the last column."""
        return read_conll(path, open_text)

    def reshape(self, table: Table, settings: Any) -> Table:
        """Tokens and tags, and Label Studio's export, as a text and its entities."""
        return with_spans(
            table,
            tokens=settings.tokens,
            tags=settings.tags,
            names=settings.tag_names,
            scheme=settings.tag_scheme,
            spans="".join(settings.spans),
        )

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """Entities as sorted {"start", "end", "label"} in characters of the text; see ``entity_spans`` for what is understood."""
        text, value = record["text"], record["spans"]
        if text is None or value is None:
            return record
        if isinstance(value, Mapping) and "tokens" in value:
            text, value = tagged_spans(value["tokens"], value.get("tags"), value.get("scheme", "bio"), text)
        spans, repaired = checked_spans(value, text)
        if text != record["text"]:
            repaired["text_from_tokens"] = _("The tokens do not stand in the text; it was made of the tokens.")
        return {**record, "text": text, "spans": spans, **({"repaired": repaired} if repaired else {})}

    def learn(self, records: Records, settings: Any) -> Spec:
        """The types, as BIO tags: outside first, then by name."""
        types = sorted({span["label"] for spans in records.columns["spans"] for span in spans})
        if not types:
            message = _(
                "{file}: not one entity is marked in {rows} training rows, so there is nothing to learn. Mark some, or check --spans."
            )
            raise DataError(message.format(file=records.source, rows=len(records)), file=records.source, column="spans")
        return {"tags": [OUTSIDE, *(f"{prefix}-{label}" for label in types for prefix in "BI")], "scheme": "bio"}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The tags as the model's own config lists them, in whatever scheme."""
        names = model_config.get("id2label") or {}
        tags = [str(names[key]) for key in sorted(names, key=int)]
        if len(tags) < 2 or all(tag == f"LABEL_{number}" for number, tag in enumerate(tags)):
            raise ModelError(_("This model's config names no tags (id2label), so it finds no entities."))
        # What scheme others trained in cannot be told for sure, IOB1 from BIO least of all: whatever they answer is read.
        return {"tags": tags, "scheme": "repair" if all(map(parted, tags)) else "plain"}

    def model_config(self, spec: Spec) -> dict[str, Any]:
        """Tags by index and back, so that ``pipeline("token-classification")`` gives ours."""
        tags = spec["tags"]
        return label_config(tags)

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """One Features a window. Targets are tags' indices at the first tokens of the words that the window judges, -100 elsewhere; to
        predict, those words are noted. Raises DataError for a type that was not learned.
        """
        text = record["text"]
        stride = min(STRIDE, max(0, (max_length - _MOST_SPECIAL) // 2))
        windows = processor.windows(text, max_length=max_length, stride=stride)
        judged = judged_words(text, [(window.offsets, window.words) for window in windows], stride)
        if not for_training:
            for window, words in zip(windows, judged, strict=True):
                window.notes["words"] = words
            return windows
        index = {tag: number for number, tag in enumerate(spec["tags"])}
        tags = iter(tags_over([(word.start, word.end) for words in judged for word in words], record["spans"]))
        for window, words in zip(windows, judged, strict=True):
            window.target = [IGNORED] * len(window)
            for word, tag in zip(words, tags, strict=False):
                if tag not in index:
                    raise DataError(_('The entity type "{label}" was not in the training data.').format(label=tag[2:]), column="spans")
                window.target[word.token] = index[tag]
        return windows

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """The entities along the likeliest sequence of tags that the scheme allows; an entity's score is the mean of its
        words' probabilities.

        Logits are (length, tags) in each window.
        """
        text, judged = record["text"], [window.notes["words"] for window in features]
        words = [word for own in judged for word in own]
        if not words:
            return {"spans": []}
        rows = [output["logits"][[word.token for word in own]] for output, own in zip(outputs, judged, strict=True) if own]
        logits = np.concatenate(rows).astype(np.float64)  # (words, tags)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        path = _likeliest(logits, tuple(spec["tags"])) if spec["scheme"] == "bio" else logits.argmax(axis=1)
        scores = np.exp(logits[np.arange(len(path)), path])
        found = entities([spec["tags"][tag] for tag in path], "plain" if spec["scheme"] == "plain" else "repair")
        return {
            "spans": [
                {
                    "start": (start := words[one.first].start),
                    "end": (end := words[one.past - 1].end),
                    "label": one.label,
                    "text": text[start:end],
                    "score": float(scores[one.first : one.past].mean()),
                }
                for one in found
            ]
        }

    def in_browser(self, spec: Spec) -> dict[str, Any]:
        """Windows and the words that each judges; tags by their parts, the allowed sequences of them or the likeliest of each word."""
        types = [parted(tag, spec["scheme"] == "plain") or ("", "") for tag in spec["tags"]]
        decode = {"kind": "entities", "tags": spec["tags"], "types": types, "chained": spec["scheme"] == "bio"}
        return {"encode": {"kind": "windows", "stride": STRIDE, "special": _MOST_SPECIAL}, "decode": decode}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Every figure of ``metrics.entity_scores``."""
        from weitiao.metrics.entities import entity_scores

        return entity_scores(records.columns["text"], records.columns["spans"], [prediction["spans"] for prediction in predictions])

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """The entities of the training rows wherever they turn up again."""
        from weitiao.baselines import entity_dictionary

        texts, tested = train.columns["text"], test.columns["text"]
        found = entity_dictionary(texts, [words_in(text) for text in texts], train.columns["spans"], tested, [words_in(t) for t in tested])
        return {"dictionary": found}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The entities, as JSON."""
        return {"spans": "text"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return {"spans": json.dumps(prediction["spans"], ensure_ascii=False)}


def _likeliest(scores: np.ndarray, tags: tuple[str, ...]) -> np.ndarray:
    """The best sequence of tags in which I- only goes on with its own type (Viterbi). ``scores`` are log-probabilities, (words, tags)."""
    path: np.ndarray = scores.argmax(axis=1)
    first, follows = _allowed(tags)
    if first[path[0]] and follows[path[:-1], path[1:]].all():
        return path
    penalty = np.where(follows, 0.0, -np.inf)  # (before, after)
    best = np.where(first, scores[0], -np.inf)  # (tags,) of sequences that end in each tag
    back = np.zeros(scores.shape, dtype=np.int64)
    for at in range(1, len(scores)):
        reached = best[:, None] + penalty
        back[at] = reached.argmax(axis=0)
        best = reached.max(axis=0) + scores[at]
    path[-1] = best.argmax()
    for at in range(len(scores) - 1, 0, -1):
        path[at - 1] = back[at, path[at]]
    return path


@lru_cache(maxsize=8)
def _allowed(tags: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(tags,) whether a text may begin with a tag, and (tags, tags) whether the second may follow the first."""
    parts = [parted(tag) or ("", "") for tag in tags]
    inside = np.array([prefix == "I" for prefix, _label in parts])
    labels = np.array([label for _prefix, label in parts])
    return ~inside, ~inside[None, :] | (labels[:, None] == labels[None, :])


task = TokenClassification()
