"""The parts of the demo page without a browser: examples, inputs, answers, turns; and ``weitiao demo`` as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.deploy.servers import running
from weitiao import sample, tasks
from weitiao.errors import UsageError
from weitiao.messages import speaking
from weitiao.runs import RunFolder, prediction_line

gradio = pytest.importorskip("gradio", reason="the package gradio is not installed")

SPEC = {"labels": ["bad", "good"], "pair": False}


def form(task: str, spec: dict[str, Any] = SPEC) -> Any:
    from weitiao.deploy.demo.inputs import Form

    return Form(tasks.get(task), spec)


def test_what_stands_in_the_widgets_is_a_record() -> None:
    assert form("text-classification").record(["a day"]) == {"text": "a day"}
    assert form("text-classification", {"pair": True}).record(["a", "b"]) == {"text": "a", "pair": "b"}
    assert form("multiple-choice").record(["Who?", "", "Ann\nBob"]) == {"question": "Who?", "context": None, "options": ["Ann", "Bob"]}
    picture = form("image-text-classification").record(["a", str(sample.PICTURE)])
    assert picture["image"] == str(sample.PICTURE)


@pytest.mark.parametrize("name", tasks.all_tasks())
def test_the_example_of_every_task_stands_in_its_widgets_and_comes_out_as_it_was(name: str) -> None:
    from weitiao.deploy.demo.examples import examples

    task = tasks.get(name)
    (record,) = examples(task, {}, None)
    made = form(name, {})
    back = made.record(made.values(record))
    assert {key: value for key, value in back.items() if value is not None} == {
        field.name: record[field.name] for field in made.fields if record.get(field.name) is not None
    }


@pytest.mark.parametrize(
    ("task", "values", "said"),
    [
        ("text-classification", [" \n"], "“Text” is empty"),
        ("text-classification", [None], "“Text” is empty"),
        ("text-classification", ["x" * 100_001], "“Text” has 100,001 characters"),
        ("question-answering", ["Who?", ""], "“Context” is empty"),
        ("image-text-classification", ["a", None], "“Picture” is empty"),
    ],
)
def test_what_is_wrong_with_an_input_is_said(task: str, values: list[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        form(task).record(values)


def test_examples_are_of_the_held_out_rows_and_differ(tmp_path: Path) -> None:
    from weitiao.deploy.demo.examples import SHOWN, examples

    rows = [{"text": f"row {at}", "label": "bad" if at < 8 else "good"} for at in range(10)] + [{"text": "long " * 200, "label": "good"}]
    lines = [json.dumps(prediction_line(at, "a.csv", row, {"label": "bad"})) + "\n" for at, row in enumerate(rows)]
    folder = RunFolder(tmp_path)
    folder.predictions_file.write_text("".join(lines), encoding="utf-8")
    found = examples(tasks.get("text-classification"), SPEC, folder)
    assert len(found) == SHOWN
    assert [record["text"] for record in found[:4]] == ["row 0", "row 8", "row 1", "row 9"]


@pytest.mark.parametrize(("language", "chinese"), [("zh", True), ("en", False), ("", False)])
def test_without_held_out_rows_the_example_is_in_the_language_of_the_run(language: str, chinese: bool, tmp_path: Path) -> None:
    from weitiao.deploy.demo.examples import examples

    folder = RunFolder(tmp_path)
    folder.record_file.write_text(json.dumps({"data": {"language": language}}), encoding="utf-8")
    (found,) = examples(tasks.get("text-classification"), SPEC, folder)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in found["text"]) == chinese


def test_examples_have_something_to_be_found_in_them(tmp_path: Path) -> None:
    from weitiao.deploy.demo.examples import examples

    kinds: list[list[str]] = [[], ["PER"], ["PER"], [], ["LOC", "PER"], ["PER", "LOC"], ["LOC"]]
    rows = [
        {"text": f"row {at}", "spans": [{"start": 4 * start, "end": 4 * start + 1, "label": kind} for start, kind in enumerate(one)]}
        for at, one in enumerate(kinds)
    ]
    lines = [json.dumps(prediction_line(at, "a.conll", row, {"spans": []})) + "\n" for at, row in enumerate(rows)]
    folder = RunFolder(tmp_path)
    folder.predictions_file.write_text("".join(lines), encoding="utf-8")
    found = examples(tasks.get("token-classification"), {}, folder)
    assert [record["text"] for record in found] == [f"row {at}" for at in (1, 4, 6, 2, 5, 0)]


def test_a_picture_that_is_gone_is_no_example(tmp_path: Path) -> None:
    from weitiao.deploy.demo.examples import examples

    line = prediction_line(1, "a.csv", {"text": "a", "image": str(tmp_path / "gone.png"), "label": "true"}, {"label": "true"})
    RunFolder(tmp_path).predictions_file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    (found,) = examples(tasks.get("image-text-classification"), SPEC, RunFolder(tmp_path))
    assert found["image"] == str(sample.PICTURE)


@pytest.mark.parametrize(
    ("prediction", "shown"),
    [
        ({"label": "<b>", "score": 0.75, "probabilities": {"<b>": 0.75, "c": 0.25}}, ["&lt;b&gt;", "0.750", "0.250"]),
        ({"labels": [], "probabilities": {"a": 0.1}}, ["none of the labels", "0.100"]),
        ({"spans": [{"start": 0, "end": 3, "label": "<i>", "text": "Ann"}]}, ["Ann <b>&lt;i&gt;</b>", "Found: 1"]),
        ({"spans": []}, ["Ann &amp; Bob", "nothing found"]),
        ({"answer": "", "score": 0.5, "start": None, "end": None}, ["no answer"]),
        ({"value": float("nan")}, ["nan"]),
        ({"keywords": []}, ["nothing found"]),
        ({"text": ""}, ["nothing written"]),
        ({"strange": ["<u>"]}, ["&lt;u&gt;"]),
    ],
)
def test_answers_are_drawn_by_what_they_hold(prediction: dict[str, Any], shown: list[str]) -> None:
    from weitiao.deploy.demo.answers import answer_html

    page = answer_html({"text": "Ann & Bob"}, prediction)
    assert all(part in page for part in shown), page


def test_what_overlaps_is_marked_once() -> None:
    from weitiao.deploy.demo.answers import pieces

    spans = [{"start": 0, "end": 5, "label": "A"}, {"start": 3, "end": 8, "label": "B"}, {"start": 6, "end": 9, "label": "C"}]
    assert [(one["text"], one["label"]) for one in pieces("012345678", spans)] == [("01234", "A"), ("5", None), ("678", "C")]


def test_whoever_came_first_is_next() -> None:
    from weitiao.deploy.demo.turns import Turns

    turns, order = Turns(), list[int]()
    threads = []
    with turns:
        for number in range(3):
            threads.append(threading.Thread(target=lambda number=number: _take(turns, order, number)))
            threads[-1].start()
            while turns._last < number + 2:  # until it stands in line
                pass
        turns.let_others()  # all three, who came before
        order.append(9)
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 9]


def _take(turns: Any, order: list[int], number: int) -> None:
    with turns:
        order.append(number)


def test_every_thread_speaks_its_own_language() -> None:
    from weitiao.deploy.demo.answers import answer_html

    said: dict[str, str] = {}

    def speak(language: str) -> None:
        with speaking(language):
            said[language] = answer_html({}, {"text": ""})

    threads = [threading.Thread(target=speak, args=(language,)) for language in ("zh", "en")]
    for thread in threads:
        thread.start()
        thread.join()
    assert "nothing written" in said["en"] and "nothing written" not in said["zh"]


def test_where_a_model_lies_is_nobodys_business(tmp_path: Path) -> None:
    from weitiao.deploy.demo.about import about_html, next_html

    task, name = tasks.get("text-classification"), str(tmp_path / "mine")
    record = {
        "base_model": {"id": f"{tmp_path}/base", "source": "folder"},
        "evaluation": {"rows": 5, "split": "test", "headline": "f1_macro"},
    }
    record["evaluation"] |= {"metrics": {"f1_macro": 0.5, "accuracy": 0.75}, "intervals": {"accuracy": [0.7, 0.8]}}
    page = about_html(name, task, SPEC, record) + next_html(name, task, SPEC, ())
    assert str(tmp_path) not in page
    assert "0.750 <small>[0.700 – 0.800]</small>" in page and "5 rows that it never saw" in page and "weitiao serve mine" in page


@pytest.mark.parametrize(
    ("task", "flags", "command"),
    [
        (
            "zero-shot-classification",
            ("--labels", "a,b"),
            "weitiao predict offline &#39;your text&#39; --task zero-shot-classification --labels a,b",
        ),
        ("text-generation", (), "weitiao chat offline<"),
    ],
)
def test_the_commands_that_go_on_say_everything_once(task: str, flags: tuple[str, ...], command: str) -> None:
    from weitiao.deploy.demo.about import next_html

    assert command in next_html("offline", tasks.get(task), {}, ("--task", task, *flags))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run."""
    import weitiao
    from tests.conftest import make_model, sentences, write_csv

    folder = tmp_path_factory.mktemp("run")
    data = write_csv(folder / "reviews.csv", list(sentences(60)))
    weitiao.train(str(data), model=str(make_model(folder / "tiny")), out=str(folder / "mine"), epochs=1, max_length=32, threads=1)
    return folder / "mine"


def test_the_page_of_an_export_comes_without_torch_and_goes_with_ctrl_c(run: Path, tmp_path: Path) -> None:
    from weitiao.deploy.export import export

    export(str(run), "onnx", str(tmp_path / "onnx"))
    (tmp_path / "tmp").mkdir()
    code = "import sys; sys.modules['torch'] = sys.modules['transformers'] = None; from weitiao.__main__ import main; main()"
    words = ["-c", code, "demo", str(tmp_path / "onnx"), "--port", "0"]
    with running(words, tmp_path / "log", TMPDIR=str(tmp_path / "tmp")) as server:
        with server.client() as client:
            reply = client.get("/")
            assert reply.status_code == 200
            assert "default-src 'self'" in reply.headers["content-security-policy"]
            assert client.get("/config").json()["analytics_enabled"] is False
            for path in ("/etc/passwd", str(run / "run.json")):
                assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)
        assert list((tmp_path / "tmp").iterdir())
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0, server.said()
    assert "Traceback" not in server.said()
    assert list((tmp_path / "tmp").glob("weitiao-demo-*")) == []


def test_a_port_in_use_is_said_with_the_next_free_one(run: Path, command: Callable[..., Outcome]) -> None:
    with socket.socket() as taken, socket.socket() as also:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        try:
            also.bind(("127.0.0.1", port + 1))
            also.listen()
        except OSError:
            pytest.skip("the next port is taken by somebody else")
        outcome = command("demo", str(run), "--port", str(port))
    assert outcome.code == 2
    assert f"Port {port} of 127.0.0.1 is in use" in outcome.err and f"--port {port + 1}," not in outcome.err


def test_without_gradio_the_command_that_installs_it_is_said(run: Path) -> None:
    code = "import sys; sys.modules['gradio'] = None; from weitiao.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "demo", str(run)], capture_output=True, text=True, env={**os.environ, "WEITIAO_LANG": "en"}
    )
    assert done.returncode == 2 and 'pip install "weitiao[demo]"' in done.stderr


def test_sharing_without_a_network_is_said(
    run: Path, command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from gradio import networking

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(networking, "GRADIO_API_SERVER", "http://127.0.0.1:9/nobody")
    outcome = command("demo", str(run), "--port", "0", "--share")
    assert outcome.code == 5 and "No public address could be had" in outcome.err and "--host 0.0.0.0" in outcome.err
    assert list(tmp_path.iterdir()) == []
