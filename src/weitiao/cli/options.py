"""Command-line options, made from the settings' own declarations: a field added to ``weitiao.config`` is a flag here, unasked.

This module knows Typer and the declarations; it does not know what any setting does. Values stay text until ``tasks.recipe`` judges them,
so that a wrong one gets the same message on the command line, in a YAML file and in Python.
"""

import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from weitiao import tasks
from weitiao.cli.screen import Screen
from weitiao.config import GROUPS
from weitiao.errors import UsageError
from weitiao.messages import LANGUAGES, N_, _
from weitiao.pretraining_settings import PretrainingSettings

PANELS = {
    "columns": N_("Columns"),
    "data": N_("Data"),
    "task": N_("For some tasks"),
    "model": N_("Model"),
    "training": N_("Training"),
    "adapter": N_("LoRA"),
    "pretraining": N_("Pretraining"),
    "output": N_("Result"),
}
EVERYWHERE = N_("Everywhere")
LANG = typer.Option("--lang", metavar="|".join(LANGUAGES), help=N_("Language of every message."), rich_help_panel=EVERYWHERE)
Callback = Callable[[], Callable[..., None]]
OWN = "weitiao.own_flags"  # where a command's context keeps the flags of a task file of somebody's own
KINDS = {int: "<int>", float: "<number>", str: "<text>", tuple: "<a,b>"}
# What a flag that several tasks share means to all of them: each task's own words speak of its own answers.
SHARED = {
    "max_new_tokens": N_("Longest text that is written, in tokens."),
    "num_beams": N_("Texts that are followed side by side while writing (4 is slower and often better)."),
    "top_k": N_("How many answers to give of each."),
    "prefix": N_("What stands before every text (auto = what T5 was trained with, nothing for other models)."),
    "multi_label": N_("Several labels may fit one text, or none."),
}
# Flags that split, clean or choose the training data make no sense where a finished model reads a file.
NOT_FOR_READING = ("valid", "test", "drop_duplicates", "task", "model")


def reading_settings() -> tuple[str, ...]:
    """Settings that say how one file is read, how a task answers, and how a pretrained model is had.

    >>> "encoding" in reading_settings(), "offline" in reading_settings(), "valid" in reading_settings()
    (True, True, False)
    """
    return tuple(name for name in settings_of("columns", "data", "task", "model") if name not in NOT_FOR_READING)


def asking_settings() -> tuple[str, ...]:
    """Settings that say what a model is asked, how its task answers, and how a pretrained model is had; none that is about a file.

    >>> "context" in asking_settings(), "offline" in asking_settings(), "label" in asking_settings(), "encoding" in asking_settings()
    (True, True, False, False)
    """
    inputs = {field.flag for task in tasks.all_tasks().values() for field in task.inputs}
    asked = tuple(name for name in settings_of("columns") if name in inputs)
    return (*asked, *answering_settings())


def answering_settings() -> tuple[str, ...]:
    """Settings that say how a task answers and how a pretrained model is had, and none of what is asked.

    >>> "max_new_tokens" in answering_settings(), "offline" in answering_settings(), "context" in answering_settings()
    (True, True, False)
    """
    return tuple(name for name in settings_of("task", "model") if name not in NOT_FOR_READING)


def settings_of(*groups: str) -> tuple[str, ...]:
    """Names of all settings in these groups, in their order."""
    return tuple(name for group in groups for name, declared in _declarations().items() if declared[0] == group)


def verb(settings: Callable[[], tuple[str, ...]] = tuple, columns: str = PANELS["columns"]) -> Callable[[Callable[..., Any]], Callback]:
    """Makes of a function with a ``screen`` parameter what Typer calls: it gains one option a setting, and the options that every verb has.

    The function receives ``screen`` and, as its ``**settings``, only the settings that were given on the command line, as text.

    Args:
        settings: gives the names of the settings.
        columns: what the help page calls the flags of the tasks' fields.

    Returns:
        What makes the callback, when the verb is needed: the flags come from every task file, and those import numpy.
    """

    def decorate(function: Callable[..., Any]) -> Callback:
        return functools.wraps(function)(lambda: _callback(function, settings(), columns))

    return decorate


def _callback(function: Callable[..., Any], settings: tuple[str, ...], columns: str) -> Callable[..., None]:
    hints = get_type_hints(function, include_extras=True)
    own = [
        p.replace(annotation=hints[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for p in inspect.signature(function).parameters.values()
        if p.name != "screen" and p.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    generated = [parameter for name in settings for parameter in _setting_parameters(name, columns)]

    @functools.wraps(function)
    def command(*, typer_context: typer.Context, json: bool, quiet: bool, debug: bool, lang: str | None, **given: Any) -> None:
        # --debug and --lang were read before anything else was parsed; here only a wrong language is refused.
        refuse_other_languages(lang)
        values = {p.name: given[p.name] for p in own}
        values |= {name: given[name] for name in settings if given.get(name) is not None}
        values |= {name: False for name in settings if given.get(f"no_{name}")}
        values |= typer_context.meta.get(OWN, {})
        function(Screen(json=json, quiet=quiet, command=typer_context.command_path, arguments=typer_context.obj), **values)

    # Not "context": that is a column of question answering.
    everywhere = [_parameter("typer_context", typer.Context, inspect.Parameter.empty)]
    everywhere += [_parameter(*declaration) for declaration in _everywhere()]
    signature = inspect.Signature([*own, *generated, *everywhere])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.takes_settings = bool(settings)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    del command.__wrapped__  # else Typer would read the hints of the function inside
    return command


def refuse_other_languages(lang: str | None) -> None:
    """Raises UsageError for a ``--lang`` that there is no catalogue for."""
    if lang is not None and lang not in LANGUAGES:
        choices = ", ".join(LANGUAGES)
        raise UsageError(_("--lang is {value!r}; it must be one of {choices}.").format(value=lang, choices=choices))


def _everywhere() -> list[tuple[str, Any, Any]]:
    texts = {
        "json": N_("Print one JSON object on standard output; everything else goes to standard error."),
        "quiet": N_("Print only what a script would take: the result's path, the answers. No progress, no notes."),
        "debug": N_("Show the full traceback of an error."),
    }
    flags: list[tuple[str, Any, Any]] = [
        (name, Annotated[bool, typer.Option(f"--{name}", help=text, rich_help_panel=EVERYWHERE)], False) for name, text in texts.items()
    ]
    return [*flags, ("lang", Annotated[str | None, LANG], None)]


def _setting_parameters(name: str, columns: str) -> list[inspect.Parameter]:
    """One option for a setting; for a switch also its hidden ``--no-`` form, which a config file's ``true`` may need."""
    group, declared, kind = _declarations()[name]
    flag = "--" + name.replace("_", "-")
    panel = columns if group == "columns" else PANELS.get(group, group.capitalize())
    about = {"help": SHARED.get(name, declared.metadata["help"]), "hidden": declared.metadata["hidden"], "rich_help_panel": panel}
    if kind is bool:
        on = typer.Option(flag, **about)
        off = typer.Option(f"--no-{flag[2:]}", hidden=True)
        return [_parameter(name, Annotated[bool | None, on], None), _parameter(f"no_{name}", Annotated[bool, off], False)]
    names = [flag, declared.metadata["short"]] if declared.metadata["short"] else [flag]
    choices: tuple[str, ...] = declared.metadata["choices"]
    metavar = "|".join(choices) or KINDS.get(kind, "<text>")
    completed = tuple(tasks.all_tasks()) if name == "task" else choices
    option = typer.Option(*names, metavar=metavar, autocompletion=_completion(completed), **about)
    return [_parameter(name, Annotated[str | None, option], None)]


@functools.cache
def _declarations() -> Mapping[str, tuple[str, "dataclasses.Field[Any]", type]]:
    """Setting name -> its group, its field, its plain type (``int``, ``float``, ``str``, ``bool`` or ``tuple``)."""
    declarations: dict[str, tuple[str, dataclasses.Field[Any], type]] = {}
    own = [("task", tasks.settings_of(task)) for task in tasks.all_tasks().values()]
    for group, settings in [*GROUPS.items(), *own, ("pretraining", PretrainingSettings)]:
        hints = get_type_hints(settings)
        for declared in dataclasses.fields(settings):
            hint = hints[declared.name]
            plain = get_args(hint)[0] if isinstance(hint, types.UnionType) else get_origin(hint) or hint
            # Several tasks may share a flag, such as --text: it stands once.
            declarations.setdefault(declared.name, ("columns" if declared.metadata["column"] else group, declared, plain))
    return declarations


@functools.cache
def _owners() -> Mapping[str, Mapping[str, "dataclasses.Field[Any]"]]:
    """Task setting -> the tasks that have it, each with its own declaration."""
    owners: dict[str, dict[str, dataclasses.Field[Any]]] = {}
    for task in tasks.all_tasks().values():
        for declared in dataclasses.fields(tasks.settings_of(task)):
            owners.setdefault(declared.name, {})[task.name] = declared
    return owners


def details(name: str, help: str = "") -> str:
    """What the help page adds behind a setting's text: its default and its bounds, and whose it is where only some tasks have it. A flag
    with a text of its own, where one is given, is another thing of the same name: the number format of answers is not that of a training.

    >>> details("epochs"), details("max_length")
    ('[default: 3; from 1 to 10000]', '[default: 0; 0, or from 4 to 1000000]')
    """
    if name not in _declarations():
        return ""
    (group, declared, _kind), parts = _declarations()[name], []
    if help and help not in (declared.metadata["help"], SHARED.get(name)):
        return ""
    owners = _owners().get(name, {})
    if group == "task":
        parts.append(_(", ").join(owners))
    low, high = declared.metadata["low"], declared.metadata["high"]
    # A default that differs from task to task would be wrong for all but one.
    shared = len({repr(one.default) for one in owners.values()}) < 2
    if name == "task":
        parts.append(_("one of {choices}").format(choices=_(", ").join(tasks.all_tasks())))
    if shared and not isinstance(declared.default, (bool, tuple)) and str(declared.default).strip():
        parts.append(_("default: {default}").format(default=_plain(declared.default)))
    bounds = ""
    if low is not None and high is not None:
        bounds = _("from {low} to {high}").format(low=_plain(low), high=_plain(high))
    elif low is not None:
        bounds = _("at least {low}").format(low=_plain(low))
    if bounds:
        parts.append(_("0, or {bounds}").format(bounds=bounds) if declared.metadata["or_zero"] else bounds)
    return f"[{_('; ').join(parts)}]" if parts else ""


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _completion(choices: tuple[str, ...]) -> Callable[[str], list[str]] | None:
    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete if choices else None


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
