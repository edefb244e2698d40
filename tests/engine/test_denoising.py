"""Span corruption takes out what it should, and what is read with what is written is the text again."""

import numpy as np
import pytest

from weitiao.engine.objectives.denoising import Denoising, corrupted, noise
from weitiao.processing import Features

SENTINELS = list(range(900, 1000))


@pytest.mark.parametrize("length", [1, 2, 3, 10, 100, 511])
def test_what_is_read_and_what_is_written_rebuild_the_text(length: int) -> None:
    draw = np.random.default_rng(length)
    ids = draw.integers(5, 500, size=length)
    taken = noise(length, 0.15, 100, draw)
    read, written = corrupted(ids, taken, np.array(SENTINELS))
    parts: dict[int, list[int]] = {}
    for number in written.tolist():
        if number >= 900:
            parts[number] = []
        else:
            parts[list(parts)[-1]].append(number)
    rebuilt = [number for one in read.tolist() for number in (parts[one] if one >= 900 else [one])]
    assert rebuilt == ids.tolist()
    assert list(parts) == SENTINELS[: len(parts)]


def test_how_much_is_taken() -> None:
    draw = np.random.default_rng(0)
    taken = [noise(200, 0.15, 100, draw) for _time in range(300)]
    assert {int(one.sum()) for one in taken} == {30}
    assert {int((np.diff(one.astype(int)) == 1).sum()) for one in taken} == {10}  # spans of 3 on average
    assert not any(one[0] for one in taken)
    assert len({one.tobytes() for one in taken}) > 290


def test_pieces_of_a_block_are_rows_of_their_own() -> None:
    objective = Denoising(SENTINELS, 1)
    block = Features({"input_ids": np.arange(5, 25), "position_ids": np.append(np.arange(12), np.arange(8))})  # type: ignore[dict-item]
    ((first,), (second,)) = objective.drawn([[block]], np.random.default_rng(0))
    assert set(first.inputs["input_ids"]) | set(first.target) <= {*range(5, 17), *SENTINELS, 1}
    assert set(second.inputs["input_ids"]) | set(second.target) <= {*range(17, 25), *SENTINELS, 1}
    assert first.inputs["input_ids"][-1] == first.target[-1] == 1
    batch = objective.collate([[first], [second]], {"input_ids": 0})
    assert batch.inputs["labels"].shape[0] == 2
