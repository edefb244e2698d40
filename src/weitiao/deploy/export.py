"""A finished run as something else that can be deployed, with proof that it answers the same. It knows no task by name.

An export is a folder like a run: the model, the spec, the task and the card, and the hash of every file, so that whatever reads a run reads
it too.
"""

import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from weitiao import report, tasks
from weitiao.config import nearest
from weitiao.data.records import Records
from weitiao.deploy import conversion, costs, gate, torch_free, writing
from weitiao.errors import GateError, RunError, UsageError
from weitiao.forms import CONTAINER, FORMS, TARGETS, Form
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder, atomic
from weitiao.tasks.base import Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

DROPPED = ("tensorflow", "tf", "jax", "flax")
FASTER = 1.2  # times that int8 must be


def export(
    name: str | Path,
    to: str,
    out: str | Path,
    *,
    overwrite: bool = False,
    allow_lossy: bool = False,
    observer: Observer = SILENT,
    trust_task: bool = False,
    offline: bool = False,
    trust_remote_code: str = "",
) -> dict[str, Any]:
    """Write a run's model in another form.

    Args:
        name: a finished run's folder.
        to: "merged": one plain model of the base and its adapter, which needs neither PEFT nor the base. "onnx": a graph that onnxruntime
            computes, without torch. "ctranslate2": what CTranslate2 writes answers with, without torch, for models that write.
            "onnx-int8", "ctranslate2-int8": the same with small whole numbers for weights. "docker": a folder from which a container image
            of the HTTP service is built, see ``container``.
        out: a folder that is not there yet, or an earlier export or run with ``overwrite``.
        allow_lossy: write it although it does not quite answer as the run does, or int8 is no gain.
        trust_task: let the run's own task file run, although it was never named on this machine.
        offline: open no socket for an adapter's base.
        trust_remote_code: the one repository whose Python code may run.

    Returns:
        {"out", "to", "bytes", "against", and what ``gate.parity`` and ``gate.speeds`` found}. "against" is what it was compared with:
        "run"; or "dequantised", the run's adapter beside its base's quantised weights, read as ordinary numbers.

    Raises:
        UsageError: no such form.
        RunError: the run is not finished, or is an export already; or ``out`` is taken.
        ModelError: this model has no such form; the message says why.
        GateError: it does not answer as the run does; nothing is left behind.
    """
    if to not in TARGETS:
        dropped = " " + _("transformers has dropped TensorFlow and Jax.") if to.lower() in DROPPED else ""
        message = _('There is no export "{to}"; there are: {targets}.').format(to=to, targets=_(", ").join(TARGETS))
        raise UsageError(message + (dropped or nearest(to, list(TARGETS))))
    if to == CONTAINER:
        from weitiao.deploy.container.folder import write_folder

        ways: dict[str, Any] = {"offline": offline, "trust_remote_code": trust_remote_code, "trust_task": trust_task}
        inner = partial(export, allow_lossy=allow_lossy, observer=observer, **ways)
        return write_folder(name, out, inner, overwrite=overwrite, observer=observer, trust_task=trust_task)
    run, target = RunFolder.open(name), RunFolder(out)
    record = run.record()
    if record.get("status") != "finished":
        raise RunError(_("{path} is not finished. Go on with: weitiao train --resume {path}").format(path=name))
    record.pop("published", None)  # what is written here stands nowhere yet, and its model not where a published one does
    from weitiao.deploy.runtime import is_torch_free

    if is_torch_free(record):
        raise RunError(_("{path} is an export already, without the weights to make another from. Export the run.").format(path=name))
    target.check_free(overwrite=overwrite)
    task = tasks.of_run(record, run.task, trust_task=trust_task)
    job = _Job(run, task, record, {"offline": offline, "trust_remote_code": trust_remote_code}, _bits(run), observer)
    with atomic(target.path) as temporary:
        made = RunFolder(temporary)
        temporary.mkdir(parents=True)
        if task.origin is not None:
            made.keep_task_file(task.origin.name, task.origin.files)
        for file in run.kept_files():
            shutil.copy2(file, temporary / file.name)
        form = FORMS[to]
        proof, graph = _torch_free(job, made, form) if form.reader else _merged(job, made)
        problem = _problem(task, form, proof)
        if problem and not (allow_lossy and math.isfinite(proof["difference"])):  # what is no number is no answer
            message = _(
                "{problem} Nothing was written. Take it all the same with --allow-lossy, or use the run: weitiao predict {path} TEXT"
            )
            raise GateError(message.format(problem=problem, path=name))
        proof |= {"bytes": made.model_bytes, "against": "dequantised" if job.bits else "run"}
        told = {"to": to, "from": record.get("name"), **proof}
        told |= {name: value for name, value in {"graph": graph, "lossy": problem}.items() if value}
        made.update(**{**record, "name": target.path.name, "model_bytes": proof["bytes"], "export": told})
        report.write_card(made)  # by the record, which says that this is an export and no adapter
        made.update(export={**told, "sha256": made.hashes()})
    _tell(task, form, proof, problem, job.bits, observer)
    return {"out": str(out), "to": to, **proof}


@dataclass(frozen=True)
class _Job:
    """What is exported.

    Attributes:
        how: where an adapter's base may be had from.
        bits: how many bits that base is kept in; 0 where it is not quantised.
        observer: is told what is done.
    """

    run: RunFolder
    task: Task
    record: dict[str, Any]
    how: dict[str, Any] = field(default_factory=dict)
    bits: int = 0
    observer: Observer = SILENT

    @property
    def seed(self) -> int:
        """Of the training; what is drawn later starts from it, too."""
        return int(self.record["settings"]["seed"])

    def predictor(self, **kind: Any) -> "Predictor":
        """The run's model, see ``load_finished``."""
        from weitiao.engine.finished import load_finished

        return load_finished(self.task, self.record["spec"], self.run, **kind, **self.how)

    def trained(self) -> "Predictor":
        """What an export must answer like. What bitsandbytes computes with quantised weights is no measure for one: in 8 bits it rounds
        what goes into a layer as well, and in 4 bits, on some processors, the products.
        """
        return self.predictor(merged=False, dequantised=True)


def _merged(job: _Job, made: RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    from weitiao.engine.finished import load_finished, save_finished

    job.observer.note(_("Writing the whole model, and reading it again to compare it with the run."))
    merged, trained = job.predictor(merged=True), job.trained()
    save_finished(job.task, job.record["spec"], merged.backend.loaded, made.model, merged.max_length)  # type: ignore[attr-defined]
    made.update(**job.record)
    # What stands on the disk is judged, not what was in memory: saving is part of what can go wrong.
    saved = load_finished(job.task, job.record["spec"], made, **job.how)
    _bring_together(saved, trained)
    records, _held = gate.held_out(job.run, job.task, gate.PROBES)
    return gate.outputs_apart(trained, saved, records), {}


class _Writer(NamedTuple):
    """How a run is written for a library that answers without torch.

    Attributes:
        check: raises ModelError for a task that it does not answer.
        require: raises MissingPackage where what writes it is not installed.
        write: writes the model folder in ordinary numbers, and gives what must be known of it.
        quantise: makes small whole numbers of them, by what is known of it.
        finish: does what is left to do with what is written.
    """

    check: Callable[[Task], None]
    require: Callable[[], None]
    write: "Callable[[_Job, Predictor, Records, RunFolder], dict[str, Any]]"
    quantise: "Callable[[_Job, Predictor, dict[str, Any], RunFolder], dict[str, Any]]"
    finish: Callable[[dict[str, Any], RunFolder], dict[str, Any]]


def _quantised_graph(job: _Job, traced: "Predictor", graph: dict[str, Any], made: RunFolder) -> dict[str, Any]:
    from weitiao.deploy.int8 import quantise

    return quantise(graph, made.graph)


def _optimised_graph(graph: dict[str, Any], made: RunFolder) -> dict[str, Any]:
    from weitiao.deploy.runtime import optimise

    return {**graph, "optimised": optimise(made.graph)}


# By the library that answers, see ``forms.Form``.
WRITERS = {
    "onnx": _Writer(
        torch_free.check_offered,
        torch_free.require_onnx,
        lambda job, traced, records, made: torch_free.write_torch_free(traced, records, made),
        _quantised_graph,
        _optimised_graph,
    ),
    "ctranslate2": _Writer(
        conversion.check_writes,
        writing.require_ctranslate2,
        lambda job, traced, records, made: conversion.write(traced, made, job.seed),
        lambda job, traced, graph, made: conversion.write(traced, made, job.seed, quantised=True),
        lambda graph, made: graph,
    ),
}


_WRITING = {
    "onnx": lambda: _("Writing the model as an ONNX graph."),
    "ctranslate2": lambda: _("Converting the model for CTranslate2."),
}


def _torch_free(job: _Job, made: RunFolder, form: Form) -> tuple[dict[str, Any], dict[str, Any]]:
    from weitiao.deploy.runtime import open_export

    writer = WRITERS[form.reader]
    writer.check(job.task)
    writer.require()
    spec, (records, held) = job.record["spec"], gate.held_out(job.run, job.task, gate.most_of(job.task))
    job.observer.note(_WRITING[form.reader]())
    traced = job.predictor(merged=True, packed=False)
    graph = writer.write(job, traced, records, made)
    trained = job.trained()
    job.observer.note(_("Asking the run and the export the same {count} records.").format(count=len(records)))
    if not form.plain:
        graph = writer.finish(graph, made)
        return _proof(job, trained, open_export(job.task, spec, made, graph), trained, records, held), graph
    with tempfile.TemporaryDirectory() as place:
        # What int8 is faster than is what it was made from.
        plain = RunFolder(place)
        shutil.copytree(made.model, plain.model)
        plainly = open_export(job.task, spec, plain, graph)
        graph = writer.finish(writer.quantise(job, traced, graph, made), made)
        return _proof(job, trained, open_export(job.task, spec, made, graph), plainly, records, held), graph


def _proof(job: _Job, trained: "Predictor", exported: "Predictor", slower: "Predictor", records: Records, held: bool) -> dict[str, Any]:
    """What sets an export apart from its run, and how much faster it is than ``slower``."""
    apart = gate.parity(trained, exported, records, held=held, observer=job.observer)
    return apart | gate.speeds(slower, exported, records, job.observer)


def _problem(task: Task, form: Form, proof: dict[str, Any]) -> str:
    """Why an export does not pass, with its figures; "" where it does."""
    if form.tolerance is not None:
        if proof["difference"] <= form.tolerance and proof.get("equal", 1.0) == 1.0:
            return ""
        message = _(
            "The export does not answer as the run does: outputs differ by up to {difference:.1e} on {rows} records, where {most:g} is "
            "allowed."
        )
        answers = " " + _("{equal:.2%} of the answers are the same.").format(**proof) if "equal" in proof else ""
        return message.format(**proof, most=form.tolerance) + answers
    if proof.get("value") is None:
        return _("Nothing shows what int8 costs: the run was measured on no rows.")
    cost = costs.judged(task, proof)
    if not cost.too_high and proof["faster"] >= FASTER:
        return ""
    message = _(
        "int8 is not worth it here: {metric} is {value:.4f} where the run has {run:.4f} ({allowed:.3f} may be lost), {equal:.1%} of {rows} "
        "answers are the same, and it is {faster:.2f} times as fast as fp32 ({least:g} are asked for)."
    )
    return " ".join((message.format(**proof, allowed=cost.allowed, least=FASTER), *(cost.said if cost.too_high else ())))


def _tell(task: Task, form: Form, proof: dict[str, Any], problem: str, bits: int, observer: Observer) -> None:
    if problem:
        observer.warn(problem)
    elif form.tolerance is None:
        for sentence in costs.judged(task, proof).said:
            observer.note(sentence)
    observer.note(_("Compared on {rows} records: outputs differ by at most {difference:.1e}.").format(**proof))
    if proof.get("drawn"):
        observer.note(_("Answers are drawn at random, others by each library; what was compared are the likeliest ones."))
    if bits:
        message = _(
            "Compared with the adapter beside the base's weights as {bits} bits hold them, read as ordinary numbers. The run itself may "
            "answer a little differently, since bitsandbytes rounds while it computes, too."
        )
        observer.note(message.format(bits=bits))


def _bits(run: RunFolder) -> int:
    """How many bits the base under a run's adapter is kept in; 0 where it is not quantised, or the run holds a whole model."""
    from weitiao.engine.model_folder import is_adapter

    settings = run.record()["settings"]
    return int(settings["quant_bits"]) if is_adapter(run.model) and settings["method"] == "qlora" else 0


def _bring_together(one: "Predictor", other: "Predictor") -> None:
    """Let one compute on the other's device: what was quantised may stand on the CPU of a machine whose GPU takes all else."""
    mine, theirs = one.backend.loaded, other.backend.loaded  # type: ignore[attr-defined]
    if mine.machine.device != theirs.machine.device:
        mine.network.to(theirs.machine.device)
        mine.machine = theirs.machine
