"""The HTML report: gathers what a run's folder holds, has it drawn, and writes one file that needs nothing else. A part that the run lacks
does not appear. Knows no concrete task.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from weitiao import asking
from weitiao.config import ADAPTED
from weitiao.fields import Field
from weitiao.messages import _
from weitiao.metrics import standing
from weitiao.pretraining_settings import MEASURED, in_force
from weitiao.report import advice, charts, held_out, learning, results
from weitiao.report.rendering import render
from weitiao.runs import RunFolder, write_text
from weitiao.tasks.base import Task

_ENTRIES = 8  # of each kind in the ledger
_KINDS = 12


def write_report(run: RunFolder) -> Path:
    """Write the run's report.html, in the language in force, and return its path.

    Raises:
        RunError: run.json cannot be read.
        ResourceError: the file cannot be written.
    """
    write_text(run.report, render("report.html.j2", **_context(run)))
    return run.report


def is_adapter(record: Mapping[str, Any]) -> bool:
    """Whether the run's model is an adapter, which needs its base model; an export of it is whole."""
    return (record.get("settings") or {}).get("method") in ADAPTED and not record.get("export")


def _context(run: RunFolder) -> dict[str, Any]:
    record, check, log = run.record(), run.check(), run.log()
    evaluation = record.get("evaluation") or {}
    drawn = charts.available()
    data = record.get("data") or {}
    return {
        "record": record,
        "adapter": is_adapter(record),
        "settings": (in_force if "pretraining" in record else dict)(record.get("settings") or {}),
        "measured": (record.get("pretraining") or {}).get("objective") in (None, *MEASURED),
        "run_path": run.path.as_posix() if not run.path.is_absolute() else run.path.name,
        "task": describe(record, run.task),
        "evaluation": evaluation,
        "standing": standing_of(record, evaluation),
        "advice": advice.next_steps(record, check, log),
        "metric_rows": results.metric_rows(evaluation) if evaluation.get("metrics") else [],
        "held_out": held_out.figure_rows(record),
        "measured_on": held_out.measured_on(record),
        "ranges": results.ranges(evaluation),
        "charts": learning.learning_charts(record, log) if drawn else [],
        "undrawn": not drawn,
        "command": _command(record.get("command")),
        "classes": results.class_rows(evaluation),
        "most_classes": results.MOST_CLASSES,
        "matrix": results.matrix_rows(evaluation),
        "pairs": results.confused_pairs(evaluation),
        "calibration": charts.reliability("calibration", evaluation["calibration"], label=_("Accuracy by confidence"))
        if drawn and evaluation.get("calibration")
        else "",
        "residuals": charts.scatter("residuals", evaluation["residuals"]["points"], label=_("Answers against the truth"))
        if drawn and (evaluation.get("residuals") or {}).get("points")
        else "",
        "overlaps": charts.histogram("overlaps", evaluation["overlaps"], label=_("Answers by overlap with the truth"))
        if drawn and evaluation.get("overlaps")
        else "",
        "entity_errors": results.errors_by_kind(evaluation),
        "written": results.side_by_side(evaluation),
        "mistakes": results.confident_mistakes(run.predictions()),
        "check": check,
        "lengths_chart": _lengths(check.get("lengths") or {}) if drawn else "",
        "ledger": _ledger(run.ledger()),
        "data": data,
        "plan": data.get("plan") or {},
    }


def describe(record: Mapping[str, Any], task_folder: Path = Path()) -> dict[str, Any]:
    """A run's task: its name, its summary, what it is asked, and what the hub and transformers know of it: {"name", "summary", "text",
    "flags", "record", "hub_tag", "pipeline", "classes", "outputs"}. "classes" are the Auto classes of transformers that can read a model of
    it, "outputs" how many its head has, where that is known.

    ``flags`` is what follows the ``text`` on the command line, ``record`` the further inputs of a record in Python; both are empty, as is
    what others know, for a task from a file that is not here, or that nobody here has let run.
    """
    from weitiao import tasks
    from weitiao.errors import RunError, UsageError

    task = record.get("task", "")
    try:
        known = tasks.of_run(record, task_folder)
    except (UsageError, RunError):
        return {
            "name": task,
            "summary": "",
            "text": _("your text"),
            "flags": "",
            "record": {},
            "hub_tag": "",
            "pipeline": False,
            "classes": [],
            "outputs": None,
        }
    spec = record.get("spec") or {}
    asked = asking.needed(known, spec)
    text, *flags = asking.words(known, spec)
    return {
        "name": task,
        "summary": _(known.summary),
        "text": text,
        "flags": "".join(f" {word}" if word.startswith("--") else f' "{word}"' for word in flags),
        "record": {field.name: _value(field) for field in asked} if len(asked) > 1 else {},
        # A task of somebody's own may have made of the model what nobody else can read.
        "hub_tag": "" if known.origin else known.hub_tag,
        "pipeline": known.pipeline and not known.origin,
        **_head(known, spec),
    }


def _head(task: Task, spec: Mapping[str, Any]) -> dict[str, Any]:
    """{"classes", "outputs"}, see ``describe``; nothing where only weitiao has the class, or the record lacks a part of the spec."""
    try:
        named = task.head(dict(spec)).classes if task.trainable and not task.origin else ()
        outputs = task.model_config(dict(spec)).get("num_labels")
    except KeyError:
        return {"classes": [], "outputs": None}
    return {"classes": [name for name in named if isinstance(name, str) and name.startswith("AutoModel")], "outputs": outputs}


def _value(field: Field) -> Any:
    """What stands for an input in Python."""
    return asking.sample(field).split(",") if field.type == "choices" else asking.sample(field)


def standing_of(record: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, str]:
    """The answer to "does it work?": {"mood": "good" | "fair" | "bad" | "none", "text": a few words}."""
    verdict = evaluation.get("verdict") or {}
    if record.get("held_out") and record.get("status") == "finished":
        text = _("Pretrained: a loss of {loss} on held-out documents").format(loss=f"{record['held_out']['loss']:.3f}")
        before = (record.get("pretraining") or {}).get("before")
        text += _(", {loss} before").format(loss=f"{before['loss']:.3f}") if before else ""
        if advice.not_better(record):
            return {"mood": "fair", "text": _("{what}: no better").format(what=text)}
        return {"mood": "none", "text": text}
    if not evaluation.get("metrics"):
        unfinished = record.get("status") != "finished"
        return {"mood": "none", "text": _("This run did not finish") if unfinished else _("Not tested yet")}
    moods = {
        "alone": ("none", _("Tested, with nothing to compare with")),
        "worse": ("bad", _("A simple baseline does better")),
        "even": ("fair", _("Not told apart from a simple baseline")),
        "better": ("good", _("Better than a simple baseline")),
    }
    mood, text = moods[standing(verdict)]
    return {"mood": mood, "text": text}


def _command(words: Any) -> str:
    """The command as it would be typed, the program by its name alone; "" where a program of somebody's own made the run.

    >>> _command(["/usr/bin/weitiao", "train", "my data.csv"]), _command(["/lib/weitiao/__main__.py", "check"]), _command(["-c"])
    ("weitiao train 'my data.csv'", 'python -m weitiao check', '')
    """
    program = PurePath(words[0]).stem if isinstance(words, list) and words else ""
    typed = {"weitiao": ["weitiao"], "__main__": ["python", "-m", "weitiao"]}.get(program)
    return shlex.join([*typed, *words[1:]]) if typed else ""


def _lengths(lengths: Mapping[str, Any]) -> Any:
    if not lengths.get("histogram"):
        return ""
    return charts.histogram("lengths", lengths["histogram"], label=_("Texts by length"), limit=lengths.get("limit"))


def _ledger(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """{"counts": [(action, reason, count)], "entries": [the first of each kind]}, in one pass over a file of any size."""
    counts: Counter[tuple[str, str]] = Counter()
    entries: list[Mapping[str, Any]] = []
    for line in lines:
        kind = (line["action"], line["reason"])
        counts[kind] += 1
        if counts[kind] <= _ENTRIES and len(counts) <= _KINDS:
            entries.append(line)
    return {"counts": [(*kind, count) for kind, count in counts.most_common()], "entries": entries}
