"""The exception tree. It knows exit codes and nothing else.

    WeitiaoError               1  base class: catch this to catch everything of ours
    ├── UsageError             2  a flag, a setting or a name that does not exist
    │   └── MissingPackage     2  a package that is not installed: names the extra that brings it
    ├── DataError              3  the user's file: carries file, row and column
    ├── ModelError             4  a model folder that cannot be used
    ├── NetworkError           5  a hub or a mirror that could not be reached
    ├── ResourceError          6  memory, disk or device
    ├── RunError               7  a run folder that is missing, damaged or of another kind
    └── GateError              8  a quality or parity gate that was not met

The codes are public: scripts rely on them. An interrupt exits 130. Every message says what was wrong with which value and where, what
is allowed, and what to type next; none carries the name or password of an address.
"""

import re

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def without_credentials(text: str) -> str:
    """A text without what stands before the @ of its addresses.

    >>> without_credentials("https://ann:s3cret@hub.example/api is down")
    'https://hub.example/api is down'
    """
    return _CREDENTIALS.sub("", text)


class WeitiaoError(Exception):
    """Base of every error that weitiao raises on purpose.

    >>> try:
    ...     raise UsageError("--epochs is 0; it must be at least 1. Try --epochs 3.")
    ... except WeitiaoError as error:
    ...     error.exit_code
    2
    """

    exit_code = 1

    def __init__(self, message: str) -> None:
        self.message = without_credentials(message)
        super().__init__(self.message)


class UsageError(WeitiaoError):
    """A flag, a setting or a name that does not exist or has an impossible value."""

    exit_code = 2


class MissingPackage(UsageError):
    """A package that is not installed; the message has the command that installs it."""


class DataError(WeitiaoError):
    """Something in the user's data: where it is known, the file, the row number in it and the column are attributes. ``unfit`` says that
    no row of the file is what the task needs, so that it may be meant for another.
    """

    exit_code = 3

    def __init__(
        self, message: str, *, file: str | None = None, row: int | None = None, column: str | None = None, unfit: bool = False
    ) -> None:
        super().__init__(message)
        self.file, self.row, self.column, self.unfit = file, row, column, unfit


class ModelError(WeitiaoError):
    """A model folder that cannot be used: no weights, pickle weights, a wrong checksum, a config nobody knows."""

    exit_code = 4


class NetworkError(WeitiaoError):
    """A named model or data set that could not be reached: the message lists every attempt."""

    exit_code = 5


class ResourceError(WeitiaoError):
    """Memory, disk or device."""

    exit_code = 6


class RunError(WeitiaoError):
    """A run folder that is missing, damaged, unfinished, or exists where a new one was to be made."""

    exit_code = 7


class GateError(WeitiaoError):
    """A quality or parity gate that was not met."""

    exit_code = 8


INTERRUPTED = 130
