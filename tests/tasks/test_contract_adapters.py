"""The contract with adapters: every task with every family of models that can do it learns by LoRA, keeps the base's weights as they were,
comes back from the disk the same, and answers the same once it is merged.
"""

import json
from pathlib import Path

import pytest
import torch

from tests.tasks.contract import Blanks, asked, assert_close, learn, pairs, read_again, records_of
from weitiao.config import AdapterSettings
from weitiao.engine.adapters import add_adapter, merge_adapter
from weitiao.engine.models import save_model
from weitiao.engine.prediction import predictor_for
from weitiao.tasks.base import Task

STEPS = 10


@pytest.mark.parametrize(("task", "family"), pairs())
def test_an_adapter_learns_saves_and_answers_as_the_merged_model(
    task: Task, family: str, blanks: Blanks, saved: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place, loaded, spec, max_length = blanks.load(task, family)
    records, inputs = records_of(task), asked(task)
    if "max_new_tokens" in spec:
        spec["max_new_tokens"] = 8  # a few steps teach no model where an answer ends
    before = {name: value.clone() for name, value in loaded.network.named_parameters()}
    add_adapter(loaded, AdapterSettings(lora_dropout=0.0))
    learn(task, spec, loaded, records, max_length, steps=STEPS)
    after = dict(loaded.network.named_parameters())
    # They start at zero. How far a loss falls says little here: random weights that stay as they are give a tiny model little to go by.
    assert all(value.any() for name, value in after.items() if "lora_B" in name), "a matrix has learned nothing"
    for name, value in before.items():
        module, _dot, leaf = name.rpartition(".")
        kept = after.get(f"{module}.base_layer.{leaf}", after.get(name))
        assert kept is None or torch.equal(kept, value), f"{name} of the base has moved"

    folder = tmp_path_factory.mktemp(f"{task.name}-{family}") / "model"
    save_model(loaded, folder, max_length=max_length, base=("somebody/base", ""))
    answers = list(predictor_for(task, spec, loaded, max_length).predict(inputs))
    for_later = {"task": task.name, "spec": spec, "max_length": max_length, "records": inputs, "predictions": answers, "base": str(place)}
    (folder / "saved.json").write_text(json.dumps(for_later))
    saved.append(folder)
    merge_adapter(loaded)
    assert_close(answers, list(predictor_for(task, spec, loaded, max_length).predict(inputs)))


def test_a_fresh_process_predicts_the_same(saved: list[Path]) -> None:
    read_again(saved)
