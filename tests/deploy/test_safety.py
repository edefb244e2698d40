"""What strangers and accidents do to exports and servers, beyond single requests: swapped files, enormous texts, taken ports; and that no
secret of the environment ends up in anything that is written.
"""

import io
import json
import re
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.deploy.servers import running
from tests.own_tasks import QUICK
from weitiao.deploy.export import export
from weitiao.deploy.space.folder import write_space

pytest.importorskip("onnx")
# What a machine's environment holds that is nobody else's business.
SECRETS = {
    "HF_TOKEN": "hf_never_to_be_seen_1",
    "SERVICE_KEY": "key-never-to-be-seen-2",
    "HTTPS_PROXY": "http://ann:never-to-be-seen-3@proxy.example:1",
    "HF_ENDPOINT": "https://ann:never-to-be-seen-4@hub.example",
    "AWS_SECRET_ACCESS_KEY": "never-to-be-seen-5",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that is written of a run, while the environment holds secrets."""
    folder = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        data = write_csv(folder / "reviews.csv", [(text, f"<script>{label}</script>") for text, label in sentences(60)])
        run = weitiao.train(str(data), model=str(make_model(folder / "base")), out=str(folder / "run"), offline=True, **QUICK)
        export(run.path, "onnx", folder / "onnx", offline=True)
        export(folder / "onnx", "docker", folder / "container")
        for kind in ("gradio", "docker"):
            write_space(folder / "onnx", folder / f"{kind}-space", sdk=kind)
        run.write_report()
        words = ["-m", "weitiao", "serve", str(folder / "onnx"), "--port", "0", "--api-key-env", "SERVICE_KEY", "--log-texts"]
        with running(words, folder / "server.log") as server, server.client() as client:
            key = {"Authorization": f"Bearer {SECRETS['SERVICE_KEY']}"}
            answered = client.post("/predict", json={"text": "a lovely day"}, headers=key)
            refused = client.post("/predict", json={"text": "a"}, headers={"Authorization": "Bearer never-to-be-seen-6"})
            assert (answered.status_code, refused.status_code) == (200, 401)
            (folder / "metrics.txt").write_text(client.get("/metrics", headers=key).text + client.get("/info", headers=key).text)
            assert server.stop() == 0
    return folder


def test_no_secret_is_in_any_written_file(place: Path) -> None:
    files = [file for file in place.rglob("*") if file.is_file()]
    assert {"run.json", "README.md", "report.html", "compose.yaml", "server.log", "log.jsonl", "app.py", "space.json"} <= {
        file.name for file in files
    }
    for file in files:
        content = file.read_bytes()
        assert b"never-to-be-seen" not in content and b"never_to_be_seen" not in content, file


def test_labels_and_texts_that_are_html_are_text_everywhere(place: Path, command: Callable[..., Outcome]) -> None:
    assert "<script>good</script>" not in (place / "run" / "report.html").read_text(encoding="utf-8")
    # In Markdown, what stands between backticks is shown as it is.
    card = re.sub("`[^`\n]*`", "", (place / "onnx" / "README.md").read_text(encoding="utf-8"))
    assert "<script>" not in card
    html = place / "answer.html"
    done = command("explain", str(place / "onnx"), "<img src=x onerror=alert(1)> a lovely day", "--html", str(html))
    assert done.code == 0 and "<img src=x" not in html.read_text(encoding="utf-8")


def swapped_tokenizer(folder: Path) -> None:
    file = folder / "model" / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace("lovely", "lovelier"), encoding="utf-8")


def swapped_weights(folder: Path) -> None:
    with (folder / "model" / "model.onnx").open("r+b") as file:
        file.seek(-9, io.SEEK_END)
        file.write(b"\xff")


@pytest.mark.parametrize("damage", [swapped_tokenizer, swapped_weights, lambda folder: (folder / "model" / "model.onnx").unlink()])
@pytest.mark.parametrize("verb", ["serve", "evaluate", "explain"])
def test_a_swapped_export_is_refused_by_every_verb(
    verb: str, damage: Callable[[Path], None], place: Path, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    copy = Path(shutil.copytree(place / "onnx", tmp_path / "copy"))
    damage(copy)
    rest = {"serve": ["--port", "0"], "evaluate": [str(place / "reviews.csv")], "explain": ["a lovely day"]}[verb]
    refused = command(verb, str(copy), *rest)
    assert refused.code == 7 and str(copy) in refused.err and "Traceback" not in refused.err and not refused.out.strip()


def test_a_record_that_leads_out_of_its_folder_is_not_followed(place: Path, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    copy = Path(shutil.copytree(place / "onnx", tmp_path / "copy"))
    (tmp_path / "evil.py").write_text("raise SystemExit('I ran')\n")
    record = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**record, "task_file": {"path": "../evil.py", "sha256": "0" * 64}}))
    refused = command("predict", str(copy), "a lovely day", "--trust-task")
    assert refused.code != 0 and "I ran" not in refused.err + refused.out


def test_a_port_that_is_taken_is_said_by_the_command(place: Path, command: Callable[..., Outcome]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = command("serve", str(place / "onnx"), "--port", str(port))
    offered = re.findall(r"--port (\d+)", refused.err)
    assert refused.code == 2 and offered and str(port) not in offered


def test_a_text_of_ten_megabytes_is_cut_and_said(place: Path, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    large = "a lovely day " * 800_000
    data, out = write_csv(tmp_path / "large.csv", [(large, "x"), ("a sad day", "y")]), tmp_path / "out.jsonl"
    done = command("predict", str(place / "onnx"), "--file", str(data), "--out", str(out))
    assert done.code == 0 and "1 of 2 rows are longer" in done.err.replace("\n", " "), done.err
    assert len(out.read_text().splitlines()) == 2


def test_standard_input_that_is_no_text_is_refused(place: Path, command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"fine\n\xff\xfe\x00broken\n"), encoding="utf-8"))
    refused = command("predict", str(place / "onnx"))
    assert refused.code == 3 and "line 2" in refused.err
