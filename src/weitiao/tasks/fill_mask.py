"""Fill-mask: a text with a hole in, the likeliest words for it out.

It learns from plain text: whole words are hidden, and the model finds them again. An evaluation hides words too, always the same ones of
the same text, every piece of them behind a mask; a text that has masks of its own is answered and not judged.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TextIO

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.paragraphs import read_paragraphs
from weitiao.data.records import Records
from weitiao.data.table import Table
from weitiao.data.text_pairs import TEXT
from weitiao.data.whole_words import hidden_words, whole_words, word_numbers, word_segmenter
from weitiao.errors import DataError, ModelError
from weitiao.messages import N_, _
from weitiao.metrics.hidden_tokens import hidden_token_scores
from weitiao.processing import IGNORED, Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

_MASKS = re.compile(r"\[MASK\]|<mask>", re.IGNORECASE)


@dataclass(frozen=True)
class FillMaskSettings(TaskSettings):
    """How many answers are given."""

    top_k: int = setting(5, N_("Answers to give for each mask or text."), low=1, high=1000)


class FillMask(Task):
    """The likeliest tokens behind each mask of a text."""

    name = "fill-mask"
    aliases = ("masked-lm", "masked-language-modeling")
    summary = N_("The likeliest words for the holes in a text; learned from plain text.")
    inputs = (replace(TEXT, second=""),)
    outputs = ()
    settings = FillMaskSettings
    headline = Headline("masked_accuracy", "max")
    hub_tag = "fill-mask"
    pipeline = True
    windowed = True
    max_length = 256
    example: ClassVar[Record] = {"text": N_("The rain falls on the sea, the rain falls on the land, and the rain falls on the town.")}

    def head(self, spec: Spec) -> Head:
        """The model's own masked language modelling head."""
        return Head(("AutoModelForMaskedLM",), "masked-lm")

    def read(self, path: Path, open_text: Callable[[], TextIO]) -> Table | None:
        """Plain text, one paragraph a line."""
        return read_paragraphs(path, open_text)

    def asked(self, record: Record) -> None:
        """There must be a hole to fill."""
        if not _MASKS.search(record["text"]):
            raise DataError(
                _('The text has no mask, so there is nothing to fill in. Write [MASK] where a word is missing: "A [MASK] day."')
            )

    def learn(self, records: Records, settings: Any) -> Spec:
        """How words are found in the language of the texts."""
        return {"segmenter": word_segmenter(records.columns["text"]), "top_k": settings.top_k}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The same for a language that nobody knows."""
        return {"segmenter": word_segmenter(), "top_k": settings.top_k}

    def fit(self, spec: Spec, processor: Processor) -> Spec:
        """The mask's id. Raises ModelError where the model has no mask."""
        mask = processor.special("mask")
        if mask is None:
            raise ModelError(_("This model has no mask token, so it cannot fill one. Choose a model such as BERT or RoBERTa with --model."))
        return {**spec, "mask": mask[0], "mask_id": mask[1], "vocabulary": processor.vocabulary}

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """A window or several, which together hold the whole text, with its words numbered through.

        For training they stay as they are, since what is hidden is drawn anew at every step. Else the target is the true token of each
        hidden position and -100 everywhere else, so everywhere in a text that has masks of its own.
        """
        text = _MASKS.sub(lambda _match: spec["mask"], record["text"])
        windows = processor.windows(text, max_length=max_length, stride=0)
        words = whole_words(text, spec["segmenter"])
        unknown = processor.special("unk")
        unlearnable = {spec["mask_id"], unknown[1] if unknown else None}
        for features in windows:
            numbers = word_numbers(words, features.offsets)
            ids = features.inputs["input_ids"]
            features.words = [None if token in unlearnable else number for token, number in zip(ids, numbers, strict=True)]
        if for_training:
            return windows
        asked = any(spec["mask_id"] in features.inputs["input_ids"] for features in windows)
        learnable = sorted({number for features in windows for number in features.words if number is not None})
        hidden = set() if asked else hidden_words(text, learnable)
        for features in windows:
            ids = features.inputs["input_ids"]
            features.target = [token if number in hidden else IGNORED for token, number in zip(ids, features.words, strict=True)]
            features.inputs["input_ids"] = [spec["mask_id"] if t != IGNORED else i for i, t in zip(ids, features.target, strict=True)]
        return windows

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """Of each mask the ``top_k`` likeliest tokens, from {"tokens", "log_probabilities"}, (masks, top_k) each; of each hidden token
        how likely the true one was, from {"log_probability", "rank"}, (masks,) each.

        Returns:
            {"filled": the text with the likeliest token in every hole, "masks": [[{"token", "score", "text"}, ...] for each mask],
            "judged": [{"token", "guess", "log_probability", "rank"} for each hidden token]}. "masks" is [] for a text without masks.
        """
        text = _MASKS.sub(lambda _match: spec["mask"], record["text"])
        judged, answers = [], []
        for one, output in zip(features, outputs, strict=True):
            true = [token for token in one.target if token != IGNORED]
            for mask, tokens in enumerate(output["tokens"]):
                scores = np.exp(output["log_probabilities"][mask].astype(np.float64))
                pieces = [processor.written([int(token)]).strip() for token in tokens]
                if true:
                    figures = {"log_probability": float(output["log_probability"][mask]), "rank": int(output["rank"][mask])}
                    judged.append({"token": processor.written([true[mask]]).strip(), "guess": pieces[0], **figures})
                else:
                    answers.append(list(zip(pieces, scores.tolist(), strict=True)))
        masks = [
            [{"token": piece, "score": score, "text": _filled(text, spec["mask"], {hole: piece})} for piece, score in options]
            for hole, options in enumerate(answers)
        ]
        filled = _filled(text, spec["mask"], {hole: options[0][0] for hole, options in enumerate(answers)})
        return {"filled": filled, "masks": masks, "judged": judged}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The filled text, how sure its least sure word is, and all answers as JSON."""
        return {"filled": "text", "score": "number", "masks": "text"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        masks = [[{"token": one["token"], "score": one["score"]} for one in options] for options in prediction["masks"]]
        score = min((options[0]["score"] for options in masks), default=None)
        return {"filled": prediction["filled"], "score": score, "masks": json.dumps(masks, ensure_ascii=False)}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """Accuracy and perplexity over the tokens that were hidden."""
        scores = hidden_token_scores([prediction["judged"] for prediction in predictions])
        return {**scores, "segmenter": spec["segmenter"]}

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """The most frequent word of the training texts in every hole. It is counted in words, as it knows no tokens."""
        counts: Counter[str] = Counter()
        for text in train.columns["text"]:
            counts.update(text[start:end] for start, end in whole_words(text, spec["segmenter"]))
        order = {word: rank for rank, (word, _count) in enumerate(counts.most_common())}
        answers: list[Prediction] = []
        for text in test.columns["text"]:
            words = [text[start:end] for start, end in whole_words(text, spec["segmenter"])]
            hidden = [] if _MASKS.search(text) else [words[at] for at in sorted(hidden_words(text, range(len(words))))]
            answers.append(
                {"filled": text, "masks": [], "judged": [{"token": word, "rank": order.get(word, len(order))} for word in hidden]}
            )
        return {"unigram": answers}


def _filled(text: str, mask: str, pieces: Mapping[int, str]) -> str:
    """A text with pieces in some of its holes, by number; the end of a word ("##ing") is written to what stands before it."""
    parts = text.split(mask)
    filled = parts[0]
    for hole, part in enumerate(parts[1:]):
        piece = pieces.get(hole, mask)
        filled = filled.rstrip() + piece.removeprefix("##") if piece.startswith("##") and len(piece) > 2 else filled + piece
        filled += part
    return filled


task = FillMask()
