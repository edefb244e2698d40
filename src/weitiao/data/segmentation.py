"""A text becomes the units that people would count: words, or characters where a script puts no spaces. It knows scripts, no task.

Each way has a name, so that a figure can say what it was counted in.
"""

import contextlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, get_args

from weitiao.config import nearest
from weitiao.data.hub_cache import cache_home
from weitiao.data.language import has_spaces, language_of, without_spaces
from weitiao.errors import UsageError
from weitiao.messages import _

Segmenter = Literal["words", "unicode", "characters", "jieba"]
SEGMENTERS: tuple[str, ...] = get_args(Segmenter)
_ENGLISH = re.compile(r"[a-z0-9]+")


def segmenter_for(texts: Sequence[str], wanted: str = "auto") -> Segmenter:
    """How to cut texts like these where nobody said: as rouge-score does for English, by characters for Chinese and its like.

    >>> segmenter_for(["The sun is up."]), segmenter_for(["太阳升起来了"]), segmenter_for(["Die Sonne ist nicht da."])
    ('words', 'characters', 'unicode')

    Raises:
        UsageError: ``wanted`` is neither "auto" nor a segmenter.
    """
    if wanted in SEGMENTERS:
        return wanted  # type: ignore[return-value]
    if wanted != "auto":
        message = _('There is no segmenter "{name}"; there are: {names}.').format(name=wanted, names=_(", ").join(("auto", *SEGMENTERS)))
        raise UsageError(message + nearest(wanted, list(SEGMENTERS)))
    if not has_spaces(texts):
        return "characters"
    return "words" if language_of(texts) == "en" else "unicode"


def segment(text: str, segmenter: Segmenter) -> list[str]:
    """The units of a text in lower case, punctuation left out.

    >>> segment("It's 3.5 km", "words"), segment("用BERT模型", "characters"), segment("schöne Größe", "unicode")
    (['it', 's', '3', '5', 'km'], ['用', 'bert', '模', '型'], ['schöne', 'größe'])

    Args:
        segmenter: "words", runs of a-z and 0-9 as rouge-score counts them, for English; "unicode", runs of letters and digits of any
            script; "characters", the same, but each character alone in scripts that put no spaces between words; "jieba", Chinese words.
    """
    return _WAYS[segmenter](text)


def require_jieba() -> Any:
    """The package. Raises UsageError where it is not installed."""
    try:
        import jieba
    except ImportError as error:
        raise UsageError(_("Chinese words need jieba. Install it: pip install 'weitiao[zh]'")) from error
    return jieba


def chinese_words(text: str) -> list[tuple[str, int, int]]:
    """Words by jieba, everything between them included: (word, start, end), in characters of the text.

    Raises:
        UsageError: jieba is not installed.
    """
    return [(word, start, end) for word, start, end in _jieba().tokenize(text)]


@cache
def _jieba() -> Any:
    """jieba's own dictionary, read once. Its cache stands in our folder: in the machine's shared one anybody could have put it."""
    jieba = require_jieba()
    words = jieba.Tokenizer()
    jieba.setLogLevel(60)  # it reports every loading on standard error
    folder = cache_home() / "jieba"
    with contextlib.suppress(OSError):  # jieba does without a cache that it cannot write
        folder.mkdir(parents=True, exist_ok=True)
    words.tmp_dir = str(folder)
    words.initialize()
    return words


def _english(text: str) -> list[str]:
    return _ENGLISH.findall(text.lower())


def _unicode(text: str) -> list[str]:
    return _runs(text, alone=False)


def _characters(text: str) -> list[str]:
    return _runs(text, alone=True)


def _chinese(text: str) -> list[str]:
    return [word for word in _jieba().cut(_folded(text)) if any(map(str.isalnum, word))]


def _runs(text: str, *, alone: bool) -> list[str]:
    """Runs of letters and digits with their marks; with ``alone``, characters of scripts without spaces each by itself."""
    runs: list[str] = []
    run = ""
    for character in _folded(text):
        kind = _kind(character)
        if kind == "letter" or (kind == "alone" and not alone) or (kind == "mark" and run):
            run += character
        elif kind == "mark" and alone and runs:
            runs[-1] += character  # a vowel sign belongs to the letter that stands before it
        else:
            if run:
                runs.append(run)
                run = ""
            if kind == "alone":
                runs.append(character)
    return [*runs, run] if run else runs


@lru_cache(maxsize=65_536)
def _kind(character: str) -> str:
    """What a character is to a word: "letter", "alone", "mark" or "" for what parts words."""
    if unicodedata.category(character).startswith("M"):
        return "mark"
    if not character.isalnum():
        return ""
    return "alone" if without_spaces(character) else "letter"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


_WAYS: dict[str, Callable[[str], list[str]]] = {"words": _english, "unicode": _unicode, "characters": _characters, "jieba": _chinese}
