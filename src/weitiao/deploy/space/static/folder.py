"""Writes the folder of a static page: the page's own files, the model made small enough to be fetched, and the table of what the page must
know. It knows no task by name: what a page does in place of a task's ``encode`` and ``decode``, the task declares.
"""

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import tasks
from weitiao.deploy import gate, torch_free
from weitiao.deploy.costs import judged
from weitiao.deploy.demo.examples import chosen, language_of
from weitiao.deploy.export import export
from weitiao.deploy.runtime import OnnxBackend, is_torch_free, load_export, open_session
from weitiao.deploy.space.static import runtime
from weitiao.deploy.space.static.reading import unread
from weitiao.deploy.space.static.table import TABLE, named, table_of
from weitiao.deploy.space.static.weights import small
from weitiao.errors import ModelError
from weitiao.forms import form_of
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

PAGE = Path(__file__).parent / "page"
FORM = "onnx"
# With them browsers let a page compute in several threads; without them it does with one.
HEADERS = {
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "cross-origin",
}
_STAGES = ("encode", "decode", "prepare")


def refusal(task: Task, record: Mapping[str, Any]) -> str:
    """Why no page answers as a run does, "" where one does as far as its record says; ``hindrance`` looks at its tokenizer.

    Args:
        record: the run's.
    """
    if task.answers_by == "generate":
        return _("a model that writes its answer token by token is too large and too slow for a browser")
    if any(field.type not in ("text", "choices") for field in task.inputs):
        return _("the page takes texts, and this task takes something else")
    table = task.in_browser(record.get("spec") or {})
    if table is None:
        return _("the page does not know how {task} makes answers of a model's outputs").format(task=task.name)
    language = str((record.get("data") or {}).get("language") or "")
    if language.partition("-")[0] in table.get("not_in", ()):
        return _("its texts are in a language ({language}) that the page cannot take apart as {task} does").format(
            language=language, task=task.name
        )
    declared = _place(task, "in_browser")
    if any(_place(task, stage) < declared for stage in _STAGES):
        return _("{task} makes its answers in a way of its own, which the page does not know").format(task=task.name)
    form = form_of(record)
    if form.reader and form.name != FORM:
        message = _(
            "an export as {form} rounds what it computes, and a browser rounds it otherwise; give the run itself, or its export as {to}"
        )
        return message.format(form=form.name, to=FORM)
    return ""


def hindrance(run: RunFolder) -> str:
    """Why no page answers as a run does, "" where one does as far as its tokenizer says."""
    if not run.tokenizer.is_file():
        return _("its tokenizer has no fast backend, so nothing but transformers reads a text as it does")
    return unread(json.loads(run.tokenizer.read_bytes()))


def _place(task: Task, name: str) -> int:
    """How far from the task's own class the one stands that says what ``name`` is."""
    return next(at for at, kind in enumerate(type(task).__mro__) if name in vars(kind))


def write(
    name: str | Path,
    place: Path,
    *,
    observer: Observer = SILENT,
    trust_task: bool = False,
    offline: bool = False,
    title: str = "",
    rows: bool = True,
    **how: Any,
) -> dict[str, Any]:
    """Write the page of a run into an empty folder.

    Args:
        name: a finished run, or its export as ONNX.
        place: the folder, which is there.
        trust_task: the run's own task file may run.
        title: what the page is called; "" for the run's name.
        rows: whether rows of the run's data may be its examples.
        how: further arguments of ``export``.

    Returns:
        {"sdk": "static", "form", "weights": bits they are kept in, "files": names, "bytes": of all, "transferred": of what a visitor
        fetches, "headers": that the page should be served with, "examples": [{"record", "place": where its row stands, {} where it is
        none}], "proof": what sets the page's model apart from the run}.

    Raises:
        ModelError: no page answers as this run does; the message says why.
        MissingPackage: what runs in the browser, or what writes ONNX, is not installed.
        GateError: the export does not answer as the run does.
    """
    run = RunFolder.open(name)
    record = run.record()
    task = tasks.of_run(record, run.task, trust_task=trust_task)
    _check(task, record, name)
    runtime.files()
    torch_free.require_onnx()
    with tempfile.TemporaryDirectory() as scratch:
        if not is_torch_free(record):
            export(name, FORM, Path(scratch) / "export", observer=observer, trust_task=trust_task, offline=offline, **how)
            record = RunFolder(Path(scratch) / "export").record()
        exported = RunFolder(Path(scratch) / "export") if (Path(scratch) / "export").is_dir() else run
        tokenizer = exported.tokenizer.read_bytes()
        reason = unread(json.loads(tokenizer))
        if reason:
            raise _refused(name, reason)
        predictor = load_export(task, record["spec"], exported)
        graph, proof = _smallest(run, predictor, exported, record, Path(scratch) / "small.onnx", observer)
        packed = {"model": ("model.onnx", graph.read_bytes()), "tokenizer": ("tokenizer.json", tokenizer)}
        files = {key: _packed(place, file, content) for key, (file, content) in packed.items()}
    for file in (*PAGE.iterdir(), runtime.files() / runtime.MODULE, runtime.files() / runtime.BINARY):
        shutil.copyfile(file, place / file.name)
    shutil.copyfile(runtime.files() / runtime.LICENSE, place / "LICENSE-onnxruntime.txt")
    binary = gzip.decompress((place / runtime.BINARY).read_bytes())
    files["runtime"] = _described(runtime.BINARY, (place / runtime.BINARY).stat().st_size, binary)
    shown = chosen(task, predictor.spec, run if rows else None, language=language_of(record))
    table = table_of(title or named(record, name), task, predictor, record, files, [one.record for one in shown], proof)
    (place / TABLE).write_text(json.dumps(table, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    (place / "export.json").write_text(json.dumps({"task": task.name, "spec": predictor.spec, "graph": record["export"]["graph"]}) + "\n")
    there = sorted(file for file in place.rglob("*") if file.is_file())
    total = sum(file.stat().st_size for file in there)
    spared = sum((place / file).stat().st_size for file in ("export.json", "LICENSE-onnxruntime.txt"))
    told: dict[str, Any] = {
        "sdk": "static",
        "form": FORM,
        "weights": proof["weights"],
        "files": [file.relative_to(place).as_posix() for file in there],
    }
    told |= {"bytes": total, "transferred": total - spared, "headers": HEADERS, "proof": proof}
    return {**told, "examples": [{"record": one.record, "place": one.place} for one in shown]}


def _check(task: Task, record: Mapping[str, Any], name: str | Path) -> None:
    reason = refusal(task, record)
    if reason:
        raise _refused(name, reason)


def _refused(name: str | Path, reason: str) -> ModelError:
    message = _("{path} cannot answer in a browser: {reason}. Make a Space that answers on a server: weitiao space {path} --sdk gradio")
    return ModelError(message.format(path=name, reason=reason))


def _smallest(
    run: RunFolder, predictor: "Predictor", exported: RunFolder, record: Mapping[str, Any], out: Path, observer: Observer
) -> tuple[Path, dict[str, Any]]:
    """The graph with its weights in 8 bits where that costs next to nothing, else as it is; and what sets it apart from the run."""
    told = {key: record["export"][key] for key in ("rows", "metric", "run") if key in record["export"]}
    plain = {**told, "weights": 32, "value": record["export"].get("value"), "equal": record["export"].get("equal", 1.0)}
    if not small(exported.graph, out):
        return exported.graph, plain
    records, held = gate.held_out(run, predictor.task, gate.most_of(predictor.task))
    observer.note(_("Making the weights small, and asking the page's model what the run was asked."))
    proof = gate.parity(predictor, opened(predictor, out, record["export"]["graph"]), records, held=held, observer=observer)
    cost = judged(predictor.task, proof) if "lost" in proof else None
    if cost is None or not cost.too_high:
        return out, {**proof, "weights": 8}
    message = _("Weights in 8 bits cost {lost:.4f} of {metric}, and {allowed:.3f} is allowed: the page carries them whole.")
    observer.note(" ".join((message.format(**proof, allowed=cost.allowed), *cost.said)))
    return exported.graph, plain


def opened(predictor: "Predictor", graph: Path, facts: Mapping[str, Any]) -> "Predictor":
    """A predictor that computes with another graph of the same network."""
    return replace(predictor, backend=OnnxBackend(open_session(graph), facts["parts"], facts["padding"], facts))


def _packed(place: Path, name: str, content: bytes) -> dict[str, Any]:
    packed = gzip.compress(content, 9, mtime=0)
    (place / f"{name}.gz").write_bytes(packed)
    return _described(f"{name}.gz", len(packed), content)


def _described(path: str, size: int, content: bytes) -> dict[str, Any]:
    """{"path", "bytes": of the file, "unpacked_bytes", "sha256": of what is in it}."""
    return {"path": path, "bytes": size, "unpacked_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
