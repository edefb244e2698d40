"""How a page is shown where ``weitiao demo`` does not show it: what it is called, what it offers to ask, and what was answered before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.errors import RunError
from weitiao.messages import _


@dataclass(frozen=True)
class Manner:
    """What is other than on the page of ``weitiao demo``.

    Attributes:
        title: what the model is called; "" for the name of its folder.
        examples: records that can be asked with one click; () for some of the run's own.
        answers: what was answered to each of them before; () where each click asks.
        whole_files: whether a file can be answered.
        commands: whether the page ends with commands to type, which mean something where the run is.
    """

    title: str = ""
    examples: Sequence[Mapping[str, Any]] = ()
    answers: Sequence[Mapping[str, Any]] = ()
    whole_files: bool = True
    commands: bool = True

    @classmethod
    def told_in(cls, file: Path, *, whole_files: bool = True) -> "Manner":
        """As a Space's own file tells it: {"title", "examples": [{"record", "answer"}]}; pictures lie beside it.

        Raises:
            RunError: the file is missing or is no such file.
        """
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            pairs = [(_located(pair["record"], file.parent), pair["answer"]) for pair in told["examples"]]
            return cls(str(told["title"]), [one for one, _answer in pairs], [answer for _one, answer in pairs], whole_files, False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = _("{path} cannot be read: {error}. Write the Space again: weitiao space RUN --overwrite")
            raise RunError(message.format(path=file, error=error)) from error


def _located(record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A record with its pictures as paths of this machine."""
    return {name: str(folder / value) if _is_picture(value, folder) else value for name, value in record.items()}


def _is_picture(value: Any, folder: Path) -> bool:
    return isinstance(value, str) and value.startswith("pictures/") and (folder / value).is_file()
