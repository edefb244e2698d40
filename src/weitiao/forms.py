"""The forms that a finished run can be exported in. A table; writes and reads none of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """One entry.

    Attributes:
        name: what ``weitiao export --to`` calls it.
        reader: the library that answers from it without torch; "" for transformers itself.
        tolerance: largest difference of an output that it may have, as a share of the largest output where that is above 1; None where it
            is smaller and answers a little otherwise, and is judged by the figure that decides and by its speed.
        plain: the same in ordinary numbers, which it must be faster than; "" where it is compared with the run itself.
        extra: what must be installed to answer from it.
    """

    name: str
    reader: str = ""
    tolerance: float | None = None
    plain: str = ""
    extra: str = "weitiao"


FORMS = {
    form.name: form
    for form in (
        Form("merged", tolerance=1e-5, extra="weitiao[train]"),
        Form("onnx", "onnx", 1e-4),
        Form("onnx-int8", "onnx", plain="onnx"),
        Form("ctranslate2", "ctranslate2", 1e-4, extra="weitiao[export]"),
        Form("ctranslate2-int8", "ctranslate2", plain="ctranslate2", extra="weitiao[export]"),
    )
}
