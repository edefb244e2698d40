"""Records a tiny model can learn by heart, made from a task's own example: a new task is tested with no data of its own."""

import copy
from typing import Any

from weitiao.tasks.base import Task

WORDS = ("apple", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour")


def varied(task: Task, rows: int = len(WORDS)) -> list[dict[str, Any]]:
    """``rows`` records, each with a word of its own before its first input, and an answer that goes with it."""
    return [_varied(task, number) for number in range(rows)]


def _varied(task: Task, number: int) -> dict[str, Any]:
    record: dict[str, Any] = copy.deepcopy(dict(task.example))
    first, word = task.inputs[0], WORDS[number % len(WORDS)]
    for field in task.inputs:
        if field.type == "text" and field is first and record.get(field.name):
            record[field.name] = f"{word} {record[field.name]}"
        elif field.type == "messages":
            turn = next(message for message in record[field.name] if message["role"] == "user")
            turn["content"] = f"{word} {turn['content']}"
            for message in record[field.name]:
                if message["role"] == "assistant":
                    message["content"] = f"{word} {word}"
    for field in task.outputs:
        value = record.get(field.name)
        if value is None:
            continue
        if field.type == "choice" and "options" not in record:
            record[field.name] = value if number % 2 else f"not {value}"
        elif field.type == "number":
            record[field.name] = float(number)
        elif field.type == "text":
            record[field.name] = f"{word} {word}"
        elif field.type == "spans" and len(task.inputs) == 1:
            shift = len(word) + 1
            record[field.name] = [{**span, "start": span["start"] + shift, "end": span["end"] + shift} for span in value]
    return record
