"""A tiny model for every shape of answer, made on the spot, with what it is asked: what ``explain`` must be able to show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import weitiao
from tests.conftest import make_model, sentences
from weitiao import sample
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank

TEXTS = [*(text for text, _label in sentences(60)), "微调一个模型，很简单。"]
SIZE = Size(width=32, layers=1, heads=2, positions=64, vocabulary=400)
LONG = "the day was sunny and the box was late and we was kind and the room was dark so it was fine today"


class Case(NamedTuple):
    """How a model is made in a folder, the task it does, and one input for it."""

    make: Callable[[Path], Path]
    task: str
    value: Any
    given: dict[str, Any]
    settings: dict[str, Any]


def headed(name: str, **config: Any) -> Callable[[Path], Path]:
    """The tiny BERT with a head of transformers, its weights large enough to tell answers apart."""

    def make(folder: Path) -> Path:
        import torch
        import transformers

        make_model(folder)
        torch.manual_seed(1)
        network = getattr(transformers, name).from_pretrained(folder, **config)
        head = getattr(network, "classifier", None) or getattr(network, "qa_outputs", None)
        if head is not None:
            head.weight.data *= 30
        network.save_pretrained(folder)
        return folder

    return make


def labelled(*labels: str) -> dict[str, Any]:
    """A config's labels, both ways."""
    return {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}


def blank(name: str) -> Callable[[Path], Path]:
    """A blank architecture that writes: weights large enough that not every token is equally likely."""

    def make(folder: Path) -> Path:
        import torch
        import transformers

        write_blank(folder, ARCHITECTURES[name], TEXTS, seed=3, size=SIZE)
        auto = transformers.AutoModelForSeq2SeqLM if name == "t5" else transformers.AutoModelForCausalLM
        network = auto.from_pretrained(folder)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.dim() > 1:
                    parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.25)
        network.save_pretrained(folder)
        return folder

    return make


def seeing(folder: Path) -> Path:
    """A blank CLIP with a classifier of two labels."""
    from weitiao.engine.dual import DualEncoder

    write_blank(folder, ARCHITECTURES["clip"], TEXTS, seed=3, size=SIZE)
    network, _info = DualEncoder.from_pretrained(str(folder), num_labels=2, output_loading_info=True, **labelled("false", "true"))
    network.save_pretrained(str(folder))
    return folder


CLASSIFIER = "BertForSequenceClassification"
NLI = headed(CLASSIFIER, **labelled("contradiction", "neutral", "entailment"))
CASES: dict[str, Case] = {
    "one label": Case(
        headed(CLASSIFIER, **labelled("bad", "good", "fine")), "text-classification", "the room was lovely , isn't it", {}, {}
    ),
    "several labels": Case(
        headed(CLASSIFIER, problem_type="multi_label_classification", **labelled("a", "b", "c")),
        "text-classification",
        "the room was lovely",
        {},
        {"threshold": 0.4},
    ),
    "pair": Case(headed(CLASSIFIER, **labelled("no", "yes")), "text-classification", "the day was warm", {"pair": "it was cold today"}, {}),
    "number": Case(headed(CLASSIFIER, **labelled("value")), "regression", "the room was lovely", {}, {}),
    "entities": Case(
        headed("BertForTokenClassification", **labelled("O", "B-A", "I-A")), "token-classification", "my room was awful !", {}, {}
    ),
    "question": Case(headed("BertForQuestionAnswering"), "question-answering", "what was late", {"context": LONG}, {"max_length": 16}),
    "choice": Case(
        headed("BertForMultipleChoice"), "multiple-choice", "the day was", {"options": ["sunny", "very cold and dark", "late"]}, {}
    ),
    "masks": Case(headed("BertForMaskedLM"), "fill-mask", "the [MASK] was [MASK] today", {}, {"top_k": 3}),
    "vector": Case(make_model, "feature-extraction", "the room was lovely", {}, {}),
    "two vectors": Case(make_model, "feature-extraction", "the room was lovely", {"pair": "the box was late"}, {}),
    "keywords": Case(make_model, "keyword-extraction", "the lovely room was warm and the service was kind", {}, {}),
    "named labels": Case(make_model, "zero-shot-classification", "the room was lovely", {}, {"labels": ("lovely", "late", "rude")}),
    "entailment": Case(NLI, "zero-shot-classification", "the room was lovely", {}, {"labels": ("lovely", "late"), "template": "it was {}"}),
    "picture": Case(seeing, "image-text-classification", "a sunny day", {"image": str(sample.PICTURE)}, {}),
    "decoder": Case(blank("llama"), "text-generation", "the room was 微调", {}, {"max_new_tokens": 6}),
    "encoder and decoder": Case(blank("t5"), "summarization", "the room was lovely and warm", {}, {"max_new_tokens": 6}),
    "beams": Case(blank("t5"), "summarization", "the room was lovely and warm", {}, {"max_new_tokens": 6, "num_beams": 3}),
}


def loaded(case: Case, folder: Path) -> Any:
    """The case's model under its task."""
    return weitiao.load(str(case.make(folder)), task=case.task, offline=True, **case.settings)
