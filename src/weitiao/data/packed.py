"""Compressed files (.gz, .xz, .zst) that open like plain ones, a piece at a time. It knows bytes, and nothing of what they say."""

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, overload

from weitiao.errors import DataError
from weitiao.messages import _

_MAGIC = {".gz": b"\x1f\x8b", ".xz": b"\xfd7zXZ\x00", ".zst": b"\x28\xb5\x2f\xfd"}
ENDINGS = tuple(_MAGIC)
_PIECE = 1 << 18  # bytes


class Packed:
    """A compressed file with the part of ``Path`` that readers use; ``str()`` of it is its name.

    >>> import gzip, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt.gz"
    >>> _ = path.write_bytes(gzip.compress(b"one\\ntwo\\n"))
    >>> with Packed(path).open(encoding="utf-8") as file:
    ...     [line.strip() for line in file]
    ['one', 'two']

    Raises:
        DataError: it may not be read; what is inside is none of the format that the name says;
            while it is read, where it is cut off or damaged, with the line.
    """

    def __init__(self, path: Path, source: str = "") -> None:
        self.path, self.source = path, source or str(path)
        self.kind = path.suffix.lower()
        try:
            with path.open("rb") as file:
                head = file.read(8)
        except OSError as error:
            message = _("{file} cannot be read: {reason}. Check that you may read it.")
            raise DataError(message.format(file=self.source, reason=error.strerror or error), file=self.source) from error
        if not head.startswith(_MAGIC[self.kind]):
            message = _("{file} is named {ending}, but it is no {ending} archive. Rename it, or get it again.")
            raise DataError(message.format(file=self.source, ending=self.kind), file=self.source)

    @property
    def suffix(self) -> str:
        """The ending of the file inside: ".txt" of "a.txt.gz"."""
        return Path(self.path.stem).suffix

    def __str__(self) -> str:
        return self.source

    @overload
    def open(self, mode: Literal["rb"]) -> io.BufferedReader: ...
    @overload
    def open(self, *, encoding: str, errors: str = "strict", newline: str | None = None) -> io.TextIOWrapper: ...
    def open(self, mode: str = "r", encoding: str = "utf-8", errors: str = "strict", newline: str | None = None) -> Any:
        """The file inside, as bytes or as text."""
        file = io.BufferedReader(_Unpacking(self), _PIECE)
        return file if mode == "rb" else io.TextIOWrapper(file, encoding=encoding, errors=errors, newline=newline)


class _Unpacking(io.RawIOBase):
    """The bytes inside; a damaged archive becomes a DataError that says after which line."""

    def __init__(self, packed: Packed) -> None:
        super().__init__()
        self._packed, self._lines, self._read = packed, 0, _reader(packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        import lzma

        try:
            data: bytes = self._read(len(buffer))
        # pyarrow's zstd raises OSError; so does gzip of a wrong checksum. EOFError: the end is missing.
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            row = self._lines + 1
            message = _("{file}, line {line}: the {ending} archive is cut off or damaged there. Get it again, or unpack what can be saved.")
            raise DataError(
                message.format(file=self._packed, line=row, ending=self._packed.kind), file=str(self._packed), row=row
            ) from error
        buffer[: len(data)] = data
        self._lines += data.count(b"\n")
        return len(data)


def _reader(packed: Packed) -> Callable[[int], bytes]:
    """What gives the next bytes, at most so many."""
    if packed.kind == ".gz":
        import gzip

        return gzip.open(packed.path, "rb").read
    if packed.kind == ".xz":
        import lzma

        return lzma.open(packed.path, "rb").read
    try:
        import pyarrow as pa
    except ImportError as error:
        message = _("{file}: reading .zst needs pyarrow, which is not installed. Type: pip install pyarrow, or unpack it: zstd -d {file}")
        raise DataError(message.format(file=packed), file=str(packed)) from error
    read: Callable[[int], bytes] = pa.input_stream(str(packed.path), compression="zstd").read
    return read
