"""Brings the Chinese catalogue up to date with the code: python tools/messages.py

It collects every text in ``_("...")`` and ``N_("...")`` from the Python files and the Jinja templates of src/weitiao, keeps the
translations that stand, adds the new texts with an empty one, leaves out those that nothing says any more, sorts, and writes the catalogue
as text (weitiao.po, for people) and compiled (weitiao.mo, for gettext). Both are committed, so that installing needs no build step, and
hold neither dates nor line numbers, so that a difference in them is a difference in words. It translates nothing itself.
"""

import contextlib
import io
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from babel.messages.extract import extract
from babel.messages.pofile import normalize, read_po

PACKAGE = Path(__file__).parents[1] / "src" / "weitiao"
CATALOGUE = PACKAGE / "messages" / "zh" / "LC_MESSAGES" / "weitiao.po"
KEYWORDS = {"_": None, "N_": None}
HEADER = "Language: zh_Hans\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"


def said() -> set[str]:
    """Every text that the code marks for translation."""
    texts: set[str] = set()
    for method, pattern in (("python", "**/*.py"), ("jinja2.ext:babel_extract", "**/templates/**/*.j2")):
        for file in sorted(path for path in PACKAGE.glob(pattern) if path.is_file()):
            # Babel warns of the empty text in _(name or ""), which is never looked up.
            with contextlib.redirect_stderr(io.StringIO()):
                found = list(extract(method, io.BytesIO(file.read_bytes()), keywords=KEYWORDS, options={"encoding": "utf-8"}))
            texts |= {text for _line, text, _comments, _context in found if isinstance(text, str) and text}
    return texts


def read(path: Path) -> dict[str, str]:
    """The translations of a .po file by English text; entries marked fuzzy count as untranslated."""
    with path.open("rb") as file:
        catalogue = read_po(file, charset="utf-8")
    return {str(m.id): "" if m.fuzzy else str(m.string) for m in catalogue if m.id}


def as_po(translations: Mapping[str, str]) -> str:
    """The text of the .po file, entries in alphabetical order."""
    entries = [("", HEADER), *sorted(translations.items())]
    return "\n".join(f"msgid {normalize(text, width=120)}\nmsgstr {normalize(translation, width=120)}\n" for text, translation in entries)


def as_mo(translations: Mapping[str, str]) -> bytes:
    """The same compiled for gettext: seven numbers, two tables of (length, offset), then the texts, each ended by a zero byte."""
    pairs = sorted((text.encode(), said.encode()) for text, said in ({"": HEADER} | dict(translations)).items() if said)
    start = 7 * 4
    offset = start + 2 * 8 * len(pairs)
    tables, pool = [], b""
    for column in (0, 1):
        for pair in pairs:
            tables.append(struct.pack("<2I", len(pair[column]), offset + len(pool)))
            pool += pair[column] + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, len(pairs), start, start + 8 * len(pairs), 0, offset) + b"".join(tables) + pool


def main() -> int:
    """Write both files; 1 where a text has no translation yet."""
    known = read(CATALOGUE) if CATALOGUE.exists() else {}
    translations = {text: known.get(text, "") for text in said()}
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    CATALOGUE.write_text(as_po(translations), encoding="utf-8", newline="\n")
    CATALOGUE.with_suffix(".mo").write_bytes(as_mo(translations))
    missing = sorted(text for text, translation in translations.items() if not translation)
    for text in missing:
        print(f"not translated: {text!r}")
    unsaid = len(known.keys() - translations.keys())
    print(f"{CATALOGUE.name}: {len(translations)} texts, {len(missing)} without a translation, {unsaid} removed because nothing says them.")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
