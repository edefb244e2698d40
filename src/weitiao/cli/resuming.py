"""A training that goes on where it was cut off, and what the command line says of one that is finished. It knows runs by their record
and no loop.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from weitiao.cli.screen import Screen
from weitiao.cli.subject import as_flag, question
from weitiao.errors import UsageError
from weitiao.messages import _


def resumed(screen: Screen, path: str, beside: Mapping[str, Any], settings: Iterable[str], *, trust_task: bool) -> None:
    """Go on with a run, of whichever kind it is.

    Args:
        path: the run's folder.
        beside: what else may stand in the command, by its name there; None is not there.
        settings: names of the settings that were given.

    Raises:
        UsageError: something was: a run goes on as it began, or it would not be the same run.
    """
    named = [name for name, value in beside.items() if value is not None] + [as_flag(name) for name in settings]
    if named:
        message = _("--resume goes on with the settings that the run began with. Leave out {names}, or start a new run.")
        raise UsageError(message.format(names=_(", ").join(named)))
    from weitiao.cli.progress import working

    with working(screen, unsaved=_("Interrupted before training went on; the run is as it was.")) as (api, observer):
        run = api.resume(path, observer=observer, **({"trust_task": True} if trust_task else {}))
    finished(screen, run)


def finished(screen: Screen, run: Any) -> None:
    """The result of a training, whether it went through at once or was taken up again."""
    from weitiao.cli import figures, tables

    path, record = str(run.path), run.record
    where = {_("run"): path} | ({_("report"): str(run.folder.report)} if run.folder.report.is_file() else {})
    if "pretraining" in record:
        held = _held_out(record)
        screen.result({"run": path, **record}, "", tables.pairs({**({_("held out"): held} if held else {}), **where}), bare=path)
        return screen.next(("weitiao", "train", "DATA", "--model", str(run.folder.model)), ("weitiao", "report", path))
    shown = [*(figures.evaluated(record["evaluation"]) if record.get("evaluation") else []), "", tables.pairs(where)]
    screen.result({"run": path, **record}, *shown, bare=path)
    return screen.next(("weitiao", "predict", path, *question(path)), ("weitiao", "report", path))


def _held_out(record: Mapping[str, Any]) -> str:
    """The figures of held-out text, each with what it was before; "" where nothing was held out."""
    from weitiao.metrics import title
    from weitiao.quantities import number

    before = record["pretraining"].get("before") or {}
    figures = [
        f"{title(name)} {number(value)}" + (" " + _("(before: {value})").format(value=number(before[name])) if name in before else "")
        for name, value in record["held_out"].items()
    ]
    return " · ".join(figures)
