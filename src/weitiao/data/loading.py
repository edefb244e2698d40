"""From what the user named to clean splits: files, folders and hub data sets; the column plan; seeded shares; the ledger; fingerprints.

Given files win: where a validation file is given and nothing is said about a test set, none is cut from the training file. Where only a
test file is given, validation rows are still cut from train, because training needs them to pick its best checkpoint.
"""

import hashlib
import math
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from weitiao.config import DataSettings
from weitiao.data.bad_rows import BadRows
from weitiao.data.cleaning import require_rows, to_records
from weitiao.data.column_plan import ColumnPlan
from weitiao.data.columns import as_pairs, plan_columns, require_columns
from weitiao.data.duplicates import drop_duplicates, record_keys
from weitiao.data.hub_tables import PREFIX, hub_splits
from weitiao.data.ledger import Ledger
from weitiao.data.reading import Reading, read
from weitiao.data.records import Records
from weitiao.data.schema import Schema
from weitiao.data.splitting import split
from weitiao.data.table import Table
from weitiao.data.titles import split_title
from weitiao.errors import DataError, UsageError
from weitiao.fields import Field
from weitiao.messages import _
from weitiao.observer import SILENT, Observer

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "eval"),
    "test": ("test", "testing"),
}
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


@dataclass(frozen=True)
class Loaded:
    """Clean data, ready to train on.

    Attributes:
        splits: "train", and where there are such, "validation" and "test".
        plan: which columns were taken.
        ledger: what was done to rows.
        fingerprints: split -> sha256 of its content, the same on every machine.
        sources: split -> the file it came from.
    """

    splits: dict[str, Records]
    plan: ColumnPlan
    ledger: Ledger
    fingerprints: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def load(
    source: str,
    settings: DataSettings,
    schema: Schema,
    *,
    seed: int = 42,
    offline: bool = False,
    observer: Observer = SILENT,
) -> Loaded:
    """Reads, plans, cleans and splits.

    Args:
        source: a file, a folder with train, validation and test files, or ``hub:NAME``.
        settings: how to read it, and what to hold out.
        schema: the task's fields and formats.
        seed: of the split.
        offline: open no socket.
        observer: told what was decided.

    Raises:
        DataError, UsageError, NetworkError: with file, row or column, and what to type.
    """
    ledger, inputs, outputs = Ledger(), schema.inputs, schema.outputs
    reading = Reading(settings.encoding, settings.delimiter, settings.max_bad_rows, offline, schema=schema)
    shares, named = _wanted(settings)
    given = _tables(source, reading, ledger, observer, skip=named)
    for name, path in named.items():
        given[name] = _read(path, reading, ledger, observer)
    for note in dict.fromkeys(note for table, _bad in given.values() for note in table.notes):
        observer.note(note)
    chosen = schema.columns if settings.text_separator else as_pairs(schema.columns, inputs)
    plan = plan_columns(given["train"][0], inputs, outputs, chosen, _separator(settings.text_separator or "\n"))
    splits, prepare = {}, schema.preparation(need_outputs=True)
    for name in list(given):
        table, bad = given.pop(name)  # the text stands in memory twice while it becomes records, one split at a time
        splits[name] = to_records(table, plan, ledger, prepare=prepare, bad=bad)
        if name == "test" and not len(splits[name]) and source.startswith(PREFIX):
            observer.note(_("The test split of {source} has no labels; it is left out.").format(source=source))
            del splits[name]
        else:
            require_rows(splits[name], table, plan, (*inputs, *outputs))
    if settings.drop_duplicates:
        splits = drop_duplicates(splits, ledger, [one.name for one in inputs if one.name in plan.fields])
    wanted = _shares_to_cut(shares, set(splits), observer)
    if wanted:
        splits |= split(splits["train"], wanted, _strata(splits["train"], outputs), seed, _keys(splits["train"], inputs))
    splits = {name: splits[name] for name in ("train", "validation", "test") if name in splits}
    return Loaded(
        splits=splits,
        plan=plan,
        ledger=ledger,
        fingerprints={name: fingerprint(records) for name, records in splits.items()},
        sources={name: records.source for name, records in splits.items()},
    )


def read_records(
    source: str,
    plan: ColumnPlan | None,
    schema: Schema,
    *,
    reading: Reading = Reading(),  # noqa: B008 - frozen
    need_outputs: bool = True,
    observer: Observer = SILENT,
) -> tuple[Records, Ledger]:
    """All records of another file, for evaluation, and what was done to its rows.

    Args:
        source: a file; a folder or a hub's data set gives its test split, else its validation split, else train.
        plan: the run's.
        schema: the task's fields and formats; the columns it names are named for this file.
        reading: encoding, delimiter, how many bad rows.
        need_outputs: False keeps rows without a label; it is None then.
        observer: told how many rows were read.

    Raises:
        DataError, UsageError, NetworkError: as ``load`` does.
    """
    ledger = Ledger()
    reading = replace(reading, schema=schema)
    if os.path.isdir(source) or source.startswith(PREFIX):
        given = _tables(source, reading, ledger, observer, need_train=False)
        table, bad = given.get("test") or given.get("validation") or given["train"]
    else:
        table, bad = _read(source, reading, ledger, observer)
    fitted = fit_plan(table, plan, schema, separator=reading.text_separator, need_outputs=need_outputs)
    prepare = schema.preparation(need_outputs=need_outputs)
    records = to_records(table, fitted, ledger, need_outputs=need_outputs, prepare=prepare, bad=bad)
    require_rows(records, table, fitted, (*schema.inputs, *(schema.outputs if need_outputs else ())))
    return records, ledger


def fit_plan(table: Table, plan: ColumnPlan | None, schema: Schema, *, separator: str = "", need_outputs: bool = True) -> ColumnPlan:
    """The plan of a run for another file: columns named for it win, then those of the plan; a file with one column needs no name.

    Without a plan (a pretrained model has none) the columns are found as in training.

    Args:
        separator: what joins several columns of a text, as it was typed: two are then no pair; "" for the plan's own.

    Raises:
        DataError: a column is missing; the message names the file and its columns.
    """
    inputs, outputs, chosen = schema.inputs, schema.outputs, schema.columns
    if not separator and (plan is None or any(one.second in plan.fields for one in inputs)):
        chosen = as_pairs(chosen, inputs)
    if plan is None:
        return plan_columns(table, inputs, outputs, chosen, _separator(separator or "\n"), need_outputs=need_outputs)
    if separator:
        plan = replace(plan, text_separator=_separator(separator))
    if any(chosen.values()):
        merged = {one.flag or one.name: plan.fields[one.name] for one in (*inputs, *outputs) if _stands(plan, one.name, table)}
        merged |= {flag: columns for flag, columns in chosen.items() if columns}
        fitted = plan_columns(table, inputs, outputs, merged, plan.text_separator, need_outputs=need_outputs)
        # What a value is was settled in training: "a,b" is one label or two.
        return replace(fitted, types={name: plan.types.get(name, kind) for name, kind in fitted.types.items()})
    absent = [one.name for one in (*inputs, *outputs) if one.name in plan.fields and not _stands(plan, one.name, table)]
    plan = plan.without(name for name in absent if name in plan.optional)
    if not need_outputs:
        needed = {one.name for one in inputs} | {one.name for one in outputs if one.name not in absent}
        plan = plan.without(name for name in plan.fields if name not in needed)
        if len(table.names) == 1 and sum(not one.optional for one in inputs) == 1:
            return plan_columns(table, inputs, (), {}, plan.text_separator)
    require_columns(table, plan)
    return plan


def fingerprint(records: Records) -> str:
    """sha256 over the values of all fields: the same content gives the same fingerprint, whatever its file format.

    >>> fingerprint(Records({"text": ["a"]}, np.array([2]))) == fingerprint(Records({"text": ["a"]}, np.array([7]), "b.csv"))
    True
    """
    digest = hashlib.sha256()
    for name in sorted(records.columns):
        values = records.columns[name]
        digest.update(f"\x1d{name}\x1d{len(values)}".encode())
        for start in range(0, len(values), 10_000):
            part = "\x1e".join("\x1f" if value is None else str(value) for value in values[start : start + 10_000])
            digest.update(b"\x1e" + part.encode("utf-8", "replace"))
    return digest.hexdigest()


def _wanted(settings: DataSettings) -> tuple[dict[str, float], dict[str, str]]:
    """What --valid and --test ask for: shares to cut, and files to read."""
    shares, files = {}, {}
    for name, flag, value in (("validation", "--valid", settings.valid), ("test", "--test", settings.test)):
        try:
            share = float(value or 0)
        except ValueError:
            files[name] = value
            continue
        if not math.isfinite(share) or not 0 <= share < 1:
            message = _("{flag} is {value}; a share must be at least 0 and less than 1 (10% is 0.1), anything else is read as a file name.")
            raise UsageError(message.format(flag=flag, value=value))
        shares[name] = share
    if sum(shares.values()) >= 0.95:
        message = _("--valid {valid} and --test {test} together leave too little to train on; 0.1 each is usual.")
        raise UsageError(message.format(valid=settings.valid, test=settings.test))
    return shares, files


def _shares_to_cut(shares: Mapping[str, float], given: set[str], observer: Observer) -> dict[str, float]:
    """The shares that are still to be cut from train: none for a split that is given, and no unasked test share beside given files."""
    wanted = {name: share for name, share in shares.items() if share and name not in given}
    if "validation" in given and "test" in wanted and wanted["test"] == float(DataSettings().test):
        observer.note(_("No test set was given and none is cut from train, because the validation set is a file. Give one with --test."))
        del wanted["test"]
    return wanted


def _tables(
    source: str, reading: Reading, ledger: Ledger, observer: Observer, *, skip: Collection[str] = (), need_train: bool = True
) -> dict[str, tuple[Table, BadRows]]:
    """The source's tables by split, each with its count of unreadable rows; those in ``skip`` are given elsewhere and not read."""
    if source.startswith(PREFIX):
        reshape = reading.schema.reshape if reading.schema else lambda table: table
        found = {_split_of(name): reshape(table) for name, table in hub_splits(source, offline=reading.offline).items()}
        known = {name: table for name, table in found.items() if name and name not in skip and len(table)}
        if not known or (need_train and "train" not in known):
            message = _("{source} has no train split; it has {splits}.").format(
                source=source, splits=_(", ").join(filter(None, found)) or "-"
            )
            raise DataError(message, file=source)
        return {name: (table, BadRows(source, reading.max_bad_rows, ledger)) for name, table in known.items()}
    folder = Path(source).expanduser()
    if not os.path.isdir(folder):  # a name that is too long is none: Path.is_dir raises
        return {"train": _read(source, reading, ledger, observer)}
    files = _split_files(folder, source, reading.endings, need_train=need_train)
    return {name: _read_files(paths, reading, ledger, observer) for name, paths in files.items() if name not in skip}


def _split_files(folder: Path, source: str, endings: Collection[str], *, need_train: bool) -> dict[str, list[Path]]:
    """The files of a folder by the split that their names say; shards of one split together."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        name = _split_of(_SHARD.sub("", path.stem))
        if name and path.is_file() and path.suffix.lower() in endings:
            found.setdefault(name, []).append(path)
    for name, paths in found.items():
        if len(paths) > 1 and not all(_SHARD.search(path.stem) for path in paths):
            message = _(
                "{folder} holds several files for {split}: {names}. Keep one of them, or give the files: FILE --valid FILE --test FILE"
            )
            raise DataError(
                message.format(folder=source, split=split_title(name), names=_(", ").join(path.name for path in paths)), file=source
            )
    if not found or (need_train and "train" not in found):
        there = _(", ").join(str(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in endings)
        message = _("{folder} is a folder without a train file (train.csv, train.jsonl, ...), where a file or such a folder was meant.")
        message = message.format(folder=source)
        message += " " + (_("Give one of its files: {names}.").format(names=there) if there else _("It holds no data file."))
        raise DataError(message, file=source)
    return found


def _split_of(name: str) -> str:
    """The split that a file's or a hub split's name means, or ""."""
    return next((split_name for split_name, names in SPLIT_NAMES.items() if name.lower() in names), "")


def _read_files(paths: list[Path], reading: Reading, ledger: Ledger, observer: Observer) -> tuple[Table, BadRows]:
    """One file, or the shards of one, whose rows are then counted on, the unreadable ones too."""
    source = str(paths[0]) if len(paths) == 1 else _SHARD.sub("-*", str(paths[0].with_suffix(""))) + paths[0].suffix
    bad = BadRows(source, reading.max_bad_rows, ledger)
    tables = [_read(str(path), reading, ledger, observer, bad)[0] for path in paths]
    if len(tables) == 1:
        return tables[0], bad
    joined = Table.concat(tables)
    return replace(joined, rows=np.arange(1, len(joined) + 1, dtype=np.int64), source=source), bad


def _read(source: str, reading: Reading, ledger: Ledger, observer: Observer, bad: BadRows | None = None) -> tuple[Table, BadRows]:
    """The table, and the count of unreadable rows that cleaning goes on with."""
    bad = BadRows(source, reading.max_bad_rows, ledger) if bad is None else bad
    table = read(
        source,
        encoding=reading.encoding,
        delimiter=reading.delimiter,
        max_bad_rows=reading.max_bad_rows,
        ledger=ledger,
        offline=reading.offline,
        schema=reading.schema,
        observer=observer,
        bad=bad,
    )
    return (reading.schema.reshape(table) if reading.schema else table), bad


def _separator(written: str) -> str:
    r"""What was typed for a separator: a shell hands over ``"\n"`` as two characters, and a line break is meant."""
    return written.replace("\\n", "\n").replace("\\t", "\t")


def _strata(records: Records, outputs: Sequence[Field]) -> list[str] | None:
    """What the split keeps in proportion: the first output that is one of a few labels."""
    labels = (records.columns[one.name] for one in outputs if one.type == "choice" and one.name in records.columns)
    return next((column for column in labels if all(isinstance(label, str) for label in column)), None)


def _keys(records: Records, inputs: Sequence[Field]) -> np.ndarray | None:
    """(records,) what may not stand on both sides of a split: the inputs, or those that rows share."""
    there = [one for one in inputs if one.name in records.columns]
    keys = [one.name for one in there if one.shared] or [one.name for one in there]
    return record_keys(records, keys) if keys else None


def _stands(plan: ColumnPlan, name: str, table: Table) -> bool:
    return name in plan.fields and all(column in table.columns for column in plan.fields[name])
