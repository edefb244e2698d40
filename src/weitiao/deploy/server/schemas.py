"""A task's fields as what a request may hold, and an example of it. It knows fields, and no task by name."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from weitiao import asking
from weitiao import fields as declared
from weitiao.deploy.demo.examples import spoken, spoken_for
from weitiao.deploy.server.served import LONGEST_TEXT, Served
from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.tasks.base import Spec, Task

STRICT = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)
# Something must stand in it that is no white space.
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S")]


class Message(BaseModel):
    """What one side of a conversation said."""

    model_config = STRICT
    role: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    content: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]


class Span(BaseModel):
    """A part of a text."""

    model_config = STRICT
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    label: Text


TYPES: dict[declared.FieldType, Any] = {
    "text": Text,
    "choice": Text,
    "choices": Annotated[list[Text], Field(min_length=1, max_length=100)],
    "number": Annotated[float, Field(allow_inf_nan=False, strict=False)],
    "spans": list[Span],
    "messages": Annotated[list[Message], Field(min_length=1, max_length=1000)],
    "vector": Annotated[list[float], Field(min_length=1)],
    # The bytes of a picture, never a path: a server opens no file for a stranger.
    "image": Annotated[str, StringConstraints(min_length=1)],
}
NOTES = {"image": "The bytes of the picture file, in base64."}


def record_model(served: Served) -> type[BaseModel]:
    """What a record of a model looks like: its task's inputs, and nothing else."""
    task, spec = served.task, served.spec
    must = asking.needed(task, spec)
    given: dict[str, Any] = {}
    for field in inputs_of(task, spec):
        about: dict[str, Any] = {"title": _(field.title), "description": NOTES.get(field.type)}
        kind = TYPES[field.type]
        given[field.name] = (kind, Field(**about)) if field in must else (kind | None, Field(default=None, **about))
    return create_model(f"Record_{served.name}", __config__=STRICT, **given)


def inputs_of(task: Task, spec: Spec) -> list[declared.Field]:
    """The inputs that a record may have: not the second text where the model was trained on single ones."""
    without = task.inputs[0].second if spec.get(task.inputs[0].second) is False else ""
    return [field for field in task.inputs if field.name != without]


def example_record(task: Task, spec: Spec, language: str = "en") -> dict[str, Any]:
    """A record as a request holds it, from the task's own example, in the language of the texts as far as there is one in it."""
    must = asking.needed(task, spec)
    with spoken_for(language):
        record = {
            field.name: _example(task, field)
            for field in inputs_of(task, spec)
            if task.example.get(field.name) is not None or field in must
        }
        try:
            task.asked(task.prepare({**dict.fromkeys(task.fields), **record}))
        except DataError:  # a text that asks nothing as it stands, since there is no mask in it
            record[task.inputs[0].name] = asking.words(task, spec)[0]
    return record


def answer_schema(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    """What an answer looks like, from one."""
    return {"type": "object"} if answer is None else {**_schema_of(answer), "examples": [answer]}


def problems(errors: Sequence[Mapping[str, Any]], at: Sequence[int | str]) -> list[dict[str, Any]]:
    """What pydantic found, as FastAPI writes it, without what was sent.

    Args:
        at: the path of what was judged.
    """
    return [{"loc": [*at, *error["loc"]], "msg": error["msg"], "type": error["type"]} for error in errors[:20]]


def _example(task: Task, field: declared.Field) -> Any:
    """A value of an input: the task's own, else what stands for it in a command (the task's example may be of single texts)."""
    value = task.example.get(field.name)
    if value is None:
        return asking.sample(field)
    return base64.b64encode(Path(value).read_bytes()).decode("ascii") if field.type == "image" else spoken(value)


def _schema_of(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"type": "object", "properties": {str(name): _schema_of(one) for name, one in value.items()}}
    if isinstance(value, list):
        return {"type": "array", "items": _schema_of(value[0]) if value else {}}
    if isinstance(value, bool) or value is None:
        return {}
    # Any part of an answer may be missing: there may be no answer, or no score.
    return {"type": ["number" if isinstance(value, (int, float)) else "string", "null"]}
