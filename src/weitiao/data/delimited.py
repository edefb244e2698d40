"""CSV, TSV and plain text become tables, in pieces of bounded size. It knows bytes and quotes, not what a column means.

Quoted line breaks, all line ends and cells of any length are read. A row that breaks the rules is named by the line it starts on; what can
be repaired without a guess is repaired and goes to the ledger.
"""

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from weitiao.data.bad_rows import BadRows
from weitiao.data.encodings import Encoding, is_damaged
from weitiao.data.headers import column_names
from weitiao.data.ledger import Ledger
from weitiao.data.table import Table
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.quantities import quoted

DELIMITERS = (",", "\t", ";", "|")
NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_DECLARED = re.compile(r'\ufeff?sep=([^"\r\n])[\r\n]', re.IGNORECASE)
_SNIFFED = 1 << 16  # characters
_SNIFFED_RECORDS = 200
_LONG = 1 << 25  # characters after which a piece ends, however few rows it has


@dataclass(frozen=True)
class Dialect:
    """How a file separates its cells.

    Attributes:
        delimiter: one character; "" for plain text, a text a line.
        quotes: whether double quotes enclose cells, or are text like any other.
        above: lines above the header: Excel's "sep=;", which says what the delimiter is.
    """

    delimiter: str
    quotes: bool = True
    above: int = 0


def wanted_delimiter(given: str) -> str:
    """The character that ``--delimiter`` means ("" stays ""). Raises UsageError where it is not one character.

    >>> wanted_delimiter("tab"), wanted_delimiter(";")
    ('\\t', ';')
    """
    delimiter = NAMED.get(given.lower(), given)
    if len(delimiter) > 1 or delimiter in ("\n", "\r", '"'):
        message = _('--delimiter is "{given}"; it must be one character, or one of {names}. Try --delimiter ";".')
        raise UsageError(message.format(given=given, names=_(", ").join(NAMED)))
    return delimiter


def find_dialect(path: Path, encoding: Encoding, *, delimiter: str = "", ending: str = "") -> Dialect:
    """How the file separates its cells, from its first rows: the delimiter of the header that most rows agree with."""
    with encoding.open(path) as file:
        sample = file.read(_SNIFFED)
        if len(sample) == _SNIFFED:  # the last line may be half of one
            sample = sample[: sample.rfind("\n") + 1] or sample
    declared = _DECLARED.match(sample)
    above = 1 if declared else 0
    delimiter = delimiter or (declared[1] if declared else _sniffed(sample, plain=ending == ".txt"))
    # In tab-separated files a quote is often just a quote. Where it is not syntax, reading it as such swallows rows.
    return Dialect(delimiter, quotes=delimiter != "\t" or _quotes_enclose(path, encoding, above), above=above)


def delimited_tables(
    path: Path, source: str, encoding: Encoding, dialect: Dialect, bad: BadRows, ledger: Ledger, chunk_rows: int
) -> Iterator[Table]:
    """The file's rows in tables of at most ``chunk_rows``; one without rows for a file with just a header.

    Raises:
        DataError: duplicate column names, or more unreadable rows than may be left out.
    """
    if not dialect.quotes:
        message = _("Double quotes do not enclose cells in this file: they are read as part of the text.")
        ledger.add(source, 1, "repaired", "literal_quotes", message)
    with encoding.open(path) as file:
        for _line in range(dialect.above):
            file.readline()
        records = _lines(file) if not dialect.delimiter else _Records(file, dialect)
        names: list[str] = [] if dialect.delimiter else ["text"]
        cells: list[list[str]] = []
        rows: list[int] = []
        size, begun = 0, False
        for record in records:
            problem = record.problem or (_NOT_UTF8 if encoding.damaged and is_damaged(record.written) else None)
            if not names:
                if problem is not None:  # without a header nothing can be read, whatever may be left out
                    raise bad.error(record.row, problem.sentence(record, names), _("Repair the header."))
                names = column_names(record.cells, source, record.row)
                continue
            if problem is None and len(record.cells) != len(names):
                problem = _fit(record, names, source, ledger)
            if problem is not None:
                bad.add(record.row, problem.reason, problem.sentence(record, names))
                continue
            if record.repaired:
                ledger.add(source, record.row, "repaired", "stray_quote")
            bad.fine += 1
            if bad.exceeded:
                continue
            cells.append(record.cells)
            rows.append(record.row)
            size += len(record.written)
            if len(cells) >= chunk_rows or size >= _LONG:
                yield Table.of(names, cells, rows, source)
                cells, rows, size, begun = [], [], 0, True
        bad.check()
        if cells or (names and not begun):
            yield Table.of(names, cells, rows, source)


@dataclass(frozen=True)
class _Problem:
    """Why a record cannot be read: a code for the ledger and a sentence for people, made when it is needed."""

    reason: str
    sentence: Callable[["_Record", list[str]], str]


@dataclass(slots=True)
class _Record:
    row: int  # the line it starts on
    cells: list[str]
    written: str  # the lines as they stand in the file
    problem: _Problem | None = None
    repaired: bool = False


def _ragged_sentence(record: "_Record", names: list[str]) -> str:
    message = _(
        "it has {found} cells where the header has {wanted} ({names}): {text}. A text that holds the delimiter must stand in quotes."
    )
    return message.format(found=len(record.cells), wanted=len(names), names=quoted(_(", ").join(names)), text=quoted(record.written))


def _quote_sentence(record: "_Record", names: list[str]) -> str:
    message = _('a double quote opens here and is never closed: {text}. Close it, and write a quote inside a quoted text twice ("").')
    return message.format(text=quoted(record.written))


def _stray_sentence(record: "_Record", names: list[str]) -> str:
    message = _('a double quote stands in the middle of a quoted text: {text}. Write it twice ("").')
    return message.format(text=quoted(record.written))


def _bytes_sentence(record: "_Record", names: list[str]) -> str:
    text = record.written.encode("utf-8", "replace").decode("utf-8")
    return _("it holds bytes that are not UTF-8, unlike the rest of the file: {text}.").format(text=quoted(text))


_RAGGED = _Problem("ragged_row", _ragged_sentence)
_OPEN_QUOTE = _Problem("unclosed_quote", _quote_sentence)
_STRAY_QUOTE = _Problem("stray_quote", _stray_sentence)
_NOT_UTF8 = _Problem("undecodable", _bytes_sentence)


class _Records:
    """The records of a delimited file, blank lines left out, with the line that each starts on."""

    def __init__(self, file: TextIO, dialect: Dialect) -> None:
        self._file = file
        self._dialect = dialect
        self._pending: list[str] = []  # lines of the record that is being read
        self._again: deque[str] = deque()  # lines that a broken record swallowed: read once more
        _allow_long_cells()

    def __iter__(self) -> Iterator[_Record]:
        line, pending = 1 + self._dialect.above, self._pending
        reader = self._reader()
        while True:
            pending.clear()
            try:
                for cells in reader:
                    if cells:
                        yield _Record(line, cells, pending[0] if len(pending) == 1 else "".join(pending))
                    line += len(pending)
                    pending.clear()
                return
            except csv.Error as error:
                broken = list(pending)
                if len(broken) == 1 and "end of data" not in str(error):
                    yield self._lenient(line, broken[0])
                else:
                    # The quote was closed on a later line, by what was meant to open another, or never.
                    yield _Record(line, [], broken[0], _OPEN_QUOTE)
                    self._again.extendleft(reversed(broken[1:]))
                line += 1
                reader = self._reader()

    def _reader(self) -> Iterator[list[str]]:
        if not self._dialect.quotes:
            return csv.reader(self._feed(), delimiter=self._dialect.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(self._feed(), delimiter=self._dialect.delimiter, strict=True)

    def _feed(self) -> Iterator[str]:
        while self._again:
            line = self._again.popleft()
            self._pending.append(line)
            yield line
        for line in self._file:
            self._pending.append(line)
            yield line

    def _lenient(self, row: int, line: str) -> _Record:
        """A line whose quotes are not doubled, as most programs would read it; it only counts where its cells then fit."""
        cells = next(csv.reader([line], delimiter=self._dialect.delimiter), [])
        return _Record(row, cells, line, repaired=True)


def _lines(file: TextIO) -> Iterator[_Record]:
    """Plain text: one text a line."""
    for row, line in enumerate(file, 1):
        text = line.rstrip("\r\n")
        if text.strip("\ufeff \t"):
            yield _Record(row, [text], line)


def _fit(record: _Record, names: list[str], source: str, ledger: Ledger) -> _Problem | None:
    """Makes a record as long as the header where nothing is lost by it, else says what is wrong."""
    if len(record.cells) > len(names) and not any(cell.strip() for cell in record.cells[len(names) :]):
        del record.cells[len(names) :]
        ledger.add(source, record.row, "repaired", "empty_extra_cells")
        return None
    return _STRAY_QUOTE if record.repaired else _RAGGED


def _sniffed(sample: str, *, plain: bool) -> str:
    """The delimiter whose header most of the first rows agree with; "" for plain text, "," where the header is one cell."""
    best, best_score = "" if plain else ",", (0.0, 0)
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
        lengths = [len(cells) for cells, _n in zip((c for c in reader if c), range(_SNIFFED_RECORDS), strict=False)]
        if not lengths or lengths[0] < 2:
            continue
        agreeing = sum(length == lengths[0] for length in lengths) / len(lengths)
        # Commas are ordinary in prose, so that a .txt counts as a table only where every line has as many.
        if plain and (len(lengths) < 2 or agreeing < (0.95 if delimiter == "\t" else 1.0)):
            continue
        if (round(agreeing, 2), lengths[0]) > best_score:
            best, best_score = delimiter, (round(agreeing, 2), lengths[0])
    return best


def _quotes_enclose(path: Path, encoding: Encoding, above: int) -> bool:
    """Whether quotes are syntax in a tab-separated file: not where its lines are even without them, and only then."""
    _allow_long_cells()
    try:
        with encoding.open(path) as file:
            if len({len(cells) for cells in csv.reader(islice(file, above, None), delimiter="\t", strict=True) if cells}) < 2:
                return True
    except csv.Error:
        pass
    with encoding.open(path) as file:
        lengths = Counter(len(cells) for cells in csv.reader(islice(file, above, None), delimiter="\t", quoting=csv.QUOTE_NONE) if cells)
    odd = lengths.total() - max(lengths.values(), default=0)
    return odd * 100 > lengths.total()


def _allow_long_cells() -> None:
    # The module's own limit of 131,072 characters a cell is process-wide; raising it harms nobody, and long texts are ordinary here.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
