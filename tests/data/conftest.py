"""Small files of every kind, and the two fields that most tests plan for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weitiao.config import DataSettings
from weitiao.data.ledger import Ledger
from weitiao.data.loading import Loaded, load
from weitiao.data.reading import read
from weitiao.data.schema import Schema
from weitiao.data.table import Table
from weitiao.fields import Field

TEXT = Field("text", "text", "Text", flag="text", hints=("text", "review", "title", "文本", "评论"))
LABEL = Field("label", "choice", "Label", flag="label", hints=("label", "target", "category", "标签", "类别"))
SCHEMA = Schema([TEXT], [LABEL])


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a file and gives its name; text goes out as UTF-8 with the line ends it has."""

    def write(name: str, content: str | bytes, encoding: str = "utf-8") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return str(path)

    return write


def table_of(source: str, **how: Any) -> tuple[Table, Ledger]:
    """The file's table and what happened to its rows."""
    ledger = Ledger()
    return read(source, ledger=ledger, **how), ledger


def loaded(source: str, schema: Schema = SCHEMA, **settings: Any) -> Loaded:
    """The file, loaded for text classification unless ``schema`` says otherwise; ``text`` and ``label`` name columns."""
    columns = {flag: settings.pop(flag) for flag in ("text", "label") if flag in settings}
    return load(source, DataSettings(**settings), replace(schema, columns=columns))


def rows_csv(rows: int = 40) -> str:
    """A healthy little file: distinct texts, two labels."""
    words = ["parcel", "refund", "screen", "battery", "invoice", "courier", "password", "delivery", "colour", "price"]
    lines = [f"the {words[i % 10]} number {i} was {'fine' if i % 2 else 'broken'} today,{'good' if i % 2 else 'bad'}" for i in range(rows)]
    return "text,label\n" + "\n".join(lines) + "\n"
