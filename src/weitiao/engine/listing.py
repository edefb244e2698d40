"""The table of base models as ``weitiao models`` lists it: for a task, a language and a memory, as plain JSON, preferred entries first."""

from typing import Any

from weitiao.engine.base_models import TABLE, Choice
from weitiao.engine.catalog import free_to_take, rank, speaks, training_bytes
from weitiao.engine.fitting import can_learn, classes_of, tasks_of
from weitiao.engine.heads import KINDS
from weitiao.messages import _
from weitiao.tasks.base import Task

METHODS = ("full", "lora")  # how an entry is trained; what QLoRA takes depends on its layers, which the table does not know


def listed(task: Task | None = None, language: str = "", memory_bytes: int | None = None) -> list[dict[str, Any]]:
    """The entries that fit, in the order in which a machine without a GPU would take them.

    Args:
        task: what the model is for; any task where None.
        language: ISO 639-1 code of the texts; any where "".
        memory_bytes: of the device that trains; an entry stays where at least one method fits.

    >>> from weitiao import tasks
    >>> [row["id"] for row in listed(tasks.get("chat"), "zh", 10_000_000_000)]
    ['Qwen/Qwen2.5-0.5B-Instruct', 'Qwen/Qwen3-0.6B', 'Qwen/Qwen2.5-1.5B-Instruct', 'Qwen/Qwen3-1.7B']
    """
    classes = classes_of(task) if task else ()
    wanted = [choice for choice in TABLE if not language or speaks(choice, language)]
    rows = [(choice, _row(choice)) for choice in wanted]
    rows = [(choice, row) for choice, row in rows if task is None or task.name in row["tasks"] or _for_own(task, choice)]
    rows = [(choice, row) for choice, row in rows if memory_bytes is None or min(row["training_bytes"].values()) <= memory_bytes]
    if language:  # otherwise each language stays together, as in the table
        rows.sort(key=lambda pair: rank(pair[0], language, False, classes))
    trained = task is None or task.trainable
    rows.sort(key=lambda pair: (list(KINDS).index(pair[0].kind), bool(pair[0].labels) == trained))
    return [row for _choice, row in rows]


def _for_own(task: Task, choice: Choice) -> bool:
    """Whether an entry suits a task file of somebody's own, which no entry can name."""
    return task.origin is not None and not choice.labels and can_learn(task, choice)


def _row(choice: Choice) -> dict[str, Any]:
    return {
        "id": choice.id,
        "kind": choice.kind,
        "tasks": tasks_of(choice),
        "languages": list(choice.languages),
        "writes": choice.writes or None,
        "parameters": choice.parameters,
        "license": choice.license or None,
        "download_bytes": choice.bytes,
        "training_bytes": {method: training_bytes(choice, method) for method in METHODS},
        "gpu": choice.gpu,
        "as_it_is": bool(choice.labels),
        "safetensors": not choice.pickle,
        "gated": choice.gated,
        "auto": free_to_take(choice),
        "why": _(choice.reason),
    }
