"""Typed values of binary files as texts, and what is said of a file that is damaged. It knows no format."""

import datetime
import json
from typing import Any

from weitiao.errors import DataError
from weitiao.messages import _


def spelled(value: Any) -> str | None:
    """One Python value as a text.

    >>> spelled(2.0), spelled(True), spelled([1, "a"]), spelled(b"\\xff")
    ('2', 'true', '[1, "a"]', '<1 bytes>')
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # A workbook does not tell 1 from 1.0.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    if isinstance(value, bytes):
        return _decoded(value)
    return json.dumps(value, ensure_ascii=False, default=_nested) if isinstance(value, (list, dict, tuple)) else str(value)


def _nested(value: Any) -> str:
    return _decoded(value) if isinstance(value, bytes) else str(value)


def _decoded(value: bytes) -> str:
    """Texts are sometimes stored as bytes; anything else that is (an image, say) only shows its size."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return f"<{len(value)} bytes>"


def damaged(source: str, kind: str, error: Exception) -> DataError:
    """The error for a file that is not what it should be; ``kind`` is what it should be, with its article."""
    reason = " ".join(str(error).split())[:200]
    message = _("{file} cannot be read as {kind}: it is damaged or was cut off ({reason}). Get or write it again.")
    return DataError(message.format(file=source, kind=kind, reason=reason), file=source)
