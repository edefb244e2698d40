"""The closed set of field types. One declaration of a task's inputs and outputs becomes its column plan, its HTTP schema, its widgets
and its card; outlets dispatch on ``Field.type``, never on a task's name.
"""

from dataclasses import dataclass
from typing import Literal

# Values in a record: text and choice are str; choices a list of str; number a float; spans and messages lists of dicts; vector a list of
# numbers; image the path of a file.
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
        optional: whether a record may do without it; its value is then None.
        several: whether a column of lists is welcome where one choice was declared: the field is then "choices" in the plan.
        second: the optional field that makes a pair with this one: of two columns named for this field, the second is that field's, unless
            a separator says that they are to be joined. Where it has a column, a row without it is as empty as one without the first.
        shared: whether several rows have the same value on purpose, as many questions are about one text. Such rows stay on one side of a
            split, whatever else is in them.
        varied: whether a choice is among a record's own options, so that its values need not be the same few in every row.
    """

    name: str
    type: FieldType
    title: str
    flag: str = ""
    hints: tuple[str, ...] = ()
    optional: bool = False
    several: bool = False
    second: str = ""
    shared: bool = False
    varied: bool = False
