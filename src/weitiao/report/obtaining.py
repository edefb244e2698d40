"""How strangers come by weitiao, and how they read a model without it: the one place that says so to readers of a card. What it tells of
weitiao follows from what the installed package says of itself; it knows no address of its own.
"""

import json
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

from weitiao.messages import _
from weitiao.runs import RunFolder

OURSELVES = "weitiao"
REPOSITORY = ("repository", "source", "source code", "sourcecode")  # what a project calls the address of its repository


def sentence(package: str, version: str) -> Any:
    """One sentence of Markdown that says how to install weitiao.

    Args:
        package: what is needed of it: "weitiao", or "weitiao[train]".
        version: of the weitiao that made what the card is about.
    """
    from markupsafe import Markup

    extras = package.removeprefix(OURSELVES)
    address = repository()
    if address:
        command = f'pip install "{package} @ git+{address}"'
        return Markup(_("Install weitiao from its repository, {command}. Then:")).format(command=Markup(f"`{command}`"))
    # A card outlives what is known of package indexes today: a plain "pip install weitiao" might fail, or install somebody else's.
    copy, wheel = f'pip install ".{extras}"', f'pip install "./weitiao-{version}-py3-none-any.whl{extras}"'
    message = Markup(_("Install weitiao from a copy of its repository ({copy} in there) or from its wheel ({wheel}). Then:"))
    return message.format(copy=Markup(f"`{copy}`"), wheel=Markup(f"`{wheel}`"))


def repository() -> str:
    """The address of weitiao's repository, as the installed package names it among its URLs; "" where it names none."""
    try:
        told = metadata(OURSELVES).get_all("Project-URL") or []
    except PackageNotFoundError:  # it runs from its source alone
        return ""
    named = {label.strip().lower(): address.strip() for label, _comma, address in (url.partition(",") for url in told)}
    return next((named[label] for label in REPOSITORY if named.get(label, "").startswith("https://")), "")


def architecture(run: RunFolder) -> str:
    """The class of transformers that a run's model is of, as its own config says; "" where it has none. An adapter's says the class of its
    base, and nothing in the folder is of that class: whoever asks must know that it is no adapter.
    """
    try:
        named = json.loads((run.model / "config.json").read_text(encoding="utf-8")).get("architectures") or [""]
    except (OSError, ValueError, AttributeError):
        return ""
    return str(named[0]) if isinstance(named, list) and str(named[0]).isidentifier() else ""
