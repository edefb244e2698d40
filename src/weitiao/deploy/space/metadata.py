"""What a Space tells its hub of itself, as YAML above its README, and what the README tells people. It knows the hub's rules for both
(huggingface.co/docs/hub/spaces-config-reference) and no kind of Space.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from weitiao.data.tag_schemes import parted
from weitiao.messages import _
from weitiao.metrics import title as metric_title
from weitiao.quantities import one_line
from weitiao.report.card import origin, origin_told, own_figures, packaged_origin
from weitiao.report.formats import count, figure
from weitiao.report.licenses import NAMELESS, license_of, told_to_a_hub
from weitiao.tasks.base import Task

COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")  # that the hub knows
EMOJI, COLOUR_FROM, COLOUR_TO = "📝", "blue", "gray"
SHORT = 60  # characters of a short description
TITLE = 80  # characters
_CLAUSE = re.compile(r"[:;,.](?=\s|$)|[：；，。]")  # where the first part of a sentence ends


def title_of(given: str, record: Mapping[str, Any], fallback: str) -> str:
    """What a Space is called: on one line, whatever the run is called.

    >>> title_of("", {"name": "my\\n---\\nrun"}, "x")
    'my --- run'
    """
    name = given or str(record.get("name") or "") or fallback
    return one_line("".join(letter for letter in name.replace("\n", " ") if letter.isprintable()), TITLE) or fallback


def short_description(task: Task, record: Mapping[str, Any]) -> str:
    """One line, no longer than the hub takes, of what this very model does: what it tells apart, else what it was made from. No word of it
    is cut.
    """
    spec = record.get("spec") or {}
    what = _("Labels for a text") if spec.get("multi_label") else _CLAUSE.split(_(task.summary), maxsplit=1)[0].strip()
    base = origin(record).rpartition("/")[2]
    lines = [*_naming(what, _told_apart(task, spec)), *([_("{what}, with {base}").format(what=what, base=base)] if base else [])]
    fit = (line for line in (*lines, _(task.summary), what) if 0 < len(line) <= SHORT)
    return next(fit, "") or _shortened(what or _(task.summary))


def _naming(what: str, names: list[str]) -> Iterator[str]:
    """What a model does, with all of the names that it tells apart, else with fewer and fewer of them."""
    for kept in range(min(len(names), SHORT), 0, -1):
        shown = _(", ").join(names[:kept])
        more = {"what": what, "names": shown, "count": len(names) - kept}
        yield (_("{what}: {names} and {count} more") if more["count"] else _("{what}: {names}")).format(**more)


def _told_apart(task: Task, spec: Mapping[str, Any]) -> list[str]:
    """The labels that a model has learned, or the types of its entities; [] where it learned none, or numbers, which say nothing."""
    if not task.trainable:
        return []
    plain = spec.get("scheme") == "plain"
    types = ((parted(str(tag), plain) or ("", str(tag)))[1] for tag in spec.get("tags") or ())
    names = [one_line(name, SHORT) for name in spec.get("labels") or dict.fromkeys(name for name in types if name)]
    return [] if all(re.fullmatch(r"(LABEL_)?-?[\d.]+", name) for name in names) else names


def _shortened(text: str) -> str:
    """A text cut between two words, or between two characters of a script that puts no blanks between words.

    >>> len(_shortened("pneumonoultramicroscopic " * 9)), _shortened("pneumonoultramicroscopic " * 9)[-12:], _shortened("字" * 99)[-3:]
    (50, 'microscopic…', '字字…')
    """
    text = " ".join(text.split())
    if len(text) <= SHORT:
        return text
    cut = text[: SHORT - 1]
    inside = re.match(r"[A-Za-z0-9\u00c0-\u1fff]{2}", text[SHORT - 2 : SHORT])
    whole = re.sub(r"\s\S*$", "", cut) if inside else cut
    return whole.rstrip(" ,;:，；：、") + "…"


def front_matter(title: str, sdk: str, task: Task, record: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    """The YAML, between its lines of dashes.

    Args:
        more: what this kind and this folder say beside: "sdk_version", "python_version", "app_file", "app_port", "custom_headers", ...
    """
    from huggingface_hub import SpaceCardData

    base = origin(record)
    told: dict[str, Any] = {"title": title, "emoji": EMOJI, "colorFrom": COLOUR_FROM, "colorTo": COLOUR_TO, "sdk": sdk, **more}
    told |= {
        "pinned": False,
        "short_description": short_description(task, record),
        **told_to_a_hub(record),
        "models": [base] if re.fullmatch(r"[\w.-]+/[\w.-]+", base) else None,
        "tags": list(dict.fromkeys(("weitiao", re.sub(r"[^\w-]+", "-", task.name)))),
    }
    return f"---\n{SpaceCardData(**told).to_yaml().strip()}\n---\n"


def body(title: str, task: Task, record: Mapping[str, Any], *, told: list[str], commands: list[str]) -> str:
    """What people read below it.

    Args:
        told: sentences about this kind of Space.
        commands: how it is started elsewhere.
    """
    lines = [f"# {_plain(title)}", "", _(task.summary), "", *(f"- {line}" for line in (*_facts(record), *told)), ""]
    if commands:
        lines += [_("Start it anywhere:"), "", "```bash", *commands, "```", ""]
    license_line = _("The code in this folder is under the Apache License 2.0 (LICENSE).")
    known, packaged = license_of(record), packaged_origin(record)
    if packaged and packaged.terms:
        told_where = _("The model keeps the licence of {base}. {terms} More stands in its card, {card} in the package {package}.")
        words = {"base": packaged.title, "terms": _(packaged.terms), "card": packaged.card, "package": packaged.requirement}
        license_line += " " + told_where.format(**words)
    elif known in NAMELESS:
        license_line += " " + _("The model keeps the licence of what it was made from, which that model's card spells out.")
    elif known:
        license_line += " " + _("The model keeps the licence of what it was made from: {licence}.").format(licence=known)
    else:
        license_line += " " + _("Nothing is known here of the licence of what the model was made from.")
    return "\n".join([*lines, license_line]) + "\n"


def _facts(record: Mapping[str, Any]) -> list[str]:
    """What it was made from, and how good it is."""
    facts, evaluation = [], record.get("evaluation") or {}
    if base := origin_told(record):
        facts.append(_("Made from {base} with weitiao.").format(base=base))
    value = own_figures(record).get(str(evaluation.get("headline")))
    if isinstance(value, (int, float)) and evaluation.get("rows"):
        text = _("{metric}: {value} on {count} rows.")
        facts.append(text.format(metric=metric_title(str(evaluation["headline"])), value=figure(value), count=count(evaluation["rows"])))
    return facts


def _plain(text: str) -> str:
    """A text that Markdown and HTML leave as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>&~$])", r"\\\1", text)
