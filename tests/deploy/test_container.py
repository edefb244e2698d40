"""``weitiao export --to docker``: the folder, and the steps of its Dockerfile done outside a container, since no engine is at hand."""

import base64
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.deploy.containers import Image, ignored, instructions
from tests.deploy.test_serve import trained
from tests.own_tasks import PLAIN, QUICK, written
from weitiao.deploy.container import pinned
from weitiao.deploy.container.folder import _service_name
from weitiao.deploy.export import export
from weitiao.errors import MissingPackage, ModelError, RunError
from weitiao.runs import RunFolder

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    folder = tmp_path_factory.mktemp("run")
    data = write_csv(folder / "reviews.csv", list(sentences(60)))
    return weitiao.train(str(data), model=str(make_model(folder / "base")), out=str(folder / "my run"), **QUICK)


@pytest.fixture(scope="module")
def folder(run: weitiao.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("container") / "folder"
    made = export(run.path, "docker", out)
    assert (made["to"], made["form"], made["torch"]) == ("docker", "onnx", False) and made["equal"] == 1.0
    return out


@pytest.mark.parametrize("online", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["links", "index"])
def test_its_steps_make_a_service(online: bool, run: weitiao.Run, folder: Path, tmp_path: Path) -> None:
    image = Image(folder, tmp_path / "root", online)
    (tmp_path / "root").mkdir()
    image.build()
    assert image.told["USER"] == "10001:10001" and image.told["STOPSIGNAL"] == "SIGTERM" and image.told["EXPOSE"] == "8000"
    with image.running(tmp_path / "log") as server, server.client() as client:
        port = str(urlsplit(server.url).port)
        assert client.get("/health").json() == {"status": "alive"} and image.healthy(port)
        answer = client.post("/predict", json={"text": "a lovely day"}).json()
        assert answer["label"] == run.predict(["a lovely day"])[0]["label"]
        assert client.get("/info").json()["models"][0]["name"] == "my-run"
        assert server.stop() == 0
        assert not image.healthy(port)
    assert "Traceback" not in server.said()


def test_it_holds_what_it_needs_and_the_image_no_row_of_the_data(folder: Path) -> None:
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {"Dockerfile", "compose.yaml", ".dockerignore", "README.md", "requirements.txt", "run/run.json", "run/model/model.onnx"} <= names
    kept = {name for name in names if not ignored(folder, folder / name)}
    assert "run/predictions.jsonl" in names - kept and {"run/run.json", "run/model/tokenizer.json", "requirements.txt"} <= kept
    lines = (folder / "requirements.txt").read_text().split()
    packages = {line.partition("==")[0] for line in lines}
    assert all("==" in line for line in lines) and {"onnxruntime", "fastapi", "uvicorn", "tokenizers"} <= packages
    assert not packages & {"torch", "transformers", "weitiao", "pytest"}
    said = [word for word, _rest in instructions(folder / "Dockerfile")]
    assert said.index("USER") < said.index("CMD") and "HEALTHCHECK" in said and "TORCH" not in (folder / "Dockerfile").read_text()
    assert str(folder.parent) not in "".join((folder / name).read_text() for name in ("Dockerfile", "compose.yaml", "README.md"))


def test_the_compose_file(folder: Path) -> None:
    ((name, service),) = yaml.safe_load((folder / "compose.yaml").read_text())["services"].items()
    assert name == "my-run" and service["ports"] == ["127.0.0.1:${PORT:-8000}:8000"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"]
    # What is commented out is right as well.
    text = (folder / "compose.yaml").read_text().replace("    # environment", "    environment").replace("    # command", "    command")
    with_key = yaml.safe_load(text)["services"]["my-run"]
    assert with_key["command"][-2:] == ["--api-key-env", "SERVICE_KEY"] and with_key["environment"] == {"SERVICE_KEY": "${SERVICE_KEY:?}"}


def test_the_wheel_is_one(folder: Path) -> None:
    (file,) = (folder / "wheels").iterdir()
    with zipfile.ZipFile(file) as wheel:
        assert wheel.testzip() is None
        (record,) = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD")]
        listed = dict(line.split(",", 1) for line in wheel.read(record).decode().splitlines())
        assert listed.keys() == set(wheel.namelist())
        for name in ("weitiao/__init__.py", "weitiao/deploy/server/docs.html", "weitiao/messages/zh/LC_MESSAGES/weitiao.mo"):
            digest = base64.urlsafe_b64encode(hashlib.sha256(wheel.read(name)).digest()).rstrip(b"=").decode()
            assert listed[name] == f"sha256={digest},{wheel.getinfo(name).file_size}"
        assert b"weitiao.__main__:main" in wheel.read(record.replace("RECORD", "entry_points.txt"))


def test_the_command_and_an_export_that_is_put_into_a_container(run: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    out, onnx = str(tmp_path / "out"), tmp_path / "onnx"
    export(run.path, "onnx", onnx)
    done = command("export", str(onnx), "--to", "docker", "--out", out)
    assert done.code == 0 and "without PyTorch" in done.out and "docker compose" in done.err, done.err
    again = command("export", str(onnx), "--to", "docker", "--out", out)
    assert again.code == 7 and "exists already" in again.err
    assert command("export", str(onnx), "--to", "docker", "--out", out, "--overwrite").code == 0
    (onnx / "model" / "tokenizer.json").write_text("{}")
    swapped = command("export", str(onnx), "--to", "docker", "--out", out, "--overwrite")
    assert swapped.code == 7 and "is not what was exported" in swapped.err


def test_somebodys_folder_is_left_alone(run: weitiao.Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="left alone"):
        export(run.path, "docker", tmp_path / "mine", overwrite=True)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_model_that_writes_takes_torch_along(tmp_path: Path) -> None:
    writer = trained(tmp_path, "text-generation", "llama")
    made = export(writer, "docker", tmp_path / "out")
    assert (made["form"], made["torch"]) == ("merged", True)
    lines = (tmp_path / "out" / "requirements.txt").read_text().split()
    assert any(line.startswith("torch==") for line in lines) and not any("+" in line or line.startswith("nvidia") for line in lines)
    text = (tmp_path / "out" / "Dockerfile").read_text()
    assert "download.pytorch.org/whl/cpu" in text and '--extra-index-url "$TORCH_INDEX_URL"' in text


def test_a_task_of_somebodys_own_is_trusted_in_its_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    data = write_csv(tmp_path / "rows.csv", list(sentences(60)))
    model = str(make_model(tmp_path / "base"))
    made = weitiao.train(str(data), task=written(tmp_path, PLAIN), model=model, out=str(tmp_path / "own"), **QUICK)
    export(made.path, "docker", tmp_path / "out")
    command = json.loads(dict(instructions(tmp_path / "out" / "Dockerfile"))["CMD"])
    assert command[-1] == "--trust-task" and list((tmp_path / "out" / "run" / "task").glob("*.py"))


def test_a_run_that_does_not_answer_is_no_container(run: weitiao.Run, tmp_path: Path) -> None:
    gone = Path(shutil.copytree(run.path, tmp_path / "gone"))
    (gone / "model" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights"):
        export(gone, "docker", tmp_path / "out")
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_without_what_serves_the_command_is_named(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pinned.distribution

    def without(name: str) -> object:
        if name == "uvicorn":
            raise pinned.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(pinned, "distribution", without)
    with pytest.raises(MissingPackage, match=r'uvicorn, which is not installed here.*pip install "weitiao\[serve\]"'):
        export(run.path, "docker", tmp_path / "out")


@pytest.mark.parametrize(("name", "service"), [("reviews", "reviews"), ("好评", "model"), ("a/../B c", "b-c"), ("<script>", "script")])
def test_any_name_becomes_one_for_addresses(name: str, service: str) -> None:
    assert _service_name(RunFolder(name)) == service
