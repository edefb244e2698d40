"""Models that read a text and write another: an answer is the same alone and among others, and the same as transformers' own."""

from pathlib import Path
from typing import Any

import pytest
import torch

from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.backend import TorchBackend
from weitiao.engine.blank import write_blank
from weitiao.engine.devices import Machine
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives import objective_for
from weitiao.processing import Features

FAMILIES = ("t5", "mt5", "bart", "mbart", "marian")
TEXTS = [
    "red",
    "the red fox runs over the old bridge",
    "we drink cold water and then we go home to sleep a little",
    "two cats",
    "my friend reads a long book about the sea, the wind and the stars, and then he reads it again",
]
WAYS = {"greedy": {"num_beams": 1}, "beams": {"num_beams": 4}}


@pytest.fixture(scope="module", params=FAMILIES)
def writer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A tiny random model whose answers differ from text to text and end at different places."""
    place: Path = tmp_path_factory.mktemp(request.param)
    size = Size(width=32, layers=2, heads=4, positions=128, vocabulary=150)
    write_blank(place, ARCHITECTURES[request.param], TEXTS, seed=3, size=size)
    loaded = load_model(place, ("AutoModelForSeq2SeqLM",), {}, Machine("cpu", "fp32", 1))
    loaded.network.eval()
    # Tokenizers are not trained the same way twice, so no one seed gives different answers every time.
    next(seed for seed in range(50) if _tells_apart(loaded, seed))
    return loaded


def _tells_apart(loaded: LoadedModel, seed: int) -> bool:
    """Give a network the random weights of a seed; whether its answers to different texts differ then."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in loaded.network.parameters():
            if parameter.dim() > 1:  # weights as small as blank ones make every token equally likely
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.25)
    return all(len({tuple(answer) for answer in answers(loaded, TEXTS, **way)}) > 1 for way in WAYS.values())


def answers(loaded: LoadedModel, texts: list[str], **arguments: Any) -> list[list[int]]:
    backend = TorchBackend(loaded, objective_for("seq2seq-lm", {}), {"max_new_tokens": 20, "do_sample": False, **arguments})
    features: list[Features] = [loaded.processor.text(text, max_length=128) for text in texts]
    return [output["sequences"].tolist() for output in backend.run(features)]


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_is_the_same_alone_and_among_others(writer: LoadedModel, way: str) -> None:
    together = answers(writer, TEXTS, **WAYS[way])
    assert together == [answers(writer, [text], **WAYS[way])[0] for text in TEXTS]
    assert together == answers(writer, TEXTS[::-1], **WAYS[way])[::-1]
    assert len({tuple(answer) for answer in together}) > 1


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_is_transformers_own_up_to_its_end_token(writer: LoadedModel, way: str) -> None:
    for text, answer in zip(TEXTS, answers(writer, TEXTS, **WAYS[way]), strict=True):
        inputs = writer.tokenizer(text, return_tensors="pt")
        ids = writer.network.generate(**inputs, max_new_tokens=20, do_sample=False, **WAYS[way])[0, 1:].tolist()
        ends = {writer.tokenizer.eos_token_id, writer.tokenizer.pad_token_id}
        assert answer == ids[: next((at for at, number in enumerate(ids) if number in ends), len(ids))]


def test_no_more_tokens_than_were_asked_for(writer: LoadedModel) -> None:
    assert max(map(len, answers(writer, TEXTS, max_new_tokens=5))) <= 5


def test_the_loss_is_transformers_own(writer: LoadedModel) -> None:
    """Labels are what the tokenizer gives for a target; padding in a batch changes nothing."""
    backend = TorchBackend(writer, objective_for("seq2seq-lm", {}))
    examples, wanted = [], []
    for text, target in zip(TEXTS, TEXTS[::-1], strict=True):
        features = writer.processor.text(text, max_length=128)
        features.target = writer.processor.target(target, max_length=128).inputs["input_ids"]
        examples.append([features])
        encoded = writer.tokenizer(text, text_target=target, return_tensors="pt")
        assert features.target == encoded["labels"][0].tolist()
        with torch.inference_mode():
            wanted.append(float(writer.network(**encoded).loss) * len(features.target))
    losses, each = backend.losses(examples)
    assert each and losses == pytest.approx(wanted, rel=1e-5)
    assert backend.objective.terms(examples) == sum(len(one[0].target) for one in examples)


def test_no_more_is_written_than_there_are_positions(writer: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder with positions of its own has no more: beyond them it would look up what is not there. T5's are relative."""
    monkeypatch.setattr(writer.network.generation_config, "forced_eos_token_id", None)
    (answer,) = answers(writer, TEXTS[1:2], max_new_tokens=200, suppress_tokens=[0, 1, 2, 3])
    positions = getattr(writer.network.config, "max_position_embeddings", None)
    assert len(answer) == (200 if positions is None else positions - 1)
