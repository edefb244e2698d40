"""A file or a hub's data set becomes a table of texts, whatever its format. It knows files, and nothing of what a column means.

The ending says which reader is used and the first bytes must agree: an image named .csv is an error, not a table of nonsense.
"""

import dataclasses
import difflib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weitiao import sample
from weitiao.data.arrow_package import require_arrow
from weitiao.data.bad_rows import BadRows
from weitiao.data.conversations import is_conversation
from weitiao.data.delimited import delimited_tables, find_dialect, wanted_delimiter
from weitiao.data.encodings import Encoding, recognise, utf16_without_mark
from weitiao.data.headers import empty, no_rows
from weitiao.data.hub_tables import PREFIX, hub_splits
from weitiao.data.json_tables import is_lines, json_lines_tables, json_tables
from weitiao.data.ledger import Ledger
from weitiao.data.schema import Schema
from weitiao.data.signatures import BINARY, TEXT, looks_like
from weitiao.data.table import Table
from weitiao.data.workbooks import workbook_tables
from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer

CHUNK_ROWS = 50_000
_FORMATS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
ENDINGS = tuple(_FORMATS)
_FORMAT_TITLES = {"parquet": "Parquet", "arrow": "Arrow", "xlsx": "Excel", "json": "JSON", "delimited": "CSV"}


@dataclass(frozen=True)
class Reading:
    """How to read files: the settings of the same names.

    Attributes:
        encoding, delimiter: "" to recognise them.
        max_bad_rows: unreadable rows that may be left out of a file.
        offline: open no socket.
        text_separator: what joins several columns of a text, as it was typed; "" for what a plan says.
        chunk_rows: most rows in one piece when a file is read in pieces.
        may_be_empty: whether a file without rows is one of many and no error.
        schema: the task's, where its own formats and layouts should be understood.
    """

    encoding: str = ""
    delimiter: str = ""
    max_bad_rows: int = 0
    offline: bool = False
    chunk_rows: int = CHUNK_ROWS
    schema: Schema | None = None
    text_separator: str = ""
    may_be_empty: bool = False

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of files that can be read."""
        return (*ENDINGS, *(self.schema.endings if self.schema else ()))


def read(
    source: str,
    *,
    encoding: str = "",
    delimiter: str = "",
    max_bad_rows: int = 0,
    ledger: Ledger,
    offline: bool = False,
    schema: Schema | None = None,
    observer: Observer = SILENT,
    bad: BadRows | None = None,
) -> Table:
    """The whole of a file as one table of texts.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("text,label\\ngood,1\\n", encoding="utf-8")
    >>> read(str(path), ledger=Ledger())[0]
    {'text': 'good', 'label': '1'}

    ``bad`` counts unreadable rows in the place of ``max_bad_rows``, for a caller who counts on.

    Raises:
        DataError: the file is missing, empty, of another kind, or holds more unreadable rows than may be left out.
        UsageError: an unknown encoding or an impossible delimiter.
        NetworkError: a hub that cannot be reached.
    """
    tables: list[Table] = []
    done = 0
    for table in iter_tables(source, Reading(encoding, delimiter, max_bad_rows, offline, schema=schema), ledger, bad):
        tables.append(table)
        done += len(table)
        observer.progress("read", done, None, {})
    return Table.concat(tables)


def iter_tables(
    source: str,
    reading: Reading = Reading(),
    ledger: Ledger | None = None,
    bad: BadRows | None = None,
) -> Iterator[Table]:
    """A file in pieces of at most ``reading.chunk_rows`` rows, each with a row, and one at least unless it may be empty: memory stays
    bounded, however long it is.

    CSV, TSV, text, JSON Lines, Parquet, Arrow and Excel are streamed; a JSON list is held as text, a hub's data set by Arrow.
    ``bad`` counts unreadable rows in the place of ``reading.max_bad_rows``: hand the same one to ``to_records``, and one limit holds for
    both. Raises as ``read`` does; too many unreadable rows are found when they are met.
    """
    ledger = Ledger() if ledger is None else ledger
    bad = BadRows(source, reading.max_bad_rows, ledger) if bad is None else bad.stage(source)
    rows = 0
    names: list[str] = []
    for table in _hub_tables(source, reading) if source.startswith(PREFIX) else _file_tables(_path(source), source, reading, ledger, bad):
        names = names or table.names
        if len(table):
            rows += len(table)
            yield table
    if not rows and not reading.may_be_empty:
        raise no_rows(source, names) if names else empty(source)


def _path(source: str) -> Path:
    """Where a source stands: ``sample:en`` inside this package, anything else where it says."""
    return sample.path(source.removeprefix("sample:")) if source.startswith("sample:") else Path(source)


def _hub_tables(source: str, reading: Reading) -> Iterator[Table]:
    splits = hub_splits(source, offline=reading.offline)
    if len(splits) > 1:
        message = _("{source} has several splits ({splits}), where one table was meant. Save the one you need as a file.")
        raise DataError(message.format(source=source, splits=_(", ").join(splits)), file=source)
    return iter(splits.values())


def _file_tables(path: Path, source: str, reading: Reading, ledger: Ledger, bad: BadRows) -> Iterator[Table]:
    path = path.expanduser()
    head = _head(path, source)
    delimiter = wanted_delimiter(reading.delimiter)
    if not head.strip(b"\xef\xbb\xbf \t\r\n\0"):
        if reading.may_be_empty:
            return iter(())
        raise empty(source)
    own = _own(path, source, head, reading, ledger)
    if own is not None:
        return iter((own,))
    kind = _format(path, source, head)
    if kind in ("parquet", "arrow"):
        require_arrow(source)
        from weitiao.data.arrow_tables import arrow_file_tables, parquet_tables

        return (parquet_tables if kind == "parquet" else arrow_file_tables)(path, source, reading.chunk_rows)
    if kind == "xlsx":
        return workbook_tables(path, source, ledger, reading.chunk_rows)
    encoding = recognise(path, reading.encoding)
    if kind == "json":
        return _json(path, source, encoding, bad, ledger, reading.chunk_rows)
    if not delimiter and path.suffix.lower() != ".txt":
        _refuse_json(path, source, encoding)
    dialect = find_dialect(path, encoding, delimiter=delimiter, ending=path.suffix.lower())
    return delimited_tables(path, source, encoding, dialect, bad, ledger, reading.chunk_rows)


def _own(path: Path, source: str, head: bytes, reading: Reading, ledger: Ledger) -> Table | None:
    """A file in a format of the task's own."""
    if reading.schema is None or looks_like(head) != TEXT:
        return None
    # Only a task that asks for the text pays for telling its encoding, which reads the file once.
    encoding = functools.cache(lambda: recognise(path, reading.encoding))
    table = reading.schema.read(path, lambda: encoding().open(path))
    if table is None:
        return None
    for row in table.mended:
        ledger.add(source, row, "repaired", "half_character")
    return dataclasses.replace(table, source=source, mended=())


def _json(path: Path, source: str, encoding: Encoding, bad: BadRows, ledger: Ledger, chunk_rows: int) -> Iterator[Table]:
    # Objects a line in a .json and a list in a .jsonl are both common, and both plain to see; so is a conversation a line.
    with encoding.open(path) as file:
        first = file.read(4096).lstrip("\ufeff \t\r\n")[:1]
    if first == "[" and is_lines(path, encoding, of=is_conversation, one=path.suffix.lower() != ".json"):
        return json_lines_tables(path, source, encoding, bad, ledger, chunk_rows, lists="messages")
    lines = is_lines(path, encoding) if path.suffix.lower() == ".json" else first != "["
    return (json_lines_tables if lines else json_tables)(path, source, encoding, bad, ledger, chunk_rows)


def _head(path: Path, source: str) -> bytes:
    """The first bytes of a file; what keeps it from being read becomes a DataError."""
    # os.path, unlike Path, takes a name that is too long for any file system for one that is not there.
    if os.path.isdir(path):
        raise _is_folder(path, source)
    if not os.path.exists(path):
        raise missing(path, source)
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError as error:
        message = _("{file} cannot be read: {reason}. Check that you may read it.").format(file=source, reason=error.strerror or error)
        raise DataError(message, file=source) from error


def _format(path: Path, source: str, head: bytes) -> str:
    """The reader's name by ending and content. Raises DataError where they disagree."""
    ending = path.suffix.lower()
    expected = _FORMATS.get(ending)
    kind = looks_like(head)
    if kind == BINARY and (head.startswith((b"\xff\xfe", b"\xfe\xff")) or utf16_without_mark(head)):
        kind = TEXT  # UTF-16 is full of bytes that look like control characters
    if kind == TEXT:
        if expected in (None, "delimited", "json"):
            return expected or ("json" if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b'{"', b"[{")) else "delimited")
        message = _("{file} is named {ending}, but it is text, not {format}: it may be damaged or misnamed. Rename or download it again.")
        raise DataError(message.format(file=source, ending=ending, format=_FORMAT_TITLES[expected]), file=source)
    if kind.code == expected or (expected is None and kind.code in _FORMATS.values()):
        return kind.code
    if ending in ENDINGS:
        message = _("{file} is named {ending}, but it looks like {kind}.").format(file=source, ending=ending, kind=_(kind.title))
    else:
        message = _("{file} looks like {kind}, which cannot be read as a table.").format(file=source, kind=_(kind.title))
    raise DataError(f"{message} {_(kind.cure)}", file=source)


def _refuse_json(path: Path, source: str, encoding: Encoding) -> None:
    if is_lines(path, encoding):
        message = _("{file} is named {ending}, but it holds JSON objects, one a line. Rename it to end in .jsonl.")
        raise DataError(message.format(file=source, ending=path.suffix or '""'), file=source)


def missing(path: Path, source: str) -> DataError:
    """The error for a file that is not there, with what stands near it."""
    folder = path.parent
    if not os.path.isdir(folder):
        message = _("{file} does not exist; neither does the folder {folder}. You are in {here}.")
        return DataError(message.format(file=source, folder=folder, here=Path.cwd()), file=source)
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() or p.suffix.lower() in ENDINGS)
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5) or [name for name in names if Path(name).stem == path.name]
    message = _("{file} does not exist.").format(file=source)
    if near:
        message += " " + _("Did you mean {names}?").format(names=_(" or ").join(str(folder / name) for name in near))
    elif names:
        message += " " + _("The folder {folder} holds: {names}.").format(folder=folder, names=_(", ").join(names[:8]))
    else:
        message += " " + _("The folder {folder} holds no data file; allowed are {endings}.").format(
            folder=folder, endings=_(", ").join(ENDINGS)
        )
    return DataError(message, file=source)


def _is_folder(path: Path, source: str) -> DataError:
    files = sorted(p.name for p in path.iterdir() if p.suffix.lower() in ENDINGS)
    message = _("{file} is a folder, where a file was meant.").format(file=source)
    if files:
        message += " " + _("Give one of the files in it: {names}.").format(names=_(", ").join(str(path / name) for name in files[:8]))
    else:
        message += " " + _("It holds no data file; allowed are {endings}.").format(endings=_(", ").join(ENDINGS))
    return DataError(message, file=source)
