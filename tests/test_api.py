"""The main job from Python: a file in, a run out, and everything a run can do."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pyarrow.parquet as pq
import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv
from weitiao.observer import Observer

SETTINGS = {"epochs": 8, "batch_size": 16, "lr": 5e-3, "max_length": 32, "threads": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    """A finished run on learnable sentences, with Chinese labels."""
    folder = tmp_path_factory.mktemp("api")
    names = {"good": "好评", "bad": "差评"}
    rows = [(str(i), text, names[label]) for i, (text, label) in enumerate(sentences(200))]
    data = write_csv(folder / "评论.csv", rows, header=("编号", "评论", "标签"))
    return weitiao.train(str(data), model=str(make_model(folder / "tiny")), out=str(folder / "run"), **SETTINGS)


def test_the_run_folder_holds_what_it_promises(run: weitiao.Run) -> None:
    names = {p.name for p in run.path.iterdir()}
    assert names == {"run.json", "model", "README.md", "report.html", "log.jsonl", "predictions.jsonl", "check.json", "ledger.jsonl"}
    record = run.record
    assert (record["status"], record["exit_code"]) == ("finished", 0)
    assert sorted(record["spec"]["labels"]) == ["好评", "差评"]
    assert record["base_model"]["id"] == "tiny" and len(record["base_model"]["sha256"]) == 64
    assert record["data"]["plan"]["fields"]["text"]["columns"] == ["评论"]
    assert record["training"]["peak_memory_bytes"] > 0 and record["model_bytes"] > 0
    steps = [line for line in run.folder.log() if "loss" in line]
    assert len(steps) == record["training"]["steps"]
    predictions = list(run.folder.predictions())
    assert len(predictions) == record["data"]["splits"]["test"]["rows"] == 20
    assert {p["prediction"]["label"] for p in predictions} <= {"好评", "差评"}
    assert run.metrics["accuracy"] > 0.8
    assert set(record["evaluation"]["baselines"]) == {"majority", "tfidf_logistic_regression"}


def test_the_record_is_a_config(run: weitiao.Run) -> None:
    from weitiao import tasks
    from weitiao.config import read_config

    recipe = tasks.recipe(read_config(run.folder.record_file))
    assert recipe.training.epochs == 8 and recipe.source.endswith("评论.csv")


def test_plain_transformers_gives_the_same_labels_and_scores(run: weitiao.Run) -> None:
    from transformers import pipeline

    texts = [text for text, _label in sentences(24, seed=5)]
    theirs = pipeline("text-classification", model=str(run.path / "model"), device="cpu")(texts)
    for ours, plain in zip(run.predict(texts), theirs, strict=True):
        assert ours["label"] == plain["label"]
        assert abs(ours["score"] - plain["score"]) < 1e-5


def test_a_loaded_run_predicts_the_same_alone_and_together(run: weitiao.Run) -> None:
    loaded = weitiao.load(run.path)
    texts = [text for text, _label in sentences(40, seed=6)]
    together = loaded.predict(texts)
    assert [p["label"] for p in together] == [p["label"] for p in run.predict(texts)]
    for text, prediction in zip(texts[:8], together, strict=False):
        alone = loaded.predict([text])[0]
        assert abs(alone["score"] - prediction["score"]) < 1e-5
    assert loaded.predict([{"text": texts[0]}])[0] == loaded.predict([texts[0]])[0]


@pytest.mark.parametrize("value", [3, None, {"txt": "a"}])
def test_an_input_that_is_no_text_is_refused(run: weitiao.Run, value: object) -> None:
    with pytest.raises(weitiao.UsageError, match="Input 2"):
        run.predict(["fine", value])
    with pytest.raises(weitiao.UsageError, match="list of texts"):
        run.predict("fine")


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_file_is_predicted_row_by_row(run: weitiao.Run, ending: str, tmp_path: Path) -> None:
    rows = [("7", "a lovely day", "x"), ("8", "", "y"), ("9", 'awful, "sad"\nroom', "z")]
    data = write_csv(tmp_path / "in.csv", rows, header=("编号", "评论", "label"))
    done = run.predict_file(str(data), tmp_path / f"out{ending}")
    assert (done["rows"], done["unanswered"]) == (3, 1)
    if ending == ".parquet":
        out = pq.read_table(tmp_path / "out.parquet").to_pylist()
    elif ending == ".jsonl":
        out = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    else:
        with (tmp_path / f"out{ending}").open(encoding="utf-8", newline="") as file:
            out = list(csv.DictReader(file, delimiter="\t" if ending == ".tsv" else ","))
    assert [row["编号"] for row in out] == ["7", "8", "9"]
    assert [row["label"] for row in out] == ["x", "y", "z"]  # the file's own column stays
    answers = run.predict(["a lovely day", 'awful, "sad"\nroom'])
    assert [out[0]["predicted_label"], out[2]["predicted_label"]] == [a["label"] for a in answers]
    assert not out[1]["predicted_label"] and not out[1]["score"]
    assert abs(float(out[0]["probability_好评"]) - answers[0]["probabilities"]["好评"]) < 1e-6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", f"out{ending}"]


def test_an_ending_nobody_writes_is_refused(run: weitiao.Run, tmp_path: Path) -> None:
    with pytest.raises(weitiao.UsageError, match=r"\.parquet"):
        run.predict_file("in.csv", tmp_path / "out.doc")


def test_evaluate_scores_another_file(run: weitiao.Run, tmp_path: Path) -> None:
    names = {"good": "好评", "bad": "差评"}
    rows = [("0", text, names[label]) for text, label in sentences(30, seed=9)] + [("0", "a day", "中评")]
    data = write_csv(tmp_path / "more.csv", rows, header=("编号", "评论", "标签"))
    evaluation = run.evaluate(str(data))
    assert evaluation["rows"] == 31
    assert "中评" in evaluation["confusion_matrix"]["labels"]  # never seen in training: can only be wrong
    assert evaluation["metrics"]["accuracy"] <= 30 / 31
    assert "tfidf_logistic_regression" in evaluation["baselines"]
    low, high = evaluation["intervals"]["accuracy"]
    assert low <= evaluation["metrics"]["accuracy"] <= high


def test_a_dry_run_writes_nothing(tiny_model: Path, reviews: Path, tmp_path: Path) -> None:
    from weitiao import api

    before = sorted(tmp_path.rglob("*"))
    plan = api.plan(str(reviews), model=str(tiny_model), out=str(tmp_path / "run"), **SETTINGS)
    assert plan["steps"] == 8 * plan["rows"]["train"] // 16 and plan["estimate"]["seconds"] > 0
    assert plan["trainable_parameters"] == plan["parameters"] > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_the_same_seed_gives_the_same_weights(train_tiny: Callable[..., weitiao.Run], tmp_path: Path) -> None:
    runs = [train_tiny(out=str(tmp_path / name), seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    weights = [(run.path / "model" / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1] != weights[2]


def test_without_held_out_rows_it_trains_and_says_nothing_it_does_not_know(train_tiny: Callable[..., weitiao.Run]) -> None:
    run = train_tiny(valid="0", test="0")
    assert run.record["evaluation"] is None and run.metrics == {}
    assert (run.path / "report.html").is_file()


def test_given_files_and_unseen_labels(train_tiny: Callable[..., weitiao.Run], tmp_path: Path) -> None:
    test = write_csv(tmp_path / "test.csv", [*sentences(20, seed=3), ("a day", "neutral")])
    run = train_tiny(test=str(test))
    record = run.record
    assert record["data"]["splits"]["test"]["rows"] == 21
    assert record["spec"]["labels"] == ["bad", "good"]
    assert any(f["code"] == "unseen_labels" for f in run.folder.check()["findings"])


def test_the_observer_hears_everything(train_tiny: Callable[..., weitiao.Run]) -> None:
    heard: list[str] = []

    class Listener(Observer):
        def checked(self, check: object, plan: object, ledger: object) -> None:
            heard.append("checked")

        def planned(self, plan: object) -> None:
            heard.append("planned")

        def progress(self, stage: str, done: int, total: int | None, figures: object) -> None:
            heard.append(stage)

        def evaluated(self, evaluation: dict) -> None:
            heard.append("evaluated " + evaluation["split"])

    train_tiny(observer=Listener())
    milestones = list(dict.fromkeys(heard))
    assert milestones[:4] == ["read", "checked", "planned", "train"]
    assert heard.count("evaluated validation") == 2 and heard[-1] == "evaluated test"


def test_a_failed_training_says_so_in_its_record(
    train_tiny: Callable[..., weitiao.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weitiao.engine.objectives.rows import Classification

    honest = Classification.loss
    monkeypatch.setattr(Classification, "loss", lambda self, outputs, batch: honest(self, outputs, batch) * float("nan"))
    with pytest.raises(weitiao.ModelError, match="diverged"):
        train_tiny()
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["exit_code"]) == ("failed", 4)
    with pytest.raises(weitiao.RunError, match="not finished"):
        weitiao.load(tmp_path / "run")


@pytest.mark.parametrize(
    ("settings", "kind", "says"),
    [
        ({"data": "missing.csv"}, weitiao.DataError, "missing.csv"),
        ({"epochs": 0}, weitiao.UsageError, "--epochs"),
        ({"epoch": 1}, weitiao.UsageError, 'Did you mean "epochs"'),
        ({"model": "./nowhere"}, weitiao.ModelError, "./nowhere"),
        ({"device": "cuda"}, weitiao.ResourceError, "cuda"),
        ({"precision": "fp16"}, weitiao.ResourceError, "fp16"),
        ({"track": "nonsense"}, weitiao.UsageError, "--track"),
        ({"task": "text-clasification"}, weitiao.UsageError, "text-classification"),
    ],
)
def test_what_fails_before_the_first_step_leaves_nothing(
    settings: dict, kind: type[Exception], says: str, train_tiny: Callable[..., weitiao.Run], tmp_path: Path
) -> None:
    with pytest.raises(kind) as error:
        train_tiny(**settings)
    assert says in str(error.value)
    assert not (tmp_path / "run").exists()


def test_labels_that_a_model_does_not_know(run: weitiao.Run, tmp_path: Path) -> None:
    class Heard(Observer):
        def warn(self, text: str) -> None:
            warnings.append(text)

    warnings: list[str] = []
    strange = write_csv(tmp_path / "strange.csv", [("a lovely day", "pos"), ("a sad day", "neg")], header=("评论", "标签"))
    with pytest.raises(weitiao.DataError, match=r"none of its labels \(neg, pos\).*好评") as caught:
        run.evaluate(str(strange))
    assert caught.value.column == "label"
    some = write_csv(tmp_path / "some.csv", [("a lovely day", "好评"), ("a sad day", "neg")], header=("评论", "标签"))
    assert run.evaluate(str(some), observer=Heard())["rows"] == 2
    assert any("1 of 2 rows" in warning and "neg" in warning for warning in warnings)


@pytest.mark.parametrize("part", ["write_card", "write_report"])
def test_a_report_that_cannot_be_drawn_spoils_no_model(
    part: str, train_tiny: Callable[..., weitiao.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weitiao import report

    class Listener(Observer):
        warnings: ClassVar[list[str]] = []

        def warn(self, text: str) -> None:
            self.warnings.append(text)

    def fail(folder: object) -> None:
        raise ValueError("no such figure")

    with monkeypatch.context() as broken:
        broken.setattr(report, part, fail)
        run = train_tiny(observer=Listener(), epochs=1)
    assert (run.record["status"], run.record["exit_code"]) == ("finished", 0)
    assert "no such figure" in Listener.warnings[-1] and f"weitiao report {run.path}" in Listener.warnings[-1]
    assert not run.folder.checkpoints.exists()
    again = weitiao.load(run.path)
    assert again.predict(["a lovely day"])
    assert again.write_report().is_file()  # type: ignore[attr-defined]


def test_the_public_surface_is_explicit() -> None:
    assert sorted(name for name in dir(weitiao) if not name.startswith("__")) == sorted(
        n for n in weitiao.__all__ if not n.startswith("__")
    )
    for name in weitiao.__all__:
        assert getattr(weitiao, name) is not None
    with pytest.raises(AttributeError):
        _ = weitiao.nothing


def test_a_training_that_failed_to_begin_leaves_the_next_one_alone(
    train_tiny: Callable[..., weitiao.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accelerate keeps its number format for the whole process: the next training would ask for another."""
    from weitiao.engine.training import Trainer

    def broken(self: Trainer) -> None:
        raise weitiao.ResourceError("no room.")

    with monkeypatch.context() as failing:
        failing.setattr(Trainer, "_compact_vocabulary", broken)
        with pytest.raises(weitiao.ResourceError, match="no room"):
            train_tiny(precision="bf16")
    assert train_tiny(epochs=1).record["status"] == "finished"


def test_trackers_are_blamed_only_where_there_are_any(train_tiny: Callable[..., weitiao.Run], monkeypatch: pytest.MonkeyPatch) -> None:
    import accelerate

    def broken(**settings: object) -> None:
        raise ValueError("something else")

    monkeypatch.setattr(accelerate, "Accelerator", broken)
    with pytest.raises(ValueError, match=r"^something else$"):
        train_tiny()
