"""Rows with the same text: repeated, labelled differently, or on both sides of a split. It knows fields by name and no task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weitiao.data.ledger import Ledger
from weitiao.data.normalising import text_keys
from weitiao.data.records import Records
from weitiao.data.titles import split_title
from weitiao.messages import _
from weitiao.quantities import one_line

SHOWN = 160  # characters of a text in an example


def record_keys(records: Records, fields: Sequence[str] = ("text",)) -> np.ndarray:
    """(records,) uint64, equal for records whose input fields are the same texts after normalisation."""
    columns = [[value if isinstance(value, str) else str(value) for value in records.columns[field]] for field in fields]
    return text_keys(columns[0] if len(columns) == 1 else ("\x1f".join(parts) for parts in zip(*columns, strict=True)))


def shared_rows(records: Records, others: Records, fields: Sequence[str]) -> int:
    """How many of the records stand among the others too, by those of the fields that both have.

    >>> asked, trained = Records({"text": ["a", "b"]}, np.arange(2)), Records({"text": ["B ", "c"]}, np.arange(2))
    >>> shared_rows(asked, trained, ["text", "pair"])
    1
    """
    both = [field for field in fields if field in records.columns and field in others.columns]
    return int(np.isin(record_keys(records, both), record_keys(others, both)).sum()) if both else 0


def drop_duplicates(splits: Mapping[str, Records], ledger: Ledger, text_field: str | Sequence[str] = "text") -> dict[str, Records]:
    """The splits without repeated training rows and without training rows that also stand in another split, which keeps all of its own.

    ``text_field`` names the input field, or all of them: rows are the same when all of these are.

    >>> ledger = Ledger()
    >>> train = Records({"text": ["a", "A ", "b", "c"]}, np.arange(4), "train.csv")
    >>> test = Records({"text": ["c"]}, np.arange(1), "test.csv")
    >>> drop_duplicates({"train": train, "test": test}, ledger)["train"].columns["text"], ledger.counts()
    (['a', 'b'], {'dropped:in_test': 1, 'dropped:exact_duplicate': 1})
    """
    if "train" not in splits:
        return dict(splits)
    fields = [text_field] if isinstance(text_field, str) else list(text_field)
    train = splits["train"]
    keys = record_keys(train, fields)
    keep = np.ones(len(train), dtype=bool)
    for name, records in splits.items():
        if name != "train":
            found = np.flatnonzero(np.isin(keys, record_keys(records, fields)) & keep)
            keep[found] = False
            for index in found:
                detail = _("The same text stands in {split}.").format(split=split_title(name))
                ledger.add(train.source, train.rows[index], "dropped", f"in_{name}", detail)
    first = first_of(keys)
    for index in np.flatnonzero((first != np.arange(len(keys))) & keep):
        keep[index] = False
        detail = _("Row {row} has the same text.").format(row=int(train.rows[first[index]]))
        ledger.add(train.source, train.rows[index], "dropped", "exact_duplicate", detail)
    return {**splits, "train": train if keep.all() else train.select(np.flatnonzero(keep))}


def first_of(keys: np.ndarray) -> np.ndarray:
    """(keys,) the index at which each key first occurs.

    >>> first_of(np.array([7, 5, 7])).tolist()
    [0, 1, 0]
    """
    _keys, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)]


@dataclass(frozen=True)
class Corpus:
    """All rows of all splits one after the other, "train" first, with their keys.

    Attributes:
        names: the splits in order.
        records: theirs.
        split: (rows,) which split a row is of, an index into ``names``.
        index: (rows,) its index there.
        keys: (rows,) of its text.
    """

    names: list[str]
    records: list[Records]
    split: np.ndarray
    index: np.ndarray
    keys: np.ndarray
    field: str

    @classmethod
    def of(cls, splits: Mapping[str, Records], field: str) -> "Corpus":
        names = sorted(splits, key=lambda name: (name != "train", name != "validation", name))
        records = [splits[name] for name in names]
        return cls(
            names=names,
            records=records,
            split=np.repeat(np.arange(len(names)), [len(part) for part in records]),
            index=np.concatenate([np.arange(len(part)) for part in records]),
            keys=np.concatenate([record_keys(part, (field,)) for part in records]),
            field=field,
        )

    def __len__(self) -> int:
        return len(self.keys)

    def text(self, at: int) -> str:
        """The text at a position."""
        return str(self.records[self.split[at]].columns[self.field][self.index[at]])

    def row(self, at: int) -> int:
        """Its number in its file."""
        return int(self.records[self.split[at]].rows[self.index[at]])

    def source(self, at: int) -> str:
        """Its file."""
        return self.records[self.split[at]].source

    def example(self, positions: Sequence[int], labels: Sequence[str] = ()) -> dict[str, Any]:
        """What a finding shows of a few rows: those of the first one's file, and where they stand in another one, that too."""
        at = int(positions[0])
        sources = list(dict.fromkeys(self.source(other) for other in positions))
        rows = [[self.row(other) for other in positions if self.source(other) == source][:10] for source in sources]
        shown: dict[str, Any] = {"source": sources[0], "rows": rows[0], "text": one_line(self.text(at), SHOWN), "labels": list(labels)}
        if len(sources) > 1:
            shown["also"] = [{"source": source, "rows": found} for source, found in zip(sources[1:], rows[1:], strict=True)]
        return shown

    def repeats(self) -> list[list[int]]:
        """Positions that have the same text within one split, most frequent text first; each group in the file's order."""
        return self._grouped(np.lexsort((np.arange(len(self)), self.keys, self.split)), same_split=True)

    def same_text(self) -> list[list[int]]:
        """Positions that have the same text, whatever the split."""
        return self._grouped(np.lexsort((np.arange(len(self)), self.keys)), same_split=False)

    def _grouped(self, order: np.ndarray, *, same_split: bool) -> list[list[int]]:
        keys, split = self.keys[order], self.split[order]
        new = keys[1:] != keys[:-1]
        if same_split:
            new |= split[1:] != split[:-1]
        starts = np.flatnonzero(np.r_[True, new]) if len(order) else np.empty(0, dtype=np.int64)
        sizes = np.diff(np.r_[starts, len(order)])
        groups = [order[start : start + size].tolist() for start, size in zip(starts, sizes, strict=True) if size > 1]
        return sorted(groups, key=lambda group: (-len(group), group[0]))

    def in_train(self, name: str) -> list[tuple[int, int]]:
        """(position in ``name``, position in train) for every row of a split whose text stands in train too."""
        if "train" not in self.names or name not in self.names:
            return []
        train = np.flatnonzero(self.split == self.names.index("train"))
        held = np.flatnonzero(self.split == self.names.index(name))
        if not len(train) or not len(held):
            return []
        order = train[np.argsort(self.keys[train], kind="stable")]
        at = np.searchsorted(self.keys[order], self.keys[held])
        found = (at < len(order)) & (self.keys[order[np.minimum(at, len(order) - 1)]] == self.keys[held])
        return list(zip(held[found].tolist(), order[at[found]].tolist(), strict=True))
