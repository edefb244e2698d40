"""The command line as a whole: its name, its panels, what may stand before a verb, and how a verb joins. It knows no verb."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from weitiao.cli.commands import Group, Verb, Verbs
from weitiao.cli.options import EVERYWHERE, LANG, Callback, refuse_other_languages
from weitiao.messages import N_

PANELS = MAIN, INSIDE, BEFORE = N_("The main job"), N_("Looking inside"), N_("Getting ready")
VERBS: dict[str, Verb] = {}

app = typer.Typer(
    name="weitiao",
    cls=Group,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=N_("From a file of examples to a working language model: check the data, fine-tune, evaluate, predict, report."),
    epilog='weitiao check reviews.csv\nweitiao train reviews.csv\nweitiao predict runs/reviews "a lovely day"',
)


@app.callback(invoke_without_command=True)
def weitiao(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help=N_("Print the version."), rich_help_panel=EVERYWHERE)] = False,
    lang: Annotated[str | None, LANG] = None,
) -> None:
    """What may stand before a verb, and what happens without one."""
    refuse_other_languages(lang)
    if version:
        from weitiao import __version__

        print(f"weitiao {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def command(panel: str, help: str, *examples: str) -> Callable[[Callback], Callback]:
    """Makes a function a verb, in a panel of the help page, with its examples."""

    def join(callback: Callback) -> Callback:
        VERBS[callback.__name__] = Verb(callback, panel, help, "\n".join(examples))
        return callback

    return join


def group() -> Any:
    """The command line, ready to parse."""
    from weitiao.cli import pretraining, publishing, spaces, verbs, verbs_inside  # noqa: F401 - they join by being imported

    made: Any = typer.main.get_command(app)
    # On the help page the main job comes first, and in it what a newcomer begins with, whichever file a verb stands in.
    begun_with = [name for name, verb in VERBS.items() if verb.callback.__module__ == verbs.__name__]
    made.commands = Verbs(dict(sorted(VERBS.items(), key=lambda item: (PANELS.index(item[1].panel), item[0] not in begun_with))))
    texts = {
        "install_completion": N_("Let the Tab key complete commands and flags in this shell."),
        "show_completion": N_("Print the script that does so."),
    }
    for parameter in made.params:
        if parameter.name in texts:
            parameter.help, parameter.rich_help_panel = texts[parameter.name], N_("Shell")
    return made
