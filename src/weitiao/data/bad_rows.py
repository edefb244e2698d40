"""Rows that cannot be read: each goes to the ledger until there are more than may be left out. It knows no format."""

from weitiao.data.ledger import Ledger
from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.quantities import some

NAMED = 5  # of them in an error
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
        alone: whether the file is all there is; where it is one of a corpus, leaving out all of its rows leaves the others.

    Attributes:
        fine: how many rows could be read so far, over the pieces of the file: where there are none, leaving rows out helps nobody.
    """

    def __init__(self, source: str, limit: int, ledger: Ledger, *, alone: bool = True) -> None:
        self.source, self.limit, self.ledger, self.alone = source, limit, ledger, alone
        self._found: list[tuple[str, int, str]] = []  # file, row, problem; shared by all stages
        self._begin = 0  # where this stage's begin
        self.fine = 0

    def stage(self, source: str = "") -> "BadRows":
        """The same count for the next stage, whose ``rows`` are only its own: rows may have been numbered anew, under another name."""
        after = BadRows(source or self.source, self.limit, self.ledger, alone=self.alone)
        after._found, after._begin, after.fine = self._found, len(self._found), self.fine
        return after

    @property
    def count(self) -> int:
        """How many there are, of all stages."""
        return len(self._found)

    def add(self, row: int, reason: str, problem: str, fine: int = 0) -> None:
        """A row that cannot be read; ``problem`` is a sentence. Raises DataError once there is no point in counting on.

        ``fine`` is how many rows of the piece in hand could be read, which ``self.fine`` does not count yet.
        """
        self._found.append((self.source, row, problem))
        if len(self._found) <= self.limit:
            self.ledger.add(self.source, row, "dropped", reason, problem)
        elif len(self._found) >= max(_COUNTED, self.limit + 1):
            self.check(fine=self.fine + fine)

    @property
    def rows(self) -> list[int]:
        """The numbers of the rows that were added in this stage."""
        return [row for _source, row, _problem in self._found[self._begin :]]

    @property
    def exceeded(self) -> bool:
        """Whether there are more than may be left out: rows are then only counted."""
        return len(self._found) > self.limit

    def check(self, fine: int | None = None) -> None:
        """Raises DataError, about the first row and the number of all, if there are more than may be left out.

        ``fine`` is how many rows could be read so far, where that is not yet ``self.fine``.
        """
        if not self.exceeded:
            return
        source, row, problem = self._found[0]
        count, unfit = len(self._found), self.alone and not (self.fine if fine is None else fine)
        if unfit:
            cure = _(
                "No row could be read ({count} were tried), so leaving rows out is no help: repair them, or check the task and its columns."
            )
            cure = cure.format(count=count)
        elif count == 1:
            cure = _("Repair the row, or leave it out with --max-bad-rows 1.")
        else:
            rows = some(sorted(row for _source, row, _problem in self._found), NAMED)
            if count < _COUNTED:
                cure = _("{count} rows cannot be read ({rows}): repair them, or leave them out with --max-bad-rows {count}.")
            else:
                cure = _("{count} rows or more cannot be read ({rows}): repair them, or say with --max-bad-rows how many may be left out.")
            cure = cure.format(count=count, rows=rows)
        raise self.error(row, problem, cure, source, unfit=unfit)

    def error(self, row: int, problem: str, cure: str, source: str = "", *, unfit: bool = False) -> DataError:
        """The error about one row."""
        source = source or self.source
        message = _("{file}, row {row}: {problem}").format(file=source, row=row, problem=problem)
        return DataError(f"{message} {cure}", file=source, row=row, unfit=unfit)
