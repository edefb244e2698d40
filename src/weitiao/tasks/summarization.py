"""Summarization: a text in, a shorter one out: its summary, its headline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from weitiao.config import TaskSettings, setting
from weitiao.data.language import has_spaces, language_of
from weitiao.data.records import Records
from weitiao.data.segmentation import require_jieba, segmenter_for
from weitiao.fields import Field
from weitiao.language_codes import code_of, code_place, code_written, place_code
from weitiao.messages import N_
from weitiao.metrics.resampling import mean_scores
from weitiao.metrics.rouge_scoring import rouge_rows
from weitiao.metrics.side_by_side import side_by_side
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

TEXT_HINTS = (
    *("text", "article", "document", "dialogue", "content", "body", "passage", "story", "report", "abstract", "source", "input"),
    *("正文", "文章", "文本", "原文", "内容", "全文", "新闻", "材料"),
)
SUMMARY_HINTS = (
    *("summary", "highlights", "headline", "summaries", "abstract", "tldr", "title", "target", "output"),
    *("摘要", "总结", "标题", "概要", "概括", "简介"),
)


@dataclass(frozen=True)
class SummarizationSettings(TaskSettings):
    """How summaries are written and counted."""

    max_new_tokens: int = setting(128, N_("Longest summary that is written, in tokens."), low=1, high=100_000)
    num_beams: int = setting(
        1, N_("Summaries that are followed side by side while writing (4 is slower and often better)."), low=1, high=64
    )
    prefix: str = setting("auto", N_("What stands before every text (auto = what T5 was trained with, nothing for other models)."))
    segmenter: str = setting(
        "auto",
        N_("What ROUGE counts (auto = words as rouge-score for English, characters for Chinese)."),
        choices=("auto", "words", "unicode", "characters", "jieba"),
    )


class Summarization(Task):
    """A short text that says what a long one says."""

    name = "summarization"
    aliases = ("summarisation", "headline-generation")
    summary = N_("A short text that says what a long one says.")
    inputs = (Field("text", "text", N_("Text"), flag="text", hints=TEXT_HINTS),)
    outputs = (Field("summary", "text", N_("Summary"), flag="summary", hints=SUMMARY_HINTS),)
    settings = SummarizationSettings
    answers_by = "generate"
    headline = Headline("rougeL", "max")
    hub_tag = "summarization"
    selection = Headline("loss", "min")
    max_length = 512
    example: ClassVar[Record] = {
        "text": N_("The city council decided on Monday to close the old bridge for repairs until the end of June. Buses go another way."),
        "summary": "The old bridge is closed until the end of June.",
    }

    def head(self, spec: Spec) -> Head:
        """An encoder that reads and a decoder that writes."""
        return Head(("AutoModelForSeq2SeqLM",), "seq2seq-lm")

    def targets(self, record: Record) -> list[str]:
        """The summary."""
        return [record["summary"]] if record.get("summary") else []

    def learn(self, records: Records, settings: Any) -> Spec:
        """How to write, the language, and what ROUGE counts in it."""
        summaries = records.columns["summary"]
        spec = {**self.wishes(settings), "language": language_of(summaries), "learned": True}
        return {**spec, "segmenter": segmenter_for(summaries, settings.segmenter)}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """How to write; what else the model's own generation config says holds."""
        return {**self.wishes(settings), "language": "", "learned": False}

    def fit(self, spec: Spec, processor: Processor) -> Spec:
        """T5 is told what to do ("summarize: "); a multilingual model, the language."""
        beginning = "summarize: " if processor.token("<extra_id_0>") is not None else ""
        place = code_place(processor)
        code = code_of(spec["language"], processor) if place and spec["language"] else None
        return {
            **spec,
            "beginning": beginning if spec["prefix"] == "auto" else spec["prefix"],
            "code_at": place and place.at,
            "code": code[1] if code else place and place.own,
        }

    def check_judging(self, spec: Spec, records: Records) -> None:
        """ROUGE of Chinese words needs jieba."""
        if spec["segmenter"] == "jieba":
            require_jieba()

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """One Features; its target is the summary's ids, special tokens included. Each of the two is cut at ``max_length``."""
        features = processor.text(spec["beginning"] + record["text"], max_length=max_length)
        features.inputs["input_ids"] = place_code(features.inputs["input_ids"], spec["code_at"], spec["code"])
        if for_training:
            written = processor.target(record["summary"], max_length=max_length)
            features.target = place_code(written.inputs["input_ids"], spec["code_at"], spec["code"])
            features.cut += written.cut
        return [features]

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """{"text"}: what was written, (tokens,) ids, without white space around it."""
        return {"text": processor.written(outputs[0]["sequences"].tolist()).strip()}

    def generation(self, spec: Spec) -> dict[str, Any]:
        """Greedy or by beams. What a pretrained model's own config asks of summaries (56 tokens at least, no phrase twice) is not asked of
        one that has learned from other data.
        """
        own = {"min_length": 0, "no_repeat_ngram_size": 0, "length_penalty": 1.0} if spec["learned"] else {}
        writing = {"max_new_tokens": spec["max_new_tokens"], "num_beams": spec["num_beams"], "do_sample": False}
        return {**own, **writing, **code_written(spec["code_at"], spec["code"])}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """ROUGE with intervals, named after what it counts; an empty summary counts as zero. The rows side by side, worst first."""
        references = records.columns["summary"]
        written = [prediction["text"] for prediction in predictions]
        segmenter = segmenter_for(references, spec["segmenter"])
        rows = rouge_rows(written, references, segmenter)
        shown = side_by_side(records.columns["text"], references, written, rows["rougeL"])
        empty = sum(not text for text in written)
        return {**mean_scores(rows), "segmenter": segmenter, "side_by_side": shown, "empty_answers": empty}

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """The text's beginning, as long as summaries were on average in training."""
        summaries = train.columns["summary"]
        length = round(sum(map(len, summaries)) / max(1, len(summaries)))
        spaces = has_spaces(summaries)
        return {"lead": [{"text": _beginning(text, length, spaces)} for text in test.columns["text"]]}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The summary."""
        return {"summary": "text"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return {"summary": prediction["text"]}


def _beginning(text: str, length: int, spaces: bool) -> str:
    """The first ``length`` characters, to the end of the word that stands there."""
    text = text.strip()
    end = text.find(" ", length) if spaces else length
    return text if end < 0 else text[:end].strip()


task = Summarization()
