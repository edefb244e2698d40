"""Standard input as lines of text. It knows nothing of what they mean."""

import sys
from collections.abc import Iterator

from weitiao.errors import DataError
from weitiao.messages import _


def lines() -> Iterator[str]:
    """The lines of standard input, as UTF-8 or else in the terminal's own encoding.

    Raises:
        DataError: a line is neither; with its number.
    """
    binary = getattr(sys.stdin, "buffer", None)
    if binary is None:  # replaced by a stream of text
        yield from sys.stdin
        return
    for number, line in enumerate(binary, 1):
        yield _decoded(line, number)


def _decoded(line: bytes, number: int) -> str:
    for encoding in ("utf-8-sig" if number == 1 else "utf-8", sys.stdin.encoding or "utf-8"):
        try:
            return line.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    message = _(
        "Standard input, line {number}, is not UTF-8 text. Convert it first (iconv -f GB18030 -t UTF-8), or put it in a file: "
        "--file FILE recognises its encoding."
    )
    raise DataError(message.format(number=number), file="-", row=number)
