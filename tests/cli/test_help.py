"""Help: every verb answers, with examples, in the language in force, on any terminal."""

import re
from collections.abc import Callable

import pytest

from tests.cli.conftest import Outcome
from weitiao import messages, tasks
from weitiao.cli.application import group
from weitiao.quantities import one_line

Command = Callable[..., Outcome]
VERBS = sorted(group().commands)


class Pseudo(messages.gettext.NullTranslations):
    """A language in which every translated text is recognised at sight."""

    def gettext(self, message: str) -> str:
        return re.sub(r"\{[^}]*\}|[A-Za-z]", lambda found: found[0] if found[0].startswith("{") else "文", message)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_verb_has_help_with_examples(command: Command, verb: str, flag: str) -> None:
    outcome = command(verb, flag)
    assert outcome.code == 0
    assert outcome.err == ""
    assert f"Usage: weitiao {verb}" in outcome.out
    examples = outcome.out.partition("Examples:")[2].strip().splitlines()
    assert 1 <= len(examples) <= 3
    assert all(f"weitiao {verb}" in example for example in examples)


def test_verbs_are_grouped(command: Command) -> None:
    page = command("--help").out
    titles = ("The main job", "│ check", "│ train", "│ predict", "│ pretrain", "│ push", "Looking inside", "│ report", "│ doctor")
    places = [page.index(title) for title in titles]
    assert places == sorted(places)


@pytest.mark.parametrize("verb", ["predict", "evaluate", "demo"])
def test_the_number_format_of_answers_has_one_default(command: Command, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    (line,) = [line for line in command(verb, "--help").out.splitlines() if "--precision" in line]
    assert "default: auto" not in line  # that is a training's
    assert "default: auto" in next(line for line in command("train", "--help").out.splitlines() if "--precision" in line)


class Solid(messages.gettext.NullTranslations):
    """A language without spaces, as Chinese is."""

    def gettext(self, message: str) -> str:
        return re.sub(r"\{[^}]*\}|.", lambda found: found[0] if found[0].startswith("{") else "文", message)


def test_a_language_without_spaces_is_never_cut_off(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weitiao.cli.set_language", lambda language: None)
    monkeypatch.setattr(messages, "_catalogue", lambda language: Solid())
    monkeypatch.setenv("COLUMNS", "80")
    assert "…" not in command("train", "--help").out


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_no_word_of_help_stays_untranslated(command: Command, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setattr("weitiao.cli.set_language", lambda language: None)
    monkeypatch.setattr(messages, "_catalogue", lambda language: Pseudo())
    monkeypatch.setenv("COLUMNS", "400")
    page = command(*verb.split(), "--help").out.rpartition("╯")[0]  # without the examples
    # What may stand in Latin letters: the command itself, flags, what to give them, values.
    named = re.sub("|".join(sorted(tasks.all_tasks(), key=len, reverse=True)), "", page)
    left = re.sub(r"weitiao( [a-z]+)?|--?[a-z][a-z-]*|<[a-z,]+>|\[?[A-Z]{3,}|\w+(\|\w+)+|: [\w.-]+|\d\S*", "", named)
    words = set(re.findall(r"[A-Za-z]{2,}", left)) - {*VERBS, "full"}
    assert words == set()


def test_chinese_is_asked_for_before_and_after_the_verb(command: Command) -> None:
    for line in (["--lang", "zh", "train", "--help"], ["train", "--lang", "zh", "--help"], ["train", "--lang=zh", "-h"]):
        command(*line)
        assert messages.language() == "zh"
    command("train", "--help", "--lang", "en")
    assert messages.language() == "en"


@pytest.mark.parametrize("width", [40, 60, 160])
def test_help_fits_its_terminal_and_keeps_every_flag(command: Command, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    page = command("train", "--help").out
    panels = page.partition("Examples:")[0]
    assert max(len(line) for line in panels.splitlines()) <= width
    if width >= 60:
        assert "--gradient-checkpointing" in page
    assert "weitiao train train.csv --valid val.csv --test test.csv --epochs 3 --out runs/reviews" in page


def test_shortening() -> None:
    assert one_line("a" * 50, 10) == "a" * 9 + "…"
