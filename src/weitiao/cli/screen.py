"""Where a verb's words go: results to standard output, all the rest to standard error. Knows the three manners of speaking (for people,
``--json``, ``--quiet``) and nothing of what is said.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from weitiao.messages import _

ENDLESS = 1_000_000  # columns
FULL_WIDTH = ("：", "，", "。", "；", "！", "？", "）")


class Screen:
    """Standard output and standard error of one command.

    Attributes:
        json, quiet: the manner that was asked for.
        command: the command as a message names it, "weitiao train".
        arguments: the command line that is being run, without "weitiao" itself.
        out, err: rich consoles of the two streams; no colour where the stream is no terminal or NO_COLOR is set.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, command: str = "weitiao", arguments: Sequence[str] = ()) -> None:
        self.json, self.quiet, self.command, self.arguments = json, quiet, command, list(arguments)

    @cached_property
    def out(self) -> Console:
        """Standard output, for people."""
        return Console(file=_without_trailing_blanks(sys.stdout), highlight=False)

    @cached_property
    def whole(self) -> Console:
        """Standard output where nothing is cut: a terminal is as wide as it is, a line of a file as long as it must be."""
        return self.out if self.out.is_terminal else Console(file=_without_trailing_blanks(sys.stdout), highlight=False, width=ENDLESS)

    @cached_property
    def err(self) -> Console:
        """Standard error, for people."""
        return Console(file=_without_trailing_blanks(sys.stderr), highlight=False)

    @property
    def talks(self) -> bool:
        """Whether progress, plans, notes and tables are wanted."""
        return not (self.json or self.quiet)

    def result(self, value: Mapping[str, Any], *shown: RenderableType, bare: str = "") -> None:
        """The verb's result: the object for ``--json``, only what is ``bare`` for ``--quiet``, else what is ``shown``."""
        if self.json:
            print(to_json(value))
        elif self.quiet:
            sys.stdout.write(bare + "\n" if bare else "")
        else:
            for renderable in shown:
                self.out.print(renderable)

    def note(self, text: str) -> None:
        """One line for people, on standard error."""
        if self.talks:
            self.err.print(Text(closed_up(text)))

    def warn(self, text: str) -> None:
        """One line that must not be missed, on standard error, whatever the manner."""
        self.err.print(Text.assemble(labelled((_("Note:"), "bold yellow")), closed_up(text)))

    def next(self, *commands: tuple[str, ...]) -> None:
        """Names the next useful commands, each as its words: ``next(("weitiao", "report", path))``. A language that was asked for by its
        flag is asked for again, by what has that flag.
        """
        if not self.talks:
            return
        self.err.print()
        lead = labelled((_("Next:"), "dim"))
        for words in commands:
            spoken = () if "--lang" in words or words[0] != "weitiao" else self._language
            line = Text.assemble(lead, (" ".join(quoted(word) for word in with_flag(words, *spoken)), "bold"))
            self.err.print(line, soft_wrap=True)  # never broken, so that it can be copied
            lead = Text(" " * lead.cell_len)

    @property
    def _language(self) -> tuple[str, ...]:
        """The ``--lang`` of the command line."""
        words = self.arguments[: self.arguments.index("--")] if "--" in self.arguments else self.arguments
        given = [value for name, value in pairwise(words) if name == "--lang"] + [w[7:] for w in words if w.startswith("--lang=")]
        return ("--lang", given[-1]) if given else ()


def to_json(value: Any) -> str:
    """One line of JSON; beyond ASCII as it is where standard output can say it. Not-a-number becomes null, as JSON has none.

    >>> to_json({"accuracy": float("nan"), "label": "好评"})
    '{"accuracy": null, "label": "好评"}'
    """
    speaks_all = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")
    return json.dumps(_finite(value), ensure_ascii=not speaks_all, default=_plain)


def _plain(value: Any) -> Any:
    """numpy scalars and arrays as Python's own; paths and dates as text."""
    return _finite(value.tolist()) if hasattr(value, "tolist") else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, (list, tuple)) else value


def labelled(label: tuple[str, str]) -> Text:
    """A label and its style, with the blank that stands before what it labels: none behind a mark that is as wide as a character.

    >>> labelled(("Note:", "bold")).plain, labelled(("注意：", "bold")).plain
    ('Note: ', '注意：')
    """
    return Text.assemble(label, "" if label[0].endswith(FULL_WIDTH) else " ")


def closed_up(text: str) -> str:
    """Sentences that were joined by a blank, without it beside a mark that is as wide as a character.

    >>> closed_up("没有这一列。 请检查。"), closed_up("No such column. Look again.")
    ('没有这一列。请检查。', 'No such column. Look again.')
    """
    return re.sub(rf"(?<=[{''.join(FULL_WIDTH)}]) | (?=（)", "", text)


def with_flag(arguments: Sequence[str], *flag: str) -> list[str]:
    """A command line with one more flag, which stands before a "--": behind it nothing is a flag.

    >>> with_flag(["explain", "runs/a", "--", "-5 degrees"], "--html", "a.html")
    ['explain', 'runs/a', '--html', 'a.html', '--', '-5 degrees']
    """
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end], *flag, *words[end:]]


def quoted(word: str) -> str:
    """A word as it is typed in a shell; in double quotes where it needs any, since those work on Windows too.

    >>> quoted("runs/a"), quoted("a lovely day"), quoted("好评")
    ('runs/a', '"a lovely day"', '"好评"')
    """
    if re.fullmatch(r"[\w@%+=:,./\\-]+", word, re.ASCII):
        return word
    return '"' + re.sub(r'(["$`\\])', r"\\\1", word) + '"'


class _Trimmed:
    """A stream that gets no blanks before the end of a line: rich fills every line of a table with them."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        return int(self._stream.write(without_trailing_blanks(text)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def without_trailing_blanks(text: str) -> str:
    """A text whose lines end where their words end.

    >>> without_trailing_blanks("a table  \\n   \\n")
    'a table\\n\\n'
    """
    return re.sub(r"[ \t]+(?=\n)", "", text)


def _without_trailing_blanks(stream: Any) -> Any:
    """A terminal as it is, where colours and moving bars hold blanks of their own; what goes to a file or a pipe, trimmed."""
    return stream if stream.isatty() else _Trimmed(stream)
