"""Tasks of somebody's own in use: trained, kept in the run, back in a fresh process, refused where nobody trusts them, as commands."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import sentences, write_csv
from tests.own_tasks import NETWORK, PLAIN, QUICK, ROWS, WHOLE, written
from weitiao import config, task_files, tasks
from weitiao.engine import hub, own_network
from weitiao.engine.contents import look_into
from weitiao.errors import ModelError, RunError, UsageError

Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """Makes this process one of another machine: it trusts nothing and has run nothing."""

    def move() -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
        for name in [name for name in sys.modules if name.startswith("weitiao_task_")]:
            monkeypatch.delitem(sys.modules, name)

    return move


@pytest.fixture
def whole(tmp_path: Path) -> str:
    """A task file with everything of its own, in two files."""
    return written(tmp_path / "mine", WHOLE, "whole.py", network=NETWORK)


@pytest.fixture
def run(whole: str, tiny_model: Path, tmp_path: Path) -> weitiao.Run:
    """A finished run of it."""
    data = write_csv(tmp_path / "rows.csv", ROWS)
    return weitiao.train(str(data), task=whole, model=str(tiny_model), out=str(tmp_path / "run"), **QUICK)


def test_everything_of_its_own_trains_and_is_kept(run: weitiao.Run, whole: str) -> None:
    record = run.record
    assert (record["task"], record["task_file"]["name"]) == ("whole", "whole.py")
    assert record["task_file"]["sha256"] == task_files.read(Path(whole)).sums
    assert record["settings"]["task"] == "task/whole.py"  # never a path of this machine
    assert {file.name for file in (run.path / "task").iterdir()} == {"whole.py", "network.py"}
    assert run.metrics["worst_recall"] == record["evaluation"]["metrics"]["worst_recall"]
    assert record["evaluation"]["headline"] == record["training"]["best"]["metric"] == "worst_recall"
    assert sys.modules[type(run.task).__module__].Loss.calls > 0
    assert run.predictor().backend.loaded.network.mlp[0].out_features == 16
    assert (run.path / "model" / own_network.LAYERS_FILE).is_file()
    assert not [file.name for file in (run.path / "model").iterdir() if file.suffix in (".bin", ".pt", ".pkl")]
    # Own reading happens in use as in training.
    assert run.predict(["a lovely day"]) == run.predict(["a great day"])
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert "`task/whole.py`" in card and "--trust-task" in card and "pipeline(" not in card
    assert "Own reading, network, loss and metric." in card


def test_padding_is_taken_out_of_an_own_network_too(run: weitiao.Run) -> None:
    assert "padding-free" in run.record["training"]["path"]


def test_a_fresh_process_gives_the_same_answers_from_the_run_alone(run: weitiao.Run, whole: str, state: Path) -> None:
    shutil.rmtree(Path(whole).parent)
    before = run.predict(["a lovely day", "an awful day"])
    code = f"import json, weitiao; print(json.dumps(weitiao.load({str(run.path)!r}).predict(['a lovely day', 'an awful day'])))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for one, other in zip(before, json.loads(done.stdout), strict=True):
        assert one["label"] == other["label"] and abs(one["score"] - other["score"]) < 1e-5


def test_a_run_from_elsewhere_needs_to_be_trusted(run: weitiao.Run, elsewhere: Callable[[], None]) -> None:
    elsewhere()
    with pytest.raises(RunError) as caught:
        weitiao.load(run.path)
    assert str(run.path / "task" / "network.py") in str(caught.value)
    assert run.record["task_file"]["sha256"]["network.py"] in str(caught.value)
    assert "--trust-task" in str(caught.value) and "trust_task=True" in str(caught.value)
    assert weitiao.load(run.path, trust_task=True).predict(["a day"])


def test_only_the_report_of_an_untrusted_run_does_without(run: weitiao.Run, elsewhere: Callable[[], None]) -> None:
    from weitiao import report

    elsewhere()
    report.write_report(run.folder)
    assert not [name for name in sys.modules if name.startswith("weitiao_task_")]


@pytest.mark.parametrize("change", ["content", "missing", "name", "escape", "shape"])
def test_what_is_not_as_recorded_is_refused(run: weitiao.Run, change: str, tmp_path: Path) -> None:
    record = run.record
    if change == "content":
        (run.path / "task" / "network.py").write_text(NETWORK + "\n", encoding="utf-8")
    elif change == "missing":
        (run.path / "task" / "network.py").unlink()
    elif change == "name":
        run.folder.update(task_file={**record["task_file"], "name": "other.py"})
    elif change == "escape":
        sums = record["task_file"]["sha256"]
        shutil.copy(run.path / "task" / "whole.py", tmp_path / "out.py")
        run.folder.update(task_file={"name": "../../out.py", "sha256": {"../../out.py": sums["whole.py"]}})
    else:
        run.folder.update(task_file="whole.py")
    for trusted in (False, True):
        with pytest.raises(RunError):
            weitiao.load(run.path, trust_task=trusted)


def test_a_record_cannot_name_a_file_elsewhere(run: weitiao.Run, tmp_path: Path) -> None:
    written(tmp_path, "raise RuntimeError('run')\n", "evil.py")
    record = run.record
    del record["task_file"]
    run.folder.record_file.write_text(json.dumps({**record, "task": str(tmp_path / "evil.py")}), encoding="utf-8")
    with pytest.raises(UsageError, match="There is no task"):
        weitiao.load(run.path)


def test_an_interrupted_run_goes_on_with_the_file_that_it_kept(run: weitiao.Run, whole: str, elsewhere: Callable[[], None]) -> None:
    run.folder.update(status="interrupted")
    run.folder.checkpoints.mkdir()
    Path(whole).write_text("raise RuntimeError('changed since')\n", encoding="utf-8")
    elsewhere()
    with pytest.raises(RunError, match="--trust-task"):
        weitiao.resume(run.path)
    again = weitiao.resume(run.path, trust_task=True)
    assert again.record["status"] == "finished"
    assert again.predict(["a day"]) and weitiao.load(run.path)  # whoever trains with a file trusts it


def test_it_works_on_the_command_line(
    command: Command, whole: str, tiny_model: Path, tmp_path: Path, elsewhere: Callable[[], None]
) -> None:
    data, out = str(write_csv(tmp_path / "rows.csv", ROWS)), str(tmp_path / "cli")
    quick = ["--model", str(tiny_model), "--epochs", "1", "--max-length", "32", "--threads", "1", "--lr", "3e-3"]
    assert command("check", data, "--task", whole, "--offline").code == 0
    trained = command("train", data, "--task", whole, *quick, "--width", "24", "--shout", "--out", out, "--json")
    assert trained.code == 0, trained.err
    assert (trained.json["settings"]["width"], trained.json["settings"]["shout"]) == (24, True)
    assert command("predict", out, "a lovely day", "--json").json["predictions"][0]["label"] in ("good", "bad")
    assert command("evaluate", out, data, "--json").json["metrics"]["worst_recall"] >= 0
    assert command("report", out).code == 0
    assert command("predict", f"{out}/model", "a day", "--task", whole, "--json").code == 0
    wrong = command("train", data, "--task", whole, "--width", "0", *quick, "--out", out + "2")
    assert (wrong.code, "--width is 0" in wrong.err) == (2, True)

    elsewhere()
    for words in (["predict", out, "a day"], ["evaluate", out, data], ["report", out], ["train", data, "--config", f"{out}/run.json"]):
        refused = command(*words)
        assert refused.code in (2, 7), words
        assert "sha256" in refused.err
    believed = command("predict", out, "a day", "--trust-task")
    assert believed.code == 0, believed.err
    assert f"weitiao predict {out} --trust-task --file DATA" in believed.err
    again = command("train", data, "--config", f"{out}/run.json", "--trust-task", "--out", out + "3", "--quiet")
    assert again.code == 0, again.err


def test_a_mistake_in_the_file_is_told_with_its_line_and_is_no_bug_of_ours(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    text = PLAIN.replace('summary = "A label."', 'summary = "A label."\n    def prepare(self, record):\n        return record["txet"]')
    path = written(tmp_path, text)
    data = str(write_csv(tmp_path / "rows.csv", ROWS))
    outcome = command("train", data, "--task", path, "--model", str(tiny_model), "--out", str(tmp_path / "run"))
    assert outcome.code == 2
    assert "mine.py, line 8: KeyError" in outcome.err and "bug in weitiao" not in outcome.err


@pytest.mark.parametrize(
    ("figure", "says"), [("float('nan')", "finite number"), ("'high'", "finite number"), (None, "does not give; it gives: accuracy")]
)
def test_a_metric_must_be_a_number(tiny_model: Path, tmp_path: Path, figure: str | None, says: str) -> None:
    text = PLAIN.replace(
        'summary = "A label."',
        'summary = "A label."\n    def score(self, predictions, records, spec):\n'
        f'        return {{"metrics": {{"accuracy": 1.0{f", chr(102) + str(1): {figure}" if figure else ""}}}}}\n'
        + ('    from weitiao.tasks.base import Headline\n    headline = Headline("accuracy", "max")' if figure else ""),
    )
    data = write_csv(tmp_path / "rows.csv", ROWS)
    with pytest.raises(UsageError, match=says):
        weitiao.train(str(data), task=written(tmp_path, text), model=str(tiny_model), out=str(tmp_path / "run"), **QUICK)


def test_a_transformers_class_of_ones_own_will_do_as_well(tiny_model: Path, tmp_path: Path) -> None:
    text = """
from torch import nn
from transformers import BertModel, BertPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from weitiao.tasks.base import Head
from weitiao.tasks.text_classification import TextClassification


class Last(BertPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.bert = BertModel(config, add_pooling_layer=False)
        self.out = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, **inputs):
        return SequenceClassifierOutput(logits=self.out(self.bert(**inputs).last_hidden_state[:, 0]))


class Mine(TextClassification):
    name = "mine"
    summary = "A label."

    def head(self, spec):
        return Head((Last,), "classification")


task = Mine()
"""
    data = write_csv(tmp_path / "rows.csv", ROWS)
    run = weitiao.train(str(data), task=written(tmp_path, text), model=str(tiny_model), out=str(tmp_path / "run"), **QUICK)
    assert weitiao.load(run.path).predict(["a day"]) == run.predict(["a day"])


def test_an_objective_that_is_none_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    text = PLAIN.replace(
        'summary = "A label."',
        'summary = "A label."\n    def head(self, spec):\n        return super().head(spec)._replace(objective=dict)',
    )
    data = write_csv(tmp_path / "rows.csv", ROWS)
    with pytest.raises(UsageError, match=r"dict is not made from weitiao\.engine\.objectives\.Objective"):
        weitiao.train(str(data), task=written(tmp_path, text), model=str(tiny_model), out=str(tmp_path / "run"), **QUICK)


def test_damaged_layers_are_a_model_error(run: weitiao.Run) -> None:
    (run.path / "model" / own_network.LAYERS_FILE).write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=own_network.LAYERS_FILE):
        weitiao.load(run.path).predict(["a day"])


def test_its_layers_are_shown_and_travel_in_a_bundle(run: weitiao.Run, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEITIAO_HOME", str(tmp_path / "home"))
    inside, mlp = look_into(str(run.path)), run.predictor().backend.loaded.network.mlp
    heads = [block["parameters"] for block in inside["blocks"] if block["block"] == "head"]
    assert heads == [sum(parameter.numel() for parameter in mlp.parameters())]
    hub.fetch(str(run.path / "model"), bundle=tmp_path / "m.zip")
    unpacked = hub.unpack(tmp_path / "m.zip")["path"]
    texts = ["a lovely day", "an awful day"]
    assert weitiao.load(unpacked, task=whole).predict(texts) == weitiao.load(run.path / "model", task=whole).predict(texts)


def test_layers_of_another_shape_start_anew(run: weitiao.Run, whole: str, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "three.csv", [*ROWS, *((text, "fine") for text, _label in sentences(40, seed=3))])
    further = weitiao.train(str(data), task=whole, model=str(run.path / "model"), out=str(tmp_path / "further"), **QUICK)
    assert set(further.predict(["a day"])[0]["probabilities"]) == {"good", "bad", "fine"}


def test_the_record_of_a_run_is_a_config_whose_task_is_the_kept_one(run: weitiao.Run, whole: str) -> None:
    shutil.rmtree(Path(whole).parent)
    values = config.read_config(run.folder.record_file)
    assert Path(values["task"]) == run.path / "task" / "whole.py"
    assert tasks.recipe(values).task.width == 16


def test_loading_runs_nothing_on_the_disk(run: weitiao.Run) -> None:
    assert not list((run.path / "task").rglob("__pycache__"))


def test_a_percentage_of_a_figure_of_its_own_is_one_of_one(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    """Its BLEU goes from 0 to 1, whatever others' does."""
    scoring = PLAIN.replace(
        '    summary = "A label."\n',
        '    summary = "A label."\n\n    def score(self, *given):\n'
        "        found = super().score(*given)\n        return {**found, 'metrics': {**found['metrics'], 'bleu': 0.4}}\n",
    )
    data, out = str(write_csv(tmp_path / "rows.csv", ROWS)), str(tmp_path / "run")
    weitiao.train(data, task=written(tmp_path / "mine", scoring), model=str(tiny_model), out=out, **QUICK)
    assert command("evaluate", out, data, "--at-least", "bleu=30%").code == 0
    missed = command("evaluate", out, data, "--at-least", "bleu=50%")
    assert missed.code == 8 and "0.5 at least" in missed.err
    assert command("evaluate", "nowhere", data, "--at-least", "much").code == 2
