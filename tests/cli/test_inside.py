"""``weitiao models`` and ``weitiao show`` on the command line: tables on standard output, the next command on standard error, one object
for --json.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import EVALUATION, Outcome
from tests.cli.test_start import imported
from tests.engine.hub_stand_in import model_files, safetensors_bytes, write
from weitiao.cli.quantities import bytes_of
from weitiao.engine import offline_base
from weitiao.errors import UsageError

Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to stand in, and no models of this machine's user."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("WEITIAO_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def finished() -> Path:
    """A run's folder with a small model in it."""
    record = {
        "schema": 1,
        "status": "finished",
        "task": "text-classification",
        "settings": {"method": "full", "model": "auto"},
        "base_model": {"id": "some/base", "source": "hub", "license": "MIT"},
        "evaluation": EVALUATION | {"intervals": {"f1_macro": [0.8, 0.95]}},
    }
    config = {"architectures": ["BertForSequenceClassification"], "model_type": "bert", "id2label": {"0": "bad", "1": "[red]好评"}}
    run = write(Path("runs/a"), {f"model/{name}": content for name, content in model_files(**{"README.md": None}).items()})
    (run / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    (run / "report.html").write_text("", encoding="utf-8")
    return run


@pytest.mark.parametrize("width", ["80", "120"])
def test_models_lists_the_table_whole(command: Command, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    outcome = command("models")
    assert outcome.code == 0
    names = ("Encoders", "Decoders", "Dual encoders", "hfl/chinese-roberta-wwm-ext", "hfl/chinese-electra-180g-small-discriminator")
    for words in (*names, "Qwen/Qwen2.5-0.5B-Instruct", "Apache-2.0", "summarization, translation", "only pickle there"):
        assert words in outcome.out, words
    assert max(len(line) for line in outcome.out.splitlines()) <= int(width)
    assert "Next: weitiao train DATA --model sentence-transformers/all-MiniLM-L6-v2" in outcome.err


def test_models_for_a_task_a_language_and_a_memory(command: Command) -> None:
    outcome = command("models", "--task", "chat", "--language", "Chinese", "--memory", "8GB")
    assert "Qwen/Qwen2.5-0.5B-Instruct" in outcome.out and "SmolLM2" not in outcome.out and "BAAI" not in outcome.out
    assert "9.4 GB ✗" in outcome.out and "more than the memory" in outcome.out
    assert "Next: weitiao train DATA --task chat --model Qwen/Qwen2.5-0.5B-Instruct" in outcome.err
    found = command("models", "--task", "chat", "--language", "zh", "--memory", "8GB", "--json").json
    assert (found["task"], found["language"], found["memory_bytes"]) == ("text-generation", "zh", 8 * 10**9)
    first = found["models"][0]
    assert first["id"] == "Qwen/Qwen2.5-0.5B-Instruct" and first["training_bytes"]["lora"] < 8 * 10**9 < first["training_bytes"]["full"]
    assert set(first) >= {"kind", "tasks", "languages", "parameters", "license", "download_bytes", "gpu", "safetensors", "auto", "why"}
    assert command("models", "--task", "chat", "--language", "zh", "--quiet").out.splitlines()[0] == first["id"]


def test_models_marks_what_auto_takes_and_names_the_same_next(command: Command) -> None:
    outcome = command("models", "--task", "summarization", "--language", "zh", "--memory", "8GB")
    assert "bigscience/mt0-small ◂ auto" in outcome.out and outcome.out.count("◂ auto") == 2  # and what the mark means
    assert "--model bigscience/mt0-small" in outcome.err
    assert "◂" not in command("models", "--language", "zh").out


def test_models_for_a_task_without_training_are_used_as_they_are(command: Command) -> None:
    outcome = command("models", "--task", "zero-shot", "--language", "zh")
    assert 'Next: weitiao predict MoritzLaurer/mDeBERTa-v3-base-mnli-xnli "your text" --labels A,B --task zero-shot' in outcome.err
    assert "--model auto" not in outcome.out


def test_models_that_nothing_fits(command: Command) -> None:
    outcome = command("models", "--memory", "1MB")
    assert outcome.code == 0 and "Leave out one of the flags" in outcome.out and "Next: weitiao models" in outcome.err
    assert command("models", "--memory", "1MB", "--json").json["models"] == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--memory", "8"], "8GB, 8GiB or 8192MB"),
        (["--memory", "0GB"], "8GB, 8GiB or 8192MB"),
        (["--memory", "much"], '--memory is "much"'),
        (["--language", "klingon"], "zh, en, de or Japanese"),
        (["--task", "summarisatoin"], 'Did you mean "summarisation"'),
        (["bert"], "one word too many"),
    ],
)
def test_models_refuses_what_means_nothing(command: Command, flags: list[str], message: str) -> None:
    outcome = command("models", *flags)
    assert outcome.code == 2 and message in outcome.err and outcome.out == ""


def test_memory_is_understood_as_people_write_it() -> None:
    assert bytes_of("8GB", "") == 8_000_000_000 and bytes_of("8GiB", "") == 8 << 30 and bytes_of("8192MB", "") == 8_192_000_000
    assert bytes_of(" 1,5 tib", "") == round(1.5 * 2**40) and bytes_of("512kb", "") == 512_000
    for text in ("", "GB", "8 G B", "-8GB", "8XB", "1e9GB"):
        with pytest.raises(UsageError):
            bytes_of(text, "--memory")


@pytest.mark.parametrize("width", ["80", "120"])
def test_show_tells_a_run(command: Command, finished: Path, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    outcome = command("show", "runs/a")
    assert outcome.code == 0
    facts = ["text-classification", "some/base", "0.890 (0.800 to 0.950) on 10 rows of test", "report.html", "2: bad, [red]好评", "MIT"]
    facts += ["BertForSequenceClassification", "model.safetensors", "4.1 kB", "which cannot run", "LoRA 1.5 GB"]
    for words in facts:
        assert words in outcome.out, words
    assert max(len(line) for line in outcome.out.splitlines()) <= int(width)
    assert 'Next: weitiao predict runs/a "your text"' in outcome.err and "weitiao report runs/a" in outcome.err
    assert outcome.err.count("\n") == 3


def test_show_json_and_quiet(command: Command, finished: Path) -> None:
    inside = command("show", "runs/a", "--json").json
    assert inside["run"]["headline"] == "f1_macro" and inside["run"]["value"] == 0.89 and inside["run"]["interval"] == [0.8, 0.95]
    assert inside["run"]["report"] == str(Path("runs/a/report.html")) and inside["labels"] == ["bad", "[red]好评"]
    assert {file["path"] for file in inside["files"]} >= {"config.json", "tokenizer.json", "vocab.txt"}
    assert command("show", "runs/a", "--quiet") == (0, str(Path("runs/a/model")) + "\n", "")


def test_show_tells_a_model_by_itself(command: Command, finished: Path) -> None:
    outcome = command("show", "runs/a/model", "--offline")
    assert "text-classification" in outcome.out and "headline" not in outcome.out
    assert 'Next: weitiao predict runs/a/model "your text" --task text-classification' in outcome.err
    assert "weitiao train DATA --task text-classification --model runs/a/model" in outcome.err


def test_show_says_what_is_refused(command: Command) -> None:
    write(Path("odd"), model_files(**{"model.safetensors": None, "pytorch_model.bin": b"x"}))
    outcome = command("show", "odd")
    assert "weitiao refuses them" in outcome.out and "There are no weights that may be read." in outcome.out
    assert "Next: weitiao models" in outcome.err


def test_show_tells_an_adapter_and_where_its_base_is(command: Command) -> None:
    folder = write(Path("adapter"), model_files(**{"model.safetensors": None, "adapter_model.safetensors": safetensors_bytes([1.0])}))
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16.0, "base_model_name_or_path": "some/base"}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    outcome = command("show", "adapter")
    assert "LORA, rank 8, alpha 16, beside 0 matrices" in outcome.out and "some/base · not on this machine" in outcome.out
    assert "Memory" not in outcome.out and "made for" not in outcome.out and "Next: weitiao fetch some/base" in outcome.err
    adapter = {**config, "base_model_name_or_path": offline_base.MINILM.hub_id}
    (folder / "adapter_config.json").write_text(json.dumps(adapter), encoding="utf-8")
    outcome = command("show", "adapter")
    assert "22,713,216" in outcome.out and "Memory" in outcome.out and "Next: weitiao show offline" in outcome.err


@pytest.mark.parametrize(("name", "code"), [("auto", 2), ("./nothing", 4), ("some/model", 5), ("empty", 4)])
def test_show_of_what_is_not_there(command: Command, name: str, code: int) -> None:
    Path("empty").mkdir()
    outcome = command("show", name)
    assert outcome.code == code and outcome.out == "" and outcome.err.startswith("Error: ")


def test_neither_imports_torch() -> None:
    for arguments in (["models", "--json"], ["show", "offline", "--json"]):
        assert not imported(f"from weitiao.cli import run; run({arguments!r})") & {"torch", "transformers", "weitiao.api", "sklearn"}
