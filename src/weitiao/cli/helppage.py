"""Draws a command's help page: usage, what it does, its options in panels, examples. Knows the look of help and no verb."""

from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from weitiao.cli.options import EVERYWHERE, details
from weitiao.cli.screen import labelled, without_trailing_blanks
from weitiao.messages import N_, _

OPTIONS, ARGUMENTS = N_("Options"), N_("What to give it")


def help_page(command: Any, ctx: Any) -> str:
    """The page as text for the terminal that standard output is: coloured there, plain in a file."""
    console = Console(highlight=False)
    with console.capture() as page:
        console.print("", Padding(_usage(command, ctx), (0, 1), expand=False), "", sep="\n")
        console.print(Padding(Text(_(command.help or "")), (0, 1), expand=False), "", sep="\n")
        for title, rows in _panels(command, ctx).items():
            console.print(_panel(title, rows, console.width))
        if command.epilog:
            console.print("", Text(" " + _("Examples:"), style="dim"), sep="\n")
            for line in command.epilog.splitlines():
                console.print(Text("   " + line, style="bold"), soft_wrap=True)  # whole, so that it can be copied
    return page.get() if console.is_terminal else without_trailing_blanks(page.get())


def _usage(command: Any, ctx: Any) -> Text:
    words = [_argument(p) for p in command.params if p.param_type_name == "argument"]
    words += [_("COMMAND ...")] if hasattr(command, "commands") else []
    return Text.assemble(labelled((_("Usage:"), "yellow")), (ctx.command_path, "bold"), " ", " ".join([*words, _("[OPTIONS]")]))


def _panels(command: Any, ctx: Any) -> dict[str, list[tuple[Text, Text]]]:
    """Panel title -> rows of name and explanation: commands first, then arguments, then options as they were declared."""
    panels: dict[str, list[tuple[Text, Text]]] = {}
    if hasattr(command, "commands"):
        for name, verb in command.commands.verbs.items():
            panels.setdefault(_(verb.panel), []).append((Text(name, style="bold cyan"), Text(_(verb.help))))
    last: dict[str, list[tuple[Text, Text]]] = {}
    for parameter in command.get_params(ctx):
        if getattr(parameter, "hidden", False):
            continue
        is_argument = parameter.param_type_name == "argument"
        everywhere = parameter.name == "help" or parameter.rich_help_panel == EVERYWHERE
        title = _(EVERYWHERE if everywhere else parameter.rich_help_panel or (ARGUMENTS if is_argument else OPTIONS))
        row = (_names(parameter), _explanation(parameter))
        (last if everywhere else panels).setdefault(title, []).append(row)
    return panels | last


def _names(parameter: Any) -> Text:
    if parameter.param_type_name == "argument":
        return Text(_argument(parameter), style="bold cyan")
    short = [name for name in parameter.opts if not name.startswith("--")]
    long = [name for name in parameter.opts if name.startswith("--")]
    names = Text(", ".join([*short, *long]), style="bold cyan")
    return names if parameter.is_flag else names.append(" " + (parameter.metavar or "<text>"), style="yellow")


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()) + (" ..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _explanation(parameter: Any) -> Text:
    # What stands everywhere is no setting: asking would import every task for the first page that a newcomer sees.
    is_setting = parameter.param_type_name == "option" and not parameter.is_flag and parameter.rich_help_panel != EVERYWHERE
    more = details(parameter.name, parameter.help or "") if is_setting else ""
    return Text.assemble(_(parameter.help or ""), (" " + more if more else "", "dim"))


def _panel(title: str, rows: list[tuple[Text, Text]], width: int) -> RenderableType:
    table = Table.grid(padding=(0, 2), expand=True)
    # The names stay whole where there is room, and give way on a narrow terminal.
    widest = max(name.cell_len for name, _text in rows)
    table.add_column(max_width=widest if widest <= width // 2 else width // 2, overflow="fold")
    table.add_column(ratio=1, overflow="fold")  # Chinese has no spaces to break at
    for row in rows:
        table.add_row(*row)
    return Panel(table, title=title, title_align="left", border_style="dim", padding=(0, 1))
