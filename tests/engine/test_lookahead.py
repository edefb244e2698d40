"""The next window is made while the last is in use: order, errors in their place, no more than one ahead."""

import threading
from collections.abc import Iterator

import pytest

from tests.conftest import make_model
from weitiao.engine import prediction
from weitiao.engine.lookahead import ahead, peeked
from weitiao.errors import DataError


def test_what_was_looked_at_first_is_no_more_than_needed_and_comes_back_in_its_place() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for item in range(5):
            made.append(item)
            yield item

    seen, stream = peeked(items(), lambda item: item, 3)
    assert (seen, made) == (3, [0, 1, 2])
    assert list(stream) == [0, 1, 2, 3, 4]
    assert peeked(iter([1, 2]), lambda item: item, 30)[0] == 3


def test_each_item_is_made_in_another_thread_while_the_last_is_in_use() -> None:
    makers: list[int] = []
    made = threading.Event()

    def items() -> Iterator[int]:
        for item in range(4):
            makers.append(threading.get_ident())
            if item == 1:
                made.set()
            yield item

    stream = ahead(items(), lambda item: True)
    assert next(stream) == 0
    assert made.wait(10)  # although nobody has asked for it yet
    assert list(stream) == [1, 2, 3]
    assert makers[0] == threading.get_ident()
    assert threading.get_ident() not in makers[1:]


def test_no_thread_where_nothing_follows() -> None:
    threads = threading.active_count()
    stream = ahead(iter([1]), lambda item: False)
    assert next(stream) == 1
    assert threading.active_count() == threads
    assert list(stream) == []


def test_an_error_comes_behind_the_items_before_it_and_a_closed_stream_leaves_no_thread() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise DataError("row 3")

    threads = threading.active_count()
    got = []
    with pytest.raises(DataError, match="row 3"):
        for item in ahead(items(), lambda item: True):
            got.append(item)
    assert got == [1, 2]
    stream = ahead(iter([1, 2, 3]), lambda item: True)
    next(stream)
    stream.close()
    assert threading.active_count() == threads


def test_predictions_over_many_windows_are_those_of_one(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    import weitiao

    model = weitiao.load(make_model(tmp_path / "m"), "feature-extraction")
    texts = [" ".join(["the", "day", "was", "sunny"][: 1 + at % 4] * (1 + at % 3)) for at in range(23)]
    whole = model.predict(texts)
    monkeypatch.setattr(prediction, "WINDOW", 4)
    done: list[int] = []
    predictor = model.predictor()
    records = [{"text": text} for text in texts]
    answers = list(predictor.predict(records, done.append))
    assert done == [4, 8, 12, 16, 20, 23]
    for one, other in zip(answers, whole, strict=True):
        assert one["vector"] == pytest.approx(other["vector"], abs=1e-5)
    cut: list[int] = []
    long = {"text": "the " * 100}
    list(predictor.predict([*records[:9], long, records[0]], truncated=lambda at, tokens: cut.append(at)))
    assert cut == [9]
