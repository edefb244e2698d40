"""``weitiao explain`` for people, for scripts and as a page, over real tiny models."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.cli.conftest import Outcome
from tests.engine.explained_models import CASES, headed, labelled, loaded
from weitiao.cli.stages import stages
from weitiao.report import write_explanation

Command = Callable[..., Outcome]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The facts of a case, made once."""
    made: dict[str, Any] = {}

    def explain(name: str) -> Any:
        if name not in made:
            case = CASES[name]
            made[name] = loaded(case, tmp_path_factory.mktemp("explained") / "model").explain(case.value, **case.given)
        return made[name]

    return explain


def drawn(explained: Any, width: int) -> str:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as page:
        for part in stages(explained, "the text", width):
            console.print(part)
    return page.get()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", CASES)
def test_every_answer_fits_its_terminal(facts: Any, name: str, width: int) -> None:
    page = drawn(facts(name), width)
    assert [line for line in page.splitlines() if len(line) > width] == []
    assert page.index("1  Encode") < page.index("2  Forward") < page.index("3  Decode") < page.index("The answer")


@pytest.mark.parametrize("name", CASES)
def test_every_answer_has_a_page(facts: Any, name: str, tmp_path: Path) -> None:
    page = write_explanation(facts(name), tmp_path / "it.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("<section") == (5 if facts(name)["influence"] else 4)
    assert "Undefined" not in page and "{{" not in page


def test_page_and_terminal_show_the_same_settings(facts: Any, tmp_path: Path) -> None:
    spec = {"template": "x" * 100, "mean": 0.123456789, "pair": True, "chat_template": "y" * 1000}
    explained = {**facts("one label"), "decode": {**facts("one label")["decode"], "spec": spec}}
    page = write_explanation(explained, tmp_path / "it.html").read_text(encoding="utf-8")
    known = re.findall(r'<th scope="row">(template|mean|pair|chat_template)</th><td>(.*?)</td>', page)
    assert known == [("template", "x" * 100), ("mean", "0.123457"), ("pair", "true")]
    told = [line.split() for line in drawn(explained, 140).splitlines()]
    assert [words for words in told if words[:1] in (["template"], ["mean"], ["pair"], ["chat_template"])] == [list(one) for one in known]


def test_special_tokens_padding_and_unknown_words_are_told_apart_without_colours(facts: Any) -> None:
    page = drawn(facts("choice"), 80)
    assert "S special token · P padding · 1 first text · 2 second text" in page
    kinds = [line.split()[1:] for line in page.splitlines() if line.split()[:1] == ["kind"]]
    assert kinds[0] == ["S", "1", "1", "1", "S", "2", "S", "P", "P"]
    assert "? not in the vocabulary" in drawn(facts("one label"), 80)


def test_the_ends_of_the_answer_are_marked(facts: Any) -> None:
    held = [row["answer"] for row in facts("question")["forward"]["rows"] if row["answer"]]
    assert drawn(facts("question"), 120).count("▸") == 2 * len(held)


def test_the_chosen_token_is_marked_among_the_candidates(facts: Any) -> None:
    page = drawn(facts("decoder"), 120)
    assert page.count("▸") == len(facts("decoder")["forward"]["rows"][0]["steps"])


@pytest.fixture
def classifier(tmp_path: Path) -> str:
    return str(headed("BertForSequenceClassification", **labelled("bad", "good"))(tmp_path / "classifier"))


def test_the_verb_in_its_manners(command: Command, classifier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("explain", classifier, "the room was lovely", "--task", "text-classification", "--offline")
    told = command(*asked)
    assert told.code == 0, told.err
    assert "\x1b" not in told.out
    for words in ("input_ids", "[CLS]", "logits", "(1, 2)", "softmax", "The label table", "Leave-one-out"):
        assert words in told.out
    assert "--html explained.html" in told.err
    predicted = command("predict", *asked[1:], "--json").json["predictions"][0]
    outcome = command(*asked, "--json")
    assert (outcome.json["decode"]["answer"], outcome.err) == (predicted, "")
    assert command(*asked, "--html", "page.html", "--quiet").out == "page.html\n"
    assert command(*asked, "--html", "page.html", "--json").json["html"] == "page.html"
    page = command(*asked, "--html", "page.html")
    assert "page.html" in page.out and "weitiao predict" in page.err
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_next_command_works_where_the_text_begins_with_a_dash(
    command: Command, classifier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = command("explain", classifier, "--task", "text-classification", "--offline", "--", "-5 degrees")
    assert told.code == 0, told.err
    words = shlex.split(told.err.partition("Next: weitiao ")[2])
    assert words[-4:] == ["--html", "explained.html", "--", "-5 degrees"]
    assert command(*words).code == 0 and Path("explained.html").is_file()


def test_further_inputs_have_their_flags_and_a_record_may_be_json(command: Command, tmp_path: Path) -> None:
    case = CASES["question"]
    model = str(case.make(tmp_path / "model"))
    ways = [
        ("explain", model, "what was late", "--context", "the box was late"),
        ("explain", model, "--question", "what was late", "--context", "the box was late"),
        ("explain", model, json.dumps({"question": "what was late", "context": "the box was late"})),
    ]
    told = [command(*way, "--task", "question-answering", "--offline", "--json").json for way in ways]
    assert told[0] == told[1] == told[2]
    assert told[0]["input"] == {"question": "what was late", "context": "the box was late"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "There is nothing to explain"),
        (("  ",), "There is nothing to explain"),
        (("one", "two"), "one word too many"),
        (("a", "--encoding", "gbk"), "has no option --encoding"),
        (("a", "--label", "x"), "has no option --label"),
        (("a", "--context", "x"), "context"),
        (("a", "--text", "b"), "given twice"),
        (("a", "--revision", "x"), "--revision"),
        (("a", "--html", "nowhere/page.html"), "in a folder that is there"),
    ],
)
def test_bad_words_are_refused_before_anything_heavy(command: Command, api: SimpleNamespace, words: tuple[str, ...], said: str) -> None:
    outcome = command("explain", "runs/a", *words)
    assert outcome.code == 2
    assert said in outcome.err
    assert api.calls == []


def test_an_input_that_is_missing_and_a_model_without_a_task(command: Command, tmp_path: Path) -> None:
    model = str(CASES["question"].make(tmp_path / "model"))
    lacking = command("explain", model, "what was late", "--task", "question-answering", "--offline")
    assert lacking.code == 2
    assert "--context" in lacking.err
    assert command("explain", model, "what was late").code == 7


def test_what_is_typed_cannot_draw_on_the_terminal_or_run_on_the_page(command: Command, classifier: str, tmp_path: Path) -> None:
    evil = 'the <script>alert(1)</script> \x1b[31m room & "it\'s"'
    page = tmp_path / "page.html"
    asked = ("explain", classifier, evil, "--task", "text-classification", "--offline")
    assert command(*asked, "--html", str(page)).code == 0
    written = page.read_text(encoding="utf-8")
    assert "<script" not in written
    assert "&lt;script&gt;" in written
    assert "default-src 'none'" in written
    assert "\x1b" not in command(*asked).out
