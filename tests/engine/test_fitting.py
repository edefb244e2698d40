"""A pretrained model is told from a run, and from its config what it can do."""

import json
from pathlib import Path

import pytest

from weitiao.engine.catalog import TABLE
from weitiao.engine.fitting import fitting_tasks, open_run, tasks_of
from weitiao.errors import RunError

LABELS = {"0": "bad", "1": "good"}


@pytest.mark.parametrize(
    ("architecture", "fits", "not_fit"),
    [
        ("BertForSequenceClassification", "text-classification", "question-answering"),
        ("RobertaForQuestionAnswering", "question-answering", "text-classification"),
        ("BertForMaskedLM", "fill-mask", "text-generation"),
        ("GPT2LMHeadModel", "text-generation", "fill-mask"),
        ("Qwen2ForCausalLM", "text-generation", "feature-extraction"),
        ("BertModel", "feature-extraction", "fill-mask"),
    ],
)
def test_what_fits_a_config(architecture: str, fits: str, not_fit: str) -> None:
    fitting = fitting_tasks({"architectures": [architecture], "id2label": LABELS, "model_type": "bert"})
    assert fits in fitting
    assert not_fit not in fitting


def test_a_model_that_translates_is_for_nothing_else() -> None:
    translators = [choice for choice in TABLE if choice.writes]
    assert translators and all(tasks_of(choice) == ["translation"] for choice in translators)
    others = [choice for choice in TABLE if choice.kind == "encoder-decoder" and not choice.writes]
    assert any("summarization" in tasks_of(choice) for choice in others)


def test_no_run_says_what_it_is_instead(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"architectures": ["XForNothing"]}), encoding="utf-8")
    with pytest.raises(RunError, match=r"XForNothing.*weitiao train DATA --model"):
        open_run(model)
    (tmp_path / "run.json").write_text('{"schema": 1}', encoding="utf-8")
    with pytest.raises(RunError, match="the model inside a run"):
        open_run(model)
    assert open_run(tmp_path).path == tmp_path
    with pytest.raises(RunError, match="--task fill-mask"):
        open_run("some/model")


@pytest.mark.parametrize("name", ["offline", "offline:zh-mini"])
def test_a_packaged_base_is_no_run_and_says_what_it_does_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = rf"{name} is a packaged base model and no run.*--task feature-extraction.*weitiao train DATA --model {name} --out"
    with pytest.raises(RunError, match=said):
        open_run(name)
    (tmp_path / name).mkdir()
    (tmp_path / name / "run.json").write_text('{"schema": 1}', encoding="utf-8")
    assert open_run(name).path == Path(name)  # a run of that name is one
