"""Where a base model is looked for, in which order, and what is said when it cannot be had. Everything happens on 127.0.0.1."""

import errno
import hashlib
import re
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.engine.hub_stand_in import NAME, Ear, HubStandIn, closed_port, hub_stand_in, model_files, write
from weitiao.engine import endpoint, hub, modelscope_hub, refusals
from weitiao.errors import ModelError, NetworkError, ResourceError, UsageError

pytestmark = pytest.mark.usefixtures("own_caches")


# --- a local folder


def test_a_folder_comes_first_and_its_path_stays_out(tmp_path: Path, no_socket: None) -> None:
    folder = write(tmp_path / "here" / "somebody" / "tiny-bert", model_files())
    found = hub.resolve(NAME)
    assert (found.id, found.source, found.revision, found.license) == ("tiny-bert", "folder", "", "apache-2.0")
    assert found.sha256 == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert found.path.samefile(folder)


def test_a_run_a_file_a_missing_path_and_an_empty_name(tmp_path: Path, no_socket: None) -> None:
    run = write(tmp_path / "run", {"run.json": b"{}"})
    write(run / "model", model_files())
    with pytest.raises(ModelError, match="is a run of weitiao") as caught:
        hub.resolve(str(run))
    assert f"--model {run / 'model'}" in caught.value.message
    with pytest.raises(ModelError, match="is a file"):
        hub.resolve(str(run / "run.json"))
    with pytest.raises(ModelError, match="there is no folder") as caught:
        hub.resolve(str(tmp_path / "rum"))
    assert 'Did you mean "run"?' in caught.value.message
    for path in ("./x", "a/b/c", "~/x", "x/", "..\\x"):
        with pytest.raises(ModelError, match="is a path, and there is no folder"):
            hub.resolve(path)
    for empty in ("", " "):
        with pytest.raises(ModelError, match="--model is empty"):
            hub.resolve(empty)


def test_a_revision_needs_a_hub(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", model_files())
    for name in ("auto", "offline", str(folder)):
        with pytest.raises(UsageError, match="--revision main is for a model of a hub"):
            hub.resolve(name, revision="main")
    with pytest.raises(UsageError, match="no branch, tag or commit"):
        hub.resolve(NAME, revision="../../x")


# --- a hub, or a mirror of it


def test_a_mirror_gives_what_a_run_needs_and_nothing_more(stand_in: HubStandIn) -> None:
    extra = {
        "pytorch_model.bin": b"pickle",
        "onnx/model.onnx": b"onnx",
        "tf_model.h5": b"tf",
        "modeling.py": b"code",
        "1_Pooling/config.json": b'{"a": 1}',
    }
    stand_in.repositories[NAME].files.update(extra)
    ear = Ear()
    found = hub.resolve(NAME, observer=ear)
    assert (found.id, found.source, found.revision, found.license) == (NAME, "hub", "a" * 40, "apache-2.0")
    assert found.sha256 == hashlib.sha256(stand_in.repositories[NAME].files["model.safetensors"]).hexdigest()
    assert sorted(stand_in.downloads()) == sorted([*model_files(), "1_Pooling/config.json"])
    assert stand_in.downloads()[-1] == "model.safetensors"
    assert ear.notes == [f"Fetching {NAME} from {stand_in.url}: 0 MB."]
    done, total = ear.bytes[-1]
    assert done == total == len(stand_in.repositories[NAME].files["model.safetensors"])


def test_no_telemetry_goes_out(stand_in: HubStandIn) -> None:
    hub.resolve(NAME)
    assert all(request.split()[1].startswith((f"api/models/{NAME}", f"{NAME}/resolve/")) for request in stand_in.requests)
    agents = {headers.get("user-agent", headers.get("User-Agent", "")) for headers in stand_in.headers}
    assert all(agent.startswith("weitiao") and "torch" not in agent and "agent/" not in agent for agent in agents)


def test_the_second_time_it_is_in_the_cache(stand_in: HubStandIn, no_socket_after: Callable[[], None]) -> None:
    first = hub.resolve(NAME)
    no_socket_after()
    again = hub.resolve(NAME, offline=True)
    assert (again.source, again.path, again.revision, again.sha256) == ("cache", first.path, first.revision, first.sha256)
    assert hub.resolve(NAME).source == "cache"


def test_a_revision_is_kept_apart(stand_in: HubStandIn) -> None:
    stand_in.repositories[NAME].commits["refs/pr/7"] = "b" * 40
    assert hub.resolve(NAME, revision="refs/pr/7").revision == "b" * 40
    assert hub.resolve(NAME, revision="refs/pr/7").source == "cache"
    assert hub.resolve(NAME, revision="b" * 40, offline=True).source == "cache"
    assert hub.resolve(NAME).revision == "a" * 40
    with pytest.raises(NetworkError, match=r"there is no such revision \(404\)"):
        hub.resolve(NAME, revision="v9")


def test_a_connection_that_breaks_half_way_is_taken_up_again(stand_in: HubStandIn) -> None:
    repository = stand_in.repositories[NAME]
    repository.breaks["model.safetensors"] = 1000
    found = hub.resolve(NAME)
    assert found.sha256 == hashlib.sha256(repository.files["model.safetensors"]).hexdigest()
    assert stand_in.downloads().count("model.safetensors") == 2


def test_a_connection_that_is_reset_is_tried_again_but_not_for_ever(stand_in: HubStandIn) -> None:
    repository = stand_in.repositories[NAME]
    repository.resets["model.safetensors"] = endpoint.TRIES
    with pytest.raises(NetworkError, match="the connection failed"):
        hub.resolve(NAME)
    repository.resets["model.safetensors"] = endpoint.TRIES - 1
    assert hub.resolve(NAME).source == "hub"


def test_an_interrupted_download_leaves_nothing_that_counts(stand_in: HubStandIn, tmp_path: Path) -> None:
    class Impatient(Ear):
        def progress(self, stage: str, done: int, total: int | None, figures: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hub.resolve(NAME, observer=Impatient())
    assert not (tmp_path / "hf" / "models--somebody--tiny-bert" / "refs").exists()
    assert hub.resolve(NAME).source == "hub"


def test_other_bytes_than_announced_are_refused_and_removed(stand_in: HubStandIn, tmp_path: Path) -> None:
    repository = stand_in.repositories[NAME]
    good = repository.files["model.safetensors"]
    repository.forged["model.safetensors"] = good[:-4] + b"evil"
    with pytest.raises(ModelError, match="wrong checksum") as caught:
        hub.resolve(NAME)
    assert hashlib.sha256(good).hexdigest()[:12] in caught.value.message and "model.safetensors" in caught.value.message
    assert not list((tmp_path / "hf").rglob("*.safetensors"))
    repository.forged.clear()
    assert hub.resolve(NAME).source == "hub"


def test_a_repository_with_only_pickle_is_refused_before_anything_is_fetched(stand_in: HubStandIn) -> None:
    stand_in.repositories[NAME].files = model_files(**{"model.safetensors": None, "pytorch_model.bin": b"\x80\x02"})
    with pytest.raises(ModelError, match="pickle") as caught:
        hub.resolve(NAME)
    assert "--revision refs/pr/NUMBER" in caught.value.message and f"{stand_in.url}/{NAME}/discussions" in caught.value.message
    assert not stand_in.downloads()


def test_remote_code_is_refused_before_the_weights_are_fetched(stand_in: HubStandIn) -> None:
    config = b'{"model_type": "odd", "auto_map": {"AutoModel": "modeling_odd.Odd"}}'
    stand_in.repositories[NAME].files = model_files(**{"config.json": config, "modeling_odd.py": b"x = 1"})
    with pytest.raises(ModelError, match=f"--trust-remote-code {NAME}"):
        hub.resolve(NAME)
    assert "model.safetensors" not in stand_in.downloads() and "modeling_odd.py" not in stand_in.downloads()
    found = hub.resolve(NAME, trust_remote_code=NAME)
    assert (found.path / "modeling_odd.py").is_file()
    with pytest.raises(ModelError, match=f"--trust-remote-code {NAME}"):
        hub.resolve(NAME, offline=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_cache_that_cannot_be_written(stand_in: HubStandIn, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(*_arguments: object, **_settings: object) -> None:
        raise OSError(number, "the disk says no")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", full)
    with pytest.raises(ResourceError, match=r"cannot be written: the disk says no.*HF_HOME"):
        hub.resolve(NAME)


def test_no_room_for_it(stand_in: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_free_bytes", lambda folder: 0)
    with pytest.raises(ResourceError, match="HF_HOME"):
        hub.resolve(NAME)


@pytest.mark.parametrize(
    ("status", "code", "cause", "step"),
    [
        (401, "", "it does not exist, or is private (401)", "hf auth login"),
        (401, "RepoNotFound", "it does not exist, or is private (401)", "Check the name"),
        (403, "GatedRepo", "its conditions have to be accepted", "hf auth login"),
        (403, "", "access was refused (403)", "hf auth login"),
        (429, "", "too many requests", "--bundle tiny-bert.zip"),
        (503, "", "it answers with an error (503)", "--bundle tiny-bert.zip"),
    ],
)
def test_a_hub_that_says_no(stand_in: HubStandIn, status: int, code: str, cause: str, step: str) -> None:
    stand_in.repositories[NAME].status, stand_in.repositories[NAME].code = status, code
    with pytest.raises(NetworkError) as caught:
        hub.resolve(NAME)
    assert cause in caught.value.message and step in caught.value.message and stand_in.url in caught.value.message
    assert caught.value.exit_code == 5


def test_a_name_that_does_not_exist(stand_in: HubStandIn) -> None:
    with pytest.raises(NetworkError, match=r"there is no repository of that name \(404\)") as caught:
        hub.resolve("google-bert/bert-base-chines")
    message = caught.value.message
    assert "a folder of that name: not there" in message and "the local cache: not there" in message
    assert 'Did you mean "google-bert/bert-base-chinese"?' in message
    with pytest.raises(NetworkError, match="no hub has names like that"):
        hub.resolve("名字")


def test_a_landing_page_is_not_a_hub(stand_in: HubStandIn) -> None:
    stand_in.landing_page = True
    with pytest.raises(NetworkError, match="what answers there is not a model hub"):
        hub.resolve(NAME)


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    address = closed_port()
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(NetworkError) as caught:
        hub.resolve("bert-base-uncased")
    message = caught.value.message
    for part in (
        "The model bert-base-uncased could not be had, and no other is taken in its place",
        f"{address}: connection refused",
        "ModelScope: its package is not installed",
        "HF_ENDPOINT",
        "weitiao fetch bert-base-uncased --bundle bert-base-uncased.zip",
        "--model offline",
    ):
        assert part in message, message


def test_the_official_hub_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "OFFICIAL", closed_port())
    monkeypatch.setattr("weitiao.engine.unreachable.OFFICIAL", endpoint.OFFICIAL)
    with pytest.raises(NetworkError, match=re.escape("HF_ENDPOINT=https://hf-mirror.com")):
        hub.resolve(NAME)


def test_a_hub_that_keeps_silent_is_given_up_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "ANSWER_SECONDS", 0.2)
    with socket.socket() as silent:  # accepts connections, never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(NetworkError, match="no answer within"):
            hub.resolve(NAME)
        asked = []
        monkeypatch.setattr(refusals, "within", lambda *_call: asked.append(1))
        with pytest.raises(NetworkError, match="no answer within"):
            hub.resolve("another/model")
        assert not asked


def test_a_name_that_cannot_be_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_settings: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    with pytest.raises(NetworkError, match=r"could not be looked up \(DNS\)"):
        hub.resolve(NAME)


def test_offline_opens_no_socket_and_says_how_to_go_on(no_socket: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NetworkError, match="leave out --offline"):
        hub.resolve(NAME, offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NetworkError, match="unset HF_HUB_OFFLINE"):
        hub.resolve(NAME)


def test_half_a_download_in_the_cache_is_completed_by_the_hub(stand_in: HubStandIn, tmp_path: Path) -> None:
    storage = tmp_path / "hf" / "models--somebody--tiny-bert"
    write(storage, {"refs/main": b"a" * 40, f"snapshots/{'a' * 40}/config.json": model_files()["config.json"]})
    with pytest.raises(NetworkError, match="the local cache: somebody/tiny-bert holds no weights"):
        hub.resolve(NAME, offline=True)
    assert hub.resolve(NAME).source == "hub"


# --- ModelScope


@pytest.fixture
def modelscope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """Its package, as far as it is used, and its site; the other hub is blocked."""
    downloaded = tmp_path / "modelscope" / NAME

    def snapshot_download(model_id: str, revision: str | None = None, local_files_only: bool = False, allow_patterns: Any = None) -> str:
        assert "*.bin" not in allow_patterns and "model.safetensors" in allow_patterns
        if local_files_only and not downloaded.is_dir():
            raise ValueError("not cached")
        return str(write(downloaded, model_files()))

    package = types.ModuleType("modelscope.hub.snapshot_download")
    package.snapshot_download = snapshot_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, package.__name__, package)
    for name in ("modelscope", "modelscope.hub"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(modelscope_hub, "installed", lambda: True)
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    with hub_stand_in() as site:
        monkeypatch.setattr("tests.engine.hub_stand_in._Handler._answer", _modelscope_answer)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", site.url)
        yield site


def _modelscope_answer(self: Any, body: bool) -> None:
    self.hub.requests.append(self.path)
    self._send(200 if self.path == f"/api/v1/models/{NAME}" else 404, b"{}", {}, body)


def test_modelscope_is_asked_last_and_remembered(modelscope: HubStandIn, no_socket_after: Callable[[], None]) -> None:
    found = hub.resolve(NAME)
    assert (found.id, found.source, found.license) == (NAME, "modelscope", "apache-2.0")
    no_socket_after()
    assert hub.resolve(NAME, offline=True).source == "cache"


def test_modelscope_does_not_have_it(modelscope: HubStandIn) -> None:
    with pytest.raises(NetworkError, match=r"ModelScope: there is no repository of that name \(404\)"):
        hub.resolve("somebody/else")
    with pytest.raises(NetworkError, match="ModelScope: names there are OWNER/NAME"):
        hub.resolve("bert-base-uncased")


def test_what_the_hub_says_is_told_in_chinese_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from weitiao import messages

    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    messages.set_language("zh")
    with pytest.raises(NetworkError) as caught:
        hub.resolve(NAME)
    assert NAME in caught.value.message and "--model offline" in caught.value.message


def test_no_other_model_is_advised_where_only_this_one_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())

    def said(use: Callable[[], object]) -> str:
        with pytest.raises(NetworkError) as caught:
            use()
        return caught.value.message

    record = {"source": "hub", "id": NAME, "revision": "", "sha256": "0" * 64}
    assert "--model" not in said(lambda: hub.fetch(NAME)) and "--model" not in said(lambda: hub.found_again(record, NAME))
    # The packaged base has no head: it gives vectors as it is, and neither labels nor texts.
    for task in ("text-classification", "text-generation", "summarization", "translation", "question-answering"):
        assert "--model" not in said(lambda task=task: weitiao.load(NAME, task=task))
    labels = {"zero-shot-classification": {"labels": ["a", "b"]}}
    for task in ("feature-extraction", "zero-shot-classification"):
        assert "--model offline" in said(lambda task=task: weitiao.load(NAME, task=task, **labels.get(task, {})))


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, weitiao.engine.hub; print({'torch', 'transformers', 'huggingface_hub', 'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
