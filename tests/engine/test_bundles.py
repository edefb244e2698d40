"""What is carried to a machine without a network arrives whole, and what a stranger packed cannot do harm."""

import hashlib
import io
import json
import stat
import tarfile
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from tests.engine.hub_stand_in import NAME, Repository, change_base, closed_port, hub_stand_in, model_files, safetensors_bytes, write
from weitiao.data import hub_cache
from weitiao.data.table import Table
from weitiao.engine import bundles, hub, hub_datasets, offline_base
from weitiao.errors import ModelError, NetworkError, ResourceError, UsageError

Move = Callable[[], None]
pytestmark = pytest.mark.usefixtures("own_caches")


@pytest.fixture
def another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_socket_after: Move) -> Move:
    """Call it to be on a machine with empty caches and no network."""

    def move() -> None:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "other-hf"))
        monkeypatch.setenv("WEITIAO_HOME", str(tmp_path / "other-home"))
        no_socket_after()

    return move


def left_behind(home: Path) -> list[Path]:
    """Whatever stands in a home that is not a finished model or data set."""
    return [path for path in home.rglob("*") if path.is_file() or path.name.startswith(".")]


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_a_model_of_a_hub_travels(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, another_machine: Move) -> None:
    bundle = tmp_path / f"model.{ending}"
    with hub_stand_in() as stand_in:
        monkeypatch.setenv("HF_ENDPOINT", stand_in.url)
        stand_in.repositories[NAME] = Repository(model_files(**{"1_Pooling/config.json": b'{"a": 1}'}))
        packed = hub.fetch(NAME, bundle=bundle)
    assert (packed["id"], packed["kind"], packed["source"], packed["bundle"]) == (NAME, "model", "hub", str(bundle))
    assert packed["bytes"] == sum(map(len, model_files().values())) + 8
    another_machine()
    got = hub.unpack(bundle)
    assert (got["id"], got["kind"], got["bytes"]) == (NAME, "model", packed["bytes"])
    found = hub.resolve(NAME, offline=True)
    assert (found.id, found.source, found.revision, found.license) == (NAME, "cache", "a" * 40, "apache-2.0")
    assert (found.path / "1_Pooling" / "config.json").is_file() and str(found.path) == got["path"]
    with pytest.raises(NetworkError):
        hub.resolve(NAME, revision="v2", offline=True)
    assert hub.resolve(NAME, revision="a" * 40, offline=True).path == found.path


def test_the_same_files_give_the_same_bundle(tmp_path: Path) -> None:
    folder = write(tmp_path / "my model", model_files())
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    hub.fetch(str(folder), bundle=first)
    hub.fetch(str(folder), bundle=second)
    assert first.read_bytes() == second.read_bytes()
    assert str(tmp_path).encode() not in first.read_bytes()
    hub.unpack(first)
    assert hub.resolve("my model").source == "cache"


def test_the_offline_base_travels_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, another_machine: Move) -> None:
    write(tmp_path / "packages" / "small_offline_base" / "model", model_files())
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    change_base(monkeypatch, "MINILM", package="small_offline_base", sha256=hashlib.sha256(model_files()["model.safetensors"]).hexdigest())
    bundle = tmp_path / "base.tar"
    assert hub.fetch("offline", bundle=bundle)["id"] == offline_base.MINILM.id
    another_machine()
    change_base(monkeypatch, "MINILM", package="no_such_package_of_ours")
    assert hub.unpack(bundle)["id"] == offline_base.MINILM.id
    assert hub.resolve("offline").source == "offline"


def test_a_fetch_without_a_bundle_says_where_it_is(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", model_files())
    got = hub.fetch(str(folder))
    assert got == {"id": "model", "kind": "model", "source": "folder", "path": str(folder), "bytes": got["bytes"], "bundle": None}


def test_a_bundle_of_another_ending_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("precious")
    with pytest.raises(UsageError, match=r"must end in \.zip or \.tar"):
        hub.fetch(NAME, bundle=tmp_path / "train.csv")
    assert (tmp_path / "train.csv").read_text() == "precious"


def test_a_bundle_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", model_files())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match=r"model\.zip cannot be written.*--bundle"):
        hub.fetch(str(folder), bundle=tmp_path / "file" / "model.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "here", "model"]
    assert hub.fetch(str(folder), bundle=tmp_path / "new" / "model.zip")["bundle"]


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WEITIAO_HOME", str(tmp_path / "file"))
    with pytest.raises(ResourceError, match=r"cannot be written.*WEITIAO_HOME"):
        hub.unpack(make_zip(tmp_path / "a.zip", {"weitiao.json": manifest(model_files()), **model_files()}))


# --- what a stranger may have packed


def manifest(files: dict[str, bytes], **changes: Any) -> bytes:
    entries = [{"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for path, content in files.items()]
    about = {"weitiao_bundle": 1, "kind": "model", "id": NAME, "revision": "", "commit": "", "license": ""}
    return json.dumps({**about, "files": entries, **changes}).encode()


def make_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, entries: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def refused(bundle: Path, tmp_path: Path, words: str) -> str:
    """Unpacking fails with a ModelError that says ``words``, and nothing is left behind."""
    with pytest.raises(ModelError, match=words) as caught:
        hub.unpack(bundle)
    assert str(bundle) in caught.value.message or NAME in caught.value.message
    assert not left_behind(tmp_path / "home")
    return caught.value.message


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    "path",
    [
        "../../evil.safetensors",
        "/etc/evil.json",
        "..\\config.json",
        "pytorch_model.bin",
        "modeling_odd.py",
        "sub/config.json",
        "C:config.json",
    ],
)
def test_files_that_no_bundle_may_hold(make: Any, path: str, tmp_path: Path) -> None:
    files = {**model_files(), path: b"evil"}
    message = refused(make(tmp_path / "evil", {"weitiao.json": manifest(files), **files}), tmp_path, "which no bundle may hold")
    assert path in message
    message = refused(make(tmp_path / "evil", {"weitiao.json": manifest(model_files()), **files}), tmp_path, "not what its manifest names")
    assert not list(tmp_path.rglob("evil.safetensors"))


def test_links_are_refused(tmp_path: Path) -> None:
    target = b"/etc/passwd"
    files = model_files(**{"config.json": target})
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as archive:
        for name, content in {"weitiao.json": manifest(files), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if name == "config.json":
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
            archive.addfile(member, io.BytesIO(content))
    refused(evil, tmp_path, "not what its manifest names")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as packed:
        for name, content in {"weitiao.json": manifest(files), **files}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16 if name == "config.json" else 0
            packed.writestr(entry, content)
    refused(tmp_path / "evil.zip", tmp_path, "not what its manifest names")


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a/b/c/d", "", "..", ".hidden"])
def test_a_name_that_is_a_path_is_refused(name: str, tmp_path: Path) -> None:
    for kind in ("model", "dataset"):
        bundle = make_zip(tmp_path / "evil.zip", {"weitiao.json": manifest(model_files(), id=name, kind=kind), **model_files()})
        refused(bundle, tmp_path, "is not a bundle of weitiao, or it is damaged")


def test_changed_missing_and_doubled_files(tmp_path: Path) -> None:
    good, other = model_files(), model_files(**{"model.safetensors": safetensors_bytes([float(-i) for i in range(1000)])})
    message = refused(make_zip(tmp_path / "1.zip", {"weitiao.json": manifest(good), **other}), tmp_path, "wrong checksum")
    assert hashlib.sha256(good["model.safetensors"]).hexdigest()[:12] in message
    less = {path: content for path, content in good.items() if path != "vocab.txt"}
    refused(make_zip(tmp_path / "2.zip", {"weitiao.json": manifest(good), **less}), tmp_path, "lacks vocab.txt")
    with zipfile.ZipFile(tmp_path / "3.zip", "w") as archive, pytest.warns(UserWarning):
        for name, content in [("weitiao.json", manifest(good)), *good.items(), ("vocab.txt", b"again")]:
            archive.writestr(name, content)
    refused(tmp_path / "3.zip", tmp_path, "not what its manifest names")


def test_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no bundle"):
        hub.unpack(tmp_path / "nothing.zip")
    (tmp_path / "text.zip").write_text("hello")
    refused(tmp_path / "text.zip", tmp_path, "is not a bundle of weitiao")
    refused(make_zip(tmp_path / "a.zip", {"config.json": b"{}"}), tmp_path, "does not start with a manifest")
    refused(make_zip(tmp_path / "b.zip", {"weitiao.json": b"[]"}), tmp_path, "not a bundle of weitiao, or it is damaged")
    refused(make_zip(tmp_path / "c.zip", {"weitiao.json": manifest({}, kind="virus")}), tmp_path, "or it is damaged")
    refused(make_zip(tmp_path / "d.zip", {"weitiao.json": manifest({}, weitiao_bundle=99)}), tmp_path, "newer weitiao")
    refused(make_zip(tmp_path / "e.zip", {"weitiao.json": manifest({"config.json": b"{}"}), "config.json": b"{}"}), tmp_path, "no weights")


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_a_bundle_that_was_cut_short(ending: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "tiny-bert", model_files())
    hub.fetch(str(folder), bundle=tmp_path / f"whole.{ending}")
    content = (tmp_path / f"whole.{ending}").read_bytes()
    (tmp_path / f"cut.{ending}").write_bytes(content[: len(content) // 2])
    refused(tmp_path / f"cut.{ending}", tmp_path, "cut short|lacks|damaged")


def test_no_room_and_nothing_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_zip(tmp_path / "1.zip", {"weitiao.json": manifest(model_files()), **model_files()})
    hub.unpack(first)
    monkeypatch.setattr(bundles.shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=10))
    with pytest.raises(ResourceError, match="WEITIAO_HOME"):
        hub.unpack(first)
    monkeypatch.undo()
    monkeypatch.setenv("WEITIAO_HOME", str(tmp_path / "home"))
    changed = model_files(**{"model.safetensors": b"damaged"})
    with pytest.raises(ModelError):
        hub.unpack(make_zip(tmp_path / "2.zip", {"weitiao.json": manifest(changed), **changed}))
    assert hub.resolve(NAME).sha256 == hashlib.sha256(model_files()["model.safetensors"]).hexdigest()


# --- data sets


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> dict[str, Table]:
    """What the hub's data set holds, without the ``datasets`` package."""
    rows = [["很好", "正面"], ["不好", None]]
    tables = {"train": Table.of(["text", "label"], rows, [1, 2]), "test": Table.of(["text", "label"], rows[:1], [1])}
    monkeypatch.setattr(hub_datasets, "hub_splits", lambda source, offline=False: tables)
    return tables


def test_a_data_set_travels(splits: dict[str, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, another_machine: Move) -> None:
    import pyarrow.parquet as pq

    bundle = tmp_path / "data.zip"
    with hub_stand_in() as stand_in:
        monkeypatch.setenv("HF_ENDPOINT", stand_in.url)
        stand_in.repositories["owner/reviews"] = Repository({})
        packed = hub.fetch("hub:owner/reviews", bundle=bundle)
        assert (packed["id"], packed["kind"], packed["source"]) == ("hub:owner/reviews", "dataset", "hub")
        assert hub.fetch("hub:owner/reviews")["source"] == "cache"
    another_machine()
    assert not hub_cache.cached_splits("hub:owner/reviews")
    assert hub.unpack(bundle)["id"] == "hub:owner/reviews"
    found = hub_cache.cached_splits("hub:owner/reviews")
    assert list(found) == ["test", "train"]
    table = pq.read_table(found["train"])
    assert table.to_pydict() == {"text": ["很好", "不好"], "label": ["正面", None]}


def test_a_data_set_with_configuration_and_revision_is_kept_apart(splits: dict[str, Table]) -> None:
    hub_datasets._write(splits, hub_cache.dataset_folder("owner/reviews"))
    hub_datasets._write({"train": splits["train"]}, hub_cache.dataset_folder("owner/reviews/zh@refs/pr/1"))
    assert list(hub_cache.cached_splits("hub:owner/reviews")) == ["test", "train"]
    assert list(hub_cache.cached_splits("hub:owner/reviews/zh@refs/pr/1")) == ["train"]
    assert hub_cache.cached_splits("hub:../../etc") == {}


def test_a_data_set_that_cannot_be_reached(splits: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> None:
    address = closed_port()
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(NetworkError, match=f"The data set owner/reviews could not be had.*{address}: connection refused") as caught:
        hub.fetch("hub:owner/reviews")
    assert "weitiao fetch hub:owner/reviews --bundle reviews.zip" in caught.value.message and "--model" not in caught.value.message
    with pytest.raises(UsageError, match="names a revision already"):
        hub.fetch("hub:owner/reviews@main", revision="v2")


def test_a_stranger_s_data_set_holds_only_parquet(tmp_path: Path) -> None:
    files = {"train.parquet": b"PAR1"}
    bundle = make_zip(tmp_path / "a.zip", {"weitiao.json": manifest(files, kind="dataset", id="owner/x"), **files})
    refused(bundle, tmp_path, "train.parquet is not a Parquet file")
    for path in ("train.csv", "load.py", "../train.parquet", "sub/train.parquet"):
        evil = {path: b"evil"}
        with pytest.raises(ModelError, match="which no bundle may hold"):
            hub.unpack(make_zip(tmp_path / "b.zip", {"weitiao.json": manifest(evil, kind="dataset"), **evil}))
