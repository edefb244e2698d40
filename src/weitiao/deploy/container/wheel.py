"""An installed package as a wheel again, so that it can be installed where there is neither its repository nor an index that has it."""

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

TAG = "py3-none-any"
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same files make the same wheel


def write_wheel(package: Path, said: Distribution, place: Path) -> Path:
    """Write a pure Python package as a wheel.

    Args:
        package: its folder.
        said: its metadata: name, version, requirements, commands.
        place: the folder to write to.

    Returns:
        The wheel.
    """
    stem = f"{package.name}-{said.version}"
    wheel, record = place / f"{stem}-{TAG}.whl", []
    place.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _files(package, said, f"{stem}.dist-info"):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
            record.append(f"{name},sha256={digest},{len(content)}")
            _add(archive, name, content)
        record.append(f"{stem}.dist-info/RECORD,,")
        _add(archive, f"{stem}.dist-info/RECORD", ("\n".join(record) + "\n").encode())
    return wheel


def _files(package: Path, said: Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    for file in sorted(package.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(package.parent).as_posix(), file.read_bytes()
    yield f"{info}/METADATA", (said.read_text("METADATA") or "").encode()
    for name, content in licenses(said).items():
        yield f"{info}/licenses/{name}", content
    yield f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: weitiao\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode()
    commands = [entry for entry in said.entry_points if entry.group == "console_scripts"]
    if commands:
        yield f"{info}/entry_points.txt", "\n".join(["[console_scripts]", *(f"{c.name} = {c.value}" for c in commands), ""]).encode()


def licenses(said: Distribution) -> dict[str, bytes]:
    """The license files of an installed package, by their names."""
    files = [file for file in said.files or () if "licenses" in file.parts and file.parts[0].endswith(".dist-info")]
    return {file.name: Path(str(file.locate())).read_bytes() for file in files}


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
