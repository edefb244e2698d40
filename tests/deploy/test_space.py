"""``weitiao space``: what is in the folder of each kind, that it answers as the run does before it is sent anywhere, and what is refused.

A Space is started here with the packages that are installed; ``slow`` is the one that installs its own.
"""

import ast
import json
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import yaml

import weitiao
from tests.browser import Browser
from tests.browser import window as window
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.deploy.test_container import paired, pictured
from tests.deploy.test_container import talk as talk
from tests.deploy.test_serve import trained
from tests.engine.hub_stand_in import HubStandIn
from tests.engine.hub_uploads import Fault
from tests.own_tasks import PLAIN, QUICK, written
from tests.test_own_tasks import elsewhere as elsewhere
from weitiao import tasks
from weitiao.deploy.export import export
from weitiao.deploy.space import metadata, starting
from weitiao.deploy.space.docker.trial import steps
from weitiao.deploy.space.folder import write_space
from weitiao.deploy.space.gradio.folder import requirements
from weitiao.deploy.space.kinds import KINDS, Kind, possible
from weitiao.deploy.space.large_files import attributes
from weitiao.deploy.space.likeness import alike, read_alike
from weitiao.deploy.space.sending import Sending, publish_space
from weitiao.deploy.space.starting import fresh, replied, started, without_secrets
from weitiao.errors import GateError, ModelError, RunError, UsageError
from weitiao.observer import Observer
from weitiao.report.card import metadata as card_head
from weitiao.runs import RunFolder

pytest.importorskip("onnx")
pytest.importorskip("gradio", reason="the package gradio is not installed")

STARTS_ANOTHER = """
import http.server, subprocess, sys
words = "import socket, time; one = socket.create_server(('127.0.0.1', 0)); print(one.getsockname()[1], flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE)
port = child.stdout.readline()
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("", "/") else 404)
        self.end_headers()
        self.wfile.write(port)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""
STEEP = "<script>window.hit = 1</script>"


def present(place: Path, space: Path, installs: Sequence[Sequence[str]]) -> Path:
    """No new environment: the one that tests run in has all that is needed."""
    assert any("requirements.txt" in words for words in installs) or not installs
    return Path(sys.executable)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    folder = tmp_path_factory.mktemp("run")
    rows = [(text, STEEP if label == "good" else label) for text, label in sentences(80)]
    data = write_csv(folder / "private-reviews.csv", rows)
    return weitiao.train(str(data), model=str(make_model(folder / "base")), out=str(folder / "my run"), **{**QUICK, "epochs": 3})


@pytest.fixture(scope="module")
def exported(run: weitiao.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run without torch, which becomes a Space in no time."""
    out = tmp_path_factory.mktemp("exported") / "onnx"
    export(run.path, "onnx", out)
    return out


@pytest.fixture(scope="module")
def space(run: weitiao.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("space") / "folder"
    made = write_space(run.path, out, sdk="gradio", title=f"{STEEP}\n---\nsdk: docker").about
    assert (made["sdk"], made["form"], made["torch"], made["equal"], made["examples"]) == ("gradio", "onnx", False, 1.0, 6)
    return out


def head_of(folder: Path) -> dict[str, Any]:
    """What the README tells the hub."""
    _nothing, head, _text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    told = yaml.safe_load(head)
    assert isinstance(told, dict)
    return told


def test_what_the_readme_tells_the_hub(space: Path, run: weitiao.Run) -> None:
    import gradio

    told = head_of(space)
    assert told["title"] == f"{STEEP} --- sdk: docker"
    assert (told["sdk"], told["sdk_version"], told["app_file"]) == ("gradio", gradio.__version__, "app.py")
    assert told["python_version"] == "{}.{}".format(*sys.version_info)
    assert len(told["short_description"]) <= 60 and {told["colorFrom"], told["colorTo"]} <= set(metadata.COLOURS)
    assert told["tags"] == ["weitiao", "text-classification"] and "license" not in told and "models" not in told  # nobody knows of a folder
    text = (space / "README.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    assert "<script>" not in text.replace("\\<", "")


@pytest.mark.parametrize("base", [("org/base", "MIT"), ("/home/ann/base", "other license")])
def test_a_base_and_a_licence_are_named_where_they_are_known(base: tuple[str, str]) -> None:
    record = {"base_model": {"id": base[0], "source": "hub" if "org" in base[0] else "folder", "license": base[1]}}
    head = metadata.front_matter("a", "gradio", tasks.get("regression"), record, {})
    told = yaml.safe_load(head.strip().strip("-"))
    assert (told.get("models"), told.get("license")) == ((["org/base"], "mit") if "org" in base[0] else (None, None))


def test_a_licence_that_the_hub_has_no_word_for_is_told_by_name() -> None:
    record = {"base_model": {"id": "org/base", "source": "hub", "license": "qwen-research"}}
    for head in (metadata.front_matter("a", "gradio", tasks.get("regression"), record, {}), card_head(record, {})):
        told = yaml.safe_load(head.strip().strip("-"))
        assert (told["license"], told["license_name"]) == ("other", "qwen-research")


def test_what_is_in_the_folder(space: Path) -> None:
    assert {one.name for one in space.iterdir()} >= {"app.py", "requirements.txt", "README.md", "LICENSE", ".gitattributes", "space.json"}
    program = (space / "app.py").read_text(encoding="utf-8")
    assert len(program.splitlines()) < 30 and "spaces" not in program
    imported = {name.name for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Import) for name in node.names}
    assert imported == {"weitiao"}
    lines = (space / "requirements.txt").read_text(encoding="utf-8").split()
    packages = {line.partition("==")[0] for line in lines}
    assert all("==" in line for line in lines) and {"onnxruntime", "tokenizers", "numpy"} <= packages
    # What the platform installs, and what only that brings: it asks for some of it in other versions than are here.
    assert not packages & {"gradio", "gradio-client", "spaces", "huggingface-hub", "pydantic", "torch", "weitiao"}
    assert (space / "weitiao" / "deploy" / "demo" / "page.css").is_file() and list(space.glob("weitiao-*.dist-info/licenses/LICENSE"))
    assert not list(space.rglob("__pycache__")) and "Apache License" in (space / "LICENSE").read_text(encoding="utf-8")


def test_what_is_nobodys_business_stays_behind(space: Path, run: weitiao.Run) -> None:
    assert {one.name for one in (space / "run").iterdir()} == {"run.json", "README.md", "model"}
    files = [file for name in ("*.json", "*.md", "*.txt", "*.py") for file in (*space.glob(name), *space.glob(f"run/{name}"))]
    texts = [file.read_text(encoding="utf-8") for file in files]
    assert len(texts) > 5 and not any(str(run.path.parent) in text for text in texts)
    record = RunFolder(space / "run").record()
    assert not {"command", "environment"} & record.keys() and record["data"]["splits"]["train"]["source"] == "private-reviews.csv"
    rows = [line["text"] for line in run.folder.predictions()]
    told = json.loads((space / "space.json").read_text(encoding="utf-8"))
    assert len(told["examples"]) == 6 < len(rows)
    shown = {pair["record"]["text"] for pair in told["examples"]}
    assert not any(row in text for row in set(rows) - shown for text in texts)


def test_it_answers_as_the_run_does_and_stays_as_it_was(space: Path, run: weitiao.Run) -> None:
    told = json.loads((space / "space.json").read_text(encoding="utf-8"))
    for pair in told["examples"]:
        assert pair["answer"]["label"] == run.predict([pair["record"]])[0]["label"]
    before = sorted(file for file in space.rglob("*"))
    assert KINDS["gradio"].try_out(space, run.path, make=present) == {"asked": 3, "equal": 3}
    assert sorted(file for file in space.rglob("*")) == before


def changed(space: Path, place: Path, **files: Callable[[str], str]) -> Path:
    """A copy with other files."""
    copy = Path(shutil.copytree(space, place))
    for name, change in files.items():
        file = copy / name.replace("__", ".")
        file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    return copy


def with_other_answers(text: str) -> str:
    told = json.loads(text)
    for pair in told["examples"]:
        pair["answer"] |= {"label": "bad" if pair["answer"]["label"] == STEEP else STEEP}
    return json.dumps(told)


def test_a_space_that_answers_otherwise_is_not_sent(space: Path, tmp_path: Path) -> None:
    copy = changed(space, tmp_path / "copy", space__json=with_other_answers)
    with pytest.raises(GateError, match="does not answer as the run does"):
        KINDS["gradio"].try_out(copy, "", make=present)


def test_whole_numbers_are_the_same_or_wrong() -> None:
    assert not read_alike("<p>2024 rows, 0.5</p>", "<p>2025 rows, 0.5</p>") and read_alike("<p>0.5000</p>", "<p>0.5004</p>")
    assert not alike({"start": 5000}, {"start": 5001}) and alike({"score": 5000.0}, {"score": 5001.0})
    assert not alike({"a": True}, {"a": 1}) and not alike({"a": 0.5}, {"a": float("nan")}) and alike({"a": 1.0}, {"a": 1})


def test_a_space_that_does_not_start_is_not_sent(space: Path, tmp_path: Path) -> None:
    copy = changed(space, tmp_path / "copy", app__py=lambda text: text.replace('HERE / "run"', 'HERE / "gone"'))
    with pytest.raises(GateError, match=r"does not start: .*gone"):
        KINDS["gradio"].try_out(copy, "", make=present)


def test_a_space_that_goes_away_when_it_is_asked_is_not_sent(space: Path, tmp_path: Path) -> None:
    dying = "import os\n\nmodel.predict = lambda records: os._exit(3)\n\nif __name__"
    copy = changed(space, tmp_path / "copy", app__py=lambda text: text.replace("if __name__", dying))
    with pytest.raises(GateError, match="fails when it is asked"):
        KINDS["gradio"].try_out(copy, "", make=present)


def test_a_space_whose_packages_there_are_not_is_not_sent(space: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"cannot be installed: .*no-such"):
        fresh(tmp_path / "environment", space, [["--no-index", "no-such-package-of-anybody"]])


def test_where_no_environment_can_be_made_it_is_said_what_to_type(space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pip(place: Path, *, with_pip: bool) -> None:
        raise subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"], b"No module named ensurepip\n")

    with monkeypatch.context() as patched:
        patched.setattr(venv, "create", no_pip)
        with pytest.raises(GateError, match=r"No module named ensurepip.*apt-get install python3-venv"):
            fresh(tmp_path / "environment", space, [])
    monkeypatch.setattr(starting, "INSTALLS", 0.001)
    with pytest.raises(GateError, match=r"not installed within .* PIP_INDEX_URL"):
        fresh(tmp_path / "environment", space, [["--no-index", "anything"]])


def test_what_a_space_starts_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(STARTS_ANOTHER)
    with started(tmp_path, present, [], lambda python, port: [str(python), "app.py", port]) as url:
        status, text = replied(url)
        assert status == 200 and replied(f"{url}/gone")[0] == 404
        socket.create_connection(("127.0.0.1", int(text))).close()
    with pytest.raises(ConnectionRefusedError):
        for _attempt in range(500):  # it is gone as soon as the system has cleared it up
            socket.create_connection(("127.0.0.1", int(text))).close()
            time.sleep(0.01)


def test_no_secret_is_in_reach_of_what_is_tried() -> None:
    variables = {
        "HF_TOKEN": "1",
        "SERVICE_KEY": "2",
        "AWS_SECRET_ACCESS_KEY": "3",
        "OPENAI_API_KEY": "4",
        "PIP_INDEX_URL": "5",
        "HOME": "6",
    }
    assert without_secrets(variables).keys() == {"PIP_INDEX_URL", "HOME"}


@pytest.mark.slow
def test_in_an_environment_of_its_own(space: Path) -> None:
    assert KINDS["gradio"].try_out(space, "") == {"asked": 3, "equal": 3}


@pytest.fixture
def opened(space: Path) -> Iterator[str]:
    """The address of the Space as it runs on the hub."""
    variables = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": "{port}", "SYSTEM": "spaces", "SPACE_ID": "ann/reviews"}
    with started(space, present, [], lambda python, _port: [str(python), "app.py"], ready="/config", variables=variables) as url:
        assert "frame-ancestors" not in httpx.get(url, trust_env=False).headers["content-security-policy"]  # the hub shows it in a frame
        yield url


def test_somebody_opens_it_and_clicks_on_an_example(opened: str, space: Path, window: Browser) -> None:
    told = json.loads((space / "space.json").read_text(encoding="utf-8"))
    window.open(opened)
    assert window.text("h1") == f"{STEEP} --- sdk: docker"
    assert [tab.text for tab in window.tabs()] == ["Try it", "A whole file", "How it works"]
    assert not window.all(".wt-next")  # commands mean something where the run is, not here
    # As it was answered before, so that no model is asked.
    window.until(lambda: window.all("#examples button, #examples .gallery-item, #examples td"), "examples")[0].click()
    assert told["examples"][0]["answer"]["label"] in window.text("#answer .wt-answer")
    assert window.one("#input-text textarea").get_attribute("value") == told["examples"][0]["record"]["text"]
    window.type("#input-text textarea", f"a lovely day {STEEP}")
    window.click("#ask")
    window.until(lambda: STEEP in window.text("#answer .wt-answer"), "answer")
    assert window.complaints() == []
    assert window.strangers(opened) == []
    assert window.driver.execute_script("return window.hit") is None


@pytest.mark.parametrize("train", [paired, pictured])
def test_whatever_a_run_is_asked_its_space_is_asked(train: Callable[[Path], Path], tmp_path: Path) -> None:
    out = tmp_path / "space"
    made = write_space(train(tmp_path), out, sdk="gradio").about
    assert made["torch"] is False and made["examples"] > 0
    assert KINDS["gradio"].try_out(out, "", make=present)["equal"] > 0
    if train is pictured:
        told = json.loads((out / "space.json").read_text(encoding="utf-8"))
        assert all((out / pair["record"]["image"]).is_file() for pair in told["examples"])
        assert any(line.startswith("pillow==") for line in (out / "requirements.txt").read_text(encoding="utf-8").split())


def test_a_conversation(talk: Path, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    made = write_space(talk, tmp_path / "space", sdk="gradio").about
    assert (made["form"], made["torch"]) == ("ctranslate2", False)
    assert KINDS["gradio"].try_out(tmp_path / "space", "", make=present)["equal"] > 0


def test_a_service(exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "space"
    made = write_space(exported, out, sdk="docker").about
    told = head_of(out)
    assert (told["sdk"], told["app_port"], told["base_path"]) == ("docker", 8000, "/docs") and "sdk_version" not in told
    assert {one.name for one in (out / "run").iterdir()} == {"run.json", "README.md", "model"} and made["free"] is False
    assert "EXPOSE 8000" in (out / "Dockerfile").read_text(encoding="utf-8")
    assert KINDS["docker"].try_out(out, exported, make=present) == {"asked": 3, "equal": 3}
    copy = changed(out, tmp_path / "copy", space__json=with_other_answers)
    with pytest.raises(GateError, match="does not answer as the run does"):
        KINDS["docker"].try_out(copy, exported, make=present)


def test_the_steps_of_a_dockerfile(tmp_path: Path) -> None:
    from weitiao.deploy.container.folder import _fill

    told = {"torch": True, "torch_index": "https://torch.example", "version": "1", "python": "3.11", "wheel": "w.whl", "service": "s"}
    _fill(tmp_path, {**told, "command": '["weitiao", "serve", "s=run"]', "locked": "[]"})
    installs, words = steps(tmp_path / "Dockerfile")
    assert installs == [
        ["--extra-index-url", "https://torch.example", "--requirement", "requirements.txt"],
        ["--no-index", "--no-deps", "wheels/w.whl"],
    ]
    assert words == ["weitiao", "serve", "s=run"]
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(GateError, match="no Dockerfile of weitiao's"):
        steps(tmp_path / "Dockerfile")


STUB = """
def GPU(task):
    print("lent for", task.__name__, flush=True)
    return task
"""


def test_a_graphics_card_that_is_lent(tmp_path: Path) -> None:
    writer = trained(tmp_path, "summarization", "bart")
    said: list[str] = []
    made = write_space(writer, tmp_path / "space", zero_gpu=True, observer=Told(said)).about
    assert (made["sdk"], made["form"], made["torch"]) == ("gradio", "merged", True)
    told = head_of(tmp_path / "space")
    assert told["suggested_hardware"] == "zero-a10g" and told["python_version"] == "3.12.12"
    program = (tmp_path / "space" / "app.py").read_text(encoding="utf-8")
    assert program.index("import spaces") < program.index("import weitiao") and "whole_files=False" in program
    lines = (tmp_path / "space" / "requirements.txt").read_text(encoding="utf-8")
    assert "torch==" in lines and "whl/cpu" not in lines

    def stubbed(place: Path, space: Path, installs: Sequence[Sequence[str]]) -> Path:
        """This Python, with a package spaces that lends nothing."""
        place.mkdir()
        (place / "spaces.py").write_text(STUB)
        python = place / "python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH="{place}" exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return python

    assert KINDS["gradio"].try_out(tmp_path / "space", "", make=stubbed)["equal"] > 0


def test_a_page_that_is_not_for_that_has_torch_for_processors() -> None:
    lines = requirements(["torch"])
    assert lines[0] == "--extra-index-url https://download.pytorch.org/whl/cpu" and any(line.startswith("torch==") for line in lines)
    assert requirements([], gradio="6.0.0")[-1] == "gradio==6.0.0" and "--" not in requirements([])[0]


def test_nothing_to_put_on_a_graphics_card(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="answers without PyTorch"):
        write_space(exported, tmp_path / "space", zero_gpu=True)
    with pytest.raises(UsageError, match="Leave out --zero-gpu"):
        write_space(exported, tmp_path / "space", sdk="docker", zero_gpu=True)
    assert not list(tmp_path.iterdir())


def test_a_studio(exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "studio"
    made = write_space(exported, out, target="modelscope").about
    assert (made["sdk"], made["target"]) == ("gradio", "modelscope")
    told = json.loads((out / "ms_deploy.json").read_text(encoding="utf-8"))
    assert (told["sdk_type"], told["resource_configuration"]) == ("gradio", "platform/2v-cpu-16g-mem") and "py311" in told["base_image"]
    head = head_of(out)
    assert head["deployspec"] == {"entry_file": "app.py"} and "sdk" not in head
    assert any(line.startswith("gradio==") for line in (out / "requirements.txt").read_text(encoding="utf-8").split())
    assert "was not run there" in (out / "README.md").read_text(encoding="utf-8")
    with pytest.raises(UsageError, match="there is: --sdk gradio"):
        write_space(exported, tmp_path / "other", target="modelscope", sdk="docker")


class Told(Observer):
    """Keeps what is told."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In place of the static kind one that does next to nothing; what it was told, and why it is refused, if it is."""
    told: list[str] = []
    package, folder, trial = ModuleType("stand_in"), ModuleType("stand_in.folder"), ModuleType("stand_in.trial")

    def write(name: Any, place: Path, *, observer: Any, trust_task: bool = False, offline: bool = False) -> dict[str, Any]:
        if "late" in told:
            raise ModelError("Its tokenizer is of a kind of its own.")
        (place / "index.html").write_text("<p>Hello")
        return {"form": "onnx", "headers": {"cross-origin-opener-policy": "same-origin"}, "examples": []}

    def try_out(place: Path, name: Any, *, trust_task: bool = False) -> dict[str, Any]:
        assert (place / "index.html").is_file()
        if "fail" in told:
            raise GateError("It says nothing.")
        return {"asked": 3, "equal": 3}

    for name, value in {
        "refusal": lambda task, record: "".join(one for one in told if one not in ("fail", "late")),
        "write": write,
    }.items():
        setattr(folder, name, value)
    trial.try_out = try_out  # type: ignore[attr-defined]
    for module in (package, folder, trial):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(KINDS, "static", Kind("static", "stand_in", {"app_file": "index.html"}, free=True))
    return told


def test_the_first_kind_that_fits_is_taken_and_it_is_said_why(
    stand_in: list[str], run: weitiao.Run, exported: Path, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    done = command("space", str(run.path), "--out", str(tmp_path / "space"), "--json")
    assert done.code == 0 and done.json["sdk"] == "static" and done.json["free"] is True, done.err
    told = head_of(tmp_path / "space")
    assert told["app_file"] == "index.html" and told["custom_headers"] == {"cross-origin-opener-policy": "same-origin"}
    stand_in.append("It has no vocabulary.")
    task, record = run.task, run.record
    kinds = [KINDS["gradio"], KINDS["docker"]]
    assert possible("", "huggingface", task, record) == (kinds, "It does not become a static Space: It has no vocabulary.")
    with pytest.raises(UsageError, match="does not become a static Space: It has no vocabulary"):
        possible("static", "huggingface", task, record)
    done = command("space", str(exported), "--out", str(tmp_path / "page"), "--title", "Good or bad?")
    assert '--title "Good or bad?" --out' in done.err  # as it was made, so it is published
    assert done.code == 0 and "It has no vocabulary." in done.err and "--push OWNER/NAME" in done.err and "weitiao demo" in done.err
    assert "gradio" in done.out and "6" in done.out


def test_what_shows_in_the_weights_alone_leads_to_the_next_kind(stand_in: list[str], exported: Path, tmp_path: Path) -> None:
    stand_in.append("late")
    made = write_space(exported, tmp_path / "space").about
    assert made["sdk"] == "gradio" and made["why"] == "It does not become a static Space: Its tokenizer is of a kind of its own."
    with pytest.raises(ModelError, match="of a kind of its own"):
        write_space(exported, tmp_path / "other", sdk="static")
    assert not (tmp_path / "other").exists()


@pytest.mark.usefixtures("ann")
def test_it_is_tried_out_before_it_is_sent(stand_in: list[str], run: weitiao.Run, tmp_path: Path) -> None:
    sent: list[Any] = []

    def send(folder: Path, repo: str, **how: Any) -> str:
        sent.append((folder, repo, how))
        return f"https://hub.example/{repo}"

    sending = Sending("ann/reviews", private=True, hardware="cpu-upgrade", endpoint="https://hub.example")
    made = publish_space(run.path, tmp_path / "space", sending=sending, send=send)
    assert made["address"] == "https://hub.example/ann/reviews" and made["tried"] == {"asked": 3, "equal": 3}
    ((folder, repo, how),) = sent
    assert (folder, repo) == (tmp_path / "space", "ann/reviews")
    del how["observer"]
    assert how == {"kind": "space", "sdk": "static", "private": True, "hardware": "cpu-upgrade", "endpoint": "https://hub.example"}
    stand_in.append("fail")
    with pytest.raises(GateError, match=r"It says nothing. Nothing was sent; what was written is in"):
        publish_space(run.path, tmp_path / "space", sending=sending, send=send, overwrite=True)
    assert len(sent) == 1 and (tmp_path / "space" / "index.html").is_file()


@pytest.mark.usefixtures("ann")
def test_a_trial_that_fails_ends_the_command(
    stand_in: list[str], run: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    stand_in.append("fail")
    done = command("space", str(run.path), "--out", str(tmp_path / "space"), "--push", "ann/reviews")
    assert done.code == 8 and "Nothing was sent" in done.err and not done.out.strip()


@pytest.mark.usefixtures("ann")
def test_it_reaches_a_hub(stand_in: list[str], hub: HubStandIn, run: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    words = ["space", str(run.path), "--out", str(tmp_path / "space"), "--push", "ann/reviews", "--endpoint", hub.url]
    done = command(*words)
    assert done.code == 0 and f"{hub.url}/spaces/ann/reviews" in done.out, done.err
    there = hub.repositories["spaces/ann/reviews"]
    written = {file.relative_to(tmp_path / "space").as_posix() for file in (tmp_path / "space").rglob("*") if file.is_file()}
    assert there.sdk == "static" and set(there.files) == written and "README.md" in written
    hub.uploads.faults = [Fault("POST", "repos/create", 402)]
    hub.repositories.clear()
    paid = command(*words, "--overwrite")
    assert paid.code == 2 and "payment" in paid.err and not hub.repositories


def test_a_token_is_asked_for_before_anything_is_written(
    ann: None, run: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    done = command("space", str(run.path), "--out", str(tmp_path / "space"), "--push", "ann/reviews")
    assert done.code == 2 and "hf auth login" in done.err and not (tmp_path / "space").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--sdk", "gradoi"], 2, 'Did you mean "gradio"?'),
        (["--target", "modelscop"], 2, 'Did you mean "modelscope"?'),
        (["--push", "reviews"], 2, '"reviews" is no name of a repository'),
        (["--push", "../reviews"], 2, "is no name of a repository"),
        (["--push", "ann/a b"], 2, "is no name of a repository"),
        (["--push", "datasets/ann/reviews"], 2, "is no name of a repository"),
        (["--push", "ann/reviews", "--hardware", "cpu-upgrad"], 2, 'Did you mean "cpu-upgrade"?'),
        (["--push", "ann/reviews", "--target", "modelscope"], 2, "leave out --push"),
        (["--private", "--endpoint", "https://a.example"], 2, "--private, --endpoint says how a Space is published"),
    ],
)
def test_what_is_refused_before_anything_is_written(
    words: list[str], code: int, said: str, run: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    done = command("space", str(run.path), "--out", str(tmp_path / "space"), *words)
    assert done.code == code and said in done.err and not list(tmp_path.iterdir()), done.err


def test_a_space_that_stands_there(stand_in: list[str], run: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    words = ["space", str(run.path), "--out", str(tmp_path / "space")]
    assert command(*words).code == 0
    again = command(*words)
    assert again.code == 7 and "exists already" in again.err and "--overwrite" in again.err
    assert command(*words, "--overwrite").code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    other = command("space", str(run.path), "--out", str(tmp_path / "mine"), "--overwrite")
    assert other.code == 7 and "left alone" in other.err and (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    within = command("space", str(run.path), "--out", str(run.path / "model" / "space"))
    assert within.code == 7 and "lies in the folder that is put into it" in within.err
    assert command("space", str(tmp_path / "gone")).code == 7


def test_a_task_of_somebodys_own_goes_along(tmp_path: Path, elsewhere: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    data = write_csv(tmp_path / "rows.csv", list(sentences(60)))
    model = str(make_model(tmp_path / "base"))
    own = weitiao.train(str(data), task=written(tmp_path, PLAIN), model=model, out=str(tmp_path / "own"), **QUICK).path
    elsewhere()
    with pytest.raises(RunError, match="--trust-task"):
        write_space(own, tmp_path / "space", sdk="gradio")
    assert not (tmp_path / "space").exists()
    write_space(own, tmp_path / "space", sdk="gradio", trust_task=True)
    assert "trust_task=True" in (tmp_path / "space" / "app.py").read_text(encoding="utf-8")
    assert list((tmp_path / "space" / "run" / "task").glob("*.py"))
    assert KINDS["gradio"].try_out(tmp_path / "space", "", make=present, trust_task=True)["equal"] > 0


def test_an_export_that_was_changed_becomes_no_space(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "onnx")
    (tmp_path / "onnx" / "model" / "tokenizer.json").write_text("{}")
    with pytest.raises(RunError, match="is not what was exported"):
        write_space(tmp_path / "onnx", tmp_path / "space", sdk="gradio")
    assert not (tmp_path / "space").exists()


def test_large_files_stand_beside_the_repository(tmp_path: Path) -> None:
    (tmp_path / "my [x].json").write_bytes(b" " * 10_000_001)
    (tmp_path / "small.json").write_bytes(b"{}")
    lines = attributes(tmp_path).splitlines()
    assert "*.gz filter=lfs diff=lfs merge=lfs -text" in lines  # the model of a static page
    assert "*.onnx filter=lfs diff=lfs merge=lfs -text" in lines and "*.safetensors filter=lfs diff=lfs merge=lfs -text" in lines
    assert lines[-1].startswith("my[[:space:]][[]x].json ") and not any("small" in line for line in lines)


def test_the_help_page_names_the_kinds_that_there_are() -> None:
    from weitiao.cli.spaces import HUBS, SDKS
    from weitiao.deploy.space.kinds import TARGETS

    assert set(SDKS) == set(KINDS) and HUBS == TARGETS
