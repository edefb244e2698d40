"""What a pretraining knows of held-out text, for the page and the card. Knows a run's record and no HTML."""

from collections.abc import Mapping
from typing import Any

from weitiao.messages import _
from weitiao.metrics import smaller_is_better
from weitiao.report.formats import count, percent


def figure_rows(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a figure: {"name", "smaller", "value", "before", "best": "value" | "before" | ""}; [] where nothing was measured.

    >>> figure_rows({"held_out": {"perplexity": 8.0}, "pretraining": {"before": {"perplexity": 20.0}}})
    [{'name': 'perplexity', 'smaller': True, 'value': 8.0, 'before': 20.0, 'best': 'value'}]
    """
    before = (record.get("pretraining") or {}).get("before") or {}
    rows = []
    for name, value in (record.get("held_out") or {}).items():
        smaller, old = smaller_is_better(name, {}), before.get(name)
        best = "" if old is None or old == value else "value" if (value < old) == smaller else "before"
        rows.append({"name": name, "smaller": smaller, "value": value, "before": old, "best": best})
    return rows


def measured_on(record: Mapping[str, Any]) -> str:
    """The sentence that says of what the figures are."""
    share = percent((record.get("settings") or {}).get("held_out"))
    about = (record.get("pretraining") or {}).get("held_out") or {}
    if not about:  # of a run that did not count them
        return _("On documents that were held out ({share} of all).").format(share=share)
    some = about["measured"] < about["tokens"]
    message = _(
        "On {count} of the {all} tokens of documents that were held out ({share} of all documents), in blocks evenly spaced over them."
    )
    message = message if some else _("On all {count} tokens of the documents that were held out ({share} of all documents).")
    return message.format(count=count(about["measured"]), all=count(about["tokens"]), share=share)
