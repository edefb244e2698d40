"""Translation: a text in one language in, the same in another out; also between old and modern forms of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from weitiao.config import TaskSettings, setting
from weitiao.data.language import language_of
from weitiao.data.languages import language_named
from weitiao.data.parallel_texts import with_source_and_target
from weitiao.data.records import Records
from weitiao.data.table import Table
from weitiao.errors import UsageError
from weitiao.fields import Field
from weitiao.language_codes import code_of, code_place, code_written, codes_in, place_code
from weitiao.messages import N_, _
from weitiao.metrics.side_by_side import side_by_side
from weitiao.metrics.translation import require_sacrebleu, sentence_chrf, tokeniser_for, translation_scores
from weitiao.processing import Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

SOURCE_HINTS = (
    *("source", "src", "source_text", "src_text", "original", "source_sentence", "classical", "input", "text"),
    *("源文", "原文", "源语言", "古文", "文言文", "文言"),
)
TARGET_HINTS = (
    *("target", "tgt", "target_text", "tgt_text", "translation", "translated", "target_sentence", "modern", "reference", "output"),
    *("译文", "翻译", "目标", "目标语言", "现代文", "白话文", "今译"),
)


@dataclass(frozen=True)
class TranslationSettings(TaskSettings):
    """The languages, and how translations are written."""

    source_lang: str = setting("", N_("Language of the source: en, German, 中文, or the model's own code for it."))
    target_lang: str = setting("", N_("Language to translate into."))
    max_new_tokens: int = setting(128, N_("Longest translation that is written, in tokens."), low=1, high=100_000)
    num_beams: int = setting(1, N_("Translations that are followed side by side while writing (4 is slower and better)."), low=1, high=64)
    prefix: str = setting("auto", N_("What stands before every source (auto = what T5 was trained with, nothing for other models)."))


class Translation(Task):
    """The same said in another language."""

    name = "translation"
    aliases = ("machine-translation", "mt")
    summary = N_("The same said in another language.")
    inputs = (Field("source", "text", N_("Source text"), flag="source", hints=SOURCE_HINTS),)
    outputs = (Field("target", "text", N_("Translation"), flag="target", hints=TARGET_HINTS),)
    settings = TranslationSettings
    answers_by = "generate"
    translates = True
    headline = Headline("bleu", "max")
    hub_tag = "translation"
    selection = Headline("loss", "min")
    example: ClassVar[Record] = {"source": N_("Where is the station?"), "target": "Wo ist der Bahnhof?"}

    def head(self, spec: Spec) -> Head:
        """An encoder that reads and a decoder that writes."""
        return Head(("AutoModelForSeq2SeqLM",), "seq2seq-lm")

    def reshape(self, table: Table, settings: Any) -> Table:
        """Columns named after languages, and {"en": ..., "de": ...} in one, as source and target."""
        return table if settings.source and settings.target else with_source_and_target(table, settings.source_lang, settings.target_lang)

    def targets(self, record: Record) -> list[str]:
        """The translation."""
        return [record["target"]] if record.get("target") else []

    def learn(self, records: Records, settings: Any) -> Spec:
        """The languages as they were named and as the texts look, and how to write."""
        seen = [language_of(records.columns[side]) for side in ("source", "target")]
        return {**self.wishes(settings), "seen": ["" if code == "other" else code for code in seen], "learned": True}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """The languages as they were named, and how to write; what else the model's own generation config says holds."""
        return {**self.wishes(settings), "seen": ["", ""], "learned": False}

    def fit(self, spec: Spec, processor: Processor) -> Spec:
        """What stands before a source, and the tokens of the languages, where the model has such.

        Raises:
            UsageError: the model must be told the languages, and was not, or does not know one of them.
        """
        place = code_place(processor)
        source, target = (_code(spec, side, processor) for side in ("source_lang", "target_lang")) if place else (None, None)
        beginning = _beginning(spec, processor) if place is None and spec["prefix"] == "auto" else spec["prefix"].removeprefix("auto")
        return {**spec, "beginning": beginning, "code_at": place and place.at, "source_code": source, "target_code": target}

    def check_judging(self, spec: Spec, records: Records) -> None:
        """BLEU needs sacreBLEU."""
        require_sacrebleu()

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """One Features; its target is the translation's ids, special tokens included. Each of the two is cut at ``max_length``."""
        features = processor.text(spec["beginning"] + record["source"], max_length=max_length)
        features.inputs["input_ids"] = place_code(features.inputs["input_ids"], spec["code_at"], spec["source_code"])
        if for_training:
            written = processor.target(record["target"], max_length=max_length)
            features.target = place_code(written.inputs["input_ids"], spec["code_at"], spec["target_code"])
            features.cut += written.cut
        return [features]

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """{"text"}: what was written, (tokens,) ids, without the language's token and white space around it."""
        return {"text": processor.written([i for i in outputs[0]["sequences"].tolist() if i != spec["target_code"]]).strip()}

    def generation(self, spec: Spec) -> dict[str, Any]:
        """Greedy or by beams, in the language wanted. A pretrained model's own habits of length end where it learns from other data."""
        own = {"min_length": 0, "no_repeat_ngram_size": 0, "length_penalty": 1.0} if spec["learned"] else {}
        writing = {"max_new_tokens": spec["max_new_tokens"], "num_beams": spec["num_beams"], "do_sample": False}
        return {**own, **writing, **code_written(spec["code_at"], spec["target_code"])}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """BLEU and chrF with intervals and sacreBLEU's signature; the rows side by side, by chrF, worst first."""
        references = records.columns["target"]
        written = [prediction["text"] for prediction in predictions]
        named = language_named(spec["target_lang"])
        scores = translation_scores(written, references, tokeniser=tokeniser_for(named.code if named else language_of(references)))
        shown = side_by_side(records.columns["source"], references, written, sentence_chrf(written, references))
        return {**scores, "side_by_side": shown, "empty_answers": sum(not text for text in written)}

    def baselines(self, train: Records, test: Records, spec: Spec) -> dict[str, Sequence[Prediction]]:
        """The source as it is: names, numbers and shared words give it some points, old Chinese for modern a good many."""
        return {"copy": [{"text": text} for text in test.columns["source"]]}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The translation."""
        return {"target": "text"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return {"target": prediction["text"]}


def _code(spec: Spec, side: str, processor: Processor) -> int:
    """The id of a language's token. Raises UsageError where the language was not named, or the model does not know it."""
    if not spec[side]:
        message = _("This model translates between many languages and must be told which, for example: {flags}")
        source, target = (seen or code for seen, code in zip(spec["seen"], ("en", "de"), strict=True))
        raise UsageError(message.format(flags=f"--source-lang {source} --target-lang {target}"))
    found = code_of(spec[side], processor)
    if found is None:
        message = _('This model knows no language "{language}" (--{flag}); it knows {codes}, among others.')
        codes = _(", ").join(codes_in(processor))
        raise UsageError(message.format(language=spec[side], flag=side.replace("_", "-"), codes=codes))
    return found[1]


def _beginning(spec: Spec, processor: Processor) -> str:
    """What a model without places for language tokens wants before a source."""
    named = spec["target_lang"] or spec["seen"][1]
    code = code_of(named, processor)
    if code is not None and code[0].startswith(">>"):
        return code[0] + " "  # Marian into several languages
    if processor.token("<extra_id_0>") is None:
        return ""
    languages = [language_named(spec[side] or seen) for side, seen in zip(("source_lang", "target_lang"), spec["seen"], strict=True)]
    first, second = languages
    if first and second and first != second:
        return f"translate {first.name} to {second.name}: "  # T5 learned to translate by these words
    if not spec["learned"]:
        message = _(
            'This model must be told the languages: --source-lang en --target-lang de; or that it needs no words before a text: --prefix ""'
        )
        raise UsageError(message)
    return ""


task = Translation()
