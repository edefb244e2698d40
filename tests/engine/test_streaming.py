"""Answers that come piece by piece: the writing ends with the reader, and a model has one writer at a time."""

import threading
from pathlib import Path

import pytest

import weitiao
from tests.conftest import make_model
from weitiao.model import Model

LONG = {"max_new_tokens": 3000}


@pytest.fixture
def writer(tmp_path: Path) -> Model:
    """A tiny decoder whose padding is taken out when it predicts, and which writes as it was made."""
    places = {"num_key_value_heads": 2, "max_position_embeddings": 4096, "tie_word_embeddings": True}
    model = weitiao.load(make_model(tmp_path / "m", "llama", **places), task="text-generation", max_new_tokens=12)
    assert model.predictor().backend.loaded.packing is not None  # type: ignore[attr-defined]
    return model


def test_a_stream_that_is_closed_early_stops_the_writing_and_the_next_is_whole(writer: Model) -> None:
    (whole,) = writer.predict(["the day was"])
    threads = threading.active_count()
    for _again in range(2):
        pieces = writer.stream("the day was", **LONG)
        assert next(pieces)
        assert threading.active_count() == threads + 1
        pieces.close()
        assert threading.active_count() == threads
        assert "".join(writer.stream("the day was")) == whole["text"]
    assert writer.predict(["the day was"]) == [whole]


def test_a_reader_that_fails_ends_the_writing_too(writer: Model) -> None:
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        for _piece in writer.stream("the day was", **LONG):
            raise KeyboardInterrupt
    assert threading.active_count() == threads


def test_two_streams_at_a_time_and_a_prediction_between_them(writer: Model) -> None:
    asked = ["the day was", "a sad box"]
    wanted = [answer["text"] for answer in writer.predict(asked)]
    streams = [writer.stream(text) for text in asked]
    begun = [next(stream) for stream in streams]
    assert [answer["text"] for answer in writer.predict(asked)] == wanted
    assert [first + "".join(stream) for first, stream in zip(begun, streams, strict=True)] == wanted


def test_tokens_are_counted_as_they_are_written(writer: Model) -> None:
    record = {"messages": [{"role": "user", "content": "the day was"}]}
    (features,), heard = writer.predictor().encode(record), list[int]()
    writer.predictor().backend.stream(features, {}, heard.append)  # type: ignore[attr-defined]  # nothing is written before it is read
    list(writer.predictor().backend.stream(features, {}, heard.append))  # type: ignore[attr-defined]
    assert heard == list(range(13))
