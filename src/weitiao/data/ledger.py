"""The row ledger: no row is dropped, cut or repaired without a line here. It knows nothing of files beyond their names."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from weitiao.messages import _

Action = Literal["dropped", "truncated", "repaired", "kept"]


@dataclass(frozen=True)
class Entry:
    """One thing that happened to one row.

    Attributes:
        source: the file.
        row: the row's number in it.
        action: "kept" is for a row that is reported but left as it is.
        reason: a stable short code, such as "empty_text" or "exact_duplicate"; counts are kept under "action:reason".
        detail: a sentence for people, in the language of the run.
    """

    source: str
    row: int
    action: Action
    reason: str
    detail: str = ""


class Ledger:
    """Collects entries in order.

    >>> ledger = Ledger()
    >>> ledger.add("a.csv", 7, "dropped", "empty_text")
    >>> ledger.counts()
    {'dropped:empty_text': 1}
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, source: str, row: int, action: Action, reason: str, detail: str = "") -> None:
        """Note what was done to a row, and why."""
        self.entries.append(Entry(source, int(row), action, reason, detail))

    def cut(self, source: str, row: int, tokens: int, limit: int) -> None:
        """Note that a row's text lost its end: so many tokens that the model does not read."""
        detail = _("{count} tokens beyond --max-length {limit} were cut off.").format(count=tokens, limit=limit)
        self.add(source, row, "truncated", "too_long", detail)

    def counts(self) -> dict[str, int]:
        """How often each "action:reason" happened, most frequent first."""
        return dict(Counter(f"{e.action}:{e.reason}" for e in self.entries).most_common())

    def of(self, what: str) -> Iterator[Entry]:
        """The entries that are counted under an "action:reason"."""
        return (entry for entry in self.entries if f"{entry.action}:{entry.reason}" == what)

    def lines(self) -> Iterator[dict[str, object]]:
        """The entries as JSON-ready objects."""
        return (asdict(entry) for entry in self.entries)


class ShortLedger(Ledger):
    """Counts everything and keeps the first few entries of each reason: what a corpus of any size needs.

    >>> ledger = ShortLedger(most=1)
    >>> for row in (1, 2, 3):
    ...     ledger.add("a.txt", row, "dropped", "exact_duplicate")
    >>> len(ledger.entries), ledger.counts()
    (1, {'dropped:exact_duplicate': 3})
    """

    def __init__(self, most: int = 1000) -> None:
        super().__init__()
        self.most, self._counts = most, Counter[str]()

    def add(self, source: str, row: int, action: Action, reason: str, detail: str = "") -> None:
        """Count what was done to a row, and note it where there is room."""
        what = f"{action}:{reason}"
        self._counts[what] += 1
        if self._counts[what] <= self.most:
            super().add(source, row, action, reason, detail)

    def counts(self) -> dict[str, int]:
        """How often each "action:reason" happened, those included that were not kept; most frequent first."""
        return dict(self._counts.most_common())
