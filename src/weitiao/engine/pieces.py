"""A text that is read while it is written: token ids become pieces of it. It knows no model."""

from collections.abc import Callable, Iterable, Iterator, Sequence

BEFORE = 16  # tokens that are read again before the newest: what a token reads as depends on those before it
CUT = "\N{REPLACEMENT CHARACTER}"  # what the beginning of a character of several bytes reads as


def spelled(numbers: Iterable[int], written: Callable[[Sequence[int]], str]) -> Iterator[str]:
    """The text of token ids, as they come; a character of several tokens comes when it is whole.

    >>> list(spelled([0, 1, 2], lambda ids: bytes([0x61, 0xc3, 0xa4][number] for number in ids).decode(errors="replace")))
    ['a', 'ä']

    Args:
        written: the text of ids.
    """
    ids: list[int] = []
    done = 0  # ids whose text was given
    for number in numbers:
        ids.append(number)
        start = max(0, done - BEFORE)
        before, text = written(ids[start:done]), written(ids[start:])
        if len(text) > len(before) and not text.endswith(CUT):
            yield text[len(before) :]
            done = len(ids)
    start = max(0, done - BEFORE)
    if rest := written(ids[start:])[len(written(ids[start:done])) :]:
        yield rest


def trimmed(pieces: Iterable[str]) -> Iterator[str]:
    """Pieces of a text without the white space that the whole begins or ends with.

    >>> list(trimmed([" ", " a", " ", "b", "\\n"]))
    ['a', ' b']
    """
    held, begun = "", False
    for piece in pieces:
        held += piece if begun else piece.lstrip()
        ready = held.rstrip()
        if ready:
            yield ready
            held, begun = held[len(ready) :], True
