"""``.gitattributes``: which files of a Space git keeps beside the repository (LFS), as hubs insist for binary and large ones."""

import re
from pathlib import Path

BINARY = (
    "bin",
    "gz",
    "ico",
    "jpeg",
    "jpg",
    "mo",
    "model",
    "npy",
    "npz",
    "onnx",
    "png",
    "pt",
    "safetensors",
    "wasm",
    "webp",
    "whl",
    "xlsx",
    "zip",
)
LARGEST = 10_000_000  # bytes of a file that stands in the repository itself
_KEPT = "filter=lfs diff=lfs merge=lfs -text"


def attributes(place: Path) -> str:
    """The file for a folder: the endings that are binary, and whatever else is too large."""
    large = (file for file in sorted(place.rglob("*")) if file.is_file() and file.stat().st_size > LARGEST)
    named = [file.relative_to(place).as_posix() for file in large if file.suffix[1:].lower() not in BINARY]
    return "".join(f"{pattern} {_KEPT}\n" for pattern in (*(f"*.{ending}" for ending in BINARY), *map(_quoted, named)))


def _quoted(path: str) -> str:
    """A path as a pattern that means it alone.

    >>> _quoted("run/my model.json")
    'run/my[[:space:]]model.json'
    """
    return re.sub(r"[\[*?]", lambda letter: f"[{letter[0]}]", path).replace(" ", "[[:space:]]")
