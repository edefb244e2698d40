"""The body of a request as JSON, strictly: what several readers could understand in several ways is refused. It knows no schema."""

import json
from typing import Any

DEEPEST = 64  # lists and objects inside one another


class NotJson(ValueError):
    """What was sent is not JSON, or not plainly so. The message never quotes it."""


def read_json(body: bytes) -> Any:
    """The value of a body.

    Raises:
        NotJson: it is not UTF-8, not JSON, names a key twice, holds a number that is none, or is too deep.

    >>> read_json(b'{"text": "a"}')
    {'text': 'a'}
    >>> read_json(b'{"text": "a", "text": "b"}')
    Traceback (most recent call last):
    ...
    weitiao.deploy.server.reading.NotJson: An object has a key twice.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"The body is not UTF-8 text: byte {error.start} cannot be read.") from None
    if not text.strip():
        raise NotJson("The body is empty; it must be JSON.")
    try:
        value = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_refuse_constant, parse_float=_finite)
    except NotJson:
        raise
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    except ValueError:  # a whole number of thousands of digits
        raise NotJson("The body holds a number that is too large.") from None
    _check_depth(value)
    return value


_TOO_DEEP = f"The body is too deep: at most {DEEPEST} lists and objects may stand inside one another."


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise NotJson("An object has a key twice.")
    return made


def _refuse_constant(name: str) -> Any:
    raise NotJson(f"{name} is no number in JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NotJson("The body holds a number that is too large.")
    return number


def _check_depth(value: Any) -> None:
    """Raises NotJson for a value that is too deep. It goes level by level, so that it is not too deep itself."""
    level = [value]
    for _depth in range(DEEPEST + 1):
        inner = [child for one in level if isinstance(one, (list, dict)) for child in (one.values() if isinstance(one, dict) else one)]
        if not inner:
            return
        level = [one for one in inner if isinstance(one, (list, dict))]
        if not level:
            return
    raise NotJson(_TOO_DEEP)
