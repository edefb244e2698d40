"""Which task a file was meant for, where it does not fit the one that was asked: CoNLL, SQuAD, conversations, texts and their summaries.

The file is looked at only once reading has failed, in its first rows, with every task's own ways of reading. Tasks are known by their
contract.
"""

import dataclasses
from collections.abc import Sequence

from weitiao import tasks
from weitiao.config import DataSettings
from weitiao.data.cleaning import to_records
from weitiao.data.columns import plan_columns
from weitiao.data.hub_tables import PREFIX, hub_splits
from weitiao.data.ledger import Ledger
from weitiao.data.reading import Reading, iter_tables
from weitiao.data.table import Table
from weitiao.errors import DataError, WeitiaoError
from weitiao.messages import _
from weitiao.tasks.base import Task

ROWS = 200  # that are looked at
_OWN = 1000  # a file in a format that only one task reads is that task's, however many columns others make of it


def advised(error: DataError, task: Task, settings: DataSettings) -> DataError:
    """The error with the tasks that the file does fit before it; the error itself where it is about a row, or no task fits."""
    others = fitting(error.file, task, settings) if error.unfit and error.file else []
    if not others:
        return error
    message = _("{file} looks like data for another task: type {flags}. For {task} it will not do: {error}")
    flags = _(" or ").join(f"--task {name}" for name in others)
    message = message.format(file=error.file, flags=flags, task=task.name, error=error)
    return DataError(message, file=error.file, row=error.row, column=error.column)


def for_numbers(task: Task) -> list[str]:
    """Names of the tasks that learn a number from what this one reads: where its labels are numbers, one of them may have been meant.

    >>> for_numbers(tasks.get("text-classification")), for_numbers(tasks.get("token-classification"))
    (['regression'], [])
    """
    others = (one for one in tasks.all_tasks().values() if one.trainable and one.inputs == task.inputs)
    return [one.name for one in others if any(field.type == "number" and not field.optional for field in one.outputs)]


def fitting(source: str, task: Task, settings: DataSettings) -> Sequence[str]:
    """Names of the other tasks that can learn from a file's first rows, by what its columns are called, those that use most of it."""
    reading = Reading(settings.encoding, settings.delimiter, chunk_rows=ROWS, max_bad_rows=ROWS)
    plain = _first_rows(source, reading)
    scores = {one.name: _score(one, source, reading, plain) for one in tasks.all_tasks().values() if one.trainable and one is not task}
    most = max(scores.values())
    return [name for name, score in scores.items() if score == most and most[0]]


def _first_rows(source: str, reading: Reading) -> Table | None:
    """The first rows of a source, None where they cannot be had."""
    try:
        if source.startswith(PREFIX):
            return next(iter(hub_splits(source, offline=True).values())).head(ROWS)  # it has just been read: it is on this machine
        return next(iter_tables(source, reading)).head(ROWS)
    except WeitiaoError:
        return None


def _score(task: Task, source: str, reading: Reading, plain: Table | None) -> tuple[int, int]:
    """How many of the file's columns a task uses, and for how many of its fields; (0, 0) where it does not fit."""
    schema = task.schema(tasks.settings_of(task)())
    table = plain
    try:
        if type(task).read is not Task.read and not source.startswith(PREFIX):
            table = next(iter_tables(source, dataclasses.replace(reading, schema=schema))).head(ROWS)
        if table is None:
            return 0, 0
        shaped = schema.reshape(table)
        plan = plan_columns(shaped, schema.inputs, schema.outputs)
        if not all(plan.fields[name][0].lower() in one.hints for name, one in task.fields.items() if name in plan.fields):
            return 0, 0  # found by what it holds: that would fit anything
        prepare = schema.preparation(need_outputs=True)
        records = to_records(shaped, plan, Ledger(), prepare=prepare, max_bad_rows=len(table) // 2)
    except WeitiaoError:
        return 0, 0
    if 2 * len(records) < len(table):
        return 0, 0
    used = shaped.read_from(column for columns in plan.fields.values() for column in columns) & set(table.names)
    if plain is None or (table.names != plain.names and len(table.names) > 1):
        return _OWN, len(used)
    # A text alone is something to learn from for some tasks, and hardly what was meant where other columns stand beside it.
    telling = any(plan.types[name] != "text" and column in table.names for name, (column, *_more) in plan.fields.items())
    return (len(used), len(plan.fields)) if telling or len(used) > 1 or len(table.names) == 1 else (0, 0)
