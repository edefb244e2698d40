"""Write down what single characters are to the library tokenizers and to weitiao, for a page in a browser, which knows a newer Unicode.

    python recipes/web-runtime/characters.py src/weitiao/deploy/space/static/page/tables.js

Every code point is asked of the code itself; what comes out depends on the versions of tokenizers and Python alone.
"""

import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from tokenizers import __version__
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from weitiao.data.words import _kind

POINTS = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
HEAD = """// What characters are to the library tokenizers {version} (isControl, isMark, isPunctuation) and to data/words.py, written by
// recipes/web-runtime/characters.py: ranges, as gaps and lengths in base 36.

function table(text) {{
  const ranges = [];
  let at = 0;
  const numbers = text.split(" ").map((number) => Number.parseInt(number, 36));
  for (let place = 0; place < numbers.length; place += 2) {{
    const first = at + numbers[place];
    at = first + numbers[place + 1];
    ranges.push([first, at]);
  }}
  return (character) => {{
    const point = character.codePointAt(0);
    let [low, high] = [0, ranges.length];
    while (low < high) {{
      const middle = (low + high) >> 1;
      if (ranges[middle][1] <= point) low = middle + 1;
      else high = middle;
    }}
    return low < ranges.length && ranges[low][0] <= point;
  }};
}}

"""


def main(out: Path) -> None:
    """Ask for every code point, and write the tables."""
    cleaning = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    stripping = BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    parting = BertPreTokenizer()
    sets = {
        "isControl": (point for point in POINTS if not cleaning.normalize_str(chr(point))),
        "isMark": (point for point in POINTS if not stripping.normalize_str(chr(point)) and not canonical(chr(point))),
        "isPunctuation": (point for point in POINTS if len(parting.pre_tokenize_str(f"a{chr(point)}b")) == 3),
        "isBlank": (point for point in POINTS if chr(point).isspace()),
        "isLetter": (point for point in POINTS if _kind(chr(point)) == "letter"),
        "isWordMark": (point for point in POINTS if _kind(chr(point)) == "mark"),
        "isAlphanumeric": (point for point in POINTS if chr(point).isalnum()),
    }
    tables = [f'export const {name} = table("{ranges(points)}");\n' for name, points in sets.items()]
    out.write_text(HEAD.format(version=__version__) + "".join(tables), encoding="utf-8")


def canonical(character: str) -> bool:
    """Whether a character is written as others in Unicode's form D."""
    return unicodedata.normalize("NFD", character) != character


def ranges(points: Iterable[int]) -> str:
    """Ascending numbers as gaps and lengths.

    >>> ranges([1, 2, 3, 40])
    '1 3 10 1'
    """
    runs: list[list[int]] = []
    for point in points:
        if runs and runs[-1][1] == point:
            runs[-1][1] = point + 1
        else:
            runs.append([point, point + 1])
    ends = [0, *(past for _first, past in runs)]
    return " ".join(f"{base36(first - end)} {base36(past - first)}" for (first, past), end in zip(runs, ends, strict=False))


def base36(number: int) -> str:
    """A number as JavaScript's parseInt(text, 36) reads it."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


if __name__ == "__main__":
    main(Path(sys.argv[1]))
