"""Tokens as people can read them, on a terminal and on a page. Knows the marks of the usual tokenizers and no model."""

import re
from collections.abc import Mapping
from typing import Any

_MARKS = re.compile("^(##|Ġ|▁|Ċ)+|</w>$")  # what a vocabulary writes for "goes on", "after a space", "new line", "end of a word"


def legible(token: Mapping[str, Any]) -> str:
    """A token as the vocabulary spells it, or where that is bytes in disguise, as it reads; what cannot be printed is spelled out.

    >>> legible({"token": "Ġlovely", "text": " lovely"}), legible({"token": "å¥½", "text": "好"}), legible({"token": "\\n", "text": "\\n"})
    ('Ġlovely', '好', '\\\\n')

    Args:
        token: {"token", "text"}, as ``engine.explaining`` gives it.
    """
    spelled, text = str(token["token"]), str(token["text"])
    bare = _MARKS.sub("", spelled)
    whole = text and "\ufffd" not in text
    return visible(spelled if not whole or not bare or bare in text else text)


def visible(text: str) -> str:
    """A text in which every character can be seen: nothing in it moves a cursor or colours a terminal.

    >>> visible("a\\tb\\x1b[31m"), visible("好 b")
    ('a\\\\tb\\\\x1b[31m', '好 b')
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
