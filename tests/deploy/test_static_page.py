"""The static page in Chromium: every kind of answer as Python gives it, what the gate must catch, and what strangers may send."""

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import CHROMIUM, Browser
from tests.browser import window as window
from weitiao import tasks
from weitiao.deploy.space.folder import write_space
from weitiao.deploy.space.kinds import possible
from weitiao.deploy.space.sending import publish_space
from weitiao.deploy.space.static import chromium, folder, runtime, trial
from weitiao.deploy.space.static.serving import Served, served
from weitiao.deploy.space.static.weights import small
from weitiao.errors import GateError, MissingPackage, ModelError

pytest.importorskip("onnx")
pytest.importorskip("weitiao_web", reason="the package weitiao-web is not installed (pip install weitiao[space])")
from tests.deploy.static_pages import CASES, STEEP, exported, table

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
    assert told["sdk"] == "static" and told["weights"] == 8 and "index.html" in told["files"]
    found = trial.try_out(page, made)
    assert found["labels_equal"] == 1.0 and found["difference"] <= trial.APART
    assert found["hard"] >= len(trial.HARD) and found["isolated"] and found["transferred"] > 3_000_000
    assert str(tmp_path) not in "".join(file.read_text(errors="replace") for file in page.glob("*.js*"))


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
    with pytest.raises(GateError, match=r"17 of 17 answers differ") as caught:
        trial.try_out(copied, plain[0])
    assert caught.value.exit_code == 8


@needs_chromium
@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        ("decode.js", "Math.exp(value - most)", "Math.exp(0.9 * (value - most))", "answers differ"),
        ("tokenizer.js", "const room = maxLength -", "const room = -1 + maxLength -", "answers differ"),
        ("page.js", "let latest = 0;", "let latest = 0; fetch('https://example.org/');", "asks other hosts, or complains: connect-src"),
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
    made = write_space(plain[0], tmp_path / "space", sdk="static", title="Good\n or bad?")
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


def test_the_runtime_is_the_one_that_was_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runtime.SHA256, runtime.MODULE, "0" * 64)
    with pytest.raises(ModelError, match="not genuine"):
        runtime.files()
    monkeypatch.setattr(runtime, "PACKAGE", "weitiao_no_such")
    with pytest.raises(MissingPackage, match=r"weitiao\[space\]"):
        runtime.files()


def test_small_weights_are_near_and_small(plain: tuple[Path, Path], tmp_path: Path) -> None:
    graph = plain[0] / "model" / "model.onnx"
    assert small(graph, tmp_path / "small.onnx") >= 5
    assert (tmp_path / "small.onnx").stat().st_size < 0.7 * graph.stat().st_size
    assert gzip.decompress((plain[1] / "model.onnx.gz").read_bytes()) == (tmp_path / "small.onnx").read_bytes()


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
