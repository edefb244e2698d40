"""What a fresh process does: starts fast, which here means imports little, and answers before anything heavy is there."""

import os
import subprocess
import sys

import pytest

# The tasks, whose settings are flags, are written in numpy: a verb may import it, the first page may not.
TASKS = ("numpy", "jinja2", "weitiao.tasks.base")
HEAVY = (*TASKS, "torch", "transformers", "pyarrow", "PIL", "sklearn", "matplotlib", "datasets", "huggingface_hub", "weitiao.api")


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env={**os.environ, "WEITIAO_LANG": "en", **environment}, timeout=120
    )


def imported(code: str, **environment: str) -> set[str]:
    """The heavy modules that a process has after ``code``."""
    after = f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    result = start("-c", after, **environment)
    assert "HEAVY" in result.stdout, result.stderr
    return set(eval(result.stdout.rpartition("HEAVY ")[2]))


@pytest.mark.parametrize("arguments", [["--help"], [], ["--version"], ["--lang", "zh", "-h"]])
def test_the_first_page_imports_nothing_heavy(arguments: list[str]) -> None:
    assert imported(f"from weitiao.cli import run; run({arguments!r})") == set()


@pytest.mark.parametrize("arguments", [["train", "--help"], ["train", "a.csv", "--epochs", "0"], ["trian"]])
def test_help_of_a_verb_and_errors_of_usage_import_the_tasks_at_most(arguments: list[str]) -> None:
    assert imported(f"from weitiao.cli import run; run({arguments!r})") <= set(TASKS)


def test_completion_imports_nothing_heavy_and_knows_flags_and_choices() -> None:
    environment = {"_WEITIAO_COMPLETE": "complete_bash", "COMP_CWORD": "2"}
    completed = start("-m", "weitiao", COMP_WORDS="weitiao train --sch", **environment)
    assert (completed.returncode, completed.stdout.split()) == (0, ["--schedule"])
    completed = start("-m", "weitiao", **environment | {"COMP_CWORD": "3"}, COMP_WORDS="weitiao train --schedule co")
    assert completed.stdout.split() == ["cosine", "constant"]
    assert imported("from weitiao.cli import run; run([])", **environment, COMP_WORDS="weitiao train --") <= set(TASKS)


def test_no_arguments_print_the_help_and_succeed() -> None:
    result = start("-m", "weitiao")
    assert result.returncode == 0
    assert "weitiao train reviews.csv" in result.stdout
    assert result.stderr == ""


def test_a_reader_that_goes_away_is_no_crash() -> None:
    command = [sys.executable, "-m", "weitiao", "train", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    _out, complaint = process.communicate(timeout=120)
    assert complaint == ""
    assert process.returncode == 141


def test_other_packages_are_kept_quiet_and_never_call_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):  # gradio may have said so before, in this very process
        monkeypatch.delenv(name, raising=False)
    asked = "print(os.environ['HF_HUB_DISABLE_TELEMETRY'], os.environ['DO_NOT_TRACK'])"
    code = f"from weitiao.cli import run; run(['--version']); import os; {asked}"
    assert start("-c", code).stdout.split()[-2:] == ["1", "1"]


def test_as_a_library_the_environment_is_left_alone() -> None:
    code = "import os; before = dict(os.environ); import weitiao, weitiao.cli; print(dict(os.environ) == before)"
    assert start("-c", code).stdout.strip() == "True"
