"""``weitiao export --to docker``: the folder, and the steps of its Dockerfile done outside a container, since no engine is at hand."""

import base64
import hashlib
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import TypeAdapter

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.deploy.containers import Image, ignored, instructions
from tests.deploy.test_serve import trained
from tests.own_tasks import PLAIN, QUICK, written
from tests.tasks.contract import SMALL
from tests.tasks.test_translation import PAIRS
from weitiao import tasks
from weitiao.deploy import writing
from weitiao.deploy.container import pinned
from weitiao.deploy.container.folder import _fill, _service_name
from weitiao.deploy.export import export
from weitiao.deploy.server.schemas import record_model
from weitiao.deploy.server.served import Served
from weitiao.engine.architectures import ARCHITECTURES
from weitiao.engine.blank import write_blank
from weitiao.errors import MissingPackage, ModelError, RunError
from weitiao.observer import Observer
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
    assert ("COPY", "--chmod=755 run/ run/") in instructions(folder / "Dockerfile")  # its user must not change the model
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
    (onnx / "extra.csv").write_text("somebody's rows")
    assert command("export", str(onnx), "--to", "docker", "--out", out, "--overwrite").code == 0
    assert {file.name for file in (tmp_path / "out" / "run").iterdir()} == {
        "run.json",
        "README.md",
        "model",
        "check.json",
        "predictions.jsonl",
    }
    (onnx / "model" / "tokenizer.json").write_text("{}")
    swapped = command("export", str(onnx), "--to", "docker", "--out", out, "--overwrite")
    assert swapped.code == 7 and "is not what was exported" in swapped.err


def test_somebodys_folder_is_left_alone(run: weitiao.Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="left alone"):
        export(run.path, "docker", tmp_path / "mine", overwrite=True)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_folder_inside_the_export_that_is_put_into_it(run: weitiao.Run, tmp_path: Path) -> None:
    onnx = tmp_path / "onnx"
    export(run.path, "onnx", onnx)
    export(onnx, "docker", onnx / "container")
    export(onnx, "docker", onnx / "container", overwrite=True)
    assert not (onnx / "container" / "run" / "container").exists()
    with pytest.raises(RunError, match="lies in the folder that is put into it"):
        export(onnx, "docker", onnx / "model" / "container")
    assert not list(onnx.glob("model/*container*"))


def test_what_is_put_beside_the_run_stays_out_of_the_image(folder: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(folder, tmp_path / "folder"))
    for name in ("extra.csv", "run/extra.csv", "run/int8.json", "run/check.json"):
        (mine / name).write_text("somebody's rows")
        assert ignored(mine, mine / name)


def test_files_of_where_one_types_are_not_imported(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = tmp_path / "onnx"
    export(run.path, "onnx", onnx)
    (tmp_path / "tokenizers.py").write_text("raise SystemExit('a stray file')")
    monkeypatch.chdir(tmp_path)
    assert export(onnx, "docker", tmp_path / "out")["torch"] is False


def masked(folder: Path) -> Path:
    return trained(folder, "fill-mask", "bert")


def paired(folder: Path) -> Path:
    data = write_csv(folder / "pairs.csv", [(text, text, label) for text, label in sentences(60)], ("text", "pair", "label"))
    return weitiao.train(str(data), model=str(make_model(folder / "base")), out=str(folder / "paired"), **QUICK).path


def pictured(folder: Path) -> Path:
    return trained(folder, "image-text-classification", "clip")


@pytest.mark.parametrize("train", [masked, paired, pictured])
def test_whatever_a_run_is_asked_the_container_is_asked(train: Callable[[Path], Path], tmp_path: Path) -> None:
    onnx, out = tmp_path / "onnx", tmp_path / "out"
    export(train(tmp_path), "onnx", onnx)
    assert export(onnx, "docker", out)["torch"] is False
    asks_as_the_readme_says(out, tmp_path)
    # Somewhere else: without its rows, or without their pictures.
    rows = onnx / "predictions.jsonl"
    if train is pictured:
        lines = [{**json.loads(line), "image": "/gone/picture.png"} for line in rows.read_text().splitlines()]
        rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        rows.unlink()
    assert export(onnx, "docker", out, overwrite=True)["torch"] is False
    asks_as_the_readme_says(out, tmp_path)


def asks_as_the_readme_says(out: Path, place: Path) -> None:
    """The README's request is one that the service takes and the model answers."""
    (line,) = [line for line in (out / "README.md").read_text().splitlines() if "/predict" in line]
    shutil.copy(weitiao.sample.PICTURE, place / "picture.png")
    shell = f'curl() {{ if [ "${{@: -1}}" = @- ]; then cat; else printf %s "${{@: -1}}"; fi; }}\n{line}'
    sent = subprocess.run(["bash", "-c", shell], cwd=place, capture_output=True, check=True).stdout
    record = RunFolder(out / "run").record()
    task = tasks.get(record["task"])
    asked: dict[str, Any] = TypeAdapter(record_model(Served("a", task, record["spec"]))).validate_json(sent).model_dump()
    if "image" in asked:
        assert base64.b64decode(asked["image"]) == (place / "picture.png").read_bytes()
        asked["image"] = str(place / "picture.png")
    assert len(weitiao.load(out / "run").predict([asked])) == 1


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conversation learned by heart, so that every token is far likelier than the next."""
    folder = tmp_path_factory.mktemp("talk")
    talks = [[{"role": "user", "content": one}, {"role": "assistant", "content": other}] for one, other in PAIRS]
    data = folder / "talks.jsonl"
    data.write_text("".join(json.dumps({"messages": talk}, ensure_ascii=False) + "\n" for talk in talks))
    write_blank(folder / "base", ARCHITECTURES["llama"], [text for pair in PAIRS for text in pair], seed=1, size=SMALL)
    places = {"model": str(folder / "base"), "out": str(folder / "run"), "valid": str(data), "test": "0"}
    few = {**QUICK, "epochs": 30, "batch_size": 4, "lr": 5e-3, "max_length": 48, "max_new_tokens": 10}
    return weitiao.train(str(data), task="text-generation", **places, **few).path


def test_a_model_that_writes_needs_no_torch(talk: Path, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    made = export(talk, "docker", tmp_path / "out")
    assert (made["form"], made["torch"], made["equal"]) == ("ctranslate2", False, 1.0)
    lines = (tmp_path / "out" / "requirements.txt").read_text().split()
    assert any(line.startswith("ctranslate2==") for line in lines)
    assert not any(line.startswith(("torch==", "transformers==", "onnx==")) for line in lines)
    asks_as_the_readme_says(tmp_path / "out", tmp_path)


def test_a_model_that_ctranslate2_does_not_write_takes_torch_along(tmp_path: Path) -> None:
    writer = trained(tmp_path, "summarization", "bart")
    said: list[str] = []
    made = export(writer, "docker", tmp_path / "out", observer=Told(said))
    assert (made["form"], made["torch"]) == ("merged", True)
    assert any("PyTorch has to go along: bart models are not exported" in note for note in said)
    lines = (tmp_path / "out" / "requirements.txt").read_text().split()
    assert any(line.startswith("torch==") for line in lines) and not any("+" in line or line.startswith("nvidia") for line in lines)
    text = (tmp_path / "out" / "Dockerfile").read_text()
    assert "download.pytorch.org/whl/cpu" in text and '--extra-index-url "$TORCH_INDEX_URL"' in text


def test_where_ctranslate2_is_missing_a_model_that_writes_takes_torch_along(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "find_spec", lambda name: None if name == "ctranslate2" else find_spec(name))
    said: list[str] = []
    made = export(talk, "docker", tmp_path / "out", observer=Told(said))
    assert (made["form"], made["torch"]) == ("merged", True)
    assert any('pip install "weitiao[export]"' in note for note in said)


class Told(Observer):
    """Keeps what is told."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def note(self, text: str) -> None:
        self.said.append(text)


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


@pytest.mark.parametrize(
    ("name", "service"),
    [("reviews", "reviews"), ("好评", "model"), ("a/../B c", "b-c"), ("<script>", "script"), (f"{'a' * 59}-b", "a" * 59)],
)
def test_any_name_becomes_one_for_addresses(name: str, service: str) -> None:
    assert _service_name(RunFolder(name)) == service


@pytest.mark.parametrize("service", ["2024", "1e3", "no", "null"])
def test_a_name_that_yaml_reads_otherwise_is_a_name(service: str, tmp_path: Path) -> None:
    names = ("python", "torch_index", "wheel", "command", "locked")
    _fill(tmp_path, {**dict.fromkeys(names, "[]"), "torch": False, "version": "1.0", "service": service})
    ((name, told),) = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"].items()
    assert name == service and told["image"] == f"{service}:1.0"
