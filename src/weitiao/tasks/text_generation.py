"""Text generation: a conversation in, the next answer out; or plain text in, its continuation out.

Only answers are learned, in the model's own chat template; of plain text every token is.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from weitiao.config import TaskSettings, setting
from weitiao.data.chat_templates import ALPACA, render
from weitiao.data.conversations import MESSAGE_HINTS, PASSAGE, answers_in, asked_of, messages_of, reference_of, with_messages
from weitiao.data.learned_spans import Span, ending, learned_spans
from weitiao.data.records import Records
from weitiao.data.segmentation import segmenter_for
from weitiao.data.table import Table
from weitiao.errors import DataError
from weitiao.fields import Field
from weitiao.messages import N_, _
from weitiao.metrics.resampling import mean_scores
from weitiao.metrics.rouge_scoring import ROUGE, rouge_rows
from weitiao.metrics.side_by_side import side_by_side
from weitiao.processing import IGNORED, Features, Processor
from weitiao.tasks.base import Head, Headline, Outputs, Prediction, Record, Spec, Task

ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")  # special tokens that a template may write


@dataclass(frozen=True)
class GenerationSettings(TaskSettings):
    """How answers are written, and where a table holds them."""

    prompt: tuple[str, ...] = setting((), N_("Columns that hold what was asked, joined (found by themselves)."), column=True)
    answer: tuple[str, ...] = setting((), N_("Columns that hold the answer, joined (found by themselves)."), column=True)
    system: str = setting("", N_("System message of conversations that have none."))
    max_new_tokens: int = setting(256, N_("Longest answer that is written, in tokens."), low=1, high=100_000)
    # What the model's makers set holds, as in transformers' own pipeline: Qwen's penalty of repetitions keeps small models from looping.
    temperature: float = setting(
        0.0,
        N_("How freely answers are drawn (0 = always the likeliest token; the model's own repetition penalty counts)."),
        low=0.0,
        high=10.0,
    )
    top_p: float = setting(1.0, N_("Draw from the likeliest tokens that together have this probability."), low=0.01, high=1.0)
    num_beams: int = setting(1, N_("Answers that are followed side by side while writing."), low=1, high=64)


class TextGeneration(Task):
    """The next answer in a conversation, or the continuation of a text."""

    name = "text-generation"
    aliases = ("chat", "instruction-tuning", "causal-lm")
    summary = N_("The next answer in a conversation, or the continuation of a text.")
    inputs = (Field("messages", "messages", N_("Conversation"), flag="messages", hints=MESSAGE_HINTS),)
    outputs = (Field("text", "text", N_("Answer"), optional=True),)
    settings = GenerationSettings
    answers_by = "generate"
    headline = Headline("perplexity", "min")
    hub_tag = "text-generation"
    pipeline = True
    selection = Headline("loss", "min")
    max_length = 1024
    example: ClassVar[Record] = {
        "messages": [
            {"role": "user", "content": N_("Name the three primary colours.")},
            {"role": "assistant", "content": N_("Red, yellow and blue.")},
        ]
    }

    def head(self, spec: Spec) -> Head:
        """A decoder and its own way of writing."""
        return Head(("AutoModelForCausalLM",), "causal-lm")

    def reshape(self, table: Table, settings: Any) -> Table:
        """Instructions, prompts and plain text as conversations, see ``data.conversations``."""
        return with_messages(table, named=settings.messages, prompt=settings.prompt, answer=settings.answer)

    def prepare(self, record: dict[str, Any]) -> dict[str, Any]:
        """Roles and contents in one form, whatever the layout they came in."""
        return record if record.get("messages") is None else {**record, "messages": messages_of(record["messages"])}

    def complete(self, record: Record) -> None:
        """Refuses a conversation without an answer."""
        if not answers_in(record["messages"]) and not _is_passage(record):
            raise DataError(_("the conversation has no answer of the assistant, so there is nothing to learn."))

    def plain(self, record: Record) -> str:
        """What was said to the model."""
        return "\n".join(message["content"] for message in record["messages"] if message["role"] != "assistant")

    def measured(self, record: Record, spec: Spec) -> str:
        """All that is said, the answers too: they are cut at one length together. What the chat template writes around it comes on top."""
        system = spec["system"] if record["messages"][0]["role"] not in ("system", PASSAGE) else ""
        return "\n".join(filter(None, [system, *(message["content"] for message in record["messages"])]))

    def in_windows(self, spec: Spec) -> bool:
        """Plain text is learned in pieces; a conversation is cut."""
        return bool(spec["form"] == "text")

    def targets(self, record: Record) -> list[str]:
        """The answers."""
        return [message["content"] for message in record["messages"] if message["role"] == "assistant"]

    def learn(self, records: Records, settings: Any) -> Spec:
        """Whether these are conversations ("chat") or plain text ("text"), and how to write. Raises DataError for both at once."""
        passages = sum(map(_is_passage, records))
        if 0 < passages < len(records):
            message = _("{file} holds {passages} rows of plain text among {rows}; train on conversations or on plain text, not on both.")
            raise DataError(message.format(file=records.source, passages=passages, rows=len(records)), file=records.source)
        return {"form": "text" if passages else "chat", **self.wishes(settings)}

    def spec_from(self, model_config: Mapping[str, Any], settings: Any) -> Spec:
        """How to write; ``fit`` decides the form: a model without a chat template continues texts."""
        return {"form": "", **self.wishes(settings)}

    def fit(self, spec: Spec, processor: Processor) -> Spec:
        """The chat template with the tokens it writes, and the ids that end an answer."""
        tokens = {f"{role}_token": found[0] for role in ROLES if (found := processor.special(role))}
        begins = _begins(processor)
        own = _template(processor.chat_template)
        template = own or spec.get("chat_template") or ("{{ bos_token }}" if begins else "") + ALPACA
        spec = {
            **spec,
            "form": spec["form"] or ("chat" if own else "text"),
            "chat_template": template,
            # What a template names is the empty text where the vocabulary has no such token.
            "tokens": {"bos_token": "", "eos_token": "", **tokens},
            "begins": begins,
        }
        if "template_name" not in spec:
            spec["template_name"] = "model" if own else "alpaca"
        return {**spec, "system_apart": _takes_system(spec), "stops": _stops(spec, processor)}

    def encode(self, record: Record, processor: Processor, spec: Spec, *, max_length: int, for_training: bool) -> list[Features]:
        """For training one Features (one for each answer where the template rewrites history; one for each ``max_length`` tokens of plain
        text), its target the ids that are learned and -100 elsewhere. Else one, ending where the answer begins.

        Raises:
            DataError: the template refuses the conversation, or not one token would be learned.
        """
        if not for_training:
            return [self._prompt(record, processor, spec, max_length)]
        if _is_passage(record):
            return _windows(self._passage(record, processor, spec), max_length)
        messages = _with_system(record["messages"], spec)
        texts = learned_spans(spec["chat_template"], messages, spec["tokens"])
        encoded = [_fitted(_tokenised(text, spans, processor), max_length, _bos(processor)) for text, spans in texts]
        kept = [features for features in encoded if any(label != IGNORED for label in features.target[1:])]
        if not kept:
            message = _(
                "not one token of it would be learned: the chat template writes nothing for the answers, or nothing of them is left within "
                "--max-length {limit}. Remove the row, or train with more."
            )
            raise DataError(message.format(limit=max_length))
        return kept

    def decode(
        self, record: Record, features: Sequence[Features], outputs: Sequence[Outputs], spec: Spec, processor: Processor
    ) -> Prediction:
        """{"text"}: what was written, (tokens,) ids, without white space around it."""
        return {"text": processor.written(outputs[0]["sequences"].tolist()).strip()}

    def generation(self, spec: Spec) -> dict[str, Any]:
        """Greedy or by beams, or drawn where there is a temperature."""
        drawn = (
            {"do_sample": True, "temperature": spec["temperature"], "top_p": spec["top_p"]} if spec["temperature"] else {"do_sample": False}
        )
        return {"max_new_tokens": spec["max_new_tokens"], "num_beams": spec["num_beams"], "eos_token_id": spec["stops"], **drawn}

    def score(self, predictions: Sequence[Prediction], records: Records, spec: Spec) -> dict[str, Any]:
        """ROUGE of the answers where conversations end with one; nothing elsewhere, since plain text goes on in many good ways."""
        references = [reference_of(messages) for messages in records.columns["messages"]]
        judged = [at for at, reference in enumerate(references) if reference is not None]
        if not judged:
            return {"metrics": {}, "intervals": {}}
        wanted = [references[at] or "" for at in judged]
        written = [predictions[at]["text"] for at in judged]
        segmenter = segmenter_for(wanted)
        rows = rouge_rows(written, wanted, segmenter)
        shown = side_by_side([self.plain(records[at]) for at in judged], wanted, written, rows["rougeL"])
        return {**mean_scores({name: rows[name] for name in ROUGE}), "segmenter": segmenter, "side_by_side": shown}

    def columns(self, spec: Spec) -> dict[str, Literal["text", "number"]]:
        """The answer."""
        return {"text": "text"}

    def flat(self, prediction: Prediction) -> dict[str, Any]:
        """See ``columns``."""
        return {"text": prediction["text"]}

    def _prompt(self, record: Record, processor: Processor, spec: Spec, max_length: int) -> Features:
        """Everything up to the answer. What is too long loses its beginning: the question stands at the end."""
        messages = asked_of(record["messages"])
        if spec["form"] == "text":
            text = _begin(spec) + "\n".join(message["content"] for message in messages)
        else:
            # A table of prompts without answers is read as plain text.
            asked = [{**message, "role": "user"} if message["role"] == PASSAGE else message for message in messages]
            text = render(spec["chat_template"], _with_system(asked, spec), spec["tokens"], prompt=True)
        features = _tokenised(text, [], processor)
        features.target = None
        room = max_length - min(spec["max_new_tokens"], max_length // 2)
        return _cut(features, max(0, len(features) - room), len(features), _bos(processor))

    def _passage(self, record: Record, processor: Processor, spec: Spec) -> Features:
        """A plain text between the marks that begin and end one."""
        text = _begin(spec) + record["messages"][0]["content"] + spec["tokens"]["eos_token"]
        return _tokenised(text, [(0, len(text))], processor)


def _is_passage(record: Record) -> bool:
    return bool(record["messages"][0]["role"] == PASSAGE)


def _template(own: Any) -> str | None:
    """A model may have several templates by name; the default one is for talking."""
    return own.get("default") if isinstance(own, dict) else own


def _begins(processor: Processor) -> bool:
    """Whether the tokenizer opens every text with the bos token."""
    bos = processor.special("bos")
    return bos is not None and processor.text("a", max_length=8).inputs["input_ids"][:1] == [bos[1]]


def _begin(spec: Spec) -> str:
    return spec["tokens"]["bos_token"] if spec["begins"] else ""


def _bos(processor: Processor) -> int | None:
    found = processor.special("bos")
    return None if found is None else found[1]


def _takes_system(spec: Spec) -> bool:
    """Whether the template has a place for a system message; Gemma's has none."""
    talk = [{"role": "system", "content": "?"}, {"role": "user", "content": "?"}]
    try:
        render(spec["chat_template"], talk, spec["tokens"], prompt=True)
    except DataError:
        return False
    return True


def _with_system(messages: Sequence[Mapping[str, str]], spec: Spec) -> list[dict[str, str]]:
    """With the system message that was set, if there is none; as part of the question where the template has no place for it."""
    talk = [dict(message) for message in messages]
    if spec["system"] and talk[0]["role"] != "system":
        talk.insert(0, {"role": "system", "content": spec["system"]})
    if not spec["system_apart"] and len(talk) > 1 and (talk[0]["role"], talk[1]["role"]) == ("system", "user"):
        talk[:2] = [{"role": "user", "content": talk[0]["content"] + "\n\n" + talk[1]["content"]}]
    return talk


def _stops(spec: Spec, processor: Processor) -> list[int]:
    """The ids that end an answer: the end of text, and the special token that the template writes behind an answer."""
    found = processor.special("eos")
    stops = set() if found is None else {found[1]}
    try:
        written = processor.ids(ending(spec["chat_template"], spec["tokens"])).inputs["input_ids"] if spec["form"] == "chat" else []
    except DataError:
        written = []
    # A special token is one that is left out when ids are written as text.
    first = next((number for number in written if not processor.written([number])), None)
    return sorted(stops | ({first} if first is not None else set()))


def _tokenised(text: str, spans: Sequence[Span], processor: Processor) -> Features:
    """Ids of a text; targets are those of tokens that lie in a span, or partly so."""
    learned = np.zeros(len(text) + 1, dtype=bool)
    for start, end in spans:
        learned[start:end] = True
    whole = processor.ids(text)
    ids = whole.inputs["input_ids"]
    if whole.offsets or not text:
        flags = [bool(learned[start : max(end, start + 1)].any()) for start, end in whole.offsets]
    else:
        # A tokenizer that cannot say where a token stands takes the text in pieces, cut where a span begins or ends.
        edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
        pieces = [(processor.ids(text[a:b]).inputs["input_ids"], bool(learned[a])) for a, b in itertools.pairwise(edges)]
        ids = [number for piece, _learned in pieces for number in piece]
        flags = [flag for piece, flag in pieces for _number in piece]
    target = [number if flag else IGNORED for number, flag in zip(ids, flags, strict=True)]
    # Token types mean nothing to a decoder, and GPT-2 would add their embeddings.
    return Features({"input_ids": list(ids), "attention_mask": [1] * len(ids)}, target=target)


def _fitted(features: Features, max_length: int, bos: int | None) -> Features:
    """At most ``max_length`` tokens. A conversation loses its end; one whose first answer would be lost with it loses the beginning of the
    question in its place, so that half of the room is left for the answer.
    """
    first = next((at for at, label in enumerate(features.target) if label != IGNORED), 0)
    answer = next((at for at, label in enumerate(features.target[first:]) if label == IGNORED), len(features) - first)
    end = first + min(answer, max_length // 2)
    skipped = max(0, end - max_length)
    return _cut(features, skipped, skipped + max_length, bos)


def _cut(features: Features, start: int, end: int, bos: int | None) -> Features:
    """The tokens from ``start`` to ``end``, the rest counted. The bos token stays first: models that begin with it are lost without."""
    ids = features.inputs["input_ids"]
    keep = list(range(start, min(end, len(ids))))
    if start and bos is not None and ids[0] == bos:
        keep[0] = 0
    inputs = {name: [values[at] for at in keep] for name, values in features.inputs.items()}
    target = None if features.target is None else [features.target[at] for at in keep]
    return Features(inputs, target=target, cut=len(ids) - len(keep))


def _windows(features: Features, max_length: int) -> list[Features]:
    """A long text in pieces. A single token that would be the last piece has the one before it again, which it follows."""
    if len(features) < 2:
        raise DataError(_("a text of a single token has nothing that could be predicted. Remove the row."))
    starts = list(range(0, len(features), max_length))
    if starts[-1] == len(features) - 1:
        starts[-1] -= 1
    return [
        Features(
            {name: values[at : at + max_length] for name, values in features.inputs.items()}, target=features.target[at : at + max_length]
        )
        for at in starts
    ]


task = TextGeneration()
