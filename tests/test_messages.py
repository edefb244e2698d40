"""The catalogue: everything that is said has a Chinese translation with the same placeholders, and the compiled file is current."""

import ast
import gettext
import importlib.util
import string
from pathlib import Path
from types import ModuleType

import pytest

from weitiao.messages import _, set_language

TOOL = Path(__file__).parents[1] / "tools" / "messages.py"


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages_tool", TOOL)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()
catalogue = tool.read(tool.CATALOGUE)


def placeholders(text: str) -> list[str]:
    """The fields of a text, each with its format, sorted: Chinese may well name them in another order."""
    return sorted(f"{name}:{format}" for _literal, name, format, _conversion in string.Formatter().parse(text) if name is not None)


def test_everything_said_is_translated() -> None:
    assert sorted(text for text in tool.said() if not catalogue.get(text)) == []


def test_nothing_in_the_catalogue_is_unsaid() -> None:
    assert sorted(catalogue.keys() - tool.said()) == []


def test_placeholders_agree() -> None:
    assert {text: said for text, said in catalogue.items() if placeholders(text) != placeholders(said)} == {}


def test_the_files_are_what_the_tool_writes() -> None:
    assert tool.CATALOGUE.read_text(encoding="utf-8") == tool.as_po(catalogue)
    assert tool.CATALOGUE.with_suffix(".mo").read_bytes() == tool.as_mo(catalogue)


def test_gettext_reads_the_compiled_file() -> None:
    with tool.CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    assert {text: compiled.gettext(text) for text in catalogue} == catalogue
    set_language("zh")
    try:
        assert _("Label") == catalogue["Label"]
    finally:
        set_language("en")


@pytest.mark.parametrize("file", sorted(tool.PACKAGE.glob("**/*.py")), ids=lambda file: str(file.relative_to(tool.PACKAGE)))
def test_marked_texts_are_whole(file: Path) -> None:
    """An f-string, a sum or a call of format inside the mark would look up a text that no catalogue has."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "N_"):
            (text,) = node.args
            for part in ast.walk(text):
                filled = isinstance(part, ast.Attribute) and part.attr == "format"
                assert not filled and not isinstance(part, ast.JoinedStr | ast.BinOp), f"{file.name}:{node.lineno}"
