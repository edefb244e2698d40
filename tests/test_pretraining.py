"""Pretraining from a corpus to a model: every objective learns, a killed run goes on to the same weights, what cannot be is refused."""

import hashlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.conftest import SIZES as TINY
from tests.conftest import make_model, sentences, write_corpus, write_csv
from weitiao.data.corpus import is_held_out
from weitiao.engine import tokenizer_of_corpus
from weitiao.engine.architectures import SIZES, size_named
from weitiao.engine.models import load_tokenizer
from weitiao.engine.pretraining import session
from weitiao.engine.pretraining.base import base_for, check_code_known
from weitiao.engine.pretraining.objectives import kind_for
from weitiao.errors import DataError, ModelError, RunError, UsageError
from weitiao.observer import SILENT
from weitiao.pretraining import recipe_of

SETTINGS: dict[str, Any] = {"batch_size": 8, "block_size": 32, "held_out": 0.1, "threads": 1, "lr": 3e-3, "quiet": True, "raw": True}
CHILD = """
import json, os, signal, sys
import weitiao
from weitiao.engine import training

honest, calls = training.Trainer._step, 0

def counted(*args, **kwargs):
    global calls
    calls += 1
    if calls > 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return honest(*args, **kwargs)

training.Trainer._step = counted
weitiao.pretrain(*json.loads(sys.argv[1]), **json.loads(sys.argv[2]))
"""
ENCODING = """
import json, os, signal, sys
import weitiao
from weitiao.engine.pretraining import token_files

token_files.TokenWriter.close = lambda self: os.kill(os.getpid(), signal.SIGKILL)
weitiao.pretrain(*json.loads(sys.argv[1]), **json.loads(sys.argv[2]))
"""
ODD = """
from transformers import BertConfig, BertModel

class OddConfig(BertConfig):
    model_type = "odd"

class Odd(BertModel):
    config_class = OddConfig
"""
ODD_HEAD = """
from transformers import BertForMaskedLM
from .modeling_odd import OddConfig

class OddForMaskedLM(BertForMaskedLM):
    config_class = OddConfig
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred lines, in which some words go together."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.txt", 400)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tokenizer") / "tiny")


def killed(program: str, corpus: Sequence[Path], settings: dict[str, Any]) -> None:
    """A pretraining in a process of its own, which a ``kill -9`` ends."""
    child = [sys.executable, "-c", program, json.dumps([str(one) for one in corpus]), json.dumps(settings)]
    assert subprocess.run(child, check=False, capture_output=True).returncode == -signal.SIGKILL


def digest(run: weitiao.Run) -> str:
    return hashlib.sha256((run.folder.model / "model.safetensors").read_bytes()).hexdigest()


def tiny(folder: Path, family: str) -> Path:
    """A config.json of a tiny model."""
    made = make_model(folder / family, family, **({"embedding_size": 32} if family == "electra" else {}))
    return made / "config.json"


@pytest.mark.parametrize(("family", "objective"), [("bert", "mlm"), ("electra", "rtd"), ("deberta-v2", "mlm")])
def test_it_learns(family: str, objective: str, corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    config = tiny(tmp_path, family)
    run = weitiao.pretrain(corpus, config=str(config), tokenizer=str(tokenizer), epochs=4, out=str(tmp_path / "run"), **SETTINGS)
    record = run.record
    history = [entry["validation"]["loss"] for entry in record["training"]["history"]]
    assert len(history) == 4
    assert history[-1] < history[0]
    assert record["pretraining"]["objective"] == objective
    assert record["held_out"]["loss"] == pytest.approx(min(history) if objective == "mlm" else history[-1], rel=1e-5)
    assert record["training"]["tokens"] == 4 * record["pretraining"]["tokens"]["tokens"]
    assert not run.folder.checkpoints.exists()
    card = run.folder.card.read_text(encoding="utf-8")
    assert "corpus.txt" in card
    assert str(tmp_path) not in card
    assert "Pretrained" in run.folder.report.read_text(encoding="utf-8")


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen"])  # with a mark before a text and behind, with one mark, with none before
def test_the_next_token_and_what_the_run_can_do(family: str, corpus: Path, tmp_path: Path) -> None:
    run = weitiao.pretrain(
        corpus, config=f"{family}:tiny", vocab_size=400, max_steps=12, eval_every=5, out=str(tmp_path / "run"), **SETTINGS
    )
    history = run.record["training"]["history"]
    assert [entry["step"] for entry in history] == [5, 10, 12]
    assert history[-1]["validation"]["loss"] < history[0]["validation"]["loss"]
    assert isinstance(run.predict(["the day"])[0]["text"], str)


def test_spans_are_written_by_t5(corpus: Path, tmp_path: Path) -> None:
    run = weitiao.pretrain(corpus, config="t5:tiny", vocab_size=400, max_steps=12, eval_every=6, out=str(tmp_path / "run"), **SETTINGS)
    assert run.record["pretraining"]["objective"] == "denoising"
    history = run.record["training"]["history"]
    assert history[-1]["validation"]["loss"] < history[0]["validation"]["loss"]


def test_its_model_is_a_base_for_fine_tuning_and_goes_on(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    where = {"config": str(tiny(tmp_path, "electra")), "tokenizer": str(tokenizer), "out": str(tmp_path / "base")}
    base = weitiao.pretrain(corpus, max_steps=3, **where, **SETTINGS)
    reviews = write_csv(tmp_path / "reviews.csv", list(sentences(60)))
    run = weitiao.train(str(reviews), model=str(base.folder.model), epochs=1, max_length=32, out=str(tmp_path / "fine"), quiet=True)
    assert run.record["status"] == "finished"
    on = weitiao.pretrain(corpus, model=str(base.folder.model), max_steps=2, out=str(tmp_path / "on"), **SETTINGS)
    assert on.record["base_model"]["source"] == "folder"
    assert on.record["pretraining"]["objective"] == "rtd"


@pytest.mark.parametrize(("family", "objective"), [("bert", "mlm"), ("electra", "rtd")])
def test_a_killed_run_ends_with_the_same_weights(family: str, objective: str, corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "config": str(tiny(tmp_path, family)), "tokenizer": str(tokenizer), "max_steps": 14, "eval_every": 6}
    settings |= {"save_every": 4, "objective": objective}
    whole = weitiao.pretrain(corpus, **settings, out=str(tmp_path / "whole"))
    killed(CHILD, [corpus], {**settings, "out": str(tmp_path / "killed")})
    again = weitiao.resume(tmp_path / "killed", quiet=True)
    assert digest(again) == digest(whole)
    assert again.record["training"]["steps"] == 14


def test_a_killed_decoder_of_chinese_goes_on_to_the_same_weights_and_writes(tmp_path: Path) -> None:
    """Blank, with a tokenizer of its own, on instructions and plain text."""
    draw = random.Random(5)
    words = ["今天", "天气", "很好", "我们", "去", "公园", "看", "花", "老师", "问", "问题", "答案", "是", "什么", "如何", "学习"]
    texts = ["".join(draw.choices(words, k=draw.randint(4, 20))) + "。" for _number in range(240)]
    told, plain = tmp_path / "instructions.json", tmp_path / "text.txt"
    rows = [{"instruction": texts[at], "input": texts[at + 1] if at % 3 else "", "output": texts[at + 2]} for at in range(0, 120, 3)]
    told.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    plain.write_text("\n".join(texts[120:]), encoding="utf-8")
    settings = {**SETTINGS, "config": "llama:tiny", "vocab_size": 400, "max_steps": 14, "eval_every": 6, "save_every": 4, "epochs": 9}
    settings |= {"text_column": "instruction,input,output"}
    whole = weitiao.pretrain(told, plain, **settings, out=str(tmp_path / "whole"))
    assert whole.record["pretraining"]["objective"] == "clm"
    assert whole.record["pretraining"]["corpus"]["documents"] == 160
    killed(CHILD, [told, plain], {**settings, "out": str(tmp_path / "killed")})
    again = weitiao.resume(tmp_path / "killed", quiet=True)
    assert digest(again) == digest(whole)
    answers = [run.predict(["今天天气"])[0]["text"] for run in (whole, again)]
    assert answers[0] == answers[1] and answers[0]


def test_what_a_pretraining_killed_while_encoding_left_goes_with_the_next(corpus: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "config": "bert:tiny", "vocab_size": 400, "max_steps": 1, "out": str(tmp_path / "run")}
    killed(ENCODING, [corpus], settings)
    (left,) = tmp_path.glob(".weitiao-tokens-*")
    assert (left / "train" / "tokens.bin").is_file() and (left / "blank" / "model.safetensors").is_file()
    run = weitiao.pretrain(corpus, **settings)
    assert run.record["status"] == "finished"
    assert [one.name for one in tmp_path.iterdir()] == ["run"]


def test_a_corpus_is_read_and_cleaned_once(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although a tokenizer is trained on it before it is encoded."""
    read: list[int] = []
    honest = session.documents

    def counted(*args: Any, **how: Any) -> Any:
        read.append(1)
        return honest(*args, **how)

    monkeypatch.setattr(session, "documents", counted)
    repeated = tmp_path / "repeated.txt"
    repeated.write_text(corpus.read_text(encoding="utf-8") * 2, encoding="utf-8")
    settings = {**SETTINGS, "config": "bert:tiny", "vocab_size": 400, "max_steps": 1, "raw": False}
    run = weitiao.pretrain(repeated, **settings, out=str(tmp_path / "run"))
    assert len(read) == 1
    kept = run.record["pretraining"]["corpus"]["documents"]
    assert sum(run.record["data"]["ledger"].values()) == 800 - kept  # each row is counted once
    assert not list((tmp_path / "run").rglob("documents.jsonl"))
    # With a tokenizer that is there nothing has to wait.
    tokenizer = make_model(tmp_path / "tiny")
    del settings["vocab_size"]
    run = weitiao.pretrain(repeated, **settings, tokenizer=str(tokenizer), out=str(tmp_path / "other"))
    assert len(read) == 2
    assert run.record["pretraining"]["corpus"]["documents"] == kept


def test_a_model_that_goes_on_is_measured_before(corpus: Path, tmp_path: Path) -> None:
    base = weitiao.pretrain(corpus, config="bert:tiny", vocab_size=400, max_steps=2, out=str(tmp_path / "base"), **SETTINGS)
    assert "before" not in base.record["pretraining"]
    settings = {**SETTINGS, "model": str(base.folder.model), "max_steps": 14, "save_every": 4}
    whole = weitiao.pretrain(corpus, **settings, out=str(tmp_path / "whole"))
    before, after = whole.record["pretraining"]["before"], whole.record["held_out"]
    assert before.keys() == after.keys()
    assert before["perplexity"] > after["perplexity"]
    assert whole.folder.log()[0]["validation"] == before
    card = whole.folder.card.read_text(encoding="utf-8")
    assert f"| perplexity | {after['perplexity']:.3f} | {before['perplexity']:.3f} |" in card
    assert f"{before['loss']:.3f} before" in whole.folder.report.read_text(encoding="utf-8")
    # One that was cut off does not measure again what it has learned something since.
    killed(CHILD, [corpus], {**settings, "out": str(tmp_path / "killed")})
    again = weitiao.resume(tmp_path / "killed", quiet=True)
    assert again.record["pretraining"]["before"] == before
    assert digest(again) == digest(whole)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place of their own for modules of models: one, since Python imports their package once."""
    place = str(tmp_path_factory.mktemp("modules"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_MODULES_CACHE", place)
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", place)
        yield


@pytest.mark.parametrize("head", [False, True])
@pytest.mark.usefixtures("modules")
def test_a_config_with_code_of_its_own(head: bool, corpus: Path, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs where the user names its folder, and goes along with what is made of it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "modeling_odd.py").write_text(ODD, encoding="utf-8")
    (odd / "head_odd.py").write_text(ODD_HEAD, encoding="utf-8")
    mapped = {"AutoConfig": "modeling_odd.OddConfig", "AutoModelForMaskedLM": "head_odd.OddForMaskedLM"}
    mapped |= {} if head else {"AutoModel": "modeling_odd.Odd"}
    values = {"model_type": "odd", "vocab_size": 40, **TINY, "auto_map": mapped}
    (odd / "config.json").write_text(json.dumps(values), encoding="utf-8")
    settings = {**SETTINGS, "tokenizer": str(tokenizer), "max_steps": 14, "save_every": 4, "objective": "mlm"}
    for config in (odd, odd / "config.json"):
        with pytest.raises(ModelError, match=r"runs Python code of its own.*--trust-remote-code odd"):
            weitiao.pretrain(corpus, config=str(config), out=str(tmp_path / "run"), **settings)
    with pytest.raises(ModelError, match="--trust-remote-code odd"):
        weitiao.pretrain(corpus, config=str(odd), trust_remote_code="somebody/else", out=str(tmp_path / "run"), **settings)
    (tmp_path / "other.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError, match=r"name it config\.json"):
        weitiao.pretrain(corpus, config=str(tmp_path / "other.json"), trust_remote_code="odd", out=str(tmp_path / "run"), **settings)
    settings |= {"config": str(odd), "trust_remote_code": "odd"}
    whole = weitiao.pretrain(corpus, **settings, out=str(tmp_path / "whole"))
    assert (whole.folder.model / "head_odd.py").is_file()
    killed(CHILD, [corpus], {**settings, "out": str(tmp_path / "killed")})
    # A run may have come from anywhere, and its record with it.
    (tmp_path / "state" / "weitiao" / "trusted-task-files.txt").unlink()
    with pytest.raises(RunError, match=r"\.py \(sha256 .*--trust-task"):
        weitiao.resume(tmp_path / "killed", quiet=True)
    assert digest(weitiao.resume(tmp_path / "killed", quiet=True, trust_task=True)) == digest(whole)


def test_code_elsewhere_does_not_run_by_resuming(tmp_path: Path) -> None:
    for name, mapped in (("beside", "../sub--evil.Config"), ("hub", "ann/evil--evil.Config")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"auto_map": {"AutoConfig": mapped}}), encoding="utf-8")
        with pytest.raises(RunError, match="outside its folder"):
            check_code_known(tmp_path / name)
    (tmp_path / "beside" / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "beside" / "deep").mkdir()
    (tmp_path / "beside" / "deep" / "odd.py").write_text("x = 1", encoding="utf-8")
    with pytest.raises(RunError, match=r"deep/odd\.py"):
        check_code_known(tmp_path / "beside")


def test_what_a_killed_run_left_is_no_beginning_of_another(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "config": str(tiny(tmp_path, "bert")), "tokenizer": str(tokenizer), "max_steps": 12}
    killed(CHILD, [corpus], {**settings, "out": str(tmp_path / "run")})
    run = weitiao.pretrain(corpus, **{**settings, "max_steps": 2, "block_size": 16}, out=str(tmp_path / "run"), overwrite=True)
    assert run.record["training"]["max_length"] == 16
    assert run.record["training"]["tokens"] <= 2 * 8 * 16


def test_time_ends_it(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    where = {"config": str(tiny(tmp_path, "bert")), "tokenizer": str(tokenizer), "out": str(tmp_path / "run")}
    run = weitiao.pretrain(corpus, epochs=10_000, max_minutes=1e-3, warmup=0, **where, **SETTINGS)
    training = run.record["training"]
    assert training["seconds"] >= 0.06
    assert training["steps"] < 10_000
    rates = [line["lr"] for line in run.folder.log() if "lr" in line]
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == training["steps"]


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({}, UsageError, "--from MODEL"),
        ({"config": "bert:mini", "model": "offline"}, UsageError, "only one"),
        ({"config": "bert:enormous"}, UsageError, "6x384"),
        ({"config": "bert:6x100"}, UsageError, "multiple of 64"),
        ({"config": "brat:mini"}, UsageError, "bart"),
        ({"config": "bert:mini", "objective": "guessing"}, UsageError, "mlm"),
        ({"config": "bert:mini", "method": "lora"}, UsageError, "every weight"),
        ({"config": "bert:mini", "tokenizer": "nowhere"}, ModelError, "weitiao tokenizer"),
        ({"config": "bert:mini", "blok_size": 64}, UsageError, "block_size"),
        ({"config": "bert:tiny", "objective": "rtd", "vocab_size": 300}, ModelError, "bert"),
    ],
)
def test_what_cannot_be(settings: dict[str, Any], error: type[Exception], said: str, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(error, match=said):
        weitiao.pretrain(corpus, **settings, out=str(tmp_path / "run"), quiet=True)
    assert not (tmp_path / "run").exists()
    assert not list(tmp_path.glob(".weitiao*"))


def test_a_model_that_transformers_cannot_make_is_named(corpus: Path, tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text('{"model_type": "nobodys"}', encoding="utf-8")
    with pytest.raises(ModelError, match='"odd" cannot be loaded'):
        kind_for("auto", tmp_path / "odd")
    config = tmp_path / "odd.json"
    config.write_text(json.dumps({"model_type": "bert", "hidden_size": 100, "num_attention_heads": 3}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"describes no model that can be made.*100"):
        weitiao.pretrain(corpus, config=str(config), tokenizer=str(tokenizer), out=str(tmp_path / "run"), quiet=True)


@pytest.mark.parametrize("family", ["bert", "llama", "t5", "roberta"])
def test_its_own_tokenizer_keeps_to_what_was_asked(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more entries than that, and nothing learned from what is held out."""
    texts = [text for text, _label in sentences(300, seed=3)]
    given: list[str] = []
    honest = tokenizer_of_corpus.trained

    def kept(tokens: Any, those: Any, *args: Any, **how: Any) -> Any:
        given[:] = list(those)
        return honest(tokens, given, *args, **how)

    monkeypatch.setattr(tokenizer_of_corpus, "trained", kept)
    recipe = recipe_of(["a.txt"], {"config": f"{family}:tiny", "vocab_size": 400, "held_out": 0.2})
    base = base_for(recipe, lambda: texts, tmp_path / "blank", SILENT)
    assert len(load_tokenizer(base.path)) <= 400
    assert given and not any(is_held_out(text, 0.2, recipe.training.seed) for text in given)
    if family in ("bert", "t5"):
        chinese = ["".join(chr(0x4E00 + at) for at in range(500))] * 20
        with pytest.raises(UsageError, match=r"--vocab-size is 400, and \d+ is the least here.*or more\.$"):
            base_for(replace(recipe, task=replace(recipe.task, held_out=0.0)), lambda: chinese, tmp_path / "other", SILENT)


def test_a_corpus_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Which corpus"):
        weitiao.pretrain(config="bert:mini", quiet=True)
    with pytest.raises(DataError, match="nowhere"):
        weitiao.pretrain("nowhere.txt", config="bert:mini", out=str(tmp_path / "run"), quiet=True)


def test_sizes() -> None:
    assert {name: (size.layers, size.width, size.heads) for name, size in SIZES.items()} == {
        "tiny": (2, 128, 2),
        "mini": (4, 256, 4),
        "small": (4, 512, 8),
        "medium": (8, 512, 8),
        "base": (12, 768, 12),
    }
    assert (size_named("12x384").layers, size_named("12x384").heads) == (12, 6)
