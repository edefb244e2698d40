"""Rows that cannot be read: each goes to the ledger until there are more than may be left out. It knows no format."""

from collections.abc import Sequence

from weitiao.data.ledger import Ledger
from weitiao.errors import DataError
from weitiao.messages import _

_COUNTED = 1000  # bad rows that are looked for, so that the error can say how many there are


class BadRows:
    """Counts the unreadable rows of one file, over reading and cleaning: one limit holds for both.

    >>> bad = BadRows("a.csv", 2, Ledger())
    >>> bad.add(3, "ragged_row", "it has 3 cells.")
    >>> cleaning = bad.stage()
    >>> cleaning.add(5, "bad_score", "a number was expected.")
    >>> bad.count, cleaning.rows, cleaning.exceeded
    (2, [5], False)

    Args:
        source: the file.
        limit: how many may be left out (``--max-bad-rows``).
        ledger: where those are listed.
    """

    def __init__(self, source: str, limit: int, ledger: Ledger) -> None:
        self.source, self.limit, self.ledger = source, limit, ledger
        self._found: list[tuple[str, int, str]] = []  # file, row, problem; shared by all stages
        self._begin = 0  # where this stage's begin

    def stage(self, source: str = "") -> "BadRows":
        """The same count for the next stage, whose ``rows`` are only its own: rows may have been numbered anew, under another name."""
        after = BadRows(source or self.source, self.limit, self.ledger)
        after._found, after._begin = self._found, len(self._found)
        return after

    @property
    def count(self) -> int:
        """How many there are, of all stages."""
        return len(self._found)

    def add(self, row: int, reason: str, problem: str) -> None:
        """A row that cannot be read; ``problem`` is a sentence. Raises DataError once there is no point in counting on."""
        self._found.append((self.source, row, problem))
        if len(self._found) <= self.limit:
            self.ledger.add(self.source, row, "dropped", reason, problem)
        elif len(self._found) >= max(_COUNTED, self.limit + 1):
            self.check()

    @property
    def rows(self) -> list[int]:
        """The numbers of the rows that were added in this stage."""
        return [row for _source, row, _problem in self._found[self._begin :]]

    @property
    def exceeded(self) -> bool:
        """Whether there are more than may be left out: rows are then only counted."""
        return len(self._found) > self.limit

    def check(self) -> None:
        """Raises DataError, about the first row and the number of all, if there are more than may be left out."""
        if not self.exceeded:
            return
        source, row, problem = self._found[0]
        count = len(self._found)
        if count == 1:
            cure = _("Repair the row, or leave it out with --max-bad-rows 1.")
        else:
            rows = some(sorted(row for _source, row, _problem in self._found))
            cure = _("{count} rows cannot be read ({rows}): repair them, or leave them out with --max-bad-rows {count}.")
            cure = cure.format(count=f"{count}+" if count >= _COUNTED else count, rows=rows)
        raise self.error(row, problem, cure, source)

    def error(self, row: int, problem: str, cure: str, source: str = "") -> DataError:
        """The error about one row."""
        source = source or self.source
        message = _("{file}, row {row}: {problem}").format(file=source, row=row, problem=problem)
        return DataError(f"{message} {cure}", file=source, row=row)


def some(rows: Sequence[int], most: int = 5) -> str:
    """The first few numbers of a long list.

    >>> some([1, 2, 3, 4, 5, 6])
    '1, 2, 3, 4, 5, ...'
    """
    return ", ".join(map(str, rows[:most])) + (", ..." if len(rows) > most else "")
