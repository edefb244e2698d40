"""Jinja2 with our formats and our catalogue. Everything that comes from a run is escaped. Knows no run."""

from collections.abc import Callable
from functools import cache
from typing import Any

from weitiao import messages
from weitiao.data.titles import action_title, reason_title, script_title, split_title
from weitiao.metrics import title
from weitiao.report import formats
from weitiao.report.tokens import legible


def render(template: str, *, package: str = "weitiao.report", **context: Any) -> str:
    """A template, filled in, in the language in force.

    Args:
        package: whose folder "templates" it is in.
    """
    from markupsafe import Markup

    if template.endswith(".md.j2"):
        # In Markdown our own sentences keep their apostrophes; what is formatted into them is escaped all the same.
        context["_"] = lambda text: Markup(messages._(text))
    return str(_environment(package).get_template(template).render(language=messages.language(), **context))


@cache
def _environment(package: str) -> Any:
    from jinja2 import ChainableUndefined, Environment, PackageLoader

    # What a run lacks (an older record, a run without a test) is false and empty however deep it is asked for.
    environment = Environment(
        loader=PackageLoader(package), autoescape=True, undefined=ChainableUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # These look the language up when they are called, so that one environment serves both.
    environment.globals.update(_=messages._, title=title)
    for name in ("figure", "bounds", "count", "percent", "size", "duration", "moment", "shorten", "plain", "file_name"):
        environment.filters[name] = _lenient(getattr(formats, name))
    environment.filters["legible"] = legible
    for worded in (action_title, reason_title, script_title, split_title):
        environment.filters[worded.__name__] = worded
    return environment


def _lenient(filter_: Callable[..., str]) -> Callable[..., str]:
    """``filter_`` that takes what a run lacks for None."""
    from jinja2 import Undefined

    return lambda value, *arguments: filter_(None if isinstance(value, Undefined) else value, *arguments)
