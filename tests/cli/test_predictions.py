"""Every shape of prediction is drawn: nothing of the user's is markup, nothing is wider than the terminal."""

import pytest
from rich.cells import cell_len

from tests.cli.test_tables import drawn
from weitiao.cli.predictions import predictions

LABEL = {"label": "差评", "score": 0.7, "probabilities": {"差评": 0.7, "好评": 0.3}}
ENTITY = {"start": 4, "end": 7, "label": "person", "text": "Ann", "score": 0.9}
SHAPES = {
    "a choice": (LABEL, ["差评", "0.700", "好评 0.300"]),
    "several labels": (
        {"labels": ["joy", "love"], "probabilities": {"joy": 0.9, "love": 0.6, "fear": 0.1}},
        ["joy 0.900 · love 0.600", "fear 0.100"],
    ),
    "no label": ({"labels": [], "probabilities": {"joy": 0.1}}, ["–", "joy 0.100"]),
    "ranked labels": ({"labels": ["sport", "art"], "scores": [0.8, 0.2]}, ["sport", "0.800", "art 0.200"]),
    "a number": ({"value": 3.25}, ["value", "3.250"]),
    "spans": ({"spans": [ENTITY]}, ["Ann", "person", "4–7", "0.900"]),
    "spans without scores": ({"spans": [{k: v for k, v in ENTITY.items() if k != "score"}]}, ["Ann", "4–7"]),
    "no span": ({"spans": []}, ["nothing found"]),
    "an answer": (
        {"answer": "Ann", "score": 0.8, "start": 4, "end": 7, "answers": [{"answer": "Ann", "score": 0.8}, {"answer": "", "score": 0.1}]},
        ["Ann", "0.800", "no answer 0.100"],
    ),
    "no answer": ({"answer": "", "score": 0.8, "start": 0, "end": 0, "answers": []}, ["no answer"]),
    "a text": ({"text": "First line.\nSecond [bold]line."}, ["First line.", "Second [bold]line."]),
    "an empty text": ({"text": ""}, ["nothing written"]),
    "a vector": ({"vector": [0.12345, -1.0, *[0.5] * 382]}, ["384 numbers: 0.1235, -1.0000", "…"]),
    "keywords": ({"keywords": [{"keyword": "深度学习", "score": 0.5}]}, ["深度学习 0.500"]),
    "masks": (
        {"masks": [[{"token": " nice", "score": 0.4, "text": "a nice day"}, {"token": "bad", "score": 0.2, "text": "a bad day"}]]},
        ["nice 0.400 · bad 0.200", "a nice day"],
    ),
    "two masks": ({"masks": [[{"token": "a", "score": 0.4}], [{"token": "b", "score": 0.3}]]}, ["a 0.400", "b 0.300"]),
    "something else": ({"own": 1}, ["own"]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_drawn(shape: str) -> None:
    prediction, words = SHAPES[shape]
    page = drawn(*predictions(["the [red]text"], [prediction], width=100))
    for word in [*words, "the [red]text"]:
        assert word in page


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", [40, 80])
def test_every_shape_fits_its_terminal(shape: str, width: int) -> None:
    long = "a text that is much longer than any terminal is wide, and in Chinese 很长的一段文字 too " * 3
    for seconds in ([], [long]):
        page = drawn(*predictions([long], [SHAPES[shape][0]], width=width, seconds=seconds), width=width)
        assert max(cell_len(line) for line in page.splitlines()) <= width


def test_a_generated_text_is_whole_however_long() -> None:
    page = drawn(*predictions(["in"], [{"text": "word " * 200}], width=60), width=60)
    assert page.count("word") == 200


def test_narrow_terminals_show_label_score_and_text() -> None:
    narrow = drawn(*predictions(["糟糕的体验"], [LABEL], width=40), width=40)
    assert "差评" in narrow
    assert "0.700" in narrow
    assert "糟糕的体验" in narrow
    assert "好评" not in narrow


def test_an_answer_is_never_cut_and_a_file_has_all_of_it() -> None:
    label, text = "a label with a very long name that no column of any terminal has room for", "word " * 99
    many = {"label": label, "score": 0.5, "probabilities": {label: 0.5, **{f"other label number {i:2}": 0.01 for i in range(40)}}}
    narrow = drawn(*predictions([text], [many], width=80), width=80)
    assert set(label.split()) <= set(narrow.replace("word", "").split())
    whole = drawn(*predictions([text], [many], width=None), width=10_000)
    assert label in whole and text.strip() in whole


@pytest.mark.parametrize("width", [None, 200])
def test_of_many_labels_the_likeliest_others_stand_beside_the_answer(width: int | None) -> None:
    names = [f"other{i:02}" for i in range(40)]
    several = {"labels": ["joy"], "probabilities": {"joy": 0.9, **{name: 0.4 - i / 100 for i, name in enumerate(names)}}}
    page = drawn(*predictions(["text"], [several], width=width), width=width or 10_000)
    assert names[4] in page and names[5] not in page and "…" in page


def test_a_pair_shows_both_texts_and_how_alike_they_are() -> None:
    page = drawn(*predictions(["one", "two"], [{"value": 1.0}, {"value": 2.0}], width=80, seconds=["other", "another"]))
    assert "second text" in page and "other" in page and "another" in page
    vectors = {"vector": [0.5] * 8, "pair_vector": [0.5] * 8, "similarity": 1.0}
    page = drawn(*predictions(["one"], [vectors], width=80, seconds=["other"]))
    assert page.split("\n")[:2] == ["one", "other"] and "similarity 1.000" in page


def test_columns_of_nothing_are_left_out() -> None:
    page = drawn(*predictions(["a"], [{"value": 1.0}], width=100))
    assert "score" not in page
    assert "others" not in page


def test_no_predictions_draw_nothing() -> None:
    assert list(predictions([], [], width=80)) == []
