"""A task's input fields as widgets, and what stands in them as a record. It knows field types, gradio's widgets, and no task by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio

from weitiao import asking
from weitiao import fields as declared
from weitiao.data.values import parser
from weitiao.deploy.demo.words import Words
from weitiao.deploy.server.schemas import inputs_of
from weitiao.deploy.server.served import LONGEST_TEXT
from weitiao.errors import DataError, UsageError
from weitiao.images import opened
from weitiao.messages import N_, _
from weitiao.tasks.base import Spec, Task


class Widget(NamedTuple):
    """How a type of field is asked on a page.

    Attributes:
        make: makes it, from a name for its element and gradio's words for label and hint.
        read: what stands in it, as the value of a record; raises ValueError with a sentence.
        fill: a record's value, as it stands in it.
        hint: what to say of it, marked for translation.
    """

    make: Callable[..., Any]
    read: Callable[[Any], Any]
    fill: Callable[[Any], Any] = lambda value: value
    hint: str = ""


def _picture(path: str) -> str:
    try:
        with opened(path) as picture:
            picture.convert("RGB")  # to its last pixel: one that is cut short has a whole header
    except DataError as error:
        raise ValueError(error.message.replace(str(Path(path).parent) + "/", "")) from error
    return path


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _box(lines: int) -> Callable[..., Any]:
    # A key that sends belongs to one line; where there are several, it begins a new one.
    return lambda **given: gradio.Textbox(lines=lines, max_lines=max(lines, 12), **given)


def _image(label: Any, elem_id: str, placeholder: Any) -> Any:
    """gradio's own picture, whose file is taken as it was sent: gradio would decode it and write it anew, and other pixels have other
    answers. No class is derived from it: gradio writes a file of types beside each such class.
    """
    picture = gradio.Image(sources=["upload", "clipboard"], height=260, buttons=[], label=label, elem_id=elem_id)
    picture.preprocess = _uploaded  # type: ignore[method-assign]
    return picture


def _uploaded(payload: Any) -> str | None:
    """The file of a picture that somebody uploaded. What a request merely names is none: it may be anything of this machine."""
    if payload is None or payload.path is None:
        return None
    folder = Path(gradio.utils.get_upload_folder()).resolve()
    return str(payload.path) if Path(payload.path).resolve().is_relative_to(folder) else None


def _nested(kind: str) -> Widget:
    return Widget(_box(3), lambda text: parser(kind)([text]), _json, N_("as JSON"))


WIDGETS: dict[declared.FieldType, Widget] = {
    "text": Widget(_box(3), str),
    "choice": Widget(_box(1), str),
    "choices": Widget(_box(4), lambda text: parser("choices")(text.splitlines()), "\n".join, N_("one a line")),
    "number": Widget(_box(1), lambda text: parser("number")([text]), str),
    "image": Widget(_image, _picture),
    "spans": _nested("spans"),
    "vector": _nested("vector"),
    "messages": _nested("messages"),
}


class Form:
    """The widgets of a task's inputs.

    Attributes:
        fields: the inputs that are asked.
    """

    def __init__(self, task: Task, spec: Spec) -> None:
        self.fields = inputs_of(task, spec)
        self._must = asking.needed(task, spec)

    def widgets(self, words: Words) -> list[Any]:
        """A widget a field, to be called where they are to stand."""
        return [
            WIDGETS[field.type].make(
                label=words.made(lambda field=field: self._label(field)),  # type: ignore[misc]
                placeholder=words.made(lambda field=field: _(WIDGETS[field.type].hint)),  # type: ignore[misc]
                elem_id=f"input-{field.name}",
            )
            for field in self.fields
        ]

    def record(self, values: Sequence[Any]) -> dict[str, Any]:
        """What stands in the widgets. Raises UsageError with a sentence about what is missing, too long, or not what it should be."""
        record: dict[str, Any] = {}
        for field, value in zip(self.fields, values, strict=True):
            if value is None or (isinstance(value, str) and not value.strip()):
                if field in self._must:
                    raise UsageError(_("“{field}” is empty. Fill it in and ask again.").format(field=_(field.title)))
                record[field.name] = None
                continue
            if isinstance(value, str) and len(value) > LONGEST_TEXT:
                message = _("“{field}” has {count:,} characters; at most {most:,} can be asked here. Take a part of it.")
                raise UsageError(message.format(field=_(field.title), count=len(value), most=LONGEST_TEXT))
            try:
                record[field.name] = WIDGETS[field.type].read(value)
            except ValueError as error:
                raise UsageError(_("“{field}”: {problem}").format(field=_(field.title), problem=error)) from error
        return record

    def values(self, record: Mapping[str, Any]) -> list[Any]:
        """A record, as it stands in the widgets."""
        return [None if record.get(one.name) is None else WIDGETS[one.type].fill(record[one.name]) for one in self.fields]

    def _label(self, field: declared.Field) -> str:
        title = _(field.title)
        return title if field in self._must else _("{field} (optional)").format(field=title)
