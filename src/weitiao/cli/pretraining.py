"""The verb that makes models from running text: parse, call ``weitiao.pretraining``, print."""

from typing import Annotated, Any

from typer import Argument, Option

from weitiao.cli.application import MAIN, command
from weitiao.cli.options import settings_of, verb
from weitiao.cli.parameters import Resume, TrustTask
from weitiao.cli.resuming import finished, resumed
from weitiao.cli.screen import Screen
from weitiao.messages import N_, _
from weitiao.pretraining_settings import BORROWED, UNUSED

Corpus = Annotated[list[str] | None, Argument(metavar="CORPUS", help=N_("Files and folders of text."))]
Begin = Annotated[
    str | None,
    Option("--from", metavar="<model>", help=N_("A model to go on with: a folder, a hub id or offline."), rich_help_panel=N_("Model")),
]
Plan = Annotated[bool, Option("--dry-run", help=N_("Stop after the plan: corpus, model, steps, time, memory."))]


def _settings() -> tuple[str, ...]:
    named = settings_of("pretraining", "training", "output")
    return (*(name for name in named if name not in (*UNUSED, "corpus")), *BORROWED)


@command(
    MAIN,
    N_("Train a model on running text: a blank one, or one that is to know your field."),
    "weitiao pretrain corpus.txt --config electra:mini --epochs 10",
    "weitiao pretrain notes/ --from offline --add-tokens 500 --max-minutes 30 --out runs/adapted",
    "weitiao pretrain --resume runs/adapted",
)
@verb(_settings)
def pretrain(
    screen: Screen,
    corpus: Corpus = None,
    begin: Begin = None,
    dry_run: Plan = False,
    resume: Resume = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    if resume is not None:
        beside = {"CORPUS": corpus or None, "--from": begin, "--dry-run": dry_run or None}
        return resumed(screen, resume, beside, settings, trust_task=trust_task)
    corpus = corpus or []
    given = {**settings, **({} if begin is None else {"model": begin})}
    from weitiao.cli.progress import working

    if dry_run:
        from weitiao.cli import tables

        with working(screen, results=True) as (_api, observer):
            from weitiao import pretraining

            plan = pretraining.plan_pretraining(*corpus, observer=observer, **given)
        screen.result({"plan": plan}, *tables.training_plan(plan))
        return screen.next(("weitiao", *(word for word in screen.arguments if word != "--dry-run")))
    with working(screen, unsaved=_("Interrupted before training began; nothing was saved.")) as (_api, observer):
        from weitiao import pretraining

        run = pretraining.pretrain(*corpus, observer=observer, command=["weitiao", *screen.arguments], **given)
    return finished(screen, run)
