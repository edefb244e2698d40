"""Where words begin: texts made of words, and tokens gathered into the words that are judged one by one. Knows characters and offsets, no
tokenizer and no tag.

A word here is the least piece that a border of an entity may fall beside: a run of letters and digits, one sign, one character of a script
that puts no spaces between words.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from weitiao.data.language import without_spaces


class Word(NamedTuple):
    """A word among tokens: its first token, and its (start, end) in characters of the text, white space left out."""

    token: int
    start: int
    end: int


def joined(tokens: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """One text of many tokens, and where each stands in it: spaces between words, none between Chinese characters. Blank ones take no room.

    >>> joined(["Paris", ",", "in", "May"])[0], joined(["在", "2", "0", "年", "看", "New", "York"])[0]
    ('Paris , in May', '在20年看New York')
    """
    lettered = [token for token in tokens if any(map(str.isalpha, token))]
    dense = 2 * sum(any(map(without_spaces, token)) for token in lettered) > len(lettered)
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    at, before = 0, ""
    for token in tokens:
        token = token.strip()
        if token:
            if before and _spaced(before, token, dense):
                parts.append(" ")
                at += 1
            parts.append(token)
            before = token
        places.append((at, at + len(token)))
        at += len(token)
    return "".join(parts), places


def located(tokens: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """Where each token stands in a text that holds them in order, None where one is not found; blank tokens take no room.

    >>> located(["do", "n't"], "I don't")
    [(2, 4), (4, 7)]
    """
    places, at = [], 0
    for token in tokens:
        token = token.strip()
        start = text.find(token, at) if token else at
        if start < 0:
            return None
        at = start + len(token)
        places.append((start, at))
    return places


def words_in(text: str) -> list[tuple[int, int]]:
    """The words of a text, (start, end) each.

    >>> [("I'm in 北京")[start:end] for start, end in words_in("I'm in 北京")]
    ['I', "'", 'm', 'in', '北', '京']
    >>> words_in(" ")
    []
    """
    borders = [at for at, character in enumerate(text) if not character.isspace() and begins_word(text, at)]
    ends = [*borders[1:], len(text)]
    return [(start, start + len(text[start:end].rstrip())) for start, end in zip(borders, ends, strict=False)]  # blank texts have no border


def words_of(text: str, offsets: Sequence[tuple[int, int]], numbers: Sequence[int | None]) -> list[Word]:
    """Tokens gathered into words. What a tokenizer calls a word is cut further, at every border of ours that a token begins at: some give
    a whole Chinese sentence as one word, or a full stop with the word before it.

    >>> words_of("北京 York.", [(0, 0), (0, 1), (1, 2), (2, 5), (5, 7), (7, 8)], [None, 0, 0, 1, 1, 1])
    [Word(token=1, start=0, end=1), Word(token=2, start=1, end=2), Word(token=3, start=3, end=7), Word(token=5, start=7, end=8)]

    Args:
        offsets: (start, end) of each token; byte-level tokens may begin with the space before a word, or share a character.
        numbers: the tokenizer's word number of each token, None for special tokens.
    """
    words: list[Word] = []
    last_number, last_end = None, 0
    for token, ((start, end), number) in enumerate(zip(offsets, numbers, strict=True)):
        if number is None:
            continue
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        if start == end:
            continue
        if not words or (start >= last_end and (number != last_number or start > last_end or begins_word(text, start))):
            words.append(Word(token, start, end))
        elif end > words[-1].end:
            words[-1] = words[-1]._replace(end=end)
        last_number, last_end = number, max(end, last_end)
    return words


def begins_word(text: str, at: int) -> bool:
    """Whether a word may begin at a character: not between two letters or digits of a script that has spaces.

    >>> begins_word("don't", 1), begins_word("don't", 3), begins_word("北京", 1)
    (False, True, True)
    """
    if not at:
        return True
    here = _kind(text[at])
    if here == "mark":
        return text[at - 1].isspace()
    before = at - 1
    while before and _kind(text[before]) == "mark":
        before -= 1
    return not (here == "letter" and _kind(text[before]) == "letter")


@lru_cache(maxsize=1 << 16)
def _kind(character: str) -> str:
    """ "letter" (a digit too), "mark" (written over what stands before it), "alone", "space", "sign"."""
    if character.isspace():
        return "space"
    category = unicodedata.category(character)
    if without_spaces(character):
        return "mark" if category[0] == "M" else "alone"
    if character.isalnum() or character == "_":
        return "letter"
    # Indic vowel signs and accents go on with their word; so do joiners and the variation selectors of emoji.
    return "mark" if category[0] == "M" or category == "Cf" else "sign"


def _spaced(before: str, after: str, dense: bool) -> bool:
    """Whether a space goes between two tokens."""
    left, right = before[-1], after[0]
    if _is_east_asian(left) and _is_east_asian(right):
        return False
    if not dense:
        return True
    # In a Chinese sentence only what would run together is held apart; its digits are often tokens of one character.
    return _kind(left) == _kind(right) == "letter" and len(before) + len(after) > 2


def _is_east_asian(character: str) -> bool:
    return without_spaces(character) or "\u3000" <= character <= "\u303f" or "\uff00" <= character <= "\uffef"
