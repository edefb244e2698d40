"""Exports for CTranslate2: every family that can be had writes what its network writes, what cannot is named, and nothing imports torch."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.deploy.test_torch_free import blank
from tests.own_tasks import QUICK
from tests.tasks.contract import SMALL, asked, records_of
from tests.tasks.test_translation import PAIRS, write_pairs
from weitiao import tasks
from weitiao.deploy import conversion, writing
from weitiao.deploy import export as exporting
from weitiao.deploy.export import export
from weitiao.deploy.generation import habits, options
from weitiao.deploy.runtime import open_export
from weitiao.deploy.server.answering import Answerer
from weitiao.engine.architectures import ARCHITECTURES
from weitiao.engine.blank import write_blank
from weitiao.engine.prediction import Predictor
from weitiao.errors import GateError, ModelError, RunError, UsageError
from weitiao.runs import RunFolder

pytest.importorskip("ctranslate2")
FAMILIES = [
    *(("summarization", family) for family in ("t5", "mt5")),
    ("translation", "t5"),
    *(("text-generation", family) for family in ("gpt2", "llama", "qwen2", "qwen3", "gemma")),
]
EVERY = pytest.mark.parametrize(("name", "family"), FAMILIES, ids=["-".join(pair) for pair in FAMILIES])
FEW = {**QUICK, "epochs": 30, "batch_size": 4, "lr": 5e-3, "max_length": 48, "max_new_tokens": 10}


def network_of(predictor: Predictor) -> Any:
    return predictor.backend.loaded.network  # type: ignore[attr-defined]


def livelier(predictor: Predictor) -> Predictor:
    """The same with larger weights: a new network's next token hardly depends on the text."""
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network_of(predictor).parameters():
            parameter.normal_(0, 0.2) if parameter.ndim > 1 else parameter.add_(0.1 * torch.randn_like(parameter))
    return predictor


def traced(name: str, family: str, place: Path, **spec: Any) -> Predictor:
    """A network of a family that answers for a task, with 12 new tokens at most."""
    made = livelier(blank(tasks.get(name), family, place))
    given = {**made.spec, "max_new_tokens": 12, **spec}
    return replace(made, spec=given, backend=replace(made.backend, generation=made.task.generation(given)))  # type: ignore[type-var]


def exported(predictor: Predictor, place: Path, **how: Any) -> Predictor:
    """Its export, read again."""
    made = RunFolder(place)
    graph = conversion.write(predictor, made, 7, **how)
    return open_export(predictor.task, predictor.spec, made, json.loads(json.dumps(graph)))


def agree(one: Predictor, other: Predictor) -> None:
    """Both write the same alone and in batches, and find it equally likely."""
    records = asked(one.task)
    wanted = list(one.predict(records))
    assert list(other.predict(records)) == wanted
    assert [next(other.predict([record])) for record in records] == wanted
    for record in records:
        (features,) = one.encode(record)
        answer = one.backend.run([features])[0]["sequences"]
        chances = [predictor.backend.chances(features, answer) for predictor in (one, other)]  # type: ignore[attr-defined]
        np.testing.assert_allclose(*chances, atol=2e-5)


@EVERY
def test_every_family_writes_what_its_network_writes(name: str, family: str, tmp_path: Path) -> None:
    one = traced(name, family, tmp_path / "base")
    other = exported(one, tmp_path / "export")
    agree(one, other)
    examples = [other.task.encode(record, other.processor, other.spec, max_length=64, for_training=True) for record in records_of(one.task)]
    rows = [[own] for features in examples for own in features]
    assert one.backend.terms(rows) == other.backend.terms(rows)  # type: ignore[attr-defined]
    np.testing.assert_allclose(one.backend.losses(rows)[0], other.backend.losses(rows)[0], rtol=1e-5)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "habit",
    [
        {"repetition_penalty": 1.7},
        {"no_repeat_ngram_size": 2},
        {"min_new_tokens": 6},
        {"num_beams": 3, "length_penalty": 0.5},
        {"num_beams": 4, "early_stopping": True},
    ],
    ids=lambda habit: "-".join(habit),
)
@pytest.mark.parametrize(("name", "family"), [("summarization", "t5"), ("text-generation", "llama")])
def test_it_writes_as_the_model_is_used_to(habit: dict[str, Any], name: str, family: str, tmp_path: Path) -> None:
    one = traced(name, family, tmp_path / "base", **{key: habit[key] for key in ("num_beams",) if key in habit})
    for key, value in habit.items():
        setattr(network_of(one).generation_config, key, value)
    agree(one, exported(one, tmp_path / "export"))


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}}),
        (
            "llama",
            {
                "rope_parameters": {
                    "rope_type": "llama3",
                    "rope_theta": 500.0,
                    "factor": 8.0,
                    "original_max_position_embeddings": 64,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                }
            },
        ),
        ("llama", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
        ("gemma", {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
        ("gpt2", {"layer_norm_epsilon": 0.01}),
        ("t5", {"scale_decoder_outputs": False, "feed_forward_proj": "relu", "is_gated_act": False, "dense_act_fn": "relu"}),
    ],
    ids=["theta", "linear", "llama3", "biases", "gemma", "epsilon", "unscaled"],
)
def test_what_transformers_calls_otherwise_is_told_to_the_converter(family: str, changes: dict[str, Any], tmp_path: Path) -> None:
    name = "summarization" if family == "t5" else "text-generation"
    other = changed(traced(name, family, tmp_path / "base"), changes, tmp_path)
    agree(other, exported(other, tmp_path / "export"))


def changed(predictor: Predictor, changes: dict[str, Any], place: Path) -> Predictor:
    """The same with another config, and another network from it."""
    import copy

    backend: Any = predictor.backend
    config = copy.deepcopy(backend.loaded.network.config)
    for key, value in changes.items():
        setattr(config, key, value)
    network = type(backend.loaded.network)(config).eval()
    network.generation_config = backend.loaded.network.generation_config
    return livelier(replace(predictor, backend=replace(backend, loaded=replace(backend.loaded, network=network))))


def test_gemma_3_within_its_window(tmp_path: Path) -> None:
    import transformers

    base = tmp_path / "base"
    one = traced("text-generation", "gemma", base)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    layers = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 2000, "head_dim": 8, "query_pre_attn_scalar": 8}
    config = transformers.Gemma3TextConfig(**sizes, **layers, vocab_size=network_of(one).config.vocab_size, pad_token_id=0, eos_token_id=2)
    network = transformers.Gemma3ForCausalLM(config).eval()
    backend: Any = one.backend
    other = livelier(replace(one, backend=replace(backend, loaded=replace(backend.loaded, network=network))))
    again = exported(other, tmp_path / "export")
    agree(other, again)
    assert again.backend.facts["positions"] == 2000  # type: ignore[attr-defined]
    config.sliding_window = 100
    with pytest.raises(ModelError, match="gemma3_text as it is where sliding_window is 100"):
        conversion.write(other, RunFolder(tmp_path / "short"), 7)


def test_int8_is_smaller_and_answers_alone_as_among_others(tmp_path: Path) -> None:
    one = traced("text-generation", "llama", tmp_path / "base")
    plain, small = (exported(one, tmp_path / form, quantised=form == "int8") for form in ("fp32", "int8"))
    sizes = [(tmp_path / form / "model" / "ctranslate2" / "model.bin").stat().st_size for form in ("fp32", "int8")]
    assert sizes[1] < 0.5 * sizes[0]
    assert plain.backend.facts["precision"] == "fp32" and small.backend.facts["precision"] == "int8"  # type: ignore[attr-defined]
    records = asked(one.task)
    assert list(small.predict(records)) == [next(small.predict([record])) for record in records]


# What cannot be had


@pytest.mark.parametrize(
    ("family", "reason"), [("bart", "normalize_before"), ("mbart", "normalize_before"), ("marian", "its conversion is not checked here")]
)
def test_other_families_are_refused_by_name(family: str, reason: str, tmp_path: Path) -> None:
    one = blank(tasks.get("summarization"), family, tmp_path / "base")
    with pytest.raises(
        ModelError, match=f"{family} models are not exported for CTranslate2: .*{reason}.*There are: t5, mt5, gpt2, llama, qwen2"
    ):
        conversion.write(one, RunFolder(tmp_path / "export"), 7)


@pytest.mark.parametrize(
    ("family", "setting", "value"),
    [
        ("llama", "hidden_act", "gelu"),
        ("llama", "head_dim", 64),
        ("qwen3", "use_sliding_window", True),
        ("gpt2", "scale_attn_by_inverse_layer_idx", True),
    ],
)
def test_a_config_that_would_become_another_model_is_refused(family: str, setting: str, value: Any, tmp_path: Path) -> None:
    one = traced("text-generation", family, tmp_path / "base")
    setattr(network_of(one).config, setting, value)
    with pytest.raises(ModelError, match=f"does not compute {family} as it is where {setting} is {value}"):
        conversion.write(one, RunFolder(tmp_path / "export"), 7)


def test_a_loss_of_somebodys_own_is_refused(tmp_path: Path) -> None:
    from weitiao.engine.objectives.language import CausalLM

    class Mine(CausalLM):
        def loss(self, outputs: Any, batch: Any) -> Any:
            return 2 * super().loss(outputs, batch)

    one = traced("text-generation", "llama", tmp_path / "base")
    other = replace(one, backend=replace(one.backend, objective=Mine()))  # type: ignore[type-var]
    with pytest.raises(ModelError, match="The objective Mine has a loss of its own"):
        conversion.write(other, RunFolder(tmp_path / "export"), 7)


def test_a_converter_that_gives_up_is_quoted(tmp_path: Path) -> None:
    yarn = {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 64}
    one = changed(traced("text-generation", "llama", tmp_path / "base"), {"rope_parameters": yarn}, tmp_path)
    with pytest.raises(ModelError, match="ctranslate2 cannot convert this model: RoPE scaling type 'yarn'"):
        conversion.write(one, RunFolder(tmp_path / "export"), 7)


def test_a_way_of_writing_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    one = traced("text-generation", "llama", tmp_path / "base")
    network_of(one).generation_config.bad_words_ids = [[3]]
    with pytest.raises(ModelError, match=r"where bad_words_ids is \[\[3\]\].*--to merged"):
        conversion.write(one, RunFolder(tmp_path / "export"), 7)


def test_a_vocabulary_with_gaps_is_refused(tmp_path: Path) -> None:
    one = traced("text-generation", "llama", tmp_path / "base")
    tokens = [one.processor.tokenizer.id_to_token(number) for number in range(one.processor.vocabulary)]  # type: ignore[attr-defined]
    conversion._check_vocabulary(tokens, one.processor, len(tokens))
    conversion._check_vocabulary([*tokens, "<extra_id_0>"], one.processor, len(tokens) + 1)
    for wrong in (tokens[1:], [*tokens[1:], "a"]):
        with pytest.raises(ModelError, match="leaves numbers out"):
            conversion._check_vocabulary(wrong, one.processor, len(tokens))


@pytest.mark.parametrize(
    ("arguments", "two_parts", "said"),
    [
        ({"typical_p": 0.5}, True, "typical_p is 0.5"),
        ({"forced_bos_token_id": 5}, True, "forced_bos_token_id is 5"),
        ({"min_length": 5}, False, "min_length is 5"),
        ({"num_beams": 2, "repetition_penalty": 1.1}, True, "repetition_penalty is 1.1 .* 2 beams"),
        ({"num_beams": 2, "do_sample": True}, False, "do_sample is True .* 2 beams"),
        ({"num_beams": 2, "min_length": 5}, True, "min_new_tokens is 4 .* 2 beams"),
        ({"num_beams": 2, "early_stopping": "never"}, True, "early_stopping is never"),
        ({"colour": "red"}, True, "colour is red"),
    ],
)
def test_arguments_that_mean_something_else_there_are_refused(arguments: dict[str, Any], two_parts: bool, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        options(arguments, two_parts=two_parts)


def test_arguments_in_other_words() -> None:
    drawn = options({"do_sample": True, "temperature": 0.5, "top_p": 0.9, "eos_token_id": [3, 2]}, two_parts=False)
    assert (drawn["sampling_topk"], drawn["sampling_topp"], drawn["sampling_temperature"], drawn["end_token"]) == (50, 0.9, 0.5, [2, 3])
    assert options({"temperature": 0.5, "top_k": 20}, two_parts=False)["sampling_topk"] == 1  # said, but nothing is drawn
    assert options({"min_length": 5}, two_parts=True)["shortest"] == 4
    assert habits({"use_cache": True, "typical_p": 1.0, "top_k": None}) == {}


# A run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    """A conversation learned by heart."""
    folder = tmp_path_factory.mktemp("talk")
    talks = [[{"role": "user", "content": one}, {"role": "assistant", "content": other}] for one, other in PAIRS]
    data = folder / "talks.jsonl"
    data.write_text("".join(json.dumps({"messages": talk}, ensure_ascii=False) + "\n" for talk in talks))
    write_blank(folder / "base", ARCHITECTURES["llama"], [text for pair in PAIRS for text in pair], seed=1, size=SMALL)
    places = {"model": str(folder / "base"), "out": str(folder / "run"), "valid": str(data), "test": "0"}
    return weitiao.train(str(data), task="text-generation", **places, **FEW)


@pytest.fixture(scope="module")
def made(run: weitiao.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's export; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("ctranslate2") / "export"
    proof = export(run.path, "ctranslate2", out)
    assert proof["difference"] <= 1e-4 and proof["equal"] == 1.0 and proof["rows"] == len(PAIRS)
    assert proof["metric"] == "perplexity" and proof["value"] == pytest.approx(proof["run"], rel=1e-4) and len(proof["interval"]) == 2
    assert proof["rows_per_s"] > 0 and proof["bytes"] > 0
    return out


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_an_export_is_used_like_a_run(run: weitiao.Run, made: Path) -> None:
    asked, model = [source for source, _target in PAIRS], weitiao.load(made)
    wanted = run.predict(asked)
    assert model.predict(asked) == wanted
    data = str(run.path.parent / "talks.jsonl")
    mine, theirs = run.evaluate(data), model.evaluate(data)
    assert theirs["metrics"] == pytest.approx(mine["metrics"], rel=1e-4)
    pieces = [list(model.stream(text)) for text in asked]
    assert ["".join(own) for own in pieces] == [answer["text"] for answer in wanted]
    assert max(map(len, pieces)) > 2
    with pytest.raises(UsageError, match="cannot be explained"):
        model.explain(asked[0])


def test_an_export_computes_as_it_was_exported(run: weitiao.Run, made: Path) -> None:
    assert weitiao.load(made, precision="auto").predict([PAIRS[0][0]]) == run.predict([PAIRS[0][0]])
    with pytest.raises(UsageError, match="is an export and computes as it was exported; leave out --precision int8"):
        weitiao.load(made, precision="int8").predict([PAIRS[0][0]])


def test_what_stands_in_the_folder(run: weitiao.Run, made: Path) -> None:
    recorded = RunFolder(made).record()["export"]
    names = {"config.json", "tokenizer.json", *(f"ctranslate2/{name}" for name in ("model.bin", "config.json", "vocabulary.json"))}
    assert {f"model/{name}" for name in names} | {"README.md"} <= recorded["sha256"].keys()
    assert not list(made.rglob("*.safetensors"))
    card = (made / "README.md").read_text()
    assert (
        "CTranslate2" in card
        and "library_name: ctranslate2" in card
        and 'pip install ".[export]"' in card
        and "from transformers" not in card
    )
    for file in ("README.md", "model/config.json", "model/ctranslate2/config.json"):
        assert str(run.path.parent) not in (made / file).read_text()


def test_neither_torch_nor_transformers_is_imported(run: weitiao.Run, made: Path, tmp_path: Path) -> None:
    data = str(run.path.parent / "talks.jsonl")
    verbs = [
        ["predict", str(made), PAIRS[0][0]],
        ["evaluate", str(made), data],
        ["predict", str(made), "--file", data, "--out", str(tmp_path / "out.jsonl")],
        ["chat", str(made)],
    ]
    code = f"""
import sys
from weitiao.cli import run
for words in {verbs!r}:
    assert run(words) == 0, words
    assert not {{"torch", "transformers", "accelerate", "peft", "safetensors"}} & sys.modules.keys(), words
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, input=PAIRS[1][0] + "\n").stdout
    assert said.splitlines()[-1] == run.predict([PAIRS[1][0]])[0]["text"]


def test_the_command(run: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    out = str(tmp_path / "export")
    done = command("export", str(run.path), "--to", "ctranslate2", "--out", out)
    assert done.code == 0 and "same answers  100%" in done.out and "perplexity" in done.out and "the run:" in done.out
    assert command("predict", out, PAIRS[0][0], "--quiet").out.strip() == run.predict([PAIRS[0][0]])[0]["text"]
    assert command("predict", out, PAIRS[0][0], "--quiet", "--max-new-tokens", "1").out.strip() != PAIRS[0][1]
    refused = command("predict", out, PAIRS[0][0], "--num-beams", "2", "--temperature", "0.5")
    assert refused.code == 2 and "do_sample is True" in refused.err
    again = command("export", out, "--to", "ctranslate2", "--out", str(tmp_path / "again"))
    assert again.code == 7 and "is an export already" in again.err


@pytest.mark.parametrize("name", ["ctranslate2/model.bin", "ctranslate2/vocabulary.json", "ctranslate2/config.json", "tokenizer.json"])
def test_a_swapped_file_is_refused(name: str, copy: Path, command: Callable[..., Outcome]) -> None:
    content = bytearray((copy / "model" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model" / name).write_bytes(content)
    with pytest.raises(RunError, match=f"model/{name} is not what was exported"):
        weitiao.load(copy).predict(["a"])
    assert command("predict", str(copy), "a").code == 7


def test_a_model_that_cannot_be_read_is_named(run: weitiao.Run, copy: Path) -> None:
    (copy / "model" / "ctranslate2" / "model.bin").write_bytes(b"no model")
    with pytest.raises(RunError, match="cannot be read"):
        open_export(run.task, run.spec, RunFolder(copy), RunFolder(copy).record()["export"]["graph"])


def test_an_export_that_writes_otherwise_is_refused(
    run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Outcome]
) -> None:
    monkeypatch.setattr(writing.WritingBackend, "_ended", lambda self, ids, settings: list(ids[:1]))
    words = ("export", str(run.path), "--to", "ctranslate2", "--out", str(tmp_path / "export"))
    refused = command(*words)
    assert refused.code == 8 and "0.00% of the answers are the same" in refused.err
    assert not (tmp_path / "export").exists()
    assert command(*words, "--allow-lossy").code == 0
    assert "outputs differ" in RunFolder(tmp_path / "export").record()["export"]["lossy"]


def test_int8_is_judged_by_its_figure_and_its_speed(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "FASTER", 1000.0)
    with pytest.raises(GateError, match=r"int8 is not worth it here: perplexity .*times as fast as fp32"):
        export(run.path, "ctranslate2-int8", tmp_path / "export")
    proof = export(run.path, "ctranslate2-int8", tmp_path / "export", allow_lossy=True)
    assert proof["metric"] == "perplexity" and proof["bytes"] > 0
    assert weitiao.load(tmp_path / "export").predict([PAIRS[0][0]])[0]["text"]


def test_an_adapter_is_merged_first(run: weitiao.Run, tmp_path: Path) -> None:
    places = {"model": str(run.path.parent / "base"), "out": str(tmp_path / "run"), "test": "0"}
    data = str(run.path.parent / "talks.jsonl")
    lora = weitiao.train(data, task="text-generation", method="lora", valid=data, **places, **{**FEW, "epochs": 2})
    proof = export(lora.path, "ctranslate2", tmp_path / "export")
    assert proof["equal"] == 1.0 and weitiao.load(tmp_path / "export").predict(["a"]) == lora.predict(["a"])


def test_a_translation_is_exported(tmp_path: Path) -> None:
    write_blank(tmp_path / "base", ARCHITECTURES["t5"], [text for pair in PAIRS for text in pair], seed=1, size=SMALL)
    data = write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    places = {"model": str(tmp_path / "base"), "out": str(tmp_path / "run"), "valid": str(data), "test": "0"}
    run = weitiao.train(str(data), task="translation", source_lang="en", target_lang="de", **places, **{**FEW, "epochs": 5})
    proof = export(run.path, "ctranslate2", tmp_path / "export")
    assert proof["metric"] == "bleu" and proof["lost"] == 0.0 and proof["equal"] == 1.0


def test_a_run_that_draws_is_compared_on_what_is_likeliest(run: weitiao.Run, made: Path) -> None:
    drawing = {"temperature": 2.0}
    one, again = (weitiao.load(made, **drawing).predict([PAIRS[0][0]] * 4) for _twice in range(2))
    assert one == again != run.predict([PAIRS[0][0]] * 4)
    given = weitiao.load(made, **drawing).predictor()
    likeliest = replace(given, backend=given.backend.likeliest())  # type: ignore[attr-defined]
    record = run.task.prepare({"messages": [{"role": "user", "content": PAIRS[0][0]}], "text": None})
    assert next(likeliest.predict([record])) == run.predict([PAIRS[0][0]])[0]


def test_a_drawn_runs_proof_says_so(run: weitiao.Run, tmp_path: Path) -> None:
    drawn = Path(shutil.copytree(run.path, tmp_path / "run"))
    spec = RunFolder(drawn).record()["spec"]
    RunFolder(drawn).update(spec={**spec, "temperature": 1.5})
    proof = export(drawn, "ctranslate2", tmp_path / "export")
    assert proof["drawn"] and proof["equal"] == 1.0


def test_a_stream_that_is_closed_early_stops_the_writing(made: Path) -> None:
    model = weitiao.load(made)
    backend: Any = model.predictor().backend
    (whole,) = model.predict([PAIRS[0][0]])
    (features,) = model.predictor().encode(model._as_record(PAIRS[0][0], 0, {}))
    heard: list[Any] = []
    inner = backend.model().generate_batch

    def generate(*given: Any, callback: Callable[[Any], bool], **named: Any) -> Any:
        return inner(*given, callback=lambda step: heard.append(step) or callback(step), **{**named, "end_token": []})

    slow = replace(backend, model=lambda: SimpleNamespace(generate_batch=generate))
    threads = threading.active_count()
    stream = slow.stream(features, {"max_new_tokens": 200})
    assert next(stream)
    stream.close()
    assert threading.active_count() == threads and len(heard) < 200
    assert "".join(model.stream(PAIRS[0][0])) == whole["text"]


def test_a_server_streams_from_it(made: Path) -> None:
    answerer = Answerer(weitiao.load(made).predictor())
    record = {"messages": [{"role": "user", "content": PAIRS[2][0]}]}
    (whole,) = weitiao.load(made).predict([PAIRS[2][0]])
    *pieces, end = answerer.stream(record, {"max_new_tokens": 3, "do_sample": False, "temperature": None}, ())
    assert pieces and whole["text"].startswith("".join(map(str, pieces)))
    assert isinstance(end, dict) and end["completion_tokens"] == 3 and end["finish_reason"] == "length"
    with pytest.raises(UsageError, match="typical_p"):
        list(answerer.stream(record, {"typical_p": 0.5}, ()))


def test_a_task_that_answers_in_one_pass_goes_elsewhere(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(run.task), "answers_by", "logits")
    with pytest.raises(ModelError, match="answered in one pass"):
        export(run.path, "ctranslate2", tmp_path / "export")


def test_without_ctranslate2_the_command_that_installs_it_is_named(
    run: weitiao.Run, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda name: None)
    for use in (lambda: export(run.path, "ctranslate2", tmp_path / "export"), lambda: weitiao.load(made).predict(["a"])):
        with pytest.raises(UsageError, match=r'pip install "weitiao\[export\]"'):
            use()
