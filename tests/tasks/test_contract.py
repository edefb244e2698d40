"""One contract, every task with every family of models that can do it: it learns by heart, comes back from the disk the same, and answers a
record alone as it does among others. A new task file, and a new architecture, are tested unasked.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.tasks.contract import Blanks, asked, assert_close, learn, pairs, read_again, records_of
from weitiao.engine.models import save_model
from weitiao.engine.prediction import predictor_for
from weitiao.tasks.base import Task

# Tokenizers are not trained the same way twice, and now and then a tiny random model starts where it cannot get away from.
SEEDS = (1, 2, 3)


@pytest.mark.parametrize(("task", "family"), pairs())
def test_it_learns_saves_and_answers_alone_as_among_others(
    task: Task, family: str, blanks: Blanks, saved: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    records, inputs = records_of(task), asked(task)
    for seed in SEEDS:
        _place, loaded, spec, max_length = blanks.load(task, family, seed)
        first, last = learn(task, spec, loaded, records, max_length)
        if last < 0.8 * first:
            break
    assert last < 0.8 * first, f"the loss went from {first:.3f} to {last:.3f}, and no better with the seeds before"

    predictor = predictor_for(task, spec, loaded, max_length)
    together = list(predictor.predict(inputs))
    assert_close(together, [next(predictor.predict([row])) for row in inputs])
    # Order: the same records the other way round, padded by other neighbours.
    assert_close(together, list(predictor.predict(inputs[::-1]))[::-1])
    scores = task.score(list(predictor.predict(records)), records, spec)
    assert all(np.isfinite(value) for value in scores["metrics"].values())
    assert set(task.flat(together[0])) == set(task.columns(spec))

    folder = tmp_path_factory.mktemp(f"{task.name}-{family}") / "model"
    save_model(loaded, folder, max_length=max_length)
    kept = {"task": task.name, "spec": spec, "max_length": max_length, "records": inputs, "predictions": together}
    (folder / "saved.json").write_text(json.dumps(kept))
    saved.append(folder)


def test_a_fresh_process_predicts_the_same(saved: list[Path]) -> None:
    read_again(saved)
