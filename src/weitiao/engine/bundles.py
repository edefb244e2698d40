"""One file that carries a model or a data set to a machine without a network: packing, and unpacking what a stranger may have packed.

A bundle is a plain .zip or .tar: a manifest first, then the files that it names. This module knows archives and hashes; it does not know
where files come from (``hub``) or what a bundle may hold (``manifest``).
"""

import hashlib
import io
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISLNK
from typing import IO, Any

from weitiao.data.arrow_package import require_arrow
from weitiao.engine.manifest import RECORD, Manifest, PackedFile, refuse_strangers
from weitiao.engine.model_folder import file_sha256, verify_folder
from weitiao.errors import ModelError, ResourceError, UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import atomic

ENDINGS = (".zip", ".tar")
_MAX_MANIFEST = 4_000_000  # bytes
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class _Entry:
    """A file in an archive: its name there, its size, and how to read it. ``plain`` is False for links, folders and devices."""

    name: str
    size: int
    plain: bool
    open: Callable[[], IO[bytes] | None]


def check_ending(bundle: Path) -> None:
    """Raises UsageError for a name that is neither .zip nor .tar: nobody's data file is to be replaced by a slip."""
    if bundle.suffix.lower() not in ENDINGS:
        raise UsageError(_("--bundle {bundle} must end in .zip or .tar, as in --bundle model.zip").format(bundle=bundle))


def pack(folder: Path, names: Sequence[str], bundle: Path, *, observer: Observer = SILENT, **about: Any) -> Manifest:
    """Write the files ``names`` of ``folder`` into ``bundle``, atomically.

    Args:
        folder: where they are; links are followed.
        names: their paths inside it, with "/".
        bundle: the file to write or to replace, .zip or .tar.
        observer: hears the "fetch" progress in bytes.
        about: the manifest's other fields: kind, id, revision, commit, license.

    Raises:
        UsageError: another ending.
        ModelError: a file that no bundle may hold.
        ResourceError: the bundle cannot be written.
    """
    check_ending(bundle)
    files = tuple(PackedFile(name, (folder / name).stat().st_size, file_sha256(folder / name)) for name in names)
    manifest = Manifest(files=files, **about)
    refuse_strangers(manifest.kind, names, str(bundle))
    text = manifest.text().encode()
    seen = _Progress(manifest.size, observer)
    advice = _("Free some space, or name another file with --bundle.")
    with _cannot_write(bundle, advice), atomic(bundle) as temporary, _archive(temporary, bundle.suffix.lower()) as add:
        add(RECORD, len(text), io.BytesIO(text))
        for file in files:
            with (folder / file.path).open("rb") as opened:
                add(file.path, file.bytes, _Counted(opened, seen))
    return manifest


def unpack(bundle: Path, *, observer: Observer = SILENT) -> dict[str, Any]:
    """Unpack a bundle into our own cache, where its model or data set is then found by its name. Needs no network.

    Every file is checked against the manifest's sha256; links, code, pickle and paths that leave the folder are refused. What stood there
    is replaced only when all is well.

    Returns:
        {"id", "kind", "source": "bundle", "path", "bytes", "bundle"}; a data set's id starts with "hub:".

    Raises:
        UsageError: no such file.
        ModelError: not a bundle, damaged, or holding what it must not.
        ResourceError: no room.
    """
    if not bundle.is_file():
        message = _("There is no bundle {bundle}. Make one where there is a network: weitiao fetch NAME --bundle FILE.zip")
        raise UsageError(message.format(bundle=bundle))
    with _entries(bundle) as entries:
        first = next(entries, None)
        if first is None or first.name != RECORD or not first.plain or first.size > _MAX_MANIFEST:
            raise ModelError(_("{bundle} is not a bundle of weitiao: it does not start with a manifest.").format(bundle=bundle))
        manifest = Manifest.parse(b"".join(_chunks(first)), str(bundle))
        target = manifest.folder()
        _check_room(manifest, target)
        with _cannot_write(target, _("Set WEITIAO_HOME to a folder that you may write to, with room.")), atomic(target) as temporary:
            temporary.mkdir()
            _extract(manifest, entries, temporary, bundle, _Progress(manifest.size, observer))
            (temporary / RECORD).write_text(manifest.text(), encoding="utf-8")
            if manifest.kind == "model":
                verify_folder(temporary, where=manifest.id)
            else:
                _verify_parquet(temporary, bundle)
    name = manifest.id if manifest.kind == "model" else f"hub:{manifest.id}"
    return {"id": name, "kind": manifest.kind, "source": "bundle", "path": str(target), "bytes": manifest.size, "bundle": str(bundle)}


def _extract(manifest: Manifest, entries: Iterator[_Entry], folder: Path, bundle: Path, seen: "_Progress") -> None:
    """Write every entry that the manifest names, once, and nothing else."""
    expected = {file.path: file for file in manifest.files}
    for entry in entries:
        file = expected.pop(entry.name, None)
        if file is None or not entry.plain or entry.size != file.bytes:
            message = _(
                "{bundle} holds «{path}», which is not what its manifest names: it was changed or is damaged. Nothing was unpacked."
            )
            raise ModelError(message.format(bundle=bundle, path=entry.name))
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (folder / file.path).open("wb") as out:
            for chunk in _chunks(entry):
                digest.update(chunk)
                out.write(chunk)
                seen.add(len(chunk))
        if digest.hexdigest() != file.sha256:
            message = _("{bundle}: {path} has the wrong checksum: sha256 {found}, and its manifest says {expected}. Copy the bundle again.")
            found = digest.hexdigest()[:12]
            raise ModelError(message.format(bundle=bundle, path=file.path, found=found, expected=file.sha256[:12]))
    if expected:
        message = _("{bundle} lacks {names}, which its manifest names. Copy the bundle again.")
        raise ModelError(message.format(bundle=bundle, names=_(", ").join(sorted(expected))))


def _check_room(manifest: Manifest, target: Path) -> None:
    place = target.parent
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if manifest.size > free:
        message = _("{id} needs {needed} MB and {folder} has {free} MB free. Free some, or set WEITIAO_HOME to a folder on a larger disk.")
        sizes = {"needed": manifest.size // 10**6 + 1, "free": free // 10**6}
        raise ResourceError(message.format(id=manifest.id, folder=place, **sizes))


def _verify_parquet(folder: Path, bundle: Path) -> None:
    """Read the footer of every split: a data set that cannot be read is better refused now than on the train."""
    require_arrow(str(bundle))
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in sorted(folder.glob("*.parquet")):
        try:
            pq.read_metadata(file)
        except (pa.ArrowException, OSError) as error:
            message = _("{bundle}: {path} is not a Parquet file, or is damaged. Make the bundle again.")
            raise ModelError(message.format(bundle=bundle, path=file.name)) from error


@contextmanager
def _cannot_write(path: Path, advice: str) -> Iterator[None]:
    """Says what a full or read-only disk means here, and makes the folder that ``path`` goes into."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, ResourceError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        reason = getattr(cause, "strerror", None) or cause or error
        raise ResourceError(_("{path} cannot be written: {reason}. {advice}").format(path=path, reason=reason, advice=advice)) from error


class _Progress:
    """Counts bytes over all files of a bundle."""

    def __init__(self, total: int, observer: Observer) -> None:
        self.done, self.told, self.total, self.observer = 0, 0, total, observer

    def add(self, count: int) -> None:
        self.done += count
        if self.done - self.told >= _CHUNK or self.done == self.total:
            self.told = self.done
            self.observer.progress("fetch", self.done, self.total, {})


class _Counted:
    """A file whose reading is counted."""

    def __init__(self, file: IO[bytes], seen: _Progress) -> None:
        self.file, self.seen = file, seen

    def read(self, size: int = -1) -> bytes:
        chunk = self.file.read(size)
        self.seen.add(len(chunk))
        return chunk


def _chunks(entry: _Entry) -> Iterator[bytes]:
    """An entry's content, never more than it said it was."""
    opened = entry.open()
    left = entry.size
    while opened is not None and left > 0 and (chunk := opened.read(min(_CHUNK, left))):
        left -= len(chunk)
        yield chunk


@contextmanager
def _archive(file: Path, ending: str) -> Iterator[Callable[[str, int, Any], None]]:
    """A new archive, and how to add to it: name, size, content. Times and owners are left out: the same files give the same bundle."""
    if ending == ".zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:

            def add(name: str, size: int, content: Any) -> None:
                with packed.open(zipfile.ZipInfo(name), "w", force_zip64=True) as out:
                    shutil.copyfileobj(content, out, _CHUNK)

            yield add
        return
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tarred:

        def append(name: str, size: int, content: Any) -> None:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = size, 0o644
            tarred.addfile(entry, content)

        yield append


@contextmanager
def _entries(bundle: Path) -> Iterator[Iterator[_Entry]]:
    """The entries of an archive, whichever of the two it is. Raises ModelError for one that cannot be read."""
    try:
        if zipfile.is_zipfile(bundle):
            with zipfile.ZipFile(bundle) as packed:
                yield (_zip_entry(packed, entry) for entry in packed.infolist())
        else:
            with tarfile.open(bundle, "r:") as tarred:
                yield (_tar_entry(tarred, entry) for entry in tarred)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
        message = _("{bundle} is not a bundle of weitiao, or it is cut short ({error}). Copy it again, or make it again.")
        raise ModelError(message.format(bundle=bundle, error=error)) from error


def _zip_entry(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> _Entry:
    plain = not entry.is_dir() and not S_ISLNK(entry.external_attr >> 16)
    return _Entry(entry.filename, entry.file_size, plain, lambda: packed.open(entry))


def _tar_entry(tarred: tarfile.TarFile, entry: tarfile.TarInfo) -> _Entry:
    return _Entry(entry.name, entry.size, entry.isreg() and not entry.issparse(), lambda: tarred.extractfile(entry))
