"""When two texts count as the same: after Unicode normalisation, ignoring case and white space. It knows nothing of rows or labels."""

import hashlib
import unicodedata
from collections.abc import Iterable

import numpy as np


def normalise(text: str) -> str:
    """NFKC, case folded, white space runs as one space: "Ｇｏｏｄ\\u3000 hotel " and "good HOTEL" are the same.

    >>> normalise("Ｇｏｏｄ\\u3000 HOTEL ")
    'good hotel'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).casefold()
        # Zero-width characters and byte order marks are invisible, and survive NFKC.
        text = text.replace("\u200b", "").replace("\ufeff", "")
    else:
        text = text.lower()
    return " ".join(text.split())


def text_keys(texts: Iterable[str]) -> np.ndarray:
    """(texts,) uint64: equal for the same texts after ``normalise``, and, but for one chance in 30 million at a million texts, only then.

    >>> keys = text_keys(["Good", "good ", "bad"])
    >>> bool(keys[0] == keys[1]), bool(keys[0] == keys[2])
    (True, False)
    """
    digests = (hashlib.blake2b(normalise(text).encode("utf-8", "replace"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
