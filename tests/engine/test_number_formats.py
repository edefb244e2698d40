"""In which number format a model answers: what is asked for is what runs, or an error that says why; the check is made once."""

import csv
import json
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv
from weitiao.data.reading import Reading
from weitiao.engine import int8, number_formats
from weitiao.engine.number_formats import Check
from weitiao.errors import GateError, UsageError
from weitiao.observer import Observer

fbgemm = pytest.mark.skipif(not int8.available(), reason="no FBGEMM for this processor")
TEXTS = [text for text, _label in sentences(20, seed=5)]


class Listener(Observer):
    """Remembers the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def run(train_tiny: Callable[..., Any], tmp_path: Path) -> Path:
    """A finished run with held-out rows."""
    train_tiny(test="0.3")
    return tmp_path / "run"


def in_int8(model: Any) -> bool:
    return any(isinstance(module, int8.Int8Linear) for module in model.predictor().backend.loaded.network.modules())


@fbgemm
def test_int8_answers_the_same_alone_and_in_a_batch_and_is_checked_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = weitiao.load(run).predict(TEXTS)
    model = weitiao.load(run, precision="int8")
    answers = model.predict(TEXTS)
    assert model.computes_in == "int8"
    assert in_int8(model)
    assert [one["label"] for one in answers] == [one["label"] for one in plain]
    alone = [model.predict([text])[0] for text in TEXTS]
    # What is left is the rounding of sums in another order, not a scale of the batch.
    assert max(abs(a["score"] - b["score"]) for a, b in zip(answers, alone, strict=True)) < 0.02
    kept = json.loads((run / "int8.json").read_text(encoding="utf-8"))
    assert kept["rows"] == 27
    assert kept["kept"] >= 0.99 and kept["decided"] == kept["decided_in_int8"] == 27

    def never(*_arguments: object) -> Check:
        raise AssertionError("checked twice")

    monkeypatch.setattr(number_formats, "_measured", never)
    again = weitiao.load(run, precision="int8").predict(TEXTS)
    assert [one["score"] for one in again] == pytest.approx([one["score"] for one in answers], abs=1e-6)


@fbgemm
def test_int8_that_changes_answers_is_refused_with_its_figures_and_auto_says_so(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_formats, "_measured", lambda *_arguments: Check(36, 0.8, 36, 36, 36, 1.0))
    with pytest.raises(
        GateError, match=r"80\.0% of the answers to 36 held-out rows stay .* 99% is asked for.* Only 36 answers were compared"
    ):
        weitiao.load(run, precision="int8").predict(TEXTS)
    monkeypatch.setattr(number_formats, "MANY", 10)
    model, heard = weitiao.load(run, precision="auto"), Listener()
    # The check is known from above, and it did not pass.
    assert model.ready(20, heard) is model.predictor()
    assert heard.notes[0].startswith("Computing in fp32, not in int8: only 80.0%") and "one is 2.8% of them" in heard.notes[0]
    assert model.computes_in == "fp32"
    assert not in_int8(model)
    model.ready(20, heard)
    assert len(heard.notes) == 1


@fbgemm
def test_auto_takes_int8_for_a_file_of_many_rows_and_fp32_for_few(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_formats, "MANY", 10)
    monkeypatch.setattr(number_formats, "MANY_UNCHECKED", 30)
    data = write_csv(tmp_path / "new.csv", [(text,) for text in TEXTS], ("text",))
    model, heard = weitiao.load(run, precision="auto"), Listener()
    model.predict(TEXTS[:3])
    assert model.predict_file(str(data), tmp_path / "a.csv", observer=heard)["precision"] == "fp32"
    assert "Computing in fp32: auto looks at int8 for files from 10 rows on, and from 30 on" in heard.notes[0]
    assert not (run / "int8.json").exists()
    many = write_csv(tmp_path / "many.csv", [(text,) for text in TEXTS * 2], ("text",))
    assert model.predict_file(str(many), tmp_path / "b.csv", observer=heard)["precision"] == "int8"
    assert heard.notes[-1].startswith("Computing in int8: 100.0% of the answers to 27 held-out rows stay as in fp32")
    assert heard.notes[-1].endswith("(--test, a larger share or a file).")  # 27 are few, and it says so where it passes, too
    # Now that the check is known, fewer rows are enough.
    assert weitiao.load(run, precision="auto").predict_file(str(data), tmp_path / "c.csv")["precision"] == "int8"


@fbgemm
def test_an_explanation_says_int8_and_counts_every_parameter(run: Path) -> None:
    plain, rounded = (weitiao.load(run, precision=precision).explain(TEXTS[0])["forward"] for precision in ("fp32", "int8"))
    assert (plain["precision"], rounded["precision"]) == ("fp32", "int8")
    assert plain["parameters"] == rounded["parameters"]


@fbgemm
def test_auto_is_decided_once_for_a_file_by_all_of_it_whatever_pieces_it_comes_in(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_formats, "MANY", 10)
    monkeypatch.setattr(number_formats, "MANY_UNCHECKED", 30)
    monkeypatch.setattr(Reading, "__init__", partialmethod(Reading.__init__, chunk_rows=8))
    lines = [(text,) for text in TEXTS * 2]
    few = write_csv(tmp_path / "few.csv", lines[:20], ("text",))
    many = write_csv(tmp_path / "many.csv", lines, ("text",))
    for data, said in ((few, "Computing in fp32: auto looks at"), (many, "Computing in int8: 100.0%")):
        heard = Listener()
        done = weitiao.load(run, precision="auto").predict_file(str(data), tmp_path / "out.csv", observer=heard)
        formats = [note for note in heard.notes if note.startswith("Computing in")]
        assert len(formats) == 1
        assert formats[0].startswith(said)
        assert done["precision"] == said[13:17]
    assert [row["text"] for row in csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8"))] == [text for (text,) in lines]
    # What the rows are answered in is the same for all of them: the first piece no less than the last.
    heard = Listener()
    assert weitiao.load(run, precision="auto").predict_file(str(few), tmp_path / "out.csv", observer=heard)["precision"] == "int8"
    assert len(heard.notes) == 1


@fbgemm
@pytest.mark.parametrize("content", ["{", "[]", "[1, 2]", "null", "3", '{"key": 1}', "KEPT"])
def test_a_damaged_check_is_made_again(content: str, run: Path) -> None:
    weitiao.load(run, precision="int8").predict(TEXTS)
    file = run / "int8.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**whole, "kept": "high"}) if content == "KEPT" else content, encoding="utf-8")
    model = weitiao.load(run, precision="int8")
    model.predict(TEXTS)
    assert in_int8(model)
    assert json.loads(file.read_text(encoding="utf-8")) == whole


@fbgemm
def test_another_model_in_the_same_folder_is_checked_again(run: Path) -> None:
    weitiao.load(run, precision="int8").predict(TEXTS)
    before = json.loads((run / "int8.json").read_text(encoding="utf-8"))
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["training"]["max_length"] = 8
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    weitiao.load(run, precision="int8").predict(TEXTS)
    assert json.loads((run / "int8.json").read_text(encoding="utf-8"))["key"] != before["key"]
    (run / "int8.json").write_text("{", encoding="utf-8")
    weitiao.load(run, precision="int8").predict(TEXTS)
    assert json.loads((run / "int8.json").read_text(encoding="utf-8"))["rows"] == 27


@fbgemm
def test_where_int8_is_not_possible_it_says_why(run: Path, tiny_model: Path) -> None:
    (run / "predictions.jsonl").unlink()
    with pytest.raises(UsageError, match="held-out rows of a finished run, and there are none"):
        weitiao.load(run, precision="int8").predict(TEXTS)
    with pytest.raises(UsageError, match="held-out rows of a finished run"):
        weitiao.load(tiny_model, "feature-extraction", precision="int8").predict(TEXTS)


@fbgemm
def test_a_task_of_numbers_is_refused_by_name(train_tiny: Callable[..., Any], tmp_path: Path) -> None:
    data = write_csv(tmp_path / "numbers.csv", [(text, str(len(text))) for text, _label in sentences(60)], ("text", "value"))
    train_tiny(data=data, task="regression", epochs=1)
    with pytest.raises(UsageError, match="regression gives numbers and no labels"):
        weitiao.load(tmp_path / "run", precision="int8").predict(TEXTS)


@fbgemm
def test_a_model_that_writes_is_refused_by_name(tmp_path: Path) -> None:
    places = {"num_key_value_heads": 2, "tie_word_embeddings": True}
    model = weitiao.load(make_model(tmp_path / "m", "llama", **places), task="text-generation", max_new_tokens=2, precision="int8")
    with pytest.raises(UsageError, match="text-generation writes its answer token by token"):
        model.predict(["the day was"])


@fbgemm
def test_an_adapter_is_one_with_its_base_or_refused(train_tiny: Callable[..., Any], tmp_path: Path) -> None:
    train_tiny(method="lora")
    model = weitiao.load(tmp_path / "run", precision="int8")
    model.predict(TEXTS)
    assert in_int8(model)
    several = weitiao.load([tmp_path / "run"], precision="int8")
    with pytest.raises(UsageError, match="the adapter stands beside its base's weights"):
        several.predict(TEXTS, run="run")


def test_where_torch_has_no_products_int8_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "available", lambda: False)
    with pytest.raises(UsageError, match="no 8-bit matrix products"):
        weitiao.load(run, precision="int8").predict(TEXTS)


def test_bf16_is_taken_when_asked_for_and_nearly_the_same(run: Path) -> None:
    plain = weitiao.load(run).predict(TEXTS)
    model = weitiao.load(run, precision="bf16")
    answers = model.predict(TEXTS)
    assert model.computes_in == "bf16"
    assert answers != plain
    assert max(abs(a["probabilities"]["good"] - b["probabilities"]["good"]) for a, b in zip(answers, plain, strict=True)) < 0.05


def test_an_unknown_format_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UsageError, match=r'--precision is \'int9\'; it must be one of auto, fp32, int8, bf16. Did you mean "int8"'):
        weitiao.load("nowhere", precision="int9")
