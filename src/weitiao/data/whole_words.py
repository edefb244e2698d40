"""Whole words in a text, and which of them each token is a piece of: what whole-word masking hides together. It knows characters and
offsets, no tokenizer: so it holds for WordPiece, byte-level BPE and SentencePiece alike.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Sequence
from importlib.util import find_spec
from operator import itemgetter

import numpy as np

from weitiao.config import MASK_SHARE
from weitiao.data.language import language_of
from weitiao.data.segmentation import chinese_words
from weitiao.data.words import words_in

SINGLE = "characters"  # the segmenter of Chinese where there is no better
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]+")


def word_segmenter(texts: Sequence[str] = ()) -> str:
    """How words are found in texts like these: "words" where spaces part them; in Chinese "jieba", or "characters" without it.

    Without texts nobody knows the language, and Chinese must be reckoned with.

    >>> word_segmenter(["The sun is up."])
    'words'
    """
    if texts and language_of(texts) != "zh":
        return "words"
    return "jieba" if find_spec("jieba") else SINGLE


def has_chinese(text: str) -> bool:
    """Whether a text may have Chinese words: Han, and not so many kana beside it that it is Japanese, whose words jieba does not know.

    >>> has_chinese("All is 很好."), has_chinese("とても良いホテルです"), has_chinese("fine")
    (True, False, False)
    """
    return _HAN.search(text) is not None and language_of([text]) != "ja"


def whole_words(text: str, segmenter: str) -> list[tuple[int, int]]:
    """(start, end) of every word in characters of the text, in order; a sign of punctuation is a word of its own, white space is in none.

    >>> [text[start:end] for text in ["It's 好的, ok"] for start, end in whole_words(text, "characters")]
    ['It', "'", 's', '好', '的', ',', 'ok']

    Args:
        text: any script; characters of one without spaces stand alone.
        segmenter: "jieba" joins Chinese characters to words, wherever a text has Chinese.

    Raises:
        UsageError: "jieba" is asked for and not installed.
    """
    if not text:
        return []
    return _joined_chinese(text) if segmenter == "jieba" and has_chinese(text) else words_in(text)


def word_numbers(words: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> list[int | None]:
    """The index of the word that each token begins in, None for a token of no characters or of white space only.

    >>> word_numbers([(0, 3), (4, 8)], [(0, 0), (0, 2), (2, 3), (3, 8)])
    [None, 0, 0, 1]

    Args:
        words: as ``whole_words`` gives them, of the whole text; those of a window are looked up, since a long text has many windows.
        offsets: (start, end) of each token in the text; one may begin with the space before its word, as byte-level BPE has it.
    """
    numbers: list[int | None] = []
    for start, end in offsets:
        number = bisect_right(words, start, key=itemgetter(1))  # the first word that ends behind where the token begins
        numbers.append(number if start < end and number < len(words) and words[number][0] < end else None)
    return numbers


def going_on(text: str, segmenter: str) -> np.ndarray:
    """(characters + 1,) whether a token that begins at a character goes on with the word before it.

    >>> going_on("up 好的", "characters").tolist()
    [False, True, False, False, False, False]
    """
    inside = np.zeros(len(text) + 1, dtype=bool)
    for start, end in whole_words(text, segmenter):
        if end - start > 1:
            inside[start + 1 : end] = True
    return inside


def tokens_going_on(inside: np.ndarray, offsets: Sequence[tuple[int, int]]) -> np.ndarray:
    """(tokens,) whether each token of a text goes on with the word of the token before it.

    >>> tokens_going_on(going_on("up 好", "characters"), [(0, 1), (1, 2), (3, 4), (3, 4)]).tolist()
    [False, True, False, True]

    Args:
        inside: (characters + 1,) as ``going_on`` gives it.
        offsets: (start, end) of each token in the text. Several may spell one character, as bytes do: they are one word's, whichever
            character it is.
    """
    starts, ends = np.array(offsets, dtype=np.int64).reshape(-1, 2).T
    goes_on = inside[starts]
    goes_on[1:] |= starts[1:] < ends[:-1]
    return goes_on


def hidden_words(text: str, words: Sequence[int]) -> set[int]:
    """Which of a text's words an evaluation hides: 15%, at least one, drawn by the text itself, so that they are the same on every machine.

    >>> len(hidden_words("the cat sat on the mat", range(6))), hidden_words("", [])
    (1, set())
    """
    if not words:
        return set()
    return {int(word) for word in np.random.default_rng(seed_of(text)).permutation(list(words))[: max(1, round(MASK_SHARE * len(words)))]}


def seed_of(text: str) -> int:
    """A seed that is the same for the same text, on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _joined_chinese(text: str) -> list[tuple[int, int]]:
    """The words of a text with runs of Chinese characters cut into jieba's words."""
    runs = [match.span() for match in _HAN.finditer(text)]
    chinese = [(first + start, first + end) for first, last in runs for _word, start, end in chinese_words(text[first:last])]
    inside = {at for first, last in runs for at in range(first, last)}
    return sorted([*chinese, *(word for word in words_in(text) if word[0] not in inside)])
