"""Unlabelled text as a stream of documents, from text files (also .gz, .xz, .zst), JSON Lines, Parquet, other tables, and folders of them.

Nothing is read whole: memory is the same for a file of a megabyte and of a terabyte, but for a few bytes a document that tell repeats.
(A JSON list, which has no rows before its end, is the exception.) It knows nothing of tokens and models.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from weitiao import sample
from weitiao.config import nearest
from weitiao.data import packed
from weitiao.data.bad_rows import BadRows
from weitiao.data.cleaning import is_blank
from weitiao.data.corpus_cleaning import EMPTY, Document, cleaned
from weitiao.data.encodings import is_damaged, recognise, utf16_without_mark
from weitiao.data.ledger import Ledger
from weitiao.data.normalising import normalise
from weitiao.data.packed import Packed
from weitiao.data.passages import UNITS, passages, pieces
from weitiao.data.signatures import BINARY, TEXT, looks_like
from weitiao.data.titles import reason_title
from weitiao.errors import DataError, UsageError
from weitiao.messages import _
from weitiao.quantities import quoted, some

TEXTS = (".txt", ".text")
LINES = (".jsonl", ".ndjson")
TABLES = (*LINES, ".parquet", ".csv", ".tsv", ".tab", ".json", ".arrow", ".feather", ".xlsx", ".xlsm")
IN_FOLDERS = (*TEXTS, *LINES, ".parquet")  # what a folder is searched for; a table or a page of another kind there may be about the corpus
NO_ROWS = "empty_file"
_ROWS_AT_ONCE = 1000
_SAMPLE_PREFIX = "sample:"


def documents(
    sources: Sequence[Path | str],
    *,
    text_column: str | None = None,
    clean: bool = True,
    ledger: Ledger,
    document: str = "line",
    encoding: str = "",
    max_bad_rows: int = 0,
) -> Iterator[Document]:
    """The documents of files and folders, one after the other.

    >>> import tempfile
    >>> from weitiao.data.ledger import ShortLedger
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_text("One day.\\n\\nAnother day, another story.\\nOne day.\\n", encoding="utf-8")
    >>> [(one.row, one.text) for one in documents([path], ledger=ShortLedger())]
    [(1, 'One day.'), (3, 'Another day, another story.')]

    Args:
        sources: files; folders, which are searched to the bottom, but for hidden ones, in the order of their names, for the endings of
            ``IN_FOLDERS``; "sample:en" and "sample:zh". Links to folders are not followed. An empty file among others is passed over.
        text_column: of tables; by default "text", or the only one there is. Several, with commas between, become one text, line by line.
        clean: leave out repeats and near-repeats, lines that are mostly markup, control characters. Empty documents never come.
        ledger: counts what is left out, whole files too; a ``ShortLedger`` does so in bounded memory. Empty lines between passages are no
            rows.
        document: what of a text file is one: a "line", a "paragraph" between empty lines, or the whole "file".
        encoding, max_bad_rows: see ``config.DataSettings``.

    Raises:
        UsageError: an unknown encoding or kind of document.
        DataError: a file is missing, of another kind, cut off or undecodable, lacks the column; or nothing is left. Files are looked for
            at once, and read as the documents are asked for.
    """
    if document not in UNITS:
        message = _('--document is "{value}"; it must be one of {choices}.').format(value=document, choices=_(", ").join(UNITS))
        raise UsageError(message + nearest(document, list(UNITS)))
    files = [file for source in sources for file in _files(str(source), ledger)]

    def read() -> Iterator[Document]:
        for path, source in files:
            bad = BadRows(source, max_bad_rows, ledger, alone=False)
            none = True
            for one in _documents(path, source, text_column, document, encoding, bad, ledger):
                none = False
                yield one
            if none and not bad.count:
                ledger.add(source, 1, "dropped", NO_ROWS)

    return _some_of(cleaned(read(), ledger) if clean else _visible(read(), ledger), [source for _path, source in files], ledger)


def is_held_out(text: str, share: float, seed: int) -> bool:
    """Whether a document is of the held-out share: by its text and the seed alone, so that neither order nor new documents change it.

    >>> sum(is_held_out(f"text {number}", 0.1, seed=42) for number in range(1000))
    94
    >>> is_held_out("a Text", 0.5, seed=1) == is_held_out("A  text", 0.5, seed=1)
    True
    """
    key = hashlib.blake2b(normalise(text).encode("utf-8", "replace"), digest_size=8, salt=seed.to_bytes(8, "little")).digest()
    return int.from_bytes(key, "little") < share * 2**64


def _documents(
    path: Path, source: str, text_column: str | None, unit: str, encoding: str, bad: BadRows, ledger: Ledger
) -> Iterator[Document]:
    """All of one file."""
    file = Packed(path, source) if path.suffix.lower() in packed.ENDINGS else path
    ending = file.suffix.lower()
    if ending in TABLES:
        yield from _of_tables(file, source, text_column, encoding, bad, ledger)
        return
    _refuse_other_kinds(file, source)
    found = recognise(file, encoding)
    with found.open(file) as lines:
        for row, text in passages(lines, unit, lambda row: ledger.add(source, row, "kept", "in_pieces")):
            if found.damaged and is_damaged(text):
                readable = text.encode("utf-8", "replace").decode("utf-8")
                bad.add(row, "undecodable", _("it holds bytes that are not UTF-8: {text}.").format(text=quoted(readable)))
            else:
                bad.fine += 1
                yield Document(text, source, row)
    bad.check()


def _of_tables(
    file: Path | Packed, source: str, text_column: str | None, encoding: str, bad: BadRows, ledger: Ledger
) -> Iterator[Document]:
    from weitiao.data.json_tables import json_lines_tables
    from weitiao.data.reading import Reading, iter_tables

    if isinstance(file, Path):
        tables = iter_tables(source, Reading(encoding, chunk_rows=_ROWS_AT_ONCE, may_be_empty=True), ledger, bad)
    elif file.suffix.lower() in LINES:
        tables = json_lines_tables(file, source, recognise(file, encoding), bad, ledger, _ROWS_AT_ONCE)
    else:
        message = _("{file}: of compressed files, text ({texts}) and JSON Lines ({lines}) can be read. Unpack it first.")
        raise DataError(message.format(file=source, texts=_(", ").join(TEXTS), lines=_(", ").join(LINES)), file=source)
    columns: list[str] = []
    noted = set[str]()
    for table in tables:
        columns = columns or _columns(table.names, text_column, source)  # rows further down may have fewer fields, or more
        for note in dict.fromkeys(table.notes):
            if note not in noted:
                noted.add(note)
                ledger.add(source, 1, "dropped", "other_sheets", note)
        texts = [table.texts(column) if column in table.names else [None] * len(table) for column in columns]
        for row, fields in zip(table.rows.tolist(), zip(*texts, strict=True), strict=True):
            parts = list(pieces("\n".join(field for field in fields if field)))
            if len(parts) > 1:
                ledger.add(source, row, "kept", "in_pieces")
            yield from (Document(part, source, row) for part in parts)


def _columns(names: Sequence[str], wanted: str | None, source: str) -> list[str]:
    """The columns that hold the texts. Raises DataError where one is not there or they cannot be told."""
    if wanted is None and len(names) == 1:
        return [names[0]]
    columns = [wanted or "text"] if wanted in names else [part.strip() for part in (wanted or "text").split(",")]
    for column in columns:
        if column not in names:
            message = _('{file} has no column "{column}"; it has: {names}.').format(file=source, column=column, names=some(names, 12))
            message += nearest(column, list(names)) or " " + _("Say which one holds the texts: --text-column NAME")
            raise DataError(message, file=source, column=column)
    return columns


def _visible(documents: Iterable[Document], ledger: Ledger) -> Iterator[Document]:
    """Those in which something can be seen."""
    for document in documents:
        if is_blank(document.text):
            ledger.add(document.source, document.row, "dropped", EMPTY)
        else:
            yield document


def _some_of(documents: Iterable[Document], sources: Sequence[str], ledger: Ledger) -> Iterator[Document]:
    """All of them. Raises DataError where there is none."""
    none = True
    for document in documents:
        none = False
        yield document
    if none:
        counts = _(", ").join(f"{reason_title(what)} {count:,}" for what, count in ledger.counts().items() if what != f"dropped:{NO_ROWS}")
        message = _("There is no text in {files}.").format(files=some(sources, 4))
        message += " " + (_("What was there was left out: {counts}.").format(counts=counts) if counts else _("The corpus is empty."))
        raise DataError(message, file=sources[0] if len(sources) == 1 else None)


def _files(source: str, ledger: Ledger) -> list[tuple[Path, str]]:
    """(path, name) of a file, or of those in a folder; the ledger hears of others there. Raises DataError where there is none."""
    from weitiao.data.reading import missing

    if source.startswith(_SAMPLE_PREFIX):
        return [(sample.path(source.removeprefix(_SAMPLE_PREFIX)), source)]
    path = Path(source).expanduser()
    if os.path.isfile(path):
        return [(path, source)]
    if not os.path.isdir(path):
        raise missing(path, source)
    found: list[Path] = []
    for file in sorted(_inside(path, ledger)):
        if _plain_ending(file) in IN_FOLDERS:
            found.append(file)
            continue
        detail = _("Of a folder the files that end in {endings} are read. Name this one too if it is text to learn from.")
        ledger.add(str(file), 1, "dropped", "other_file", detail.format(endings=_(", ").join(IN_FOLDERS)))
    if not found:
        message = _("The folder {folder} holds no text: its files should end in {endings}, text and JSON Lines also in {packed} after it.")
        endings = {"endings": _(", ").join(IN_FOLDERS), "packed": _(", ").join(packed.ENDINGS)}
        raise DataError(message.format(folder=source, **endings), file=source)
    return [(file, str(file)) for file in found]


def _inside(path: Path, ledger: Ledger) -> Iterator[Path]:
    """The files of a folder and of those in it, but for hidden ones and linked folders; the ledger hears of the latter."""
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(folders):
            if (Path(folder) / name).is_symlink():
                detail = _("Links to folders are not followed, since they may lead in a circle. Name the folder itself.")
                ledger.add(str(Path(folder) / name), 1, "dropped", "linked_folder", detail)
        yield from (Path(folder) / name for name in names if not name.startswith("."))


def _plain_ending(path: Path) -> str:
    """The ending below that of a compressed file."""
    return (Path(path.stem) if path.suffix.lower() in packed.ENDINGS else path).suffix.lower()


def _refuse_other_kinds(file: Path | Packed, source: str) -> None:
    """Raises DataError for what is no text."""
    try:
        with file.open("rb") as opened:
            head = opened.read(4096)
    except OSError as error:
        message = _("{file} cannot be read: {reason}. Check that you may read it.").format(file=source, reason=error.strerror or error)
        raise DataError(message, file=source) from error
    kind = looks_like(head)
    if kind == TEXT or (kind == BINARY and (head.startswith((b"\xff\xfe", b"\xfe\xff")) or utf16_without_mark(head))):
        return
    message = _("{file} looks like {kind}, where text, JSON Lines or Parquet is needed.").format(file=source, kind=_(kind.title))
    ending = {"gzip": ".gz", "xz": ".xz", "zstd": ".zst"}.get(kind.code)
    raise DataError(message + (" " + _("Rename it to end in {ending}.").format(ending=ending) if ending else ""), file=source)
