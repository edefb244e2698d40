"""Which encoding a text file is in: UTF-8 and UTF-16 with or without a byte order mark, or GB18030. It knows nothing of what the text says.

A wrong guess ruins every row without an error, so only what can be told with near certainty is read unasked; for everything else the
error names the likely encoding and the flag that accepts it.
"""

import codecs
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from weitiao.config import nearest
from weitiao.data.packed import Packed
from weitiao.errors import DataError, UsageError
from weitiao.messages import _

_CHUNK = 1 << 20  # bytes
_SAMPLE = 1 << 18  # bytes that a guess looks at
_BAD_BYTES = re.compile("[\udc80-\udcff]")
# Some of the most frequent characters of written Chinese: a real text is full of them, a misread one is not.
_FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过發這個們來為國說時會對後沒還很好"
)
_KNOWN = ["utf-8", "utf-16", "gb18030", "gbk", "big5", "shift_jis", "euc-kr", "cp1252", "cp1251", "latin-1"]


@dataclass(frozen=True)
class Encoding:
    """How to decode a file.

    Attributes:
        name: Python's name of the codec.
        damaged: it is UTF-8 but for a few bytes; those are kept as lone surrogates so that their rows can be named.
    """

    name: str
    damaged: bool = False

    def open(self, path: Path | Packed) -> TextIO:
        """The file as text, its line ends untouched."""
        return path.open(encoding=self.name, errors="surrogateescape" if self.damaged else "strict", newline="")


def is_damaged(text: str) -> bool:
    """Whether ``text`` holds bytes that could not be decoded."""
    return not text.isascii() and _BAD_BYTES.search(text) is not None


def recognise(path: Path | Packed, forced: str = "") -> Encoding:
    """The encoding of a file, read once in small pieces; with ``forced``, that one if the file can be read with it.

    Raises:
        UsageError: ``forced`` is no encoding.
        DataError: the file is in none that can be told for sure, or not in ``forced``; the message says where and what would work.
    """
    if forced:
        return _forced(path, forced)
    with path.open("rb") as file:
        head = file.read(_SAMPLE)
    marked = _marked(head)
    if marked:
        failure = first_failure(path, marked)
        if failure is None:
            return Encoding(marked)
        raise _undecodable(path, marked, failure, "")
    unmarked = utf16_without_mark(head)
    if unmarked and first_failure(path, unmarked) is None:
        return Encoding(unmarked)
    failure = first_failure(path, "utf-8-sig")
    if failure is None:
        return Encoding("utf-8-sig")
    if _mostly_utf8(path):
        return Encoding("utf-8-sig", damaged=True)
    if first_failure(path, "gb18030") is None and _is_chinese(path):
        return Encoding("gb18030")
    guess = _guess(head)
    message = _(
        "{file} is neither UTF-8, UTF-16 nor GB18030: line {line} holds bytes that none of them allows or that would read as nonsense."
    )
    message = message.format(file=path, line=failure.line)
    if guess:
        message += " " + _("It looks like {encoding}: if so, add --encoding {encoding}.").format(encoding=guess)
    message += " " + _("Or save it again as UTF-8.")
    raise DataError(message, file=str(path), row=failure.line)


def utf16_without_mark(head: bytes) -> str | None:
    """ "utf-16-le" or "utf-16-be" where the bytes read well as that, else None.

    >>> utf16_without_mark("text,label\\n好,1\\n".encode("utf-16-le")), utf16_without_mark(b"text,label\\n")
    ('utf-16-le', None)
    """
    if 0 not in head or _marked(head):
        return None
    head = head[: len(head) // 2 * 2]
    scores = {}
    for name in ("utf-16-le", "utf-16-be"):
        # The last character may be half of a pair that the sample cut.
        text = head.decode(name, "replace")[:-1]
        # Pairs of ASCII letters read as Chinese, but their line ends do not come out as line ends.
        if text and "\0" not in text and text.count("\n") * 3 >= max(1, head.count(b"\n")):
            scores[name] = sum(map(_is_ordinary, text)) / len(text)
    best = max(scores, key=scores.__getitem__, default=None)
    return best if best and scores[best] > 0.95 else None


@dataclass(frozen=True)
class Failure:
    """Where a file stops being readable in an encoding: the line (from 1) and the bytes."""

    line: int
    data: bytes


def first_failure(path: Path | Packed, encoding: str) -> Failure | None:
    """The first place that cannot be decoded, or None: reads the whole file in small pieces."""
    lines = 1
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for chunk, last in _chunks(path):
            lines += decoder.decode(chunk, last).count("\n")
    except UnicodeDecodeError as error:
        # error.object is what was left of the last piece plus this one; not every codec can leave bytes out.
        with contextlib.suppress(UnicodeError):
            lines += bytes(error.object[: error.start]).decode(encoding, "ignore").count("\n")
        return Failure(lines, bytes(error.object[error.start : error.start + 4]))
    except UnicodeError:  # UTF-16 or UTF-32 that was asked for by name and does not begin with its mark
        with path.open("rb") as file:
            return Failure(lines, file.read(4))
    return None


def _forced(path: Path | Packed, forced: str) -> Encoding:
    name = codec(forced)
    failure = first_failure(path, name)
    if failure is not None:
        raise _undecodable(path, forced, failure, _what_works(path))
    if name != "utf-8-sig" and _certainly_utf8(path):
        message = _("{file} is UTF-8 throughout, so reading it as {encoding} would turn it into nonsense. Leave --encoding out.")
        raise DataError(message.format(file=path, encoding=forced), file=str(path))
    return Encoding(name)


def codec(name: str) -> str:
    """Python's codec for an encoding's name, its supersets preferred: GBK and GB2312 become GB18030, UTF-8 may have a mark.

    >>> codec("GBK"), codec("utf8")
    ('gb18030', 'utf-8-sig')
    """
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        info = None
    # "base64" and the like are codecs too, but not of text; codecs offers no public way to tell.
    if info is None or not getattr(info, "_is_text_encoding", True):
        message = _('--encoding is "{encoding}", which is no encoding. Common ones: {known}.').format(
            encoding=name, known=_(", ").join(_KNOWN)
        )
        raise UsageError(message + nearest(name, _KNOWN))
    return {"gbk": "gb18030", "gb2312": "gb18030", "utf-8": "utf-8-sig"}.get(info.name, info.name)


def _undecodable(path: Path | Packed, encoding: str, failure: Failure, works: str) -> DataError:
    message = _("{file} cannot be read as {encoding}: line {line} holds the bytes {data}, which are not {encoding}.")
    message = message.format(file=path, encoding=encoding, line=failure.line, data=failure.data.hex(" ").upper())
    if works:
        message += " " + _("{encoding} works: leave --encoding out, or type --encoding {encoding}.").format(encoding=works)
    else:
        message += " " + _("Save it again as UTF-8, or name its encoding with --encoding.")
    return DataError(message, file=str(path), row=failure.line)


def _what_works(path: Path | Packed) -> str:
    try:
        found = recognise(path)
    except DataError:
        return ""
    return {"utf-8-sig": "utf-8"}.get(found.name, found.name)


def _marked(head: bytes) -> str:
    """The encoding that a byte order mark names, or ""."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ""


def _chunks(path: Path | Packed) -> Iterator[tuple[bytes, bool]]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk, False
    yield b"", True


def _certainly_utf8(path: Path | Packed) -> bool:
    """Valid UTF-8 with many characters beyond ASCII: no other encoding gives that by chance."""
    beyond, decoder = 0, codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for chunk, last in _chunks(path):
            beyond += len(chunk) - len(decoder.decode(chunk, last))
    except UnicodeDecodeError:
        return False
    return beyond >= 40


def _mostly_utf8(path: Path | Packed) -> bool:
    """At most one undecodable byte for twenty good characters beyond ASCII (a file cut off, or pasted from two)."""
    bad, beyond, decoder = 0, 0, codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    for chunk, last in _chunks(path):
        text = decoder.decode(chunk, last)
        if not text.isascii():
            bad += len(_BAD_BYTES.findall(text))
            beyond += len(re.findall(r"[^\x00-\x7f]", text))
    return bad * 20 <= beyond - bad


def _is_chinese(path: Path | Packed) -> bool:
    """Whether the file, which decodes as GB18030, reads as Chinese then: nearly any bytes in pairs decode."""
    with path.open("rb") as file:
        text = file.read(_SAMPLE).decode("gb18030", "ignore")
    beyond = [character for character in text if character > "\x7f"]
    ordinary = sum(map(_is_common_chinese, beyond))
    # Korean in EUC-KR falls on the same byte pairs, but on random characters: hardly any of them are frequent in Chinese.
    frequent = sum(character in _FREQUENT for character in beyond)
    return ordinary > 0.7 * len(beyond) and (len(beyond) < 200 or frequent > 0.02 * len(beyond))


def _is_common_chinese(character: str) -> bool:
    """Punctuation, full-width forms and the 3755 everyday characters of GB 2312's first level."""
    try:
        lead = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return 0xB0 <= lead <= 0xD7 or lead in (0xA1, 0xA3)


def _is_ordinary(character: str) -> bool:
    """A character that texts are made of: a byte-swapped text is scattered over all of Unicode."""
    code = ord(character)
    return (
        0x20 <= code < 0x0700
        or character in "\t\r\n"
        or 0x2000 <= code < 0x2070
        or 0x3000 <= code < 0x3100
        or 0x4E00 <= code < 0xA000
        or 0xAC00 <= code < 0xD7A4
        or 0xFF00 <= code < 0xFFF0
        or code >= 0x1F000
    )


def _guess(head: bytes) -> str:
    """The likeliest of the encodings that cannot be told for sure, or ""."""
    western = head.decode("cp1252", "replace")
    letters = [character for character in western if character.isalpha()]
    beyond = [character for character in western if character > "\x7f"]
    # A few accents among plain letters, and hardly any odd signs: the commonest by far of a dozen encodings that all fit.
    accents = sum(character.isalpha() for character in beyond)
    if beyond and accents < 0.35 * len(letters) and sum(c.isalpha() or c in "‘’“”–—…€£°«»" for c in beyond) > 0.9 * len(beyond):
        return "cp1252"
    from charset_normalizer import from_bytes

    best: Any = from_bytes(head[:200_000]).best()
    return str(best.encoding) if best is not None else ""
