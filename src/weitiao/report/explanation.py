"""The page of one answer: how it came about, stage by stage, as one HTML file that needs nothing else.

It draws the facts of ``Model.explain``; what appears follows from the kinds of numbers in them, and no task is known.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from weitiao.messages import _
from weitiao.report.formats import figure
from weitiao.report.rendering import render
from weitiao.report.shown import coloured, label_rows, moved, settings
from weitiao.runs import write_text

LABELS = 40  # rows of a table of labels
TOKENS = 512  # drawn of a row
BEST = 5
NUMBERS = 8  # of a vector


def write_explanation(facts: Mapping[str, Any], path: Path) -> Path:
    """Write the page, in the language in force, and return its path.

    Args:
        facts: what ``Model.explain`` gave.

    Raises:
        ResourceError: the file cannot be written.
    """
    write_text(path, explanation(facts))
    return path


def explanation(facts: Mapping[str, Any], *, within: bool = False) -> str:
    """The page's HTML, in the language in force.

    Args:
        within: it is shown in a frame of another page, which has a title and a foot of its own.
    """
    forward, decode = facts["forward"], facts["decode"]
    return render(
        "explanation.html.j2",
        within=within,
        facts=facts,
        # A page goes to other people: where a model lies on this machine is nobody's business.
        name=PurePath(facts["name"]).name if PurePath(facts["name"]).is_absolute() else facts["name"],
        used=_kinds(facts["encode"]["rows"]),
        answer=answered(decode["answer"]),
        labels=[entry["label"] for entry in decode["labels"]],
        table=label_rows(decode, LABELS),
        rows=[_drawn(row, reading, decode) for row, reading in zip(facts["encode"]["rows"], forward["rows"], strict=True)],
        known=settings(decode["spec"]),
        texts=coloured(facts),
        moved=moved(facts["influence"], figure) if facts["influence"] else [],
        most_tokens=TOKENS,
    )


def answered(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as {"main": a line, "spans": what was found in the text}.

    >>> answered({"label": "good", "score": 0.75})["main"], answered({"value": 3.5})["main"]
    ('good · 0.750', '3.500')
    """
    spans = answer.get("spans")
    if spans is not None:
        main = "" if spans else _("nothing found")
    elif "filled" in answer:
        main = str(answer["filled"])
    elif "keywords" in answer:
        main = " · ".join(one["keyword"] for one in answer["keywords"]) or _("nothing found")
    elif "vector" in answer:
        first = ", ".join(figure(value) for value in answer["vector"][:NUMBERS])
        main = _("{count} numbers: {first}").format(count=len(answer["vector"]), first=first + ", …")
    elif "text" in answer:
        main = answer["text"] or _("nothing written")
    elif "value" in answer:
        main = figure(answer["value"])
    elif known := next((name for name in ("answer", "labels", "label") if name in answer), None):
        said = _(", ").join(answer["labels"]) if known == "labels" else str(answer[known])
        score = answer.get("score") if known != "labels" else None
        main = " · ".join([said or _("no answer"), *([figure(score)] if score is not None else [])])
    else:
        main = str(dict(answer))
    return {"main": main, "spans": spans or []}


def _kinds(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """What there is among the tokens, for the legend."""
    tokens = [token for row in rows for token in row["tokens"]]
    return {token["kind"] for token in tokens} | {"second" for token in tokens if token["part"] == 1 and token["kind"] == "text"}


def _drawn(row: Mapping[str, Any], reading: Mapping[str, Any], decode: Mapping[str, Any]) -> dict[str, Any]:
    """One row's reading with what the page needs beside it: the order in which its numbers are shown."""
    kind = reading["kind"]
    drawn: dict[str, Any] = {"kind": kind, "row": row, "reading": reading}
    if kind == "labels":
        drawn["order"] = _largest(reading["logits"], LABELS) if len(reading["logits"]) > LABELS else range(len(reading["logits"]))
    elif kind == "tokens":
        shares = reading["probabilities"] or reading["logits"]
        names = [entry["label"] for entry in decode["labels"]]
        drawn["lines"] = [
            {"token": token, "best": [(at, names[at] if names else "", of[at]) for at in _largest(of, 3)]}
            for token, of in zip(row["tokens"], shares, strict=False)
        ]
    elif kind == "span":
        chosen = reading.get("answer") or (None, None)
        drawn["ends"] = {end: _end(row, reading, end, at) for end, at in zip(("start", "end"), chosen, strict=True)}
    return drawn


def _end(row: Mapping[str, Any], reading: Mapping[str, Any], end: str, chosen: int | None) -> list[dict[str, Any]]:
    """The likeliest tokens for one end of a span, and the one where the answer has it."""
    logits, shares = reading[f"{end}_logits"], reading[f"{end}_probabilities"]
    order = _largest(logits, BEST)
    order += [chosen] if chosen is not None and chosen not in order else []
    return [{"at": at, "token": row["tokens"][at], "logit": logits[at], "share": shares[at], "chosen": at == chosen} for at in order]


def _largest(numbers: Sequence[float], most: int) -> list[int]:
    return sorted(range(len(numbers)), key=lambda at: -numbers[at])[:most]
