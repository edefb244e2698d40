"""The closed set of field types. One declaration of a task's inputs and outputs becomes its column plan, its HTTP schema, its widgets
and its card; outlets dispatch on ``Field.type``, never on a task's name.
"""

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["text", "choice", "choices", "number", "spans", "messages", "vector", "image"]


@dataclass(frozen=True)
class Field:
    """One input or output of a task.

    Attributes:
        name: key of the value in a record or a prediction.
        type: one of the closed set.
        title: what people call it, in English, marked for translation.
        flag: the setting that names its column ("text" for ``--text``).
        hints: lower-case column names that mean this field, most certain first, in English and Chinese.
    """

    name: str
    type: FieldType
    title: str
    flag: str = ""
    hints: tuple[str, ...] = ()
