"""Cells become values by a field's type: numbers, lists, what is nested, images; and one sentence where they cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from weitiao.data.values import parser


def one(kind: str, cell: str | None, folder: Path = Path()) -> object:
    """The value of a single cell."""
    return parser(kind, folder)([cell])


def refused(act: Callable[[], object], *words: str) -> None:
    """``act`` ends in one sentence that holds all of ``words``."""
    with pytest.raises(ValueError) as caught:
        act()
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"


@pytest.mark.parametrize("kind", ["number", "choices", "spans", "messages", "vector", "image"])
@pytest.mark.parametrize("cell", [None, "", "  \t"])
def test_an_empty_cell_is_nothing(kind: str, cell: str | None) -> None:
    assert one(kind, cell) is None


@pytest.mark.parametrize(("cell", "number"), [("3", 3.0), (" -0.5 ", -0.5), ("1e-3", 0.001), ("+7.", 7.0)])
def test_numbers(cell: str, number: float) -> None:
    value = one("number", cell)
    assert value == number and isinstance(value, float)


@pytest.mark.parametrize("cell", ["high", "3,5", "5 stars", "[3]", "0x10", "1_000", "1e1_0", "_1", "1 000", "e5", "."])
def test_what_is_no_number_is_quoted(cell: str) -> None:
    refused(lambda: one("number", cell), "a number was expected", f"«{cell}»")


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "1e999"])
def test_numbers_are_finite(cell: str) -> None:
    refused(lambda: one("number", cell), "a finite number", cell)


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("a,b", ["a", "b"]),
        (" a , b,", ["a", "b"]),
        ("a", ["a"]),
        ("[]", []),
        ('[" a ", 2, true]', ["a", "2", "true"]),
        ('["好，坏"]', ["好，坏"]),
    ],
)
def test_a_list_in_one_column(cell: str, labels: list[str]) -> None:
    assert one("choices", cell) == labels


def test_a_list_over_several_columns() -> None:
    parse = parser("choices")
    assert parse(["red", None, " a, b ", ""]) == ["red", "a, b"]  # one value a column, commas and all
    assert parse([None, "", " "]) is None


def test_a_list_of_lists_is_no_list_of_texts() -> None:
    refused(lambda: one("choices", '["a", ["b"]]'), "a list of texts was expected", '["b"]')
    refused(lambda: one("choices", '[{"label": "a"}]'), "a list of texts was expected")


def test_nested_values() -> None:
    assert one("spans", ' [{"start": 0, "end": 3, "label": "城市"}] ') == [{"start": 0, "end": 3, "label": "城市"}]
    assert one("messages", '[{"role": "user", "content": "two\nlines"}]') == [{"role": "user", "content": "two\nlines"}]
    assert one("vector", "[0.5, 1]") == [0.5, 1]
    assert one("spans", '{"a": 1}') == {"a": 1}
    assert one("messages", "only a text") == "only a text"  # whether that will do is for the task to say


@pytest.mark.parametrize("cell", ['[{"start": 0, "end"', "{'start': 0}", "[1, 2", "[" * 100_000])
def test_broken_json_is_quoted_and_cut_short(cell: str) -> None:
    for kind in ("spans", "choices"):
        if not (kind == "choices" and cell.startswith("{")):
            refused(lambda kind=kind: one(kind, cell), "begins like JSON and is not", cell[:8])
    with pytest.raises(ValueError, match="begins like JSON") as caught:
        one("spans", cell)
    assert len(str(caught.value)) < 200


def test_images_stand_beside_the_data_file(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (3, 2)).save(tmp_path / "images" / "a.png")
    assert one("image", " images/a.png ", tmp_path) == str(tmp_path / "images" / "a.png")
    assert one("image", str(tmp_path / "images" / "a.png"), Path("elsewhere")) == str(tmp_path / "images" / "a.png")


def test_a_missing_image_names_where_it_was_looked_for(tmp_path: Path) -> None:
    refused(lambda: one("image", "b.png", tmp_path), f"{tmp_path / 'b.png'} does not exist", "the data file's folder")
    refused(lambda: one("image", ".", tmp_path), "does not exist")
    refused(lambda: one("image", "长" * 100, tmp_path), "does not exist")  # longer than a name can be


def test_a_broken_image_says_so(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture at all", encoding="utf-8")
    refused(lambda: one("image", "text.png", tmp_path), "text.png cannot be read")
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    refused(lambda: one("image", "cut.png", tmp_path), "cut.png cannot be read")
