"""What a bundle says of itself, and what an unpacked model folder keeps of it: names, sizes and hashes, checked at the border.

It knows which files a bundle may hold; it opens no archive and reads no model.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from weitiao.data.hub_cache import dataset_folder, model_folder
from weitiao.engine import offline_base
from weitiao.engine.model_folder import needed_files
from weitiao.errors import ModelError
from weitiao.messages import _

SCHEMA = 1
RECORD = "weitiao.json"  # the manifest's name, in the bundle and in the unpacked folder
_SPLIT = re.compile(r"\w[\w.-]*\.parquet")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PackedFile:
    """One file of a bundle: its path inside, its size, and the sha256 of its content."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds.

    Attributes:
        kind: "model" or "dataset".
        id: the name that it is asked for by: a hub id, a folder's own name, the offline base's id, or a data set without ``hub:``.
        revision: as it was asked for, "" for the default branch.
        commit: the hub's commit, where known.
        license: as the model card declares it.
        files: in the order in which they are packed.
    """

    kind: Literal["model", "dataset"]
    id: str
    revision: str
    commit: str
    license: str
    files: tuple[PackedFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.bytes for file in self.files)

    def folder(self) -> Path:
        """Where it belongs on this machine, so that it is found by its name. Raises ValueError for a name that is a path."""
        if self.kind == "dataset":
            return dataset_folder(self.id)
        packaged = offline_base.named(self.id)
        return model_folder(packaged.unpacked if packaged else self.id)

    def text(self) -> str:
        """As JSON."""
        return json.dumps({"weitiao_bundle": SCHEMA, **asdict(self)}, ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def parse(cls, text: str | bytes, where: str) -> "Manifest":
        """From JSON that somebody else wrote. Raises ModelError, naming ``where`` it came from and what it may not hold."""
        try:
            values: dict[str, Any] = json.loads(text)
            if values["weitiao_bundle"] > SCHEMA:
                message = _("{bundle} was made by a newer weitiao. Update: pip install -U weitiao")
                raise ModelError(message.format(bundle=where))
            files = tuple(PackedFile(str(file["path"]), int(file["bytes"]), str(file["sha256"])) for file in values["files"])
            known = {key: str(values[key]) for key in ("id", "revision", "commit", "license")}
            if values["kind"] not in ("model", "dataset") or any(f.bytes < 0 or not _SHA256.fullmatch(f.sha256) for f in files):
                raise ValueError(values["kind"])
            manifest = cls(kind=values["kind"], **known, files=files)
            manifest.folder()
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(_("{bundle} is not a bundle of weitiao, or it is damaged. Make it again.").format(bundle=where)) from error
        refuse_strangers(manifest.kind, [file.path for file in files], where)
        return manifest


def refuse_strangers(kind: str, paths: Iterable[str], where: str) -> None:
    """Refuse what no bundle may hold: code, pickle, and any path that could leave its folder. Raises ModelError."""
    for path in paths:
        plain = "\\" not in path and ":" not in path and ".." not in path.split("/")
        allowed = needed_files([path]) == [path] if kind == "model" else _SPLIT.fullmatch(path) is not None
        if not (plain and allowed):
            message = _(
                "{bundle} holds «{path}», which no bundle may hold: only config, tokenizer, safetensors and Parquet files in its own "
                "folder. Nothing was unpacked. Do not trust whoever made it."
            )
            raise ModelError(message.format(bundle=where, path=path))


def recorded(folder: Path) -> Manifest | None:
    """The manifest that an unpacked folder keeps, None where there is none or it cannot be read."""
    try:
        return Manifest.parse((folder / RECORD).read_bytes(), RECORD)
    except (OSError, ModelError):
        return None
