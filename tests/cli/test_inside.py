"""``weitiao models`` and ``weitiao show`` on the command line: tables on standard output, the next command on standard error, one object
for --json.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome
from tests.cli.test_start import imported
from weitiao.cli.quantities import bytes_of
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


def test_models_for_a_task_without_training_are_used_as_they_are(command: Command) -> None:
    outcome = command("models", "--task", "zero-shot", "--language", "zh")
    assert 'Next: weitiao predict MoritzLaurer/mDeBERTa-v3-base-mnli-xnli "your text" --task zero-shot' in outcome.err
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


def test_it_imports_no_torch() -> None:
    assert not imported("from weitiao.cli import run; run(['models', '--json'])") & {"torch", "transformers", "weitiao.api", "sklearn"}
