"""What strangers send to the demo page past its widgets: files of the machine that they name, files that are programs, and calls that no
page makes; and a page that cannot start.
"""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from weitiao import sample, tasks

gradio = pytest.importorskip("gradio", reason="the package gradio is not installed")

SECRET = "nobody-may-read-this"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>window.hit = 1</script></svg>"


class Echo:
    """A model that says the last thing again; of whatever task."""

    name, folder = "echo", None

    def __init__(self, task: str, spec: dict[str, Any], **record: Any) -> None:
        self.task, self.spec, self.record = tasks.get(task), spec, record
        self.asked: list[Any] = []

    def predictor(self) -> Any:
        return SimpleNamespace(backend=SimpleNamespace(stream=None))

    def stream(self, record: Any) -> Iterator[str]:
        self.asked.append(record)
        yield "I hear you"

    def predict(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Always the same."""
        self.asked += records
        return [{"label": "true"} for _record in records]

    def predict_file(self, file: str, out: Path, **_given: Any) -> dict[str, Any]:
        """Each row as it was."""
        self.asked.append(file)
        out.write_bytes(Path(file).read_bytes())
        return {"rows": 1, "rows_per_s": 1.0}


def chat() -> Echo:
    return Echo("text-generation", {"form": "chat", "max_new_tokens": 9})


def classifier(**record: Any) -> Echo:
    return Echo("text-classification", {"labels": ["bad", "good"], "pair": False}, **record)


def call_of(client: httpx.Client, widget: str) -> int:
    """The first call of the page that is given what stands in a widget."""
    config = client.get("/config").json()
    (number,) = (one["id"] for one in config["components"] if one["props"].get("elem_id") == widget)
    return int(next(one["id"] for one in config["dependencies"] if number in one["inputs"]))


def posted(client: httpx.Client, call: int, data: list[Any]) -> str:
    """All that the page says to a call, as its own script makes it and past the line."""
    body = {"fn_index": call, "session_hash": secrets.token_hex(5), "data": data}
    said = client.post("/gradio_api/run/predict", json=body).text
    joined = client.post("/gradio_api/queue/join", json=body)
    if joined.status_code == 200:
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": body["session_hash"]}) as lines:
            for line in lines.iter_lines():
                said += line
                if "process_completed" in line or "close_stream" in line:
                    break
    return said + joined.text


def named(path: Path) -> dict[str, Any]:
    """A file as gradio's script names one."""
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


def kept() -> list[bytes]:
    """All files that the page keeps for visitors to fetch."""
    return [file.read_bytes() for file in Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*") if file.is_file()]


@pytest.mark.parametrize("within", [False, True], ids=["elsewhere", "where the page was started"])
@pytest.mark.parametrize("kind", ["file", "widget", "named twice"])
def test_a_file_that_a_message_names_is_not_sent_back(kind: str, within: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.deploy.demo_pages import shown

    if within:
        monkeypatch.chdir(tmp_path)
    secret = tmp_path / "secret.csv"
    secret.write_text(SECRET)
    content = {
        "file": {"type": "file", "file": named(secret)},
        "widget": {"type": "component", "component": "file", "value": {"path": str(secret)}, "constructor_args": {}, "props": {}},
        "named twice": {"type": "file", "file": {**named(secret), "url": f"http://127.0.0.1:9/{secret}"}},
    }[kind]
    model = chat()
    with shown(model) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        said = posted(client, call_of(client, "conversation"), ["and?", [{"role": "user", "content": [content]}]])
        assert "file=" not in said and not any(SECRET.encode() in one for one in kept())
    assert all(str(secret) not in json.dumps(one) for one in model.asked)


def test_a_conversation_goes_on_through_the_line_alone() -> None:
    from tests.deploy.demo_pages import shown

    model = chat()
    with shown(model) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        texts = [("user", "a &lt;b&gt;"), ("assistant", "c")]
        before = [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in texts]
        said = posted(client, call_of(client, "conversation"), ["and?", before])
    assert "I hear you" in said and "does not accept direct HTTP POST requests" in said
    (record,) = model.asked
    assert [one["content"] for one in record["messages"]] == ["a <b>", "c", "and?"]


def test_a_table_that_was_not_uploaded_is_not_answered(tmp_path: Path) -> None:
    from tests.deploy.demo_pages import shown

    secret = tmp_path / "secret.csv"
    secret.write_text(f"text\n{SECRET}\n")
    model = classifier()
    with shown(model) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        call = call_of(client, "file")
        said = posted(client, call, [named(secret), ""])
        assert SECRET not in said and "file=" not in said and not any(SECRET.encode() in one for one in kept())
        assert model.asked == []
        (path,) = client.post("/gradio_api/upload", files={"files": ("mine.csv", b"text\nfine\n")}).json()
        assert "mine-predictions.csv" in posted(client, call, [named(Path(path)), ""])


def test_a_picture_that_is_a_program_runs_nowhere() -> None:
    from tests.deploy.demo_pages import shown

    with shown(classifier()) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        (path,) = client.post("/gradio_api/upload", files={"files": ("mine.svg", SVG)}).json()
        posted(client, call_of(client, "file"), [named(Path(path)), ""])
        reply = client.get(f"/gradio_api/file={path}")
        assert reply.content == SVG and reply.headers["content-disposition"].startswith("attachment")
        assert reply.headers["content-security-policy"].endswith("; sandbox")
        assert "sandbox" not in client.get("/").headers["content-security-policy"]


def test_the_pictures_of_examples_are_shown_wherever_they_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tempfile

    from tests.deploy.demo_pages import shown

    monkeypatch.chdir(tmp_path)
    model = Echo("image-text-classification", {"labels": ["true", "false"]})
    with shown(model) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # what lies beside it is nobody's business
        said = posted(client, call_of(client, "examples"), [0])
        assert sample.PICTURE.name in said and sample.PICTURE.read_bytes() in kept()
        assert client.get(f"/gradio_api/file={sample.PICTURE.parent / '__init__.py'}").status_code == 403


def test_a_picture_that_was_not_uploaded_is_not_looked_at(tmp_path: Path) -> None:
    from tests.deploy.demo_pages import shown

    secret = tmp_path / "secret.png"
    secret.write_bytes(sample.PICTURE.read_bytes())
    model = Echo("image-text-classification", {"labels": ["true", "false"]})
    with shown(model) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        call = call_of(client, "input-image")
        for picture in (named(secret), {"path": str(secret)}, {"path": str(secret), "url": "http://127.0.0.1:9/"}):
            posted(client, call, ["a", picture])
        assert model.asked == []
        (path,) = client.post("/gradio_api/upload", files={"files": ("mine.png", secret.read_bytes())}).json()
        assert "true" in posted(client, call, ["a", named(Path(path))])
    assert [Path(one["image"]).name for one in model.asked] == ["mine.png"]


@pytest.mark.parametrize(("to", "there"), [("ctranslate2-int8", False), ("onnx", True), ("", True)])
def test_what_cannot_be_explained_has_no_tab_that_explains(to: str, there: bool) -> None:
    from weitiao.deploy.demo.page import Page

    widgets = {getattr(one, "elem_id", None) for one in Page(classifier(**({"export": {"to": to}} if to else {}))).blocks.blocks.values()}  # type: ignore[arg-type]
    assert "ask" in widgets and ("explain" in widgets) is there


def test_a_page_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from weitiao.deploy.demo import running
    from weitiao.errors import ResourceError

    def fail(_blocks: Any) -> None:
        raise RuntimeError("no such thread")

    monkeypatch.setattr(gradio.Blocks, "run_startup_events", fail)
    heard: list[str] = []
    with pytest.raises(ResourceError, match="could not be started"):
        running.serve(classifier, "127.0.0.1", 0, started=lambda url, _public: heard.append(url), warn=heard.append)  # type: ignore[arg-type,return-value]
    assert heard == [] and "no such thread" in caplog.text
