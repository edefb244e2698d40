"""Where a verb's words go: results to standard output, all the rest to standard error. Knows the three manners of speaking (for people,
``--json``, ``--quiet``) and nothing of what is said.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from weitiao.messages import _


class Screen:
    """Standard output and standard error of one command.

    Attributes:
        json, quiet: the manner that was asked for.
        arguments: the command line that is being run, without "weitiao" itself.
        out, err: rich consoles of the two streams; no colour where the stream is no terminal or NO_COLOR is set.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, arguments: Sequence[str] = ()) -> None:
        self.json, self.quiet, self.arguments = json, quiet, list(arguments)

    @cached_property
    def out(self) -> Console:
        """Standard output, for people."""
        return Console(file=sys.stdout, highlight=False)

    @cached_property
    def err(self) -> Console:
        """Standard error, for people."""
        return Console(file=sys.stderr, highlight=False)

    @property
    def talks(self) -> bool:
        """Whether progress, plans, notes and tables are wanted."""
        return not (self.json or self.quiet)

    def result(self, value: Mapping[str, Any], *shown: RenderableType, path: str = "") -> None:
        """The verb's result: the object for ``--json``, only ``path`` for ``--quiet``, else what is ``shown``."""
        if self.json:
            print(to_json(value))
        elif self.quiet:
            sys.stdout.write(path + "\n" if path else "")
        else:
            for renderable in shown:
                self.out.print(renderable)

    def note(self, text: str) -> None:
        """One line for people, on standard error."""
        if self.talks:
            self.err.print(Text(text))

    def next(self, *commands: tuple[str, ...]) -> None:
        """Names the next useful commands, each as its words: ``next(("weitiao", "report", path))``."""
        if not self.talks:
            return
        self.err.print()
        lead = _("Next:")
        for words in commands:
            line = Text.assemble((lead, "dim"), " ", (" ".join(quoted(word) for word in words), "bold"))
            self.err.print(line, soft_wrap=True)  # never broken, so that it can be copied
            lead = " " * Text(lead).cell_len


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


def quoted(word: str) -> str:
    """A word as it is typed in a shell; in double quotes where it needs any, since those work on Windows too.

    >>> quoted("runs/好评"), quoted("a lovely day")
    ('runs/好评', '"a lovely day"')
    """
    if re.fullmatch(r"[\w@%+=:,./\\-]+", word):
        return word
    return '"' + re.sub(r'(["$`\\])', r"\\\1", word) + '"'
