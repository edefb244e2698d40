"""LoRA, QLoRA and a frozen backbone: what is trained, what is saved, and that it answers the same wherever it is loaded."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import weitiao
from tests.conftest import make_model, sentences, write_csv
from weitiao.config import AdapterSettings
from weitiao.deploy.export import FORMS, export
from weitiao.engine.adapters import add_adapter, head_modules, target_modules
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.engine.devices import Machine
from weitiao.engine.frozen_backbone import FrozenBackbone
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives.language import MaskedLM
from weitiao.engine.objectives.rows import Classification
from weitiao.engine.objectives.tokens import Span
from weitiao.errors import GateError, ModelError, UsageError
from weitiao.processing import Features

MACHINE = Machine("cpu", "fp32", 1)
SMALL = Size(width=16, layers=4, heads=2, positions=64, vocabulary=60)
# What stands outside the base model of a classifier, and how many linear layers a block has.
CLASSIFIERS = {
    "bert": (["classifier"], 6),
    "roberta": (["classifier"], 6),
    "electra": (["classifier"], 6),
    "albert": (["classifier"], 6),
    "distilbert": (["pre_classifier", "classifier"], 6),
    "deberta-v2": (["pooler", "classifier"], 6),
    "modernbert": (["head", "classifier"], 4),
    "xlm-roberta": (["classifier"], 6),
    "t5": (["classification_head"], 7 + 11),
    "mt5": (["classification_head"], 7 + 11),
    "bart": (["classification_head"], 6 + 10),
    "mbart": (["classification_head"], 6 + 10),
    "gpt2": (["score"], 4),
    "llama": (["score"], 7),
    "mistral": (["score"], 7),
    "qwen2": (["score"], 7),
    "qwen3": (["score"], 7),
    "gemma": (["score"], 7),
}


def blank(folder: Path, family: str) -> Path:
    write_blank(folder, ARCHITECTURES[family], ["the day was fine", "a sad room"] * 4, seed=1, size=SMALL)
    return folder


def classifier(folder: Path, **arguments: Any) -> LoadedModel:
    torch.manual_seed(1)
    return load_model(folder, ("AutoModelForSequenceClassification",), {"num_labels": 3}, MACHINE, **arguments)


def rows(loaded: LoadedModel, count: int = 6) -> list[Features]:
    texts = ["the day was fine", "a sad room", "fine", "the sad day was a fine day", "room room", "was the a fine sad day"]
    made = [loaded.processor.text(text, max_length=32) for text in texts[:count]]
    for number, one in enumerate(made):
        one.target = number % 3
    return made


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_what_an_adapter_trains_is_listed_for_every_family(family: str, tmp_path: Path) -> None:
    heads, linears = CLASSIFIERS[family]
    loaded = classifier(blank(tmp_path / "m", family))
    assert head_modules(loaded.network, loaded.fresh_head) == heads
    blocks = 1 if family == "albert" else 4  # ALBERT's layers share their weights
    every = target_modules(loaded.network)
    assert len(every) == linears * blocks
    top = target_modules(loaded.network, share=0.25)
    assert len(top) == linears and set(top) <= set(every)
    if blocks > 1:
        assert all(".3." in name for name in top)
    add_adapter(loaded, AdapterSettings(lora_rank=2))
    trained = {name for name, parameter in loaded.network.named_parameters() if parameter.requires_grad}
    assert all("lora_" in name or "modules_to_save" in name for name in trained)
    assert sum("lora_" in name for name in trained) == 2 * len(every)


@pytest.mark.parametrize("classes", ["AutoModelForMaskedLM", "AutoModelForCausalLM", "AutoModelForSeq2SeqLM"])
def test_the_vocabulary_is_no_head(classes: str, tmp_path: Path) -> None:
    family = {"AutoModelForMaskedLM": "bert", "AutoModelForCausalLM": "llama", "AutoModelForSeq2SeqLM": "t5"}[classes]
    network = load_model(blank(tmp_path / "m", family), (classes,), {}, MACHINE).network
    assert head_modules(network) == (["cls.predictions.transform"] if family == "bert" else [])


def test_a_vocabulary_that_starts_at_random_is_one(tmp_path: Path) -> None:
    loaded = load_model(blank(tmp_path / "m", "llama"), ("AutoModelForCausalLM",), {}, MACHINE)
    assert loaded.fresh == ("lm_head.weight",)
    assert head_modules(loaded.network, loaded.fresh) == ["lm_head"]


def test_a_head_beside_the_parts_of_a_base_model_is_one(tmp_path: Path) -> None:
    """T5 for questions has no base model inside: its encoder and decoder stand beside the head."""
    network = load_model(blank(tmp_path / "m", "t5"), ("AutoModelForQuestionAnswering",), {}, MACHINE).network
    assert head_modules(network) == ["qa_outputs"]


@pytest.fixture
def trained(tmp_path: Path, reviews: Path) -> Callable[..., Any]:
    """Trains a tiny model by a method; the base is a folder of its own."""
    make_model(tmp_path / "base", num_hidden_layers=2)

    def train(name: str = "run", **settings: Any) -> Any:
        places = {"model": str(tmp_path / "base"), "out": str(tmp_path / name), "valid": 0.2, "test": 0.2}
        quick = {"epochs": 6, "batch_size": 8, "lr": 5e-3, "max_length": 32, "threads": 1}
        return weitiao.train(str(settings.pop("data", reviews)), **{**places, **quick, **settings})

    return train


def test_a_lora_run_is_a_peft_adapter(trained: Callable[..., Any], tmp_path: Path) -> None:
    run = trained(method="lora", lora_rank=4)
    record = run.record
    losses = [entry["train_loss"] for entry in record["training"]["history"]]
    assert losses[-1] < losses[0]
    assert record["training"]["trainable_parameters"] < record["training"]["parameters"] / 2
    model = tmp_path / "run" / "model"
    names = {file.name for file in model.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "config.json"} <= names
    assert "model.safetensors" not in names and "README.md" not in names
    config = json.loads((model / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "base" and config["modules_to_save"] == ["classifier"]
    assert str(tmp_path) not in (model / "adapter_config.json").read_text()

    texts = ["the lovely day", "it was awful and rude", "a sunny room"]
    ours = run.predict(texts)
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=2)
    network, tokenizer = PeftModel.from_pretrained(base, str(model)).eval(), AutoTokenizer.from_pretrained(model)
    with torch.no_grad():
        shares = network(**tokenizer(texts, padding=True, return_tensors="pt")).logits.softmax(dim=-1)
    for prediction, plain in zip(ours, shares, strict=True):
        assert list(prediction["probabilities"].values()) == pytest.approx(plain.tolist(), abs=1e-5)

    child = "import json, sys, weitiao; print(json.dumps(weitiao.load(sys.argv[1]).predict(json.loads(sys.argv[2]))))"
    again = subprocess.run([sys.executable, "-c", child, str(run.path), json.dumps(texts)], capture_output=True, text=True, check=True)
    for prediction, other in zip(ours, json.loads(again.stdout), strict=True):
        assert prediction["label"] == other["label"] and prediction["score"] == pytest.approx(other["score"], abs=1e-5)


def test_a_base_that_changed_or_went_is_said(trained: Callable[..., Any], tmp_path: Path) -> None:
    run = trained(method="lora", epochs=1)
    make_model(tmp_path / "other", hidden_size=16)
    (tmp_path / "base").rename(tmp_path / "gone")
    with pytest.raises(ModelError, match="still needs the base model that it was made from, base"):
        weitiao.load(run.path).predict(["a day"])
    (tmp_path / "other").rename(tmp_path / "base")
    with pytest.raises(ModelError, match="is not the one that this run was made from"):
        weitiao.load(run.path).predict(["a day"])


@pytest.mark.parametrize(("method", "room"), [("lora", 1.0), ("head", 1.0), ("head", 0.0)])
def test_a_killed_run_goes_on(
    method: str, room: float, trained: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head as well: what it is given is the same to the last digit, whether there was room to keep it, and room for it later, or not."""
    from weitiao.engine import frozen

    run_whole = FrozenBackbone._run_whole

    def told(self: FrozenBackbone, batch: Any) -> list[torch.Tensor]:
        """As large models do and tiny ones do not: the last digits depend on the rows that are computed together."""
        return [given * (1 + 1e-6 * len(batch.lengths)) for given in run_whole(self, batch)]

    monkeypatch.setattr(FrozenBackbone, "_run_whole", told)
    monkeypatch.setattr(frozen, "ROOM_SHARE", frozen.ROOM_SHARE * room)
    whole = trained("whole", method=method, epochs=2, valid=0, batch_size=10)
    from weitiao.engine.training import Trainer

    step, done = Trainer._step, []

    def stopped(self: Trainer, rows: Any, *more: Any) -> Any:
        done.append(1)
        if len(done) == 12:  # of 10 in each epoch, the last with fewer rows
            raise KeyboardInterrupt
        return step(self, rows, *more)

    monkeypatch.setattr(Trainer, "_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        trained("stopped", method=method, epochs=2, valid=0, batch_size=10)
    monkeypatch.setattr(Trainer, "_step", step)
    monkeypatch.setattr(frozen, "ROOM_SHARE", 0.5)
    weitiao.resume(tmp_path / "stopped")
    file = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
    files = [(tmp_path / name / "model" / file).read_bytes() for name in ("whole", "stopped")]
    assert files[0] == files[1] and whole.record["status"] == "finished"


def test_a_merged_export_answers_the_same_without_its_base(trained: Callable[..., Any], tmp_path: Path) -> None:
    run = trained(method="lora")
    made = export(run.path, "merged", tmp_path / "merged")
    assert made["difference"] <= 1e-5 and made["rows"] == 24
    texts = ["the lovely day", "it was awful"]
    before = run.predict(texts)
    (tmp_path / "base").rename(tmp_path / "gone")
    merged = weitiao.load(tmp_path / "merged")
    for one, other in zip(before, merged.predict(texts), strict=True):
        assert one["label"] == other["label"] and one["score"] == pytest.approx(other["score"], abs=1e-5)
    from transformers import pipeline

    (plain,) = pipeline("text-classification", model=str(tmp_path / "merged" / "model"))(texts[0])
    assert (plain["label"], plain["score"]) == (before[0]["label"], pytest.approx(before[0]["score"], abs=1e-5))
    hashes = json.loads((tmp_path / "merged" / "run.json").read_text())["export"]["sha256"]
    assert "model/model.safetensors" in hashes and "README.md" in hashes


def test_an_export_that_differs_is_not_written(trained: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(method="lora", epochs=1)
    monkeypatch.setitem(FORMS, "merged", replace(FORMS["merged"], tolerance=-1.0))
    with pytest.raises(GateError, match="does not answer as the run does"):
        export(run.path, "merged", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    with pytest.raises(UsageError, match="no export"):
        export(run.path, "tensorflow", tmp_path / "merged")


def test_an_export_that_was_saved_wrongly_is_not_kept(trained: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from weitiao.engine import finished

    run, save = trained(method="lora", epochs=1), finished.save_finished

    def damaged(task: Any, spec: Any, loaded: LoadedModel, *rest: Any) -> None:
        with torch.no_grad():
            loaded.network.classifier.bias += 0.01
        save(task, spec, loaded, *rest)

    monkeypatch.setattr(finished, "save_finished", damaged)
    with pytest.raises(GateError, match="does not answer as the run does"):
        export(run.path, "merged", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_several_adapters_share_one_base(trained: Callable[..., Any], tmp_path: Path) -> None:
    first = trained("first", method="lora")
    other = write_csv(tmp_path / "other.csv", [(text, {"good": "yes", "bad": "no"}[label]) for text, label in sentences(120, seed=5)])
    second = trained("second", method="lora", data=other, lora_layers="top-50%")
    texts = ["the lovely day", "it was awful"]
    alone = [run.predict(texts) for run in (first, second)]
    together = weitiao.load([first.path, second.path])
    assert repr(together) == f"Runs({[str(first.path), str(second.path)]!r})"
    assert list(together) == ["first", "second"]
    for name, before in zip(together, alone, strict=True):
        for one, again in zip(before, together.predict(texts, run=name), strict=True):
            assert one["label"] == again["label"] and one["score"] == pytest.approx(again["score"], abs=1e-5)
    tables = [run.predictor().backend.loaded.network.bert.embeddings.word_embeddings.weight for run in together.values()]
    assert tables[0].data_ptr() == tables[1].data_ptr()
    with pytest.raises(UsageError, match='Did you mean "first"'):
        together.predict(texts, run="frist")
    with pytest.raises(UsageError, match="without a task"):
        weitiao.load([first.path], task="ner")


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert", "roberta", "bart", "t5", "llama", "albert", "deberta-v2"])
def test_what_a_frozen_backbone_gives_its_head_is_computed_once(family: str, tmp_path: Path) -> None:
    loaded = classifier(blank(tmp_path / "m", family))
    loaded.network.eval()
    objective, features = Classification(), rows(loaded)
    examples = [[one] for one in features]
    batch = objective.collate(examples, loaded.padding)
    with torch.no_grad():
        wanted = loaded.forward(batch).logits
    backbone = FrozenBackbone(loaded, objective)
    real = backbone._run_whole
    kept: list[int] = []
    backbone._run_whole = lambda batch: (kept.append(len(batch.lengths)), real(batch))[1]  # type: ignore[method-assign]
    first = backbone.forward(examples, batch).logits
    assert backbone.fill(examples) == 6
    again = backbone.forward(examples, batch).logits
    torch.testing.assert_close(first, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(again, wanted, atol=1e-5, rtol=1e-5)
    assert kept == [6, 6]
    part = objective.collate(examples[:2], loaded.padding)  # another batch of rows that are known, padded otherwise
    torch.testing.assert_close(backbone.forward(examples[:2], part).logits, _of(wanted, batch, part), atol=1e-5, rtol=1e-5)
    assert kept == [6, 6]
    again.sum().backward()
    trained = {name for name, parameter in loaded.network.named_parameters() if parameter.grad is not None}
    heads = tuple(CLASSIFIERS[family][0])
    assert trained and all(name.startswith(heads) for name in trained)


@pytest.mark.parametrize("family", ["roberta", "electra"])
def test_of_a_row_whose_first_token_alone_is_read_no_other_is_kept(family: str, tmp_path: Path) -> None:
    loaded = classifier(blank(tmp_path / "m", family))
    examples = [[one] for one in rows(loaded)]
    backbone = FrozenBackbone(loaded, Classification())
    assert backbone.fill(examples) == len(examples)
    assert {kept.given.numel() for kept in backbone.kept.values()} == {loaded.network.config.hidden_size}


def test_no_more_is_kept_than_finds_room(tmp_path: Path) -> None:
    loaded = classifier(blank(tmp_path / "m", "bert"))
    objective = Classification()
    backbone, examples = FrozenBackbone(loaded, objective), [[one] for one in rows(loaded)]
    backbone.fill(examples[:1])
    (one,) = backbone.kept.values()
    backbone.forget()
    backbone.room = 3 * one.given.nbytes
    assert backbone.fill(examples) == 3 and backbone.room == 0
    assert backbone.fill(examples, most=2) == 2 == len(backbone.kept)
    assert backbone.fill(examples, most=0) == 0


def _of(logits: torch.Tensor, batch: Any, part: Any) -> torch.Tensor:
    return torch.stack([logits[batch.order.index(row)] for row in part.order])


def test_a_head_alone_is_trained(trained: Callable[..., Any], tmp_path: Path) -> None:
    run = trained(method="head", epochs=20, lr=3e-2)
    from safetensors.torch import load_file

    before = load_file(tmp_path / "base" / "model.safetensors")
    after = load_file(run.path / "model" / "model.safetensors")
    same = [name for name in after if name.startswith("bert.") and torch.equal(after[name], before[name.removeprefix("bert.")])]
    assert len(same) == sum(name.startswith("bert.") for name in after)
    assert run.record["training"]["trainable_parameters"] == 66
    losses = [entry["train_loss"] for entry in run.record["training"]["history"]]
    assert losses[-1] < losses[0]
    with pytest.raises(UsageError, match="has none for this task"):
        weitiao.train(
            str(_pairs(tmp_path)), task="feature-extraction", model=str(tmp_path / "base"), method="head", out=str(tmp_path / "x")
        )


def test_a_head_that_cannot_be_trained_alone_is_refused(tmp_path: Path) -> None:
    beside = load_model(blank(tmp_path / "t5", "t5"), ("AutoModelForQuestionAnswering",), {}, MACHINE)
    with pytest.raises(UsageError, match="has none for this task"):
        FrozenBackbone(beside, Span())
    masked = load_model(blank(tmp_path / "bert", "bert"), ("AutoModelForMaskedLM",), {}, MACHINE)
    with pytest.raises(UsageError, match="other words at every step"):
        FrozenBackbone(masked, MaskedLM(mask=4, vocabulary=60))


def _pairs(folder: Path) -> Path:
    return write_csv(folder / "pairs.csv", [(text, text) for text, _label in sentences(40)], header=("text", "pair"))


@pytest.mark.parametrize("bits", ["4", "8"])
def test_qlora_runs_forward_and_backward(bits: str, trained: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    make_model(tmp_path / "base", hidden_size=64, intermediate_size=128)
    run = trained(method="qlora", quant_bits=bits, lora_rank=4)
    losses = [entry["train_loss"] for entry in run.record["training"]["history"]]
    assert losses[-1] < losses[0]
    texts = ["the lovely day", "it was awful"]
    answers = run.predict(texts)
    again = weitiao.load(run.path).predict(texts)
    for one, other in zip(answers, again, strict=True):
        assert one["label"] == other["label"] and one["score"] == pytest.approx(other["score"], abs=1e-4)
    network = weitiao.load(run.path).predictor().backend.loaded.network
    kinds = {type(module).__name__ for module in network.modules()}
    assert ("Linear4bit" if bits == "4" else "Linear8bitLt") in kinds
    assert type(network.classifier).__name__ == "ModulesToSaveWrapper"
    plain = load_model(tmp_path / "base", ("AutoModelForSequenceClassification",), {"num_labels": 2}, MACHINE).network
    # Adapter, head and embeddings included, which are as large as ever.
    assert stored(network) < {"4": 0.5, "8": 0.7}[bits] * stored(plain)


def stored(network: torch.nn.Module) -> int:
    """Bytes that a network's parameters take, each piece of memory once, with what quantised ones need beside their numbers."""
    tensors = list(network.parameters())
    for module in network.modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is not None:
            tensors += [part for part in state.as_dict().values() if isinstance(part, torch.Tensor)]
        scales = getattr(getattr(module, "state", None), "SCB", None)
        if scales is not None:
            tensors.append(scales)
    return sum({tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}.values())


def test_methods_that_make_no_sense_are_refused(trained: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="those of blank:bert are random"):
        trained(method="lora", model="blank:bert")
    with pytest.raises(UsageError, match="must be one of all"):
        trained(method="lora", lora_layers="top-10%")
    with pytest.raises(UsageError, match="Did you mean"):
        trained(method="lorra")
    assert not (tmp_path / "run").exists()
