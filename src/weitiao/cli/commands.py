"""Typer's group and command with our own words: help drawn by ``helppage``, a mistyped flag or verb answered in the language in force
and with the nearest that exists. This is the only module that knows Typer's own exceptions.
"""

import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from weitiao.cli.helppage import help_page
from weitiao.cli.options import OWN, Callback
from weitiao.config import nearest
from weitiao.errors import UsageError
from weitiao.messages import N_, _
from weitiao.other_tools import ours

HELP = N_("Show this help.")


class Command(TyperCommand):
    """One verb."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; words left over are refused in our own way."""
        ctx.allow_extra_args = True
        if getattr(self.callback, "takes_settings", False) and not ctx.resilient_parsing:
            from weitiao.cli.own_flags import take_own_flags

            args, ctx.meta[OWN] = take_own_flags(args, {name for p in self.params for name in (*p.opts, *p.secondary_opts)})
        try:
            rest = super().parse_args(ctx, args)
        except Exception as error:
            if getattr(error, "ctx", ctx) is None:  # Typer's parser forgets whose option it was
                error.ctx = ctx  # type: ignore[attr-defined]
            raise
        if rest and not ctx.resilient_parsing:
            message = _('"{word}" is one word too many for {command}. Put quotes around a text with spaces.')
            raise UsageError(message.format(word=rest[0], command=ctx.command_path) + _see_help(ctx))
        return rest

    def get_short_help_str(self, limit: int = 45) -> str:
        """What a shell shows beside the verb, in the language in force."""
        return _(self.help or "")

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The flags, with their help in the language in force."""
        items = super().shell_complete(ctx, incomplete)
        for item in items:
            item.help = _(item.help or "")
        return items

    def get_help_option(self, ctx: Any) -> Any:
        """The help option, with our text."""
        return _with_our_help(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Our page instead of Typer's."""
        formatter.write(help_page(self, ctx))


class Verb(NamedTuple):
    """What is known of a verb before anybody needs its flags.

    Attributes:
        callback: makes the function that Typer calls.
        panel, help, examples: for the help page.
    """

    callback: Callback
    panel: str
    help: str
    examples: str


class Verbs(Mapping[str, Command]):
    """The verbs by name, as a group wants them; each is made when it is asked for."""

    def __init__(self, verbs: Mapping[str, Verb]) -> None:
        self.verbs = verbs
        self._made = cache(self._make)

    def __getitem__(self, name: str) -> Command:
        return self._made(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.verbs)

    def __len__(self) -> int:
        return len(self.verbs)

    # A mapping's own two take any KeyError for a name that is missing, also one from the making of a verb.
    def __contains__(self, name: object) -> bool:
        return name in self.verbs

    def get(self, name: str, default: Any = None) -> Any:
        """The verb, or ``default`` where there is none of that name."""
        if name not in self.verbs:
            return default
        return self[name]

    def _make(self, name: str) -> Command:
        verb = self.verbs[name]
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]})
        alone.command(name, cls=Command, rich_help_panel=verb.panel, help=verb.help, epilog=verb.examples)(verb.callback())
        made: Any = typer.main.get_command(alone)
        return made


class Group(TyperGroup):
    """The verbs together: ``weitiao`` itself."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb, or an error that names the nearest one."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            verbs = self.list_commands(ctx)
            message = _('There is no command "{name}"; there are: {names}.').format(name=args[0], names=_(", ").join(verbs))
            raise UsageError(message + nearest(args[0], verbs))
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: Any) -> Any:
        """The help option, with our text."""
        return _with_our_help(super().get_help_option(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Our page instead of Typer's."""
        formatter.write(help_page(self, ctx))


def invoke(group: Any, arguments: list[str]) -> int:
    """Run the verb that ``arguments`` name and give its exit code.

    Typer's own ``main`` would print its errors, in English, and turn an interrupt into silence; so its two halves are called here.

    Raises:
        UsageError: the words cannot be parsed.
        Exception: whatever the verb raises.
    """
    if "_WEITIAO_COMPLETE" in os.environ:
        group.main(args=arguments, prog_name="weitiao", complete_var="_WEITIAO_COMPLETE")
        return 0
    try:
        with group.make_context("weitiao", list(arguments), obj=list(arguments)) as ctx:
            group.invoke(ctx)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort as stop:
        raise KeyboardInterrupt from stop
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "ctx"):
            raise UsageError(_usage_message(error)) from error
        raise
    return 0


def _usage_message(error: Any) -> str:
    """What a parsing exception of Typer means, in our words. Told apart by name: the classes live in a private module."""
    kind, ctx = type(error).__name__, error.ctx
    if kind == "NoSuchOption":
        known = [name for p in ctx.command.get_params(ctx) if not getattr(p, "hidden", False) for name in p.opts if name.startswith("--")]
        message = _("{command} has no option {name}.").format(command=ctx.command_path, name=error.option_name)
        dashes = " " + _('A text that begins with a dash goes after "--".') if any(p.nargs == -1 for p in ctx.command.params) else ""
        return message + _meant(error.option_name, known, ctx) + dashes + _see_help(ctx)
    if kind == "MissingParameter":
        name = error.param.opts[0] if error.param.opts[0].startswith("-") else error.param.metavar or error.param.name.upper()
        return _("{command} needs {name}: {help}").format(command=ctx.command_path, name=name, help=_(error.param.help)) + _see_help(ctx)
    if kind == "BadOptionUsage":
        option = next((p for p in ctx.command.params if error.option_name in [*p.opts, *p.secondary_opts]), None)
        text = _("{name} takes no value.") if option is None or option.is_flag else _("{name} needs a value behind it.")
        return text.format(name=error.option_name) + _see_help(ctx)
    return str(error.format_message()) + (_see_help(ctx) if ctx else "")


def _meant(flag: str, known: list[str], ctx: Any) -> str:
    """What is asked behind an unknown flag: whether ours for another tool's is meant, or the nearest."""
    word = ours(flag)
    ours_as_flag, argument = "--" + word.replace("_", "-"), word.upper()
    if ours_as_flag in known:
        return " " + _('Did you mean "{name}"?').format(name=ours_as_flag)
    if word and any(p.metavar == argument for p in ctx.command.params):  # an argument, which stands without a flag
        return " " + _("What {flag} says elsewhere stands here without a flag: {usage}.").format(
            flag=flag, usage=f"{ctx.command_path} {argument}"
        )
    return nearest(flag, known)


def _see_help(ctx: Any) -> str:
    return " " + _("See: {command} --help").format(command=ctx.command_path)


def _with_our_help(option: Any) -> Any:
    if option is not None:
        option.help = _(HELP)
    return option
