"""A finished model on other files: what is said when it is used counts, what would count for nothing is refused, what is cut is counted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv
from weitiao.data import loading, reading
from weitiao.data.table import Table
from weitiao.observer import Observer

QUICK = {"epochs": 1, "batch_size": 16, "threads": 1, "max_length": 16}


class Listener(Observer):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    """A run on the two columns "title" and "body", joined."""
    folder = tmp_path_factory.mktemp("in-use")
    rows = [("a day", text[:30], label) for text, label in sentences(60)]
    data = write_csv(folder / "d.csv", rows, ("title", "body", "label"))
    model = str(make_model(folder / "tiny"))
    return weitiao.train(str(data), model=model, out=str(folder / "run"), text="title,body", text_separator=" ", valid=0, **QUICK)


@pytest.fixture
def seen(run: weitiao.Run, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the run is given."""
    texts: list[str] = []
    honest = run.task.encode

    def encode(record: Any, *rest: Any, **named: Any) -> Any:
        texts.append(record["text"])
        assert record.get("pair") is None
        return honest(record, *rest, **named)

    monkeypatch.setattr(run.task, "encode", encode)
    return texts


# --- what is said counts


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A hub that says of each time that it was asked whether that was to be without a network."""
    asked: list[bool] = []

    def splits(source: str, *, offline: bool = False) -> dict[str, Table]:
        asked.append(offline)
        return {"test": Table.of(["title", "body", "label"], [["a day", "lovely", "good"], ["a day", "sad", "bad"]], [1, 2], source)}

    monkeypatch.setattr(loading, "hub_splits", splits)
    monkeypatch.setattr(reading, "hub_splits", splits)
    return asked


def test_offline_holds_for_the_data_too(run: weitiao.Run, hub: list[bool]) -> None:
    run.evaluate("hub:some/reviews", offline=True)
    assert list(run.predict_rows("hub:some/reviews", offline=True))
    again = weitiao.load(run.path, offline=True)
    again.evaluate("hub:some/reviews")
    assert list(again.predict_rows("hub:some/reviews"))
    assert hub == [True] * 4
    run.evaluate("hub:some/reviews")
    assert hub[-1] is False


def test_a_separator_that_is_given_joins_and_makes_no_pair(run: weitiao.Run, seen: list[str], tmp_path: Path) -> None:
    data = str(write_csv(tmp_path / "d.csv", [("we", "lovely day", "good"), ("we", "sad day", "bad")], ("title", "body", "label")))
    list(run.predict_rows(data))
    assert seen[-1] == "we sad day"
    list(run.predict_rows(data, text_separator=" | "))
    assert seen[-1] == "we | sad day"
    list(run.predict_rows(data, text="title,body", text_separator="\\n"))
    assert seen[-1] == "we\nsad day"
    run.evaluate(data, text_separator="!")
    assert seen[-1] == "we!sad day"


def test_without_a_plan_two_columns_are_a_pair_unless_a_separator_is_given(run: weitiao.Run, seen: list[str], tmp_path: Path) -> None:
    data = str(write_csv(tmp_path / "d.csv", [("we", "lovely day", "good"), ("we", "sad day", "bad")], ("title", "body", "label")))
    model = weitiao.load(run.folder.model, task="text-classification")
    list(model.predict_rows(data, text="title,body", text_separator=" / "))
    assert seen[-1] == "we / sad day"
    with pytest.raises(AssertionError):  # of ``seen``: a second text
        list(model.predict_rows(data, text="title,body"))


def test_answers_are_read_as_in_training(tmp_path: Path) -> None:
    rows = [{"question": f"the day was {n}", "options": ["sad", "sunny", "late"], "answer": 1 + n % 3} for n in range(6)]
    data = tmp_path / "d.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = str(make_model(tmp_path / "tiny"))
    told = {"task": "multiple-choice", "answer_form": "number", "valid": 0, "test": 0}
    run = weitiao.train(str(data), model=model, out=str(tmp_path / "run"), **QUICK, **told)
    assert run.evaluate(str(data))["rows"] == 6
    with pytest.raises(weitiao.DataError, match="--answer-form index"):
        weitiao.load(run.path, answer_form="index").evaluate(str(data))


# --- what would count for nothing is refused


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"max_length": 8}, "--max-length is for a pretrained model"),
        ({"revision": "main", "offline": True}, "--revision is for a pretrained model"),
        ({"epochs": 3}, "--epochs would change nothing here"),
        ({"encoding": "gbk"}, "--encoding would change nothing here"),
        ({"label": "stars"}, "--label would change nothing here"),
        ({"treshold": 0.5}, 'Did you mean "threshold"'),
    ],
)
def test_a_run_is_not_loaded_with_what_means_nothing_to_it(run: weitiao.Run, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(weitiao.UsageError, match=says):
        weitiao.load(run.path, **settings)


def test_a_pretrained_model_is_not_loaded_with_settings_of_training(run: weitiao.Run) -> None:
    with pytest.raises(weitiao.UsageError, match=r"--lr would change nothing here.*--max-length"):
        weitiao.load(run.folder.model, task="text-classification", lr=1.0)
    assert weitiao.load(run.folder.model, task="text-classification", max_length=8).predict(["a day"])


@pytest.mark.parametrize("setting", ["max_length", "epochs", "valid", "drop_duplicates", "revision"])
def test_a_file_is_not_read_with_what_means_nothing_to_it(run: weitiao.Run, setting: str, tmp_path: Path) -> None:
    value = {"drop_duplicates": True, "revision": "main", "max_length": 8}.get(setting, 1 if setting == "epochs" else "0.1")
    data = str(write_csv(tmp_path / "d.csv", [("we", "lovely day", "good")], ("title", "body", "label")))
    flag = "--" + setting.replace("_", "-")
    with pytest.raises(weitiao.UsageError, match=f"{flag} would change nothing here"):
        run.evaluate(data, **{setting: value})
    with pytest.raises(weitiao.UsageError, match=f"{flag} would change nothing here"):
        list(run.predict_rows(data, **{setting: value}))


# --- what is cut is counted


def long_rows(folder: Path) -> str:
    rows = [("we", "lovely day", "good"), ("we", "sad " * 30, "bad"), ("we", "sad day", "bad"), ("we", "lovely " * 40, "good")]
    return str(write_csv(folder / "long.csv", rows, ("title", "body", "label")))


def test_an_evaluation_lists_the_rows_that_were_cut(run: weitiao.Run, tmp_path: Path) -> None:
    heard = Listener()
    evaluation = run.evaluate(long_rows(tmp_path), observer=heard)
    assert evaluation["ledger"] == {"truncated:too_long": 2}
    assert heard.warnings == ["2 of 4 rows are longer than the 16 tokens that the model reads of one; the rest of each was cut off."]


def test_a_prediction_says_how_many_were_cut(run: weitiao.Run, tmp_path: Path) -> None:
    heard, model = Listener(), weitiao.load(run.path)
    model.predict_file(long_rows(tmp_path), tmp_path / "out.csv", observer=heard)
    assert heard.warnings == ["2 of 4 rows are longer than the 16 tokens that the model reads of one; the rest of each was cut off."]
    assert model.truncated == 2
    model.predict(["sad " * 30, "sad"])
    assert model.truncated == 3


def test_what_a_prediction_could_not_read_is_in_its_ledger(run: weitiao.Run, tmp_path: Path) -> None:
    heard, data = Listener(), tmp_path / "d.csv"
    data.write_text(f"title,body,label\na day,lovely,good\nragged\nwe,{'sad ' * 30},bad\n", encoding="utf-8")
    done = run.predict_file(str(data), tmp_path / "out.csv", observer=heard, max_bad_rows=1)
    assert (done["rows"], done["ledger"]) == (2, {"dropped:ragged_row": 1, "truncated:too_long": 1})
    assert any("d.csv" in warning and "3" in warning for warning in heard.warnings)
    assert done["rows_per_s"] > 0


def test_no_answer_takes_the_place_of_a_column(run: weitiao.Run, tmp_path: Path) -> None:
    rows = [("a day", "lovely", "good", "MINE", 5), ("we", "sad", "bad", "MINE", 4)]
    data = write_csv(tmp_path / "d.csv", rows, ("title", "body", "label", "predicted_label", "score"))
    for ending in (".jsonl", ".parquet"):
        run.predict_file(str(data), tmp_path / f"out{ending}")
    table = pq.read_table(tmp_path / "out.parquet")
    for out in ([json.loads(line) for line in (tmp_path / "out.jsonl").open(encoding="utf-8")], table.to_pylist()):
        assert [(row["label"], row["predicted_label"], row["score"]) for row in out] == [("good", "MINE", "5"), ("bad", "MINE", "4")]
        assert {row["predicted_predicted_label"] for row in out} <= {"good", "bad"}
        assert all(isinstance(row["predicted_score"], float) for row in out)


def test_a_file_is_never_replaced_by_its_own_predictions(run: weitiao.Run, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "d.csv", [("a day", "lovely", "good")], ("title", "body", "label"))
    before = data.read_bytes()
    with pytest.raises(weitiao.UsageError, match="Choose another name"):
        run.predict_file(str(data), tmp_path / "." / "d.csv")
    assert data.read_bytes() == before


def test_bytes_that_are_no_text_are_refused(run: weitiao.Run) -> None:
    with pytest.raises(weitiao.UsageError, match="not UTF-8"):
        run.predict(["bad \udcff byte"])


def test_nothing_is_said_where_nothing_is_cut(run: weitiao.Run, tmp_path: Path) -> None:
    heard = Listener()
    data = str(write_csv(tmp_path / "d.csv", [("we", "lovely day", "good"), ("we", "sad day", "bad")], ("title", "body", "label")))
    assert run.evaluate(data, observer=heard)["ledger"] == {}
    assert heard.warnings == []


def test_a_row_that_the_task_refuses_is_named(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = run.task.encode

    def encode(record: Any, *rest: Any, **named: Any) -> Any:
        if "sad" in record["text"]:
            raise weitiao.DataError("nothing sad.")
        return honest(record, *rest, **named)

    monkeypatch.setattr(run.task, "encode", encode)
    data = str(write_csv(tmp_path / "d.csv", [("we", "lovely day", "good"), ("we", "sad day", "bad")], ("title", "body", "label")))
    for use in (run.evaluate, lambda file: list(run.predict_rows(file))):
        with pytest.raises(weitiao.DataError, match=r"d\.csv, row 3: nothing sad\.") as caught:
            use(data)
        assert (caught.value.file, caught.value.row) == (data, 3)


@pytest.fixture
def talker(tmp_path: Path) -> Iterator[weitiao.Run]:
    """A run on conversations that reads few tokens."""
    rows = [{"prompt": "the day", "response": "was lovely"}, {"prompt": "a box", "response": "was sad"}] * 4
    (tmp_path / "talk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = make_model(tmp_path / "decoder", "gpt2", bos_token_id=0, eos_token_id=0)
    told = {"task": "chat", "valid": 0, "test": 0, "max_new_tokens": 4, **QUICK, "max_length": 48}
    yield weitiao.train(str(tmp_path / "talk.jsonl"), model=str(folder), out=str(tmp_path / "run"), **told)


def test_a_row_with_nothing_to_learn_is_left_out_of_the_loss_alone(
    talker: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {"messages": [{"role": "user", "content": "the day"}, {"role": "assistant", "content": "was lovely"}]}
    empty = {"messages": [{"role": "user", "content": "nothing"}, {"role": "assistant", "content": "was sad"}]}
    honest = type(talker.task).encode

    def encode(record: Any, *rest: Any, for_training: bool, **named: Any) -> Any:
        if for_training and record["messages"][0]["content"] == "nothing":
            raise weitiao.DataError("not one token of it would be learned.")
        return honest(talker.task, record, *rest, for_training=for_training, **named)

    monkeypatch.setattr(talker.task, "encode", encode)
    data = tmp_path / "more.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in (good, empty, good)))
    evaluation = talker.evaluate(str(data))
    assert (evaluation["rows"], evaluation["ledger"]) == (3, {"kept:not_in_loss": 1})
    data.write_text(json.dumps(good) + "\n")
    assert talker.evaluate(str(data))["metrics"]["loss"] == pytest.approx(evaluation["metrics"]["loss"], rel=1e-5)
    data.write_text(json.dumps(empty) + "\n")
    with pytest.raises(weitiao.DataError, match=r"more\.jsonl, row 1: not one token") as caught:
        talker.evaluate(str(data))
    assert (caught.value.file, caught.value.row) == (str(data), 1)


# --- what was trained on


def test_rows_that_were_trained_on_are_counted(run: weitiao.Run, tmp_path: Path) -> None:
    listener = Listener()
    source = run.record["data"]["splits"]["train"]["source"]
    told = run.evaluate(source, observer=listener)
    trained = run.record["data"]["splits"]["train"]["rows"]
    assert told["trained_on"] == trained < told["rows"]
    assert any(warning.startswith(f"{trained} of {told['rows']} rows of ") and "trained on" in warning for warning in listener.warnings)
    listener = Listener()
    fresh = write_csv(tmp_path / "new.csv", [("a day", f"unseen {at} things", "good") for at in range(4)], ("title", "body", "label"))
    assert run.evaluate(str(fresh), observer=listener)["trained_on"] == 0
    assert not any("trained on" in warning for warning in listener.warnings)


def test_the_very_training_rows_are_known_where_their_file_has_gone(run: weitiao.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from weitiao.data.records import Records

    train = run._training_records()
    assert train is not None
    assert run._trained_on(train, None) == len(train)
    some = Records({name: values[:-1] for name, values in train.columns.items()}, train.rows[:-1], train.source)
    assert run._trained_on(some, None) == 0 and run._trained_on(some, train) == len(some)
