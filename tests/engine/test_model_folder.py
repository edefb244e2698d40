"""Model folders that cannot be used are refused with what is missing or damaged, before anything is loaded."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.engine.hub_stand_in import model_files, safetensors_bytes, write
from weitiao.engine import hub
from weitiao.engine.model_folder import license_of, needed_files, verify_folder, weights_sha256
from weitiao.errors import ModelError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model.safetensors": None}, ["holds no weights", "model.safetensors"]),
        ({"model.safetensors": None, "pytorch_model.bin": b"\x80\x02"}, ["pickle", "pytorch_model.bin", "safetensors.torch"]),
        (
            {"model.safetensors": None, "pytorch_model-00001-of-00002.bin": b"", "training_args.bin": b""},
            ["pytorch_model-00001-of-00002.bin"],
        ),
        ({"model.safetensors": None, "training_args.bin": b""}, ["holds no weights"]),
        ({"model.safetensors": None, "model.gguf": b""}, ["model.gguf", "safetensors"]),
        ({"config.json": None}, ["config.json"]),
        ({"config.json": b"{"}, ["config.json", "JSON"]),
        ({"config.json": b"[]"}, ["config.json", "JSON"]),
        ({"config.json": None, "adapter_config.json": b"{}"}, ["adapter", "--model"]),
        ({"tokenizer.json": None, "tokenizer_config.json": None, "vocab.txt": None}, ["tokenizer"]),
        ({"model.safetensors": b""}, ["model.safetensors", "0 bytes", "cut short"]),
        ({"model.safetensors": safetensors_bytes([1.0, 2.0])[:-3]}, ["model.safetensors", "cut short"]),
        ({"model.safetensors": safetensors_bytes() + b"more"}, ["model.safetensors", "damaged"]),
        ({"model.safetensors": b"\xff" * 100}, ["model.safetensors", "no safetensors header"]),
        ({"model.safetensors": (9).to_bytes(8, "little") + b"not JSON!"}, ["no safetensors header"]),
        ({"model.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"}, ["git lfs pull"]),
        ({"model.safetensors": None, "model.safetensors.index.json": b"{}"}, ["names no weights"]),
        (
            {"model.safetensors": None, "model.safetensors.index.json": b'{"weight_map": {"a": "model-00001-of-00002.safetensors"}}'},
            ["model-00001-of-00002.safetensors", "not there"],
        ),
        (
            {"model.safetensors": None, "model.safetensors.index.json": b'{"weight_map": {"a": "../../secret.safetensors"}}'},
            ["../../secret.safetensors"],
        ),
    ],
)
def test_folders_that_cannot_be_used(tmp_path: Path, changes: dict[str, bytes | None], words: list[str]) -> None:
    folder = write(tmp_path / "model", model_files(**changes))
    with pytest.raises(ModelError) as caught:
        hub.resolve(str(folder))
    assert all(word in caught.value.message for word in [str(folder), *words]), caught.value.message
    assert "\n" not in caught.value.message


def test_a_model_in_parts_has_one_fingerprint(tmp_path: Path) -> None:
    parts = {f"model-0000{i}-of-00002.safetensors": safetensors_bytes([float(i)]) for i in (1, 2)}
    index = json.dumps({"weight_map": dict(zip("ab", parts, strict=True))}).encode()
    folder = write(tmp_path / "parts", model_files(**{"model.safetensors": None, "model.safetensors.index.json": index, **parts}))
    verify_folder(folder)
    hashes = sorted(hashlib.sha256(content).hexdigest() for content in parts.values())
    assert weights_sha256(folder) == hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def test_a_folder_that_may_run_its_own_code(tmp_path: Path) -> None:
    config = b'{"model_type": "odd", "auto_map": {"AutoModel": "modeling_odd.Odd", "AutoConfig": "configuration_odd.OddConfig"}}'
    folder = write(tmp_path / "odd", model_files(**{"config.json": config}))
    with pytest.raises(ModelError, match="--trust-remote-code odd") as caught:
        hub.resolve(str(folder))
    assert "modeling_odd.py" in caught.value.message
    with pytest.raises(ModelError, match=r"modeling_odd\.py, which its folder does not hold"):
        hub.resolve(str(folder), trust_remote_code=str(folder))
    write(folder, {"modeling_odd.py": b"", "configuration_odd.py": b""})
    assert hub.resolve(str(folder), trust_remote_code="odd").source == "folder"


def test_code_from_yet_another_repository_must_be_named_itself(tmp_path: Path) -> None:
    config = b'{"model_type": "odd", "auto_map": {"AutoModel": "stranger/code--modeling_odd.Odd"}}'
    folder = write(tmp_path / "odd", model_files(**{"config.json": config}))
    with pytest.raises(ModelError, match="--trust-remote-code stranger/code"):
        hub.resolve(str(folder), trust_remote_code="odd")


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ("---\nlicense: mit\n---\n", "mit"),
        ("---\nlicense: [mit, apache-2.0]\n---\n", "mit, apache-2.0"),
        ("---\nlicense: other\nlicense_name: my-own\n---\n", "my-own"),
        ("# no metadata", ""),
        ("---\n: : [\n---\n", ""),
    ],
)
def test_the_licence_is_what_the_card_declares(tmp_path: Path, card: str, license: str) -> None:
    assert license_of(write(tmp_path / "model", model_files(**{"README.md": card.encode()}))) == license


@pytest.mark.parametrize("head", ["classifier.safetensors", "own_layers.safetensors"])
def test_a_head_in_a_file_of_its_own_is_taken_along(head: str) -> None:
    names = ["config.json", "model.safetensors", head, "other.safetensors", "tokenizer.json"]
    assert needed_files(names) == ["config.json", "tokenizer.json", *sorted([head, "model.safetensors"])]
