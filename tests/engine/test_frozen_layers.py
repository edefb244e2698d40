"""Where adapters stand beside the top layers alone, what enters the lowest of these is kept, and what is learnt is the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import weitiao
from tests.conftest import make_model
from tests.engine.test_methods import MACHINE, blank, classifier, rows
from weitiao.cli.tables import frozen_part
from weitiao.config import AdapterSettings
from weitiao.engine import frozen
from weitiao.engine.adapters import add_adapter
from weitiao.engine.frozen_layers import FrozenLayers
from weitiao.engine.gradient_checkpointing import checkpoint_activations
from weitiao.engine.late_projection import LateProjection
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives.language import CausalLM, MaskedLM
from weitiao.engine.objectives.rows import Classification
from weitiao.engine.objectives.unprojected import Unprojected
from weitiao.engine.training import Trainer
from weitiao.observer import Observer
from weitiao.processing import IGNORED, Features

FAMILIES = ["bert", "roberta", "distilbert", "modernbert", "deberta-v2", "gpt2", "llama", "qwen3"]
# A vocabulary layer of its own would start at random here, and PEFT would train it whole.
DECODER: dict[str, Any] = {"num_hidden_layers": 4, "num_key_value_heads": 2, "tie_word_embeddings": True}


class Listener(Observer):
    """Remembers the plan."""

    def planned(self, plan: Any) -> None:
        self.plan = dict(plan)


def adapted(folder: Path, family: str, layers: str = "top-50%") -> tuple[LoadedModel, list[list[Features]]]:
    loaded = classifier(blank(folder, family))
    add_adapter(loaded, AdapterSettings(lora_rank=2, lora_layers=layers))
    return loaded, [[one] for one in rows(loaded)]


def gradients(loaded: LoadedModel, outputs: Any, batch: Any) -> dict[str, torch.Tensor]:
    loaded.network.zero_grad()
    Classification().loss(outputs, batch).backward()
    return {name: parameter.grad.clone() for name, parameter in loaded.network.named_parameters() if parameter.grad is not None}


def assert_same(these: dict[str, torch.Tensor], those: dict[str, torch.Tensor], share: float = 1e-12) -> None:
    """Gradients in double precision, where another kernel for rows of one length shows in nothing but the last digits.

    Args:
        share: of each tensor's largest value, by which they may differ.
    """
    assert these.keys() == those.keys()
    for name, wanted in those.items():
        assert wanted.dtype == torch.float64
        bound = share * float(wanted.abs().max())
        torch.testing.assert_close(these[name], wanted, atol=bound, rtol=0, msg=lambda told, name=name: f"{name}: {told}")


@pytest.mark.parametrize("family", FAMILIES)
def test_kept_states_teach_what_the_whole_network_teaches(family: str, tmp_path: Path) -> None:
    loaded, examples = adapted(tmp_path / "m", family)
    loaded.network.double()
    part, reason = FrozenLayers.of(loaded, Classification(), examples)
    assert part is not None and reason == ""
    assert (part.below, len(part.layers), part.title) == (2, 4, "the lower 2 of 4 layers")
    with torch.no_grad():  # a new adapter's second matrices are zeros, behind which the first learn nothing
        for name, parameter in loaded.network.named_parameters():
            if "lora_B" in name:
                assert not parameter.any()
                parameter.normal_()
    loaded.network.eval()
    for some in (examples, examples[1:4]):
        batch = Classification().collate(some, loaded.padding)
        whole = gradients(loaded, loaded.forward(batch), batch)
        anew = gradients(loaded, part.forward(some, batch), batch)
        assert part.fill(examples) == 6
        kept = gradients(loaded, part.forward(some, batch), batch)
        part.fill(examples, most=2)
        partly = gradients(loaded, part.forward(some, batch), batch)
        part.forget()
        assert whole.keys() == kept.keys() and all(gradient.any() for gradient in whole.values())
        for other in (anew, kept, partly):
            assert_same(other, whole)
    assert all("forward" not in vars(layer) for layer in part.layers[: part.below])


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen3"])
def test_of_a_model_that_writes_products_with_the_vocabulary_are_put_off_as_well(family: str, tmp_path: Path) -> None:
    loaded = load_model(make_model(tmp_path / "m", family, **DECODER), ("AutoModelForCausalLM",), {}, MACHINE)
    add_adapter(loaded, AdapterSettings(lora_rank=2, lora_layers="top-50%"))
    loaded.network.double()
    objective, examples = CausalLM(), [[one] for one in rows(loaded)]
    for (one,) in examples:
        one.target = [IGNORED, *one.inputs["input_ids"][1:]]
    late = LateProjection.of(loaded, objective, examples[:1])
    part, reason = FrozenLayers.of(loaded, objective, examples, late)
    assert late is not None and part is not None and reason == ""
    with torch.no_grad():
        for name, parameter in loaded.network.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    loaded.network.eval()
    batch = objective.collate(examples, loaded.padding)

    def slopes(outputs: Any) -> dict[str, torch.Tensor]:
        loaded.network.zero_grad()
        objective.loss(outputs, batch).backward()
        return {name: parameter.grad.clone() for name, parameter in loaded.network.named_parameters() if parameter.grad is not None}

    whole = slopes(loaded.forward(batch))
    assert part.fill(examples) == 6
    outputs = part.forward(examples, batch)
    assert isinstance(outputs.logits, Unprojected)
    both = slopes(outputs)
    assert_same(both, slopes(late.forward(batch)))
    assert_same(both, whole, share=1e-6)  # what is put off is computed in single precision
    assert whole and not isinstance(loaded.forward(batch).logits, Unprojected)


def test_a_training_of_a_model_that_writes_takes_both(tmp_path: Path) -> None:
    data = tmp_path / "texts.csv"
    data.write_text("text\n" + "the day was fine and the room was sad\n" * 12, encoding="utf-8")
    model, heard = str(make_model(tmp_path / "m", "llama", **DECODER)), Listener()
    quick: dict[str, Any] = {"epochs": 2, "batch_size": 4, "max_length": 16, "threads": 1, "valid": 0, "test": 0}
    adapters = {"method": "lora", "lora_layers": "top-50%"}
    weitiao.train(str(data), task="text-generation", model=model, out=str(tmp_path / "run"), observer=heard, **quick, **adapters)
    assert "products with the vocabulary only where something is learned" in heard.plan["path"]
    assert (heard.plan["frozen"]["part"], heard.plan["frozen"]["reason"]) == ("the lower 2 of 4 layers", "")


def test_memory_that_runs_out_in_the_proof_is_said_to_be_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, examples = adapted(tmp_path / "m", "bert")

    def full(self: FrozenLayers, *_given: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(FrozenLayers, "_compute", full)
    assert FrozenLayers.of(loaded, Classification(), examples) == (None, "memory ran out when they were to be proven on 4 rows")
    assert not loaded.network.bert.encoder.layer[3].output.dense.lora_B["default"].weight.any()  # as it was before


def test_the_layers_below_do_not_run_for_what_is_kept_and_never_drop_out(tmp_path: Path) -> None:
    loaded, examples = adapted(tmp_path / "m", "bert")
    part, _reason = FrozenLayers.of(loaded, Classification(), examples)
    assert part is not None
    seen: list[bool] = []
    part.layers[0].attention.register_forward_hook(lambda module, inputs, outputs: seen.append(module.training))
    part.train()
    batch = Classification().collate(examples, loaded.padding)
    part.forward(examples, batch)
    assert seen == [False] and loaded.network.training
    part.fill(examples)
    seen.clear()
    part.forward(examples, batch)
    assert seen == []


def test_no_more_is_kept_than_finds_room(tmp_path: Path) -> None:
    loaded, examples = adapted(tmp_path / "m", "bert")
    part, _reason = FrozenLayers.of(loaded, Classification(), examples)
    assert part is not None
    width = loaded.network.config.hidden_size
    part.fill(examples)
    assert part.held == 4 * width * sum(len(one) for (one,) in examples)
    part.forget()
    room = part.room = part.held + 4 * width * 20
    part.fill(examples)
    assert 0 < len(part.kept) < 6 and part.held + part.room == room and part.held <= room


@pytest.mark.parametrize(
    ("family", "reason"),
    [("t5", "several stacks"), ("bart", "several stacks"), ("albert", "an adapter stands beside the lowest layer of albert")],
)
def test_families_that_do_not_fit_go_the_ordinary_way(family: str, reason: str, tmp_path: Path) -> None:
    loaded, examples = adapted(tmp_path / "m", family)
    part, why = FrozenLayers.of(loaded, Classification(), examples)
    assert part is None and reason in why


def test_rows_that_are_others_at_every_step_are_not_kept(tmp_path: Path) -> None:
    loaded = load_model(blank(tmp_path / "m", "bert"), ("AutoModelForMaskedLM",), {}, MACHINE)
    add_adapter(loaded, AdapterSettings(lora_layers="top-50%"))
    assert FrozenLayers.of(loaded, MaskedLM(mask=4, vocabulary=60), []) == (None, "this task hides other words at every step")


def test_embeddings_that_learn_are_noticed(tmp_path: Path) -> None:
    loaded, examples = adapted(tmp_path / "m", "bert")
    loaded.network.bert.embeddings.word_embeddings.weight.requires_grad_(True)
    part, reason = FrozenLayers.of(loaded, Classification(), examples)
    assert part is None and "does more with its layers' states than to hand them on" in reason
    assert not loaded.network.bert.encoder.layer[3].output.dense.lora_B["default"].weight.any()


def test_a_network_that_reads_lower_states_again_is_noticed(tmp_path: Path) -> None:
    """What its first layer gives is added to what its last one gives: that would be missing."""
    loaded, examples = adapted(tmp_path / "m", "bert")
    bert, states = loaded.network.bert, {}
    bert.encoder.layer[0].register_forward_hook(lambda module, inputs, outputs: states.update(first=outputs))

    def both(module: Any, inputs: Any, outputs: Any) -> Any:
        outputs.last_hidden_state = outputs.last_hidden_state + states["first"][0, 0]
        return outputs

    bert.encoder.register_forward_hook(both)
    part, reason = FrozenLayers.of(loaded, Classification(), examples)
    assert part is None and "does more with" in reason


@pytest.mark.parametrize("checkpointing", [False, True])
def test_nothing_goes_back_below_the_lowest_adapter_in_any_case(checkpointing: bool, tmp_path: Path) -> None:
    loaded, examples = adapted(tmp_path / "m", "bert")
    if checkpointing:
        checkpoint_activations(loaded.network)
    asked: list[bool] = []
    for layer in loaded.network.bert.encoder.layer:
        layer.register_forward_hook(lambda module, inputs, outputs: asked.append(outputs.requires_grad))
    loaded.network.train()
    batch = Classification().collate(examples, loaded.padding)
    Classification().loss(loaded.forward(batch), batch).backward()
    assert asked[:4] == [False, False, True, True]


Train = Callable[..., Any]


@pytest.fixture
def train(tmp_path: Path, reviews: Path) -> Train:
    """Trains the top one of three layers."""
    make_model(tmp_path / "base", num_hidden_layers=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)

    def run(name: str, **settings: Any) -> Any:
        places = {"model": str(tmp_path / "base"), "out": str(tmp_path / name), "valid": 0.2, "test": 0.2}
        quick = {"epochs": 2, "batch_size": 10, "lr": 5e-3, "max_length": 32, "threads": 1, "method": "lora", "lora_layers": "top-25%"}
        return weitiao.train(str(reviews), **{**places, **quick, **settings})

    return run


def weights(run: Any) -> dict[str, torch.Tensor]:
    return load_file(run.path / "model" / "adapter_model.safetensors")


def test_without_dropout_it_ends_as_the_ordinary_way_does(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = train("kept", lora_dropout=0.0)
    record = kept.record["training"]["frozen"]
    assert record["part"] == "the lower 2 of 3 layers" and record["share"] == 1.0 and record["bytes"] > 0
    monkeypatch.setattr(frozen, "ROOM_SHARE", 0.0)
    anew = train("anew", lora_dropout=0.0)
    assert anew.record["training"]["frozen"] == {"part": "the lower 2 of 3 layers", "bytes": None, "share": None, "reason": ""}
    monkeypatch.setattr(FrozenLayers, "of", classmethod(lambda cls, *_given: (None, "it was switched off")))
    plain = train("plain", lora_dropout=0.0)
    assert plain.record["training"]["frozen"]["reason"] == "it was switched off"
    for other in (kept, anew):
        torch.testing.assert_close(weights(other), weights(plain), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("room", [1.0, 0.0])
def test_a_killed_run_goes_on(room: float, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the same last digit, whether there was room to keep what the layers below give, and room for it later, or not."""
    compute = FrozenLayers._compute

    def told(self: FrozenLayers, batch: Any) -> list[torch.Tensor]:
        """As large models do and tiny ones do not: the last digits depend on the rows that are computed together."""
        return [given * (1 + 1e-6 * len(batch.lengths)) for given in compute(self, batch)]

    monkeypatch.setattr(FrozenLayers, "_compute", told)
    monkeypatch.setattr(frozen, "ROOM_SHARE", frozen.ROOM_SHARE * room)
    whole = train("whole", valid=0)
    step, done = Trainer._step, []

    def stopped(self: Trainer, some: Any, *more: Any) -> Any:
        done.append(1)
        if len(done) == 12:
            self.save()
            raise KeyboardInterrupt
        return step(self, some, *more)

    monkeypatch.setattr(Trainer, "_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        train("stopped", valid=0)
    monkeypatch.setattr(Trainer, "_step", step)
    monkeypatch.setattr(frozen, "ROOM_SHARE", 0.5)
    weitiao.resume(tmp_path / "stopped")
    files = [(tmp_path / name / "model" / "adapter_model.safetensors").read_bytes() for name in ("whole", "stopped")]
    assert files[0] == files[1] and whole.record["status"] == "finished"


def test_nothing_is_kept_of_rows_that_are_seen_once(train: Train) -> None:
    assert train("once", epochs=1).record["training"]["frozen"]["bytes"] is None


def test_all_layers_with_adapters_leave_nothing_to_say(train: Train) -> None:
    assert train("all", lora_layers="all", epochs=1).record["training"]["frozen"] is None


def test_what_the_plan_says_of_it() -> None:
    said = {"part": "the lower 4 of 6 layers", "bytes": 3 << 20, "share": 1.0, "reason": ""}
    assert frozen_part(None) == ""
    assert "without dropout, once a row" in frozen_part(said) and "3" in frozen_part(said)
    assert "kept for 25% of the rows" in frozen_part({**said, "share": 0.25})
    assert frozen_part({**said, "bytes": None, "share": None}) == "the lower 4 of 6 layers: without dropout"
    assert frozen_part({**said, "part": "", "reason": "so it is"}).endswith("run at every step as ever: so it is")
