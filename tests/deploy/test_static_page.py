"""The static page in Chromium: every kind of answer as Python gives it, what the gate must catch, and what strangers may send."""

import gzip
import json
import os
import re
import select
import shutil
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.browser import CHROMIUM, Browser
from tests.browser import window as window
from weitiao import tasks
from weitiao.deploy.runtime import open_session
from weitiao.deploy.space.folder import write_space
from weitiao.deploy.space.kinds import possible
from weitiao.deploy.space.sending import publish_space
from weitiao.deploy.space.static import chromium, folder, runtime, trial
from weitiao.deploy.space.static.serving import Served, served
from weitiao.deploy.space.static.weights import small
from weitiao.errors import GateError, MissingPackage, ModelError
from weitiao.runs import RunFolder, prediction_line, write_lines

pytest.importorskip("onnx")
pytest.importorskip("weitiao_web", reason="the package weitiao-web is not installed (pip install weitiao[space])")
from tests.deploy.static_pages import CASES, SPORTS, STEEP, TEXTS, exported, table

WHEELS = [*(Path(__file__).parents[2] / "packages").glob("*.whl")]
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed (on Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An export, and its page."""
    place = tmp_path_factory.mktemp("plain")
    made, page = exported(CASES["one label"], place), place / "page"
    page.mkdir()
    folder.write(made, page)
    return made, page


@pytest.fixture
def copied(plain: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the page, to be damaged."""
    return Path(shutil.copytree(plain[1], tmp_path / "page"))


@pytest.fixture
def shown(plain: tuple[Path, Path]) -> Iterator[Served]:
    with served({"/some/where/": plain[1]}) as server:
        yield server


@needs_chromium
@pytest.mark.parametrize("name", CASES)
def test_the_page_answers_as_python_does(name: str, tmp_path: Path) -> None:
    made, page = exported(CASES[name], tmp_path), tmp_path / "page"
    page.mkdir()
    told = folder.write(made, page)
    assert told["sdk"] == "static" and "index.html" in told["files"]
    # Random weights find entities by a hair: 8 bits may lose one in a hundred, and then the page carries all 32.
    assert told["weights"] in ({8, 32} if tasks.get(CASES[name].task).finds else {8})
    found = trial.try_out(page, made)
    assert found["labels_equal"] == 1.0 and found["difference"] <= trial.APART
    assert found["hard"] >= len(trial.HARD) and found["isolated"] and found["transferred"] > 3_000_000
    assert str(tmp_path) not in "".join(file.read_text(errors="replace") for file in page.glob("*.js*"))


@needs_chromium
def test_rows_that_no_page_reads_are_counted_apart(tmp_path: Path) -> None:
    pytest.importorskip("jieba")
    case, chinese = CASES["keywords"]._replace(latin=False), ["微调一个模型，很简单。", "这家酒店很好。"]
    made = exported(case, tmp_path, [*chinese[:1], *(text for text in TEXTS if "微" not in text), "a sunny day " * 9000])
    (tmp_path / "page").mkdir()
    folder.write(made, tmp_path / "page")
    found = trial.try_out(tmp_path / "page", made)
    assert (found["rows"], found["refused"], found["too_long"]) == (5, 1, 1)
    RunFolder(made).predictions_file.unlink()
    lines = [
        prediction_line(number, "made.jsonl", {"text": text, "keywords": ["a"]}, {}) for number, text in enumerate([*chinese, TEXTS[0]])
    ]
    write_lines(RunFolder(made).predictions_file, lines)
    with pytest.raises(GateError, match=r"2 of 3 held-out rows have Chinese.*--sdk gradio"):
        trial.try_out(tmp_path / "page", made)


def test_every_kind_that_a_task_declares_is_one_that_the_page_has() -> None:
    for side in ("encode", "decode"):
        script = (folder.PAGE / f"{side}.js").read_text(encoding="utf-8")
        known = set(re.findall(r"^  (\w+)[(:]", script.partition(f"{side.upper()}RS = {{")[2], re.MULTILINE))
        declared = {tasks.get(case.task).in_browser(case.spec)[side]["kind"] for case in CASES.values()}  # type: ignore[index]
        assert declared == known
    specs = {case.task: case.spec for case in CASES.values()}
    for task in tasks.all_tasks().values():
        assert bool(folder.refusal(task, {"spec": specs.get(task.name, {})})) == (task.name not in specs)


def test_what_cannot_be_true_in_a_browser_is_refused_by_name(plain: tuple[Path, Path], tmp_path: Path) -> None:
    class Mine(type(tasks.get("text-classification"))):  # type: ignore[misc]
        name = "mine"

        def decode(self, *given: Any) -> dict[str, Any]:
            return {}

    spec = CASES["one label"].spec
    assert "a way of its own" in folder.refusal(Mine(), {"spec": spec})
    rounded = {"spec": spec, "export": {"to": "onnx-int8"}}
    keywords = {"spec": {"top_k": 5, "diversity": 0.2}, "data": {"language": "zh"}}
    assert "in a language (zh)" in folder.refusal(tasks.get("keyword-extraction"), keywords)
    kinds, why = possible("", "huggingface", tasks.get("keyword-extraction"), keywords)
    assert kinds[0].name == "gradio" and "in a language (zh)" in why
    assert not folder.refusal(tasks.get("keyword-extraction"), {**keywords, "data": {"language": "en"}})
    assert "onnx-int8 rounds" in folder.refusal(tasks.get("text-classification"), rounded)
    changed = Path(shutil.copytree(plain[0], tmp_path / "changed"))
    file = changed / "model" / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"normalizer": {"type": "NFKC"}}))
    record = json.loads((changed / "run.json").read_text())
    record["export"]["sha256"] = {}
    (changed / "run.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="a normalizer of the kind NFKC"):
        folder.write(changed, tmp_path)


@needs_chromium
def test_labels_that_changed_places_are_caught(plain: tuple[Path, Path], copied: Path) -> None:
    told = table(copied)
    told["decode"]["labels"].reverse()
    (copied / "task.json").write_text(json.dumps(told))
    with pytest.raises(GateError, match=r"21 of 21 answers differ") as caught:
        trial.try_out(copied, plain[0])
    assert caught.value.exit_code == 8


@needs_chromium
@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        ("decode.js", "Math.exp(value - most)", "Math.exp(0.9 * (value - most))", "answers differ"),
        ("tokenizer.js", "const room = maxLength -", "const room = -1 + maxLength -", "answers differ"),
        ("page.js", "let latest = 0;", "let latest = 0; fetch('https://example.org/');", "asks other hosts, or complains: connect-src"),
        ("answers.js", "export function drawn(prediction, record, say) {", "export function drawn() { return x;", "x is not defined"),
        ("answers.js", "headed(label, score)", "headed(label)", "does not show the answer"),
        ("files.js", "export async function large", "export async function small", "does not open"),
    ],
)
def test_a_damaged_script_is_caught(file: str, right: str, wrong: str, said: str, plain: tuple[Path, Path], copied: Path) -> None:
    script = (copied / file).read_text(encoding="utf-8")
    assert right in script
    (copied / file).write_text(script.replace(right, wrong), encoding="utf-8")
    with pytest.raises(GateError, match=said):
        trial.try_out(copied, plain[0])


def test_a_title_stands_above_the_page(plain: tuple[Path, Path], tmp_path: Path) -> None:
    assert table(plain[1])["name"].startswith("mine")  # as its run
    made = write_space(plain[0], tmp_path / "space", sdk="static", title="Good\n or bad?").about
    assert made["title"] == table(tmp_path / "space")["name"] == "Good or bad?"


def test_without_chromium_the_package_is_named(plain: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "NAMES", ())
    monkeypatch.setattr(chromium, "PLACES", ())
    monkeypatch.delenv(chromium.NAMED, raising=False)
    with pytest.raises(MissingPackage, match=r"apt-get install chromium.*--sdk gradio"):
        trial.try_out(plain[1], plain[0])
    for how in ({"tried": True}, {"tried": True, "sdk": "static"}):
        with pytest.raises(MissingPackage, match="apt-get install chromium"):
            publish_space(plain[0], tmp_path / "space", **how)  # type: ignore[arg-type]
        assert not list(tmp_path.iterdir())  # it was noticed before anything was written, so that the next try finds its place free


def script(place: Path, text: str) -> str:
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)
    return str(place)


@pytest.mark.skipif(sys.platform == "win32", reason="groups of processes are of POSIX")
def test_what_a_browser_started_ends_with_it(tmp_path: Path) -> None:
    pipe, there = tmp_path / "pipe", tmp_path / "there"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    program = script(tmp_path / "chromium", f"exec 3>{pipe}\n(trap '' TERM; sleep 60) &\ntouch {there}\nwait")
    with chromium.opened("about:blank", program) as browser:
        while not there.exists():
            assert browser.process.poll() is None
            time.sleep(0.01)
    assert select.select([end], [], [], 20)[0] and os.read(end, 1) == b""  # nobody holds the other end any more
    os.close(end)


def test_nothing_is_said_of_a_browser_that_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    with served({}, {"/a": b"x"}) as server:
        host, port = server.url.split("/")[2].split(":")
        with socket.create_connection((host, int(port))) as gone:  # in the middle of a request, and without a word
            gone.sendall(b"GET /a HTT")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert httpx.get(f"{server.url}a", trust_env=False).text == "x"
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:
                thread.join(10)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="the script is one of sh")
def test_the_browsers_own_reason_is_told(plain: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chromium.NAMED, script(tmp_path / "chromium", "echo 'libnss3.so: no such file' >&2\necho >&2\nexit 127"))
    with pytest.raises(GateError, match=r"exit 127\): libnss3\.so: no such file\."):
        trial.try_out(plain[1], plain[0])


def test_the_runtime_is_the_one_that_was_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runtime.SHA256, runtime.MODULE, "0" * 64)
    with pytest.raises(ModelError, match=r"not genuine.*--find-links packages weitiao-web"):
        runtime.files()
    assert runtime.REQUIREMENT.replace("-", "_").replace("==", "-") in {file.name[: -len("-py3-none-any.whl")] for file in WHEELS}
    monkeypatch.setattr(runtime, "PACKAGE", "weitiao_no_such")
    with pytest.raises(MissingPackage, match=r"pip install --find-links packages weitiao-web==0\.1\.0"):
        runtime.files()


def test_small_weights_are_near_and_small(plain: tuple[Path, Path], tmp_path: Path) -> None:
    graph = plain[0] / "model" / "model.onnx"
    assert small(graph, tmp_path / "small.onnx") >= 5
    assert (tmp_path / "small.onnx").stat().st_size < 0.7 * graph.stat().st_size
    assert gzip.decompress((plain[1] / "model.onnx.gz").read_bytes()) == (tmp_path / "small.onnx").read_bytes()


def test_a_table_that_is_read_along_both_axes_stays_one(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    table = np.random.default_rng(1).normal(size=(128, 64)).astype(np.float32)
    at = helper.make_tensor_value_info("at", TensorProto.INT64, [3])
    rows, columns = (helper.make_node("Gather", ["table", "at"], [name], axis=axis) for axis, name in enumerate(("rows", "columns")))
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("rows", "columns")]
    graph = helper.make_graph([rows, columns], "both", [at], told, [numpy_helper.from_array(table, "table")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "both.onnx"))
    assert small(tmp_path / "both.onnx", tmp_path / "small.onnx") == 1
    near = open_session(tmp_path / "small.onnx").run(None, {"at": np.array([5, 0, 63])})
    for found, right in zip(near, (table[[5, 0, 63]], table[:, [5, 0, 63]]), strict=True):
        assert np.abs(found - right).max() < 0.02


def clean(window: Browser, server: Served) -> None:
    assert window.complaints() == []
    assert window.strangers(server.url) == []
    assert window.driver.execute_script("return window.hit") is None


def ready(window: Browser) -> None:
    window.until(lambda: window.one("#ask").is_enabled(), "answering model")


def test_a_visitor_types_and_reads(window: Browser, shown: Served) -> None:
    window.open(f"{shown.url}some/where/index.html")
    assert window.text("h1") == f"mine {STEEP}"
    ready(window)
    assert "never leaves this page" in window.text("#private")
    assert "Apache-2.0" in window.text("#facts") and "8 bits" in window.text("#about")
    window.click("#ask")
    assert window.text("#answer .problem") == "Please fill in the text first."
    window.type("#input-text", f"{STEEP} <script>window.hit = 1</script>")
    window.click("#ask")
    said = window.text("#answer .bars")
    assert STEEP in said and len(window.all("#answer .bars li")) == 4
    window.all("#examples button")[-1].click()
    window.until(lambda: window.one("#input-text").get_attribute("value").startswith("is it <b>"), "example")
    clean(window, shown)
    # It is fetched once.
    first = dict(shown.sent)
    window.open(f"{shown.url}some/where/index.html", "zh-CN")
    ready(window)
    assert window.text("#ask") == "提问" and "不会离开" in window.text("#private")
    assert {name for name, bytes in shown.sent.items() if name.endswith(".gz") and bytes != first[name]} == set()
    clean(window, shown)


def test_labels_are_read_as_they_were_declared(window: Browser, tmp_path: Path) -> None:
    made, page = exported(CASES["nearness"], tmp_path), tmp_path / "page"
    page.mkdir()
    folder.write(made, page)
    with served({"/": page}) as server:
        window.open(server.url)
        ready(window)
        assert "one a line" in window.text("#fields")
        window.type("#input-text", "the day was sunny")
        window.click("#ask")
        window.one("#answer .bars")
        assert {one.text for one in window.all("#answer .bars li span:first-child")} == set(SPORTS)
        window.paste("#input-labels", "rain, and wind\n\n 雪；冰 \nrain, and wind")
        window.click("#ask")
        window.until(lambda: "雪" in window.text("#answer"), "new labels")
        assert {one.text for one in window.all("#answer .bars li span:first-child")} == {"rain, and wind", "雪；冰"}
        window.complaints()


def test_ten_megabytes_are_refused_in_words(window: Browser, shown: Served) -> None:
    window.open(f"{shown.url}some/where/index.html")
    ready(window)
    window.paste("#input-text", "好" * 5_000_000 + "a" * 5_000_000)
    window.click("#ask")
    assert window.text("#answer .problem") == "The text has 10000000 characters; this page reads up to 100000."
    window.paste("#input-text", "the room was lovely")
    window.click("#ask")
    window.one("#answer .bars")
    clean(window, shown)


def test_a_wrong_model_file_is_said(window: Browser, copied: Path) -> None:
    (copied / "model.onnx.gz").write_bytes(gzip.compress(b"no model"))
    with served({"/": copied}) as server:
        window.open(server.url)
        assert "model.onnx.gz is not the file that belongs to this page" in window.text("#problem")
        (copied / "model.onnx.gz").unlink()
        window.open(server.url)
        assert "model.onnx.gz could not be loaded (404)" in window.text("#problem")
        window.complaints()


def test_what_a_browser_keeps_may_be_damaged_and_is_a_pages_own(window: Browser, plain: tuple[Path, Path]) -> None:
    names = "const told = arguments[arguments.length - 1]; caches.keys().then((names) => told(names.sort()));"
    spoil = """
      const told = arguments[arguments.length - 1];
      (async () => {
        const cache = await caches.open((await caches.keys())[0]);
        for (const request of await cache.keys()) await cache.put(request, new Response(new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3])));
      })().then(told);"""
    with served({"/one/": plain[1], "/one@two/": plain[1]}) as server:
        window.open(f"{server.url}one/index.html")
        ready(window)
        window.driver.execute_async_script(spoil)
        before = dict(server.sent)
        window.open(f"{server.url}one/index.html")
        ready(window)
        assert server.sent["/one/model.onnx.gz"] == 2 * before["/one/model.onnx.gz"]
        window.driver.execute_async_script("const told = arguments[0]; caches.open('weitiao /one/ older').then(() => told());")
        for path in ("one@two", "one"):
            window.open(f"{server.url}{path}/index.html")
            ready(window)
        assert server.sent["/one/model.onnx.gz"] == 2 * before["/one/model.onnx.gz"]
        version = table(plain[1])["version"]
        assert window.driver.execute_async_script(names) == [f"weitiao /one/ {version}", f"weitiao /one@two/ {version}"]
        clean(window, server)


def test_the_model_reaches_no_other_host(window: Browser, copied: Path) -> None:
    """A worker of a file would not be bound by the page's policy."""
    script = (copied / "worker.js").read_text(encoding="utf-8")
    (copied / "worker.js").write_text(script + "\nfetch('https://example.org/').catch(() => undefined);\n", encoding="utf-8")
    with served({"/": copied}) as server:
        window.open(server.url)
        ready(window)
        assert any("example.org" in one and "Content Security Policy" in one for one in window.complaints())


@pytest.mark.parametrize("missing", ["WebAssembly", "Worker"])
def test_a_browser_that_cannot_is_told_plainly(missing: str, window: Browser, shown: Served) -> None:
    added = window.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": f"delete globalThis.{missing};"})
    try:
        window.open(f"{shown.url}some/where/index.html", "zh-CN")
        assert missing in window.text("#problem")
        assert not any(name.endswith(".gz") for name in shown.sent)
    finally:
        window.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
