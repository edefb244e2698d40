"""Which script and language texts are in, from a sample of them. It knows Unicode's ranges and a few function words, and no model.

The answer chooses a base model, character or word n-grams, and the length of shingles: it must be quick and right about the script, and
need not tell Danish from Norwegian.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

# (first, last, script): letters only. Digits, punctuation, signs and emoji belong to no script.
SCRIPT_RANGES: tuple[tuple[int, int, str], ...] = (
    (0x41, 0x5A, "Latin"),
    (0x61, 0x7A, "Latin"),
    (0xC0, 0xD6, "Latin"),
    (0xD8, 0xF6, "Latin"),
    (0xF8, 0x24F, "Latin"),
    (0x370, 0x3FF, "Greek"),
    (0x400, 0x52F, "Cyrillic"),
    (0x531, 0x58F, "Armenian"),
    (0x5D0, 0x5EA, "Hebrew"),
    (0x620, 0x65F, "Arabic"),
    (0x66E, 0x6D5, "Arabic"),
    (0x750, 0x77F, "Arabic"),
    (0x900, 0x963, "Devanagari"),
    (0x980, 0x9E3, "Bengali"),
    (0xA00, 0xA65, "Gurmukhi"),
    (0xA80, 0xAE3, "Gujarati"),
    (0xB80, 0xBE5, "Tamil"),
    (0xC00, 0xC63, "Telugu"),
    (0xC80, 0xCE3, "Kannada"),
    (0xD00, 0xD63, "Malayalam"),
    (0xE00, 0xE4E, "Thai"),
    (0xE80, 0xECD, "Lao"),
    (0xF40, 0xFBC, "Tibetan"),
    (0x1000, 0x103F, "Myanmar"),
    (0x10A0, 0x10FF, "Georgian"),
    (0x1100, 0x11FF, "Hangul"),
    (0x1200, 0x135A, "Ethiopic"),
    (0x1780, 0x17D3, "Khmer"),
    (0x1820, 0x18AA, "Mongolian"),
    (0x1E00, 0x1EFF, "Latin"),
    (0x1F00, 0x1FFF, "Greek"),
    (0x3041, 0x309F, "Hiragana"),
    (0x30A1, 0x30FA, "Katakana"),
    (0x30FC, 0x30FF, "Katakana"),
    (0x3131, 0x318E, "Hangul"),
    (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"),
    (0xAC00, 0xD7A3, "Hangul"),
    (0xF900, 0xFAFF, "Han"),
    (0xFF21, 0xFF3A, "Latin"),
    (0xFF41, 0xFF5A, "Latin"),
    (0xFF66, 0xFF9D, "Katakana"),
    (0x20000, 0x323AF, "Han"),
)
_SCRIPTS = sorted({script for _first, _last, script in SCRIPT_RANGES})
_STARTS = np.array([first for first, _last, _script in SCRIPT_RANGES], dtype=np.uint32)
_ENDS = np.array([last for _first, last, _script in SCRIPT_RANGES], dtype=np.uint32)
_NUMBERS = np.array([_SCRIPTS.index(script) for _first, _last, script in SCRIPT_RANGES], dtype=np.int64)

_BY_SCRIPT = {
    "Cyrillic": "ru",
    "Greek": "el",
    "Hebrew": "he",
    "Arabic": "ar",
    "Devanagari": "hi",
    "Bengali": "bn",
    "Tamil": "ta",
    "Telugu": "te",
    "Thai": "th",
    "Lao": "lo",
    "Tibetan": "bo",
    "Myanmar": "my",
    "Khmer": "km",
    "Georgian": "ka",
    "Armenian": "hy",
    "Hangul": "ko",
    "Hiragana": "ja",
    "Katakana": "ja",
    "Han": "zh",
}
# Words that carry no meaning and that no other language here uses as often.
_FUNCTION_WORDS = {
    "en": "the and is of to you that it was for with this have are not but they what your my we be",
    "de": "der die und das ist nicht ein eine ich zu den mit auf für sich wir sie es auch dem",
    "fr": "le les des est une pas que vous nous je dans qui pour sur ce il avec mais au du",
    "es": "el los las una que es por con para como pero muy del está yo lo mi su más",
    "it": "il che di non una per sono con della è ma gli anche questo mi del come si ho",
    "pt": "não que uma os as com para você mas do da em eu muito foi um por mais isso",
    "nl": "het een niet van ik dat en zijn voor met maar ook op je deze naar wel heb",
    "id": "yang dan di ini itu dengan untuk tidak dari saya ada pada akan juga bisa",
    "vi": "không là của và có một những được cho này tôi với các rất",
    "tr": "bir ve bu için çok da de ne ama gibi daha ben var değil",
    "pl": "nie się jest na to że jak ale do tak czy jestem był bardzo",
}
_LANGUAGES_OF = {
    word: [code for code, words in _FUNCTION_WORDS.items() if word in words.split()]
    for words in _FUNCTION_WORDS.values()
    for word in words.split()
}
_WORD = re.compile(r"[^\W\d_]+")
_WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "km", "my", "bo"})
_SCRIPTS_WITHOUT_SPACES = frozenset({"Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan"})
_UNSPACED = re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b, script in SCRIPT_RANGES if script in _SCRIPTS_WITHOUT_SPACES) + "]")
_SAMPLE_TEXTS = 2000
SAMPLE_CHARACTERS = 500  # of each text


def scripts_of(texts: Sequence[str]) -> dict[str, float]:
    """The share of each script among the letters of a sample, largest first; {} where there are no letters.

    >>> scripts_of(["好的 ok", "👍 123"])
    {'Han': 0.5, 'Latin': 0.5}
    """
    joined = "".join(_sample(texts))
    points = np.frombuffer(joined.encode("utf-32-le", "replace"), dtype=np.uint32)  # (characters,)
    at = np.searchsorted(_STARTS, points, side="right") - 1  # -1 before the first range
    inside = (at >= 0) & (points <= _ENDS[at])
    counts = np.bincount(_NUMBERS[at[inside]], minlength=len(_SCRIPTS))
    total = int(counts.sum())
    order = sorted((i for i in range(len(_SCRIPTS)) if counts[i]), key=lambda i: (-counts[i], _SCRIPTS[i]))
    return {_SCRIPTS[i]: float(counts[i] / total) for i in order}


def language_of(texts: Sequence[str]) -> str:
    """The main language of a sample: an ISO 639-1 code, or "other" where that cannot be told.

    >>> language_of(["这家酒店很好"]), language_of(["とても良いホテルです"]), language_of(["This is a good hotel"]), language_of(["123"])
    ('zh', 'ja', 'en', 'other')
    """
    scripts = scripts_of(texts)
    if not scripts:
        return "other"
    kana = scripts.get("Hiragana", 0.0) + scripts.get("Katakana", 0.0)
    han = scripts.get("Han", 0.0)
    # A Chinese character says as much as several letters: product names in Latin do not make a Chinese text English.
    weights = {"Latin": scripts.get("Latin", 0.0), "East Asian": 2.5 * (han + kana)}
    weights |= {script: share for script, share in scripts.items() if script not in ("Latin", "Han", "Hiragana", "Katakana")}
    main = max(weights, key=weights.__getitem__)
    if main == "East Asian":
        return "ja" if kana > 0.05 * (han + kana) else "zh"
    return _latin_language(texts) if main == "Latin" else _BY_SCRIPT.get(main, "other")


def has_spaces(texts: Sequence[str]) -> bool:
    """Whether the texts' language puts spaces between words: word n-grams make sense then, else runs of characters.

    >>> has_spaces(["good hotel"]), has_spaces(["这家酒店很好"])
    (True, False)
    """
    return language_of(texts) not in _WITHOUT_SPACES


def without_spaces(character: str) -> bool:
    """Whether a letter is of a script that puts no spaces between words.

    >>> without_spaces("好"), without_spaces("a")
    (True, False)
    """
    point = ord(character)
    return any(first <= point <= last and script in _SCRIPTS_WITHOUT_SPACES for first, last, script in SCRIPT_RANGES)


def shingle_length(text: str) -> int:
    """Characters in a run by which one text is compared with others: fewer where characters are words.

    >>> shingle_length("good hotel"), shingle_length("这家酒店很好")
    (5, 3)
    """
    start = text[:100]
    return 5 if start.isascii() or len(_UNSPACED.findall(start)) * 4 < len(start) else 3


def _latin_language(texts: Sequence[str]) -> str:
    """The language whose function words turn up most; English where none do and there are no accents."""
    joined = "\n".join(_sample(texts)).lower()
    hits: Counter[str] = Counter()
    for word, count in Counter(_WORD.findall(joined)).items():
        for code in _LANGUAGES_OF.get(word, ()):
            hits[code] += count
    if hits:
        return max(hits, key=lambda code: (hits[code], code == "en"))
    letters = [character for character in joined if character.isalpha()]
    return "en" if sum(map(str.isascii, letters)) >= 0.99 * len(letters) else "other"


def _sample(texts: Sequence[str]) -> list[str]:
    """Evenly spaced texts, the beginning of each: files are often sorted, so the first ones would not do."""
    step = max(1, len(texts) // _SAMPLE_TEXTS)
    return [texts[i][:SAMPLE_CHARACTERS] for i in range(0, len(texts), step)]
