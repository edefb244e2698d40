"""Exports without torch: every family and every kind of answer as a graph, what is refused, and a process that has no torch."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.own_tasks import QUICK
from tests.tasks.contract import SMALL, TRAINABLE, asked, assert_close, records_of
from weitiao import tasks
from weitiao.deploy import export as exporting
from weitiao.deploy import gate, int8, torch_free
from weitiao.deploy.export import export
from weitiao.deploy.runtime import load_export, open_export
from weitiao.deploy.torch_free import write_torch_free
from weitiao.engine.architectures import ARCHITECTURES
from weitiao.engine.blank import write_blank
from weitiao.engine.devices import Machine
from weitiao.engine.models import class_for, load_model
from weitiao.engine.prediction import Predictor, predictor_for
from weitiao.errors import GateError, ModelError, RunError, UsageError
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

pytest.importorskip("onnx")
ANSWERING = [task for task in TRAINABLE if task.answers_by == "logits"]
ENCODERS = ("bert", "roberta", "electra", "albert", "distilbert", "deberta-v2", "modernbert", "xlm-roberta")
# Every kind of answer with one family, every family with one kind of answer, and models that also write.
PAIRS = [
    *((task.name, "clip" if task.name.startswith("image") else "bert") for task in ANSWERING),
    *(("token-classification", family) for family in ENCODERS[1:]),
    ("text-classification", "t5"),
    ("text-classification", "bart"),
    ("text-classification", "qwen3"),
    ("feature-extraction", "gpt2"),
]


def blank(task: Task, family: str, place: Path) -> Predictor:
    """An untrained model of a family under a task, as it is traced."""
    records = records_of(task)
    write_blank(place, ARCHITECTURES[family], list(task.texts(records)), seed=1, size=SMALL)
    spec = task.learn(records, tasks.settings_of(task)())
    head = task.head(spec)
    class_for(place, head.classes)
    loaded = load_model(place, head.classes, task.model_config(spec), Machine("cpu", "fp32", 1), packed=False)
    return predictor_for(task, task.fit(spec, loaded.processor), loaded, min(task.max_length, loaded.limit or task.max_length))


@pytest.mark.parametrize(("name", "family"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_a_graph_answers_as_the_network_does_alone_and_among_others(name: str, family: str, tmp_path: Path) -> None:
    task = tasks.get(name)
    traced, made = blank(task, family, tmp_path / "base"), RunFolder(tmp_path / "export")
    graph = write_torch_free(traced, records_of(task), made)
    exported = open_export(task, traced.spec, made, json.loads(json.dumps(graph)))
    wanted = list(traced.predict(asked(task)))
    assert_close(wanted, list(exported.predict(asked(task))), where=family)
    assert_close(wanted, [next(exported.predict([record])) for record in asked(task)], where=family)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    folder = tmp_path_factory.mktemp("run")
    data = write_csv(folder / "reviews.csv", list(sentences(120)))
    base = make_model(folder / "base", hidden_size=64, intermediate_size=256)
    return weitiao.train(str(data), model=str(base), out=str(folder / "run"), **{**QUICK, "epochs": 4, "lr": 3e-3})


@pytest.fixture(scope="module")
def onnx(run: weitiao.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's export; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("onnx") / "export"
    made = export(run.path, "onnx", out)
    assert made["difference"] <= 1e-4 and made["equal"] == 1.0 and made["rows"] == 12
    assert made["metric"] == "f1_macro" and made["value"] == made["run"] and len(made["interval"]) == 2
    return out


@pytest.fixture
def copy(onnx: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(onnx, tmp_path / "copy"))


def test_an_export_is_used_like_a_run(run: weitiao.Run, onnx: Path) -> None:
    texts = [text for text, _label in sentences(30, seed=5)]
    made = weitiao.load(onnx)
    assert_close(run.predict(texts), made.predict(texts))
    held = weitiao.load(run.path).evaluate(str(run.path.parent / "reviews.csv"))
    assert_close(held["metrics"], made.evaluate(str(run.path.parent / "reviews.csv"))["metrics"])
    mine, theirs = run.explain(texts[0]), made.explain(texts[0])
    assert_close(mine["decode"]["answer"], theirs["decode"]["answer"])
    assert mine["encode"] == theirs["encode"] and mine["decode"]["labels"] == theirs["decode"]["labels"]
    assert theirs["forward"]["network"] == mine["forward"]["network"] and theirs["forward"]["calls"] == 1
    assert theirs["forward"]["inputs"] and theirs["forward"]["outputs"][0]["shape"] == [1, 2]
    assert_close(mine["influence"], theirs["influence"])


def test_an_export_is_evaluated_without_what_baselines_need(run: weitiao.Run, onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = str(run.path.parent / "reviews.csv")
    assert weitiao.load(onnx).evaluate(data)["baselines"]
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    assert not weitiao.load(onnx).evaluate(data)["baselines"]


def test_what_stands_in_the_folder(run: weitiao.Run, onnx: Path) -> None:
    record = json.loads((onnx / "run.json").read_text())
    assert {"model/model.onnx", "model/tokenizer.json", "model/config.json", "README.md"} <= record["export"]["sha256"].keys()
    assert record["export"]["equal"] == 1.0 and record["export"]["rows_per_s"] > 0
    assert not list(onnx.rglob("*.safetensors"))
    card = (onnx / "README.md").read_text()
    assert "onnxruntime" in card and "AutoModel" not in card and "pipeline(" not in card and "f1_macro" in card
    for file in ("run.json", "README.md", "model/config.json"):
        assert str(run.path.parent) not in (onnx / file).read_text() or file == "run.json"


def test_neither_torch_nor_transformers_is_imported(onnx: Path, tmp_path: Path) -> None:
    data = write_csv(tmp_path / "more.csv", list(sentences(20, seed=9)))
    out = str(tmp_path / "out.csv")
    verbs = [
        ["predict", str(onnx), "a lovely day"],
        ["evaluate", str(onnx), str(data)],
        ["explain", str(onnx), "a sad day"],
        ["predict", str(onnx), "--file", str(data), "--out", out],
    ]
    code = f"""
import sys
from weitiao.cli import run
for words in {verbs!r}:
    assert run(words) == 0, words
    assert not {{"torch", "transformers", "accelerate", "peft", "safetensors", "onnx"}} & sys.modules.keys(), words
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_plain_answer_needs_no_parser(run: weitiao.Run, onnx: Path) -> None:
    code = f"""
import sys
from weitiao.cli import run
assert run(["predict", {str(onnx)!r}, "a lovely day", "--json"]) == 0
others = {{"typer", "pydantic", "pyarrow", "jinja2", "huggingface_hub", "concurrent.futures", "subprocess", "rich.progress"}}
ours = {{"tasks.question_answering", "metrics", "baselines", "data.columns", "engine.devices", "cli.figures", "progress"}}
print(sorted((others | {{"weitiao." + name for name in ours}}) & sys.modules.keys()))
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()
    assert_close(json.loads(said[0])["predictions"], run.predict(["a lovely day"]))
    assert said[1] == "[]"


def test_the_command(run: weitiao.Run, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    out = str(tmp_path / "export")
    done = command("export", str(run.path), "--to", "onnx", "--out", out)
    assert done.code == 0 and "same answers  100%" in done.out and "f1_macro" in done.out and "rows/s" in done.out
    (answer,) = run.predict(["a lovely day"])
    assert answer["label"] in command("predict", out, "a lovely day").out
    assert command("predict", out, "a lovely day", "--quiet").out == f"{answer['label']}\n"
    empty = command("predict", out, " ")
    assert empty.code == 2 and "no text" in empty.err
    beside = command("predict", out, "a lovely day", "--task", "ner")
    assert beside.code != 0
    again = command("export", out, "--to", "onnx", "--out", str(tmp_path / "again"))
    assert again.code == 7 and "is an export already" in again.err


def other_tokenizer(folder: Path) -> None:
    (folder / "model" / "tokenizer.json").write_text((folder / "model" / "tokenizer.json").read_text().replace("lovely", "lovelier"))


def other_weights(folder: Path) -> None:
    content = bytearray((folder / "model" / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model" / "model.onnx").write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (other_tokenizer, "model/tokenizer.json is not what was exported"),
        (other_weights, "model/model.onnx is not what was exported"),
        (lambda folder: (folder / "model" / "model.onnx").unlink(), "model/model.onnx is not there"),
        (lambda folder: (folder / "model" / "config.json").unlink(), "model/config.json is not there"),
        (lambda folder: (folder / "model" / "other.onnx").write_bytes(b""), "model/other.onnx does not belong there"),
    ],
)
def test_a_swapped_file_is_refused(damage: Callable[[Path], None], said: str, copy: Path, command: Callable[..., Outcome]) -> None:
    damage(copy)
    with pytest.raises(RunError, match=said):
        weitiao.load(copy).predict(["a lovely day"])
    assert command("predict", str(copy), "a lovely day").code == 7


def test_a_card_that_is_written_again_spoils_nothing(copy: Path) -> None:
    (copy / "README.md").write_text("mine")
    assert weitiao.load(copy).predict(["a lovely day"])[0]["label"] in ("good", "bad")


def test_a_graph_that_cannot_be_read_is_named(onnx: Path, run: weitiao.Run, copy: Path) -> None:
    record = RunFolder(copy).record()
    (copy / "model" / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(RunError, match="cannot be read"):
        open_export(run.task, run.spec, RunFolder(copy), record["export"]["graph"])


@pytest.mark.parametrize("part", ["graph", "sha256"])
def test_a_record_that_lacks_something_is_named(part: str, copy: Path, command: Callable[..., Outcome]) -> None:
    record = RunFolder(copy).record()
    del record["export"][part]
    RunFolder(copy).update(export=record["export"])
    refused = command("predict", str(copy), "a lovely day")
    assert refused.code == 7 and str(copy) in refused.err


def test_a_run_without_weights_has_no_export(run: weitiao.Run, tmp_path: Path) -> None:
    gone = Path(shutil.copytree(run.path, tmp_path / "gone"))
    (gone / "model" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights"):
        export(gone, "onnx", tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_an_export_that_answers_otherwise_is_refused(
    run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Outcome]
) -> None:
    monkeypatch.setitem(exporting.FORMS, "onnx", replace(exporting.FORMS["onnx"], tolerance=1e-12))
    words = ("export", str(run.path), "--to", "onnx", "--out", str(tmp_path / "export"))
    refused = command(*words)
    assert refused.code == 8 and "1e-12 is allowed" in refused.err and "100.00% of the answers" in refused.err
    assert not (tmp_path / "export").exists()
    taken = command(*words, "--allow-lossy")
    assert taken.code == 0 and "outputs differ" in taken.err
    assert "outputs differ" in RunFolder(tmp_path / "export").record()["export"]["lossy"]
    assert "1e-12 is allowed" in (tmp_path / "export" / "README.md").read_text()


def test_a_model_that_writes_has_no_graph(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(run.task), "answers_by", "generate")
    with pytest.raises(ModelError, match="token by token"):
        export(run.path, "onnx", tmp_path / "export")


def test_what_cannot_be_traced_is_named_with_its_reason(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import BertForSequenceClassification

    def refuses(*given: Any, **named: Any) -> Any:
        raise ValueError("no tracing of me")

    before = BertForSequenceClassification.forward

    def forward(self: Any, *given: Any, **named: Any) -> Any:
        import torch

        return refuses() if torch.jit.is_tracing() else before(self, *given, **named)

    monkeypatch.setattr(BertForSequenceClassification, "forward", forward)
    with pytest.raises(ModelError, match="bert with this head cannot be written as ONNX: no tracing of me"):
        export(run.path, "onnx", tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_a_tokenizer_without_a_fast_backend_is_refused(run: weitiao.Run, tmp_path: Path) -> None:
    predictor = run.predictor()
    with pytest.raises(ModelError, match="no fast backend"):
        write_torch_free(replace(predictor, processor=object()), records_of(run.task), RunFolder(tmp_path))  # type: ignore[arg-type]


# int8


def test_int8_is_a_quarter_and_answers_alone_as_among_others(run: weitiao.Run, onnx: Path, tmp_path: Path) -> None:
    made = export(run.path, "onnx-int8", tmp_path / "export", allow_lossy=True)  # a tiny model is no faster
    assert made["difference"] < 0.2 and made["equal"] >= 0.9 and made["faster"] > 0
    exported = load_export(run.task, run.spec, RunFolder(tmp_path / "export"))
    assert exported.backend.about()["precision"] == "int8"  # type: ignore[attr-defined]
    features = [exported.encode({"text": text})[0] for text, _label in sentences(40, seed=3)]
    alone = [exported.backend.run([one])[0]["logits"] for one in features]
    together = [answers["logits"] for answers in exported.backend.run(features)]
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_int8_weights_have_seven_bits_and_a_scale_an_output(tmp_path: Path) -> None:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    weight, table = draw.normal(size=(64, 32)).astype(np.float32), draw.normal(size=(300, 64)).astype(np.float32)
    weight[:, 3] *= 100  # an output of another size costs the others nothing
    nodes = [helper.make_node("Gather", ["table", "ids"], ["x"]), helper.make_node("MatMul", ["x", "weight"], ["y"])]
    ends = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["rows", "length"]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    tensors = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(table, "table")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(tmp_path / "model.onnx"))
    before = (tmp_path / "model.onnx").stat().st_size
    int8.quantise({}, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").stat().st_size < 0.35 * before
    kept = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(tmp_path / "model.onnx")).graph.initializer}
    assert np.abs(kept["weight.int8"]).max() == int8.WEIGHT and kept["weight.scales"].shape == (32,)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    ids = draw.integers(300, size=(3, 5))
    (got,) = session.run(None, {"ids": ids})
    wanted = table[ids] @ weight
    size = np.abs(wanted).max(axis=(0, 1))
    assert (np.abs(got - wanted).max(axis=(0, 1)) / size).max() < 0.03
    (one,) = session.run(None, {"ids": ids[:1, :2]})
    np.testing.assert_allclose(one, got[:1, :2], rtol=1e-5, atol=1e-4)


def test_int8_that_is_no_gain_is_refused(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "FASTER", 1000.0)
    with pytest.raises(GateError, match=r"times as fast as fp32 .1000 are asked for.*--allow-lossy"):
        export(run.path, "onnx-int8", tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_int8_without_held_out_rows_is_refused(run: weitiao.Run, tmp_path: Path) -> None:
    unmeasured = Path(shutil.copytree(run.path, tmp_path / "unmeasured"))
    (unmeasured / "predictions.jsonl").unlink()
    with pytest.raises(GateError, match="measured on no rows"):
        export(unmeasured, "onnx-int8", tmp_path / "export")
    made = export(unmeasured, "onnx", tmp_path / "export")
    assert made["rows"] == 1 and "metric" not in made


def test_without_onnx_the_command_that_installs_it_is_named(run: weitiao.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_free, "find_spec", lambda name: None)
    for to in ("onnx", "onnx-int8"):
        with pytest.raises(UsageError, match=r'pip install "weitiao\[export\]"'):
            export(run.path, to, tmp_path / "export")


def test_a_form_that_there_is_not_is_answered_with_the_nearest(run: weitiao.Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'no export "onxx"; there are: .*docker\. Did you mean "onnx"\?'):
        export(run.path, "onxx", tmp_path / "export")


@pytest.mark.parametrize("to", ["tensorflow", "jax"])
def test_what_transformers_has_dropped_is_said(to: str, run: weitiao.Run, tmp_path: Path) -> None:
    there = "merged, onnx, onnx-int8, ctranslate2, ctranslate2-int8, docker"
    with pytest.raises(UsageError, match=f'no export "{to}"; there are: {there}. transformers has dropped'):
        export(run.path, to, tmp_path / "export")


# The gate


def test_a_label_that_changes_and_a_score_that_changes() -> None:
    assert gate.same({"spans": '[{"text": "a", "score": 0.25}]'}, {"spans": '[{"text": "a", "score": 0.5}]'})
    assert not gate.same({"spans": '[{"text": "a"}]'}, {"spans": '[{"text": "b"}]'})
    assert not gate.same({"labels": '["a"]'}, {"labels": '["a", "b"]'})
    assert gate.same({"value": 1.5}, {"value": 1.25})
    assert gate.same({"answer": "[no json"}, {"answer": "[no json"})


def test_a_processor_that_reads_otherwise_differs_without_end(run: weitiao.Run, onnx: Path) -> None:
    exported = weitiao.load(onnx).predictor()
    records, held = gate.held_out(run.folder, run.task)
    assert held
    exported.processor.tokenizer.normalizer = None  # type: ignore[attr-defined]
    upper = records.select([0])
    upper.columns["text"][0] = upper.columns["text"][0].upper()
    assert gate.parity(run.predictor(), exported, upper, held=False)["difference"] == float("inf")
