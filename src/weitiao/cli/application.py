"""The command line as a whole: its name, its panels, what may stand before a verb, and how a verb joins. It knows no verb."""

from typing import Annotated, Any

import typer

from weitiao.cli.commands import Command, Group
from weitiao.cli.options import EVERYWHERE, LANG, refuse_other_languages
from weitiao.messages import N_

PANELS = MAIN, INSIDE, BEFORE = N_("The main job"), N_("Looking inside"), N_("Getting ready")

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


def command(panel: str, help: str, *examples: str) -> Any:
    """Makes a function a verb, in a panel of the help page, with its examples."""
    return app.command(cls=Command, rich_help_panel=panel, help=help, epilog="\n".join(examples))
