"""What the page says of the model beside its answers: what it is, how good it is and how that is known, and what to do with it next."""

import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from weitiao import asking
from weitiao.messages import _
from weitiao.metrics import title
from weitiao.report.card import origin_told
from weitiao.report.formats import bounds, count, figure, file_name
from weitiao.report.page import standing_of
from weitiao.report.rendering import render
from weitiao.tasks.base import Spec, Task

LABELS = 12
ACCURACY = "accuracy"  # what people ask for first, beside the figure that decides


def about_html(name: str, task: Task, spec: Spec, record: Mapping[str, Any], title: str = "") -> str:
    """The head of the page, in the language in force.

    Args:
        record: the run's; {} for a pretrained model as it came.
        title: what the model is called; "" for its name.
    """
    labels = [str(label) for label in spec.get("labels") or ()]
    return render(
        "about.html.j2",
        package="weitiao.deploy.demo",
        name=title or shown_name(name),
        summary=_(task.summary),
        facts=facts(task, record),
        labels=labels[:LABELS],
        more=max(0, len(labels) - LABELS),
    )


def next_html(name: str, task: Task, spec: Spec, flags: tuple[str, ...]) -> str:
    """The foot of the page: commands that go on from here."""
    name = shown_name(name) if PurePath(name).is_absolute() else name
    text, *rest = asking.words(task, spec)
    further = [word for flag, value in zip(rest[::2], rest[1::2], strict=True) if flag not in flags for word in (flag, value)]
    here = ["predict", name, text, *further, *flags]
    if asking.talks(task):
        here = ["chat", name, *(flags[2:] if flags[:1] == ("--task",) else flags)]  # it knows only one task
    steps = [(_("Ask it from a program"), ["serve", name, *flags]), (_("Ask it here"), here)]
    return render(
        "next.html.j2",
        package="weitiao.deploy.demo",
        steps=[{"title": title, "command": shlex.join(["weitiao", *words])} for title, words in steps],
    )


def shown_name(name: str) -> str:
    """What people call a model: where it lies on this machine is nobody's business.

    >>> shown_name("runs/tweets/"), shown_name("/home/ann/runs/tweets"), shown_name("offline")
    ('tweets', 'tweets', 'offline')
    """
    return PurePath(name).name or name


def facts(task: Task, record: Mapping[str, Any]) -> list[dict[str, str]]:
    """What people ask of a model, {"title", "value"} each, some with what stands "beside"; {"mood"} too where it says how good that is."""
    evaluation = record.get("evaluation") or {}
    metrics, intervals = evaluation.get("metrics") or {}, evaluation.get("intervals") or {}
    facts = [{"title": _("Task"), "value": task.name}]
    base = origin_told(record) or str((record.get("base_model") or {}).get("id") or "")
    if base:
        facts.append({"title": _("Made from"), "value": file_name(base) if base.startswith("/") else base})
    if record.get("export"):
        facts.append({"title": _("Form"), "value": str(record["export"]["to"])})
    for name in dict.fromkeys((evaluation.get("headline"), ACCURACY)):
        if isinstance(metrics.get(name), (int, float)):
            interval = bounds(intervals.get(name))
            facts.append({"title": title(str(name)), "value": figure(metrics[name]), "beside": f"[{interval}]" if interval else ""})
    if evaluation.get("rows"):
        measured = _("{count} rows that it never saw") if evaluation.get("split") == "test" else _("{count} rows")
        facts.append({"title": _("Measured on"), "value": measured.format(count=count(evaluation["rows"]))})
    if record:
        standing = standing_of(record, evaluation)
        facts.append({"title": _("In short"), "value": standing["text"], "mood": standing["mood"]})
    return facts
