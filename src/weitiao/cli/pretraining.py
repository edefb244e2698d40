"""The verb that makes models from running text: parse, call ``weitiao.pretraining``, print."""

from collections.abc import Mapping
from typing import Annotated, Any

from typer import Argument, Option

from weitiao.cli.application import MAIN, command
from weitiao.cli.options import settings_of, verb
from weitiao.cli.screen import Screen
from weitiao.messages import N_, _

Corpus = Annotated[list[str], Argument(metavar="CORPUS", help=N_("Files and folders of text."))]
Begin = Annotated[
    str | None,
    Option("--from", metavar="<model>", help=N_("A model to go on with: a folder, a hub id or offline."), rich_help_panel=N_("Model")),
]
Plan = Annotated[bool, Option("--dry-run", help=N_("Stop after the plan: corpus, model, steps, time, memory."))]
_NOT_HERE = ("method", "class_weights", "label_smoothing", "patience", "corpus")


def _settings() -> tuple[str, ...]:
    named = settings_of("pretraining", "training", "output")
    return (*(name for name in named if name not in _NOT_HERE), "revision", "offline", "trust_remote_code", "encoding", "max_bad_rows")


@command(
    MAIN,
    N_("Train a model on running text: a blank one, or one that is to know your field."),
    "weitiao pretrain corpus.txt --config electra:mini --epochs 10",
    "weitiao pretrain notes/ --from offline --out runs/adapted",
    "weitiao pretrain notes/ --from offline --add-tokens 500 --max-minutes 30",
)
@verb(_settings)
def pretrain(screen: Screen, corpus: Corpus, begin: Begin = None, dry_run: Plan = False, **settings: Any) -> None:
    given = {**settings, **({} if begin is None else {"model": begin})}
    from weitiao.cli.progress import working

    if dry_run:
        from weitiao.cli import tables

        with working(screen, results=True) as (_api, observer):
            from weitiao import pretraining

            plan = pretraining.plan_pretraining(*corpus, observer=observer, **given)
        screen.result({"plan": plan}, *tables.training_plan(plan))
        screen.next(("weitiao", *(word for word in screen.arguments if word != "--dry-run")))
        return
    with working(screen, unsaved=_("Interrupted before training began; nothing was saved.")) as (_api, observer):
        from weitiao import pretraining

        run = pretraining.pretrain(*corpus, observer=observer, command=["weitiao", *screen.arguments], **given)
    path = str(run.path)
    from weitiao.cli import tables

    record = run.record
    lines = {_("held out"): _held_out(record), _("run"): path, _("report"): str(run.folder.report)}
    screen.result({"run": path, **record}, "", tables.pairs({name: text for name, text in lines.items() if text}), bare=path)
    screen.next(("weitiao", "train", "DATA", "--model", str(run.folder.model)), ("weitiao", "report", path))


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
