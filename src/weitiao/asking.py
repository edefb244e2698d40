"""What a task is asked: the record that it takes, judged before any weights are read, and the words that ask it on a command line.

It knows a task's declaration and what was learned beside it (its spec); it knows no model.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from weitiao.errors import DataError, UsageError
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.fields import Field
    from weitiao.tasks.base import Spec, Task

EXAMPLES = {"choices": "A,B", "image": "picture.png", "number": "1"}
LABELS = "A,B"


def needed(task: "Task", spec: "Spec") -> list["Field"]:
    """The inputs that no record does without: those that are not optional, and the second text where the model learned from pairs.

    >>> from weitiao import tasks
    >>> [field.name for field in needed(tasks.get("regression"), {"pair": True})]
    ['text', 'pair']
    """
    second = task.inputs[0].second
    return [field for field in task.inputs if not field.optional or (field.name == second and spec.get(second))]


def words(task: "Task", spec: "Spec", settings: Any = None) -> list[str]:
    """What stands behind a run or a model on the command line: a text that the task takes, a flag for each further input that it needs, and
    where nothing was learned what there is to choose from.

    >>> from weitiao import tasks
    >>> words(tasks.get("question-answering"), {}), words(tasks.get("zero-shot-classification"), {})
    (['your question', '--context', 'your context'], ['your text', '--labels', 'A,B'])

    Args:
        settings: the task's own, where some were given.
    """
    further = [field for field in needed(task, spec) if field.flag and field is not task.inputs[0]]
    asked = [_first(task), *(word for one in further for word in (f"--{one.flag}", sample(one)))]
    if task.trainable:
        return asked
    columns = {field.flag for field in task.fields.values()}
    lists = [one.name for one in fields(task.settings) if one.name not in columns and one.default == ()]
    return [*asked, *(word for name in lists for word in ("--" + name.replace("_", "-"), ",".join(getattr(settings, name, ())) or LABELS))]


def sample(field: "Field") -> str:
    """What stands for a value of an input in a command that is shown.

    >>> from weitiao import tasks
    >>> [sample(field) for name in ("regression", "text-generation") for field in tasks.get(name).inputs]
    ['your text', 'your second text', 'your message']
    """
    if field.type == "messages":
        return _("your message")
    return EXAMPLES.get(field.type) or _("your {field}").format(field=_(field.title).lower())


def as_record(task: "Task", spec: "Spec", value: str | Mapping[str, Any], at: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """A record in the task's own form.

    Args:
        value: the record, or the value of its first input.
        at: its place among all that is asked, from 0.
        given: further inputs by name.

    Raises:
        UsageError: an input is missing, is of another type, or cannot be asked; the message says what to type.
    """
    from weitiao.data.table import has_half_characters  # numpy: the command line wants the words alone, at once

    first = task.inputs[0]
    record = {**given, **value} if isinstance(value, Mapping) else {**given, first.name: value}
    must = needed(task, spec)
    for field in task.inputs:
        record.setdefault(field.name, None)
        if record[field.name] is None and field in must:
            raise UsageError(_lacking(task, must, field, at))
        if field.type in ("text", "image") and not isinstance(record[field.name], str | None):
            message = _('Input {number}: "{name}" must be a text, and it is {value!r}.')
            raise UsageError(message.format(number=at + 1, name=field.name, value=record[field.name]))
        if isinstance(record[field.name], str) and has_half_characters(record[field.name]):
            message = _('Input {number}: "{name}" holds bytes that are not UTF-8 text.')
            raise UsageError(message.format(number=at + 1, name=field.name))
    if first.second and spec.get(first.second) is False and record[first.second]:
        problem = _("This model was trained on single texts, and a second text is given. Leave out --pair, or train it on pairs.")
        raise UsageError(_("Input {number}: {problem}").format(number=at + 1, problem=problem))
    try:
        prepared = task.prepare({**dict.fromkeys(field.name for field in task.outputs), **record})
        task.asked(prepared)
        return prepared
    except DataError as error:
        raise UsageError(_("Input {number}: {problem}").format(number=at + 1, problem=error)) from error


def talks(task: "Task") -> bool:
    """Whether a task holds conversations: messages in, written answers out."""
    return task.answers_by == "generate" and task.inputs[0].type == "messages"


def drawing(settings: Mapping[str, Any]) -> dict[str, Any]:
    """How the reply is drawn, as arguments of transformers' ``generate``: what was given wins over what the model was trained with.

    >>> drawing({"temperature": 0.0})["do_sample"], drawing({"temperature": 0.5}), drawing({})
    (False, {'do_sample': True, 'temperature': 0.5}, {})
    """
    arguments = {name: settings[name] for name in ("max_new_tokens",) if name in settings}
    if "temperature" not in settings:
        return arguments
    if not settings["temperature"]:
        return {**arguments, "do_sample": False, "temperature": None, "top_p": None}
    return {**arguments, "do_sample": True, "temperature": settings["temperature"]}


def _lacking(task: "Task", must: list["Field"], field: "Field", at: int) -> str:
    """What to say of an input that is missing: its flag, and the record as it would be typed."""
    message = _('Input {number} lacks "{name}". Give it with --{flag}, or as a record: {example}')
    example = {one.name: task.example.get(one.name, "...") for one in must}
    text = json.dumps(example, ensure_ascii=False)
    return message.format(number=at + 1, name=field.name, flag=field.flag or field.name, example=text)


def _first(task: "Task") -> str:
    """A value of the first input; with a mask in it where there must be one."""
    text = sample(task.inputs[0])
    others = {field.name: task.example.get(field.name) for field in task.inputs}
    try:
        task.asked(task.prepare({**dict.fromkeys(task.fields), **others, task.inputs[0].name: text}))
    except DataError:
        return f"{text} [MASK]"
    return text
