"""CoNLL-like files become a table of tokens and tags: one token a line, its tag in the last column, a blank line after each sentence.

Knows the lines, not what the tags mean. Columns are parted by tabs or by spaces; -DOCSTART- lines and comments are passed over.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from weitiao.data.table import Table
from weitiao.data.tag_schemes import parted

ENDINGS = (".conll", ".conll03", ".bio", ".iob", ".iob2", ".bioes", ".bmes")
MAYBE = (".txt", ".tsv", ".tags", "")  # where the content decides
_SPACES = re.compile(r"[ \t]+")
_LOOKED_AT = 400  # lines

Sentence = tuple[int, list[str], list[str | None]]  # the line of its first token, its tokens, their tags


def read_conll(path: Path, open_text: Callable[[], TextIO]) -> Table | None:
    """The sentences of a file, as columns "tokens" and "tags" that hold JSON lists; each row is numbered by the line of its first token.

    None where it is no such file. A token without a tag has the tag null; a file of tokens alone has no tags.
    """
    ending = path.suffix.lower()
    if ending not in (*ENDINGS, *MAYBE):
        return None
    with open_text() as file:
        if ending in MAYBE and not _looks_like(file):
            return None
    with open_text() as file:
        found = list(sentences(file))
    tagged = any(tag is not None for _line, _tokens, tags in found for tag in tags)
    cells: list[list[str | None]] = [[_written(tokens), *([_written(tags)] if tagged else [])] for _line, tokens, tags in found]
    return Table.of(["tokens", "tags"][: 1 + tagged], cells, [line for line, _tokens, _tags in found], str(path))


def sentences(lines: Iterable[str]) -> Iterator[Sentence]:
    """The sentences of a file's lines.

    >>> list(sentences(["-DOCSTART- O", "", "New B-LOC", "York I-LOC", "", "Hi O"]))
    [(3, ['New', 'York'], ['B-LOC', 'I-LOC']), (6, ['Hi'], ['O'])]
    """
    first = 0
    tokens: list[str] = []
    tags: list[str | None] = []
    for number, line in enumerate(itertools.chain(lines, [""]), 1):
        fields = _fields(line)
        if not any(fields) or fields[0] == "-DOCSTART-":
            if tokens:
                yield first, tokens, tags
            tokens, tags = [], []
        elif not _is_comment(fields):
            first = first if tokens else number
            tokens.append(fields[0])
            tags.append(fields[-1] if len(fields) > 1 else None)


def _fields(line: str) -> list[str]:
    """The columns of a line. A token may be a space of some kind: then only tabs, or a leading space, can say so."""
    line = line.strip("\r\n\ufeff")
    if "\t" in line:
        return [field.strip(" ") for field in line.rstrip("\t").split("\t")]
    return _SPACES.split(line.rstrip(" "))


def _is_comment(fields: list[str]) -> bool:
    """ "# id 7 domain=en", but not a hash that is a token with its tag."""
    return fields[0].startswith("#") and " ".join(fields).startswith("# ") and parted(fields[-1]) is None


def _looks_like(file: TextIO) -> bool:
    """Whether the first lines are tokens with tags: as many columns in each, a tag in the last, one of them O, and a sentence that ends."""
    tags: set[str] = set()
    widths: set[int] = set()
    blank = False
    for line in itertools.islice(file, _LOOKED_AT):
        fields = _fields(line)
        if not any(fields):
            blank = blank or bool(tags)
        elif fields[0] != "-DOCSTART-" and not _is_comment(fields):
            widths.add(len(fields))
            tags.add(fields[-1])
    return blank and len(widths) == 1 and min(widths) > 1 and "O" in tags and all(parted(tag) for tag in tags)


def _written(values: list[str] | list[str | None]) -> str:
    return json.dumps(values, ensure_ascii=False)
