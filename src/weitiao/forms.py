"""The forms that a finished run can be exported in. A table: it writes and reads none of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    """One entry.

    Attributes:
        name: what ``weitiao export --to`` calls it.
        reader: the library that answers from it without torch; "" for transformers itself.
        tolerance: largest difference of an output that it may have, as a share of the largest output where that is above 1; None where it
            is smaller and answers a little otherwise, and is judged by the figure that decides and by its speed.
        plain: the same in ordinary numbers, which it must be faster than; "" where it is compared with the run itself.
        package: what pip installs to answer from it.
    """

    name: str
    reader: str = ""
    tolerance: float | None = None
    plain: str = ""
    package: str = "weitiao[train]"


FORMS = {
    form.name: form
    for form in (
        Form("merged", tolerance=1e-5),
        Form("onnx", "onnx", 1e-4, package="weitiao"),
        Form("onnx-int8", "onnx", plain="onnx", package="weitiao"),
        Form("ctranslate2", "ctranslate2", 1e-4, package="weitiao[export]"),
        Form("ctranslate2-int8", "ctranslate2", plain="ctranslate2", package="weitiao[export]"),
    )
}
CONTAINER = "docker"  # a folder around one of them, from which an image of the service is built
TARGETS = (*FORMS, CONTAINER)
_RUN = Form("")


def form_of(record: Mapping[str, Any]) -> Form:
    """The form that a run's record says it is of; that of a run itself has no name, and transformers reads it.

    >>> form_of({"export": {"to": "onnx"}}).reader, form_of({}).reader
    ('onnx', '')
    """
    return FORMS.get((record.get("export") or {}).get("to", ""), _RUN)
