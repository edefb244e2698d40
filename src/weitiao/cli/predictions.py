"""Predictions on the terminal, each drawn by what it holds: a label, labels, a number, spans, an answer, a text, a vector.

It knows the shapes that the field types have in a prediction, and no task.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from weitiao.messages import N_, _
from weitiao.quantities import number, one_line

ROOM_FOR_OTHERS = 72  # columns of a terminal that has room for what was not chosen
WIDEST = 24
OTHERS = 5  # of what was not chosen, the likeliest
NUMBERS = 6  # of a vector

Prediction = Mapping[str, Any]


def predictions(
    texts: Sequence[str], predicted: Sequence[Prediction], *, width: int | None, header: bool = True, seconds: Sequence[str] = ()
) -> Iterator[RenderableType]:
    """Predictions with their texts.

    Args:
        texts: what stands for each input.
        seconds: of pairs, the second texts; () where there are none.
        width: of the terminal; None for a file, where nothing is cut.
        header: whether tables name their columns; further tables below the first one need not.
    """
    if not predicted:
        return
    draw = next((draw for key, draw in BLOCKS.items() if key in predicted[0]), None)
    if draw is None:
        yield _rows(texts, predicted, width, header, seconds)
        return
    for text, second, prediction in zip(texts, seconds or [""] * len(texts), predicted, strict=True):
        for line in filter(None, (text, second)):
            yield Text(flat(line) if width is None else one_line(line, max(width - 1, 20)), style="dim")
        yield Padding(draw(prediction), (0, 0, 1, 2), expand=False)


def _rows(texts: Sequence[str], predicted: Sequence[Prediction], width: int | None, header: bool, seconds: Sequence[str]) -> RenderableType:
    """A row a prediction: its answer, which is never cut, its score, its text or texts, and where there is room what else came into
    question.
    """
    table = _table()
    table.show_header, table.expand = header, width is not None
    predicted = [_ranked(prediction) for prediction in predicted]
    kinds = ((title, answer, scored) for key, title, answer, scored in ROWS if key in predicted[0])
    found: tuple[str, Callable[[Any], str], bool] = next(kinds, (N_("prediction"), str, False))
    title, answer_of, scored = found
    answers = [answer_of(prediction) for prediction in predicted]
    others = [_others(prediction, whole=width is None) for prediction in predicted]
    # The columns must line up with those of the next table, so the widths follow from all that could be answered.
    possible = {name for prediction in predicted for name in prediction.get("probabilities") or ()} | set(answers)
    widest = max(Text(_(title)).cell_len, *(Text(name).cell_len for name in possible))
    most = widest if width is None else WIDEST if "label" in predicted[0] else width // 3
    table.add_column(_(title), width=min(widest, most), overflow="fold", style="bold")
    if scored:
        table.add_column(_("score"), width=5, no_wrap=True)
    shares = (3, 2) if width is not None else (None, None)  # of what room there is
    table.add_column(_("text"), ratio=shares[0], overflow="ellipsis", no_wrap=True)
    if seconds:
        table.add_column(_("second text"), ratio=shares[0], overflow="ellipsis", no_wrap=True)
    roomy = (width is None or width >= ROOM_FOR_OTHERS) and any(others)
    if roomy:
        table.add_column(_("others"), ratio=shares[1], overflow="ellipsis", no_wrap=True, style="dim")
    read = list(zip(texts, seconds, strict=True)) if seconds else [(text,) for text in texts]
    for both, answer, other, prediction in zip(read, answers, others, predicted, strict=True):
        score = [number(prediction["score"]) if prediction.get("score") is not None else ""] if scored else []
        shown = [Text(flat(text) if width is None else one_line(text, 200)) for text in both]
        table.add_row(Text(answer), *score, *shown, *([Text(other)] if roomy else []))
    return table


def flat(text: str) -> str:
    """A text on one line, whole."""
    return " ".join(text.split())


def _ranked(prediction: Prediction) -> Prediction:
    """Labels in the order of their scores are a choice of the first."""
    if not prediction.get("scores"):
        return prediction
    scores = dict(zip(prediction["labels"], prediction["scores"], strict=True))
    return {"label": prediction["labels"][0], "score": prediction["scores"][0], "probabilities": scores}


def _others(prediction: Prediction, *, whole: bool) -> str:
    """The likeliest of what was not chosen; with names however long where they are to be ``whole``."""
    chosen = prediction.get("labels") or [prediction.get("label")]
    rest = sorted((prediction.get("probabilities") or {}).items(), key=lambda pair: -pair[1])
    scored = [(name, p) for name, p in rest if name not in chosen]
    scored += [(one["answer"] or _("no answer"), one["score"]) for one in (prediction.get("answers") or [])[1:]]
    shown = [f"{flat(name) if whole else one_line(name, 20)} {number(p)}" for name, p in scored[:OTHERS]]
    return " · ".join(shown + ["…"] * (len(scored) > OTHERS))


def _labels(prediction: Prediction) -> str:
    """Labels, each with its probability."""
    scores = prediction.get("probabilities") or {}
    return " · ".join(f"{label} {number(scores[label])}" if label in scores else label for label in prediction["labels"]) or "–"


def _vector(prediction: Prediction) -> RenderableType:
    vector = prediction["vector"]
    first = ", ".join(f"{value:.4f}" for value in vector[:NUMBERS]) + (", …" if len(vector) > NUMBERS else "")
    numbers = Text(_("{count} numbers: {first}").format(count=len(vector), first=first))
    if prediction.get("similarity") is None:
        return numbers
    return Group(Text(_("similarity {value}").format(value=number(prediction["similarity"])), style="bold"), numbers)


def _spans(prediction: Prediction) -> RenderableType:
    """What was found in the text, in its order, with character offsets."""
    spans = prediction["spans"]
    if not spans:
        return Text(_("nothing found"), style="dim")
    table = _table()
    table.add_column(_("found"), overflow="fold", style="bold")
    table.add_column(_("label"), overflow="fold")
    table.add_column(_("characters"), justify="right", no_wrap=True)
    scored = any(span.get("score") is not None for span in spans)
    if scored:
        table.add_column(_("score"), no_wrap=True)
    for span in spans:
        score = [number(span.get("score"))] if scored else []
        table.add_row(Text(flat(span["text"])), Text(str(span["label"])), f"{span['start']}–{span['end']}", *score)
    return table


def _masks(prediction: Prediction) -> RenderableType:
    """One line a mask: its likeliest tokens; and the text with the first of them."""
    table = Table.grid(padding=(0, 2))
    for candidates in prediction["masks"]:
        listed = " · ".join(f"{one['token'].strip()} {number(one['score'])}" for one in candidates)
        table.add_row(Text(listed, style="bold" if len(prediction["masks"]) == 1 else ""))
    best = next((candidates[0].get("text") for candidates in prediction["masks"] if candidates), None)
    if best and len(prediction["masks"]) == 1:
        table.add_row(Text(best))
    return table


def _keywords(prediction: Prediction) -> RenderableType:
    listed = [
        f"{one['keyword']} {number(one['score'])}" if one.get("score") is not None else one["keyword"] for one in prediction["keywords"]
    ]
    return Text(" · ".join(listed) or _("nothing found"), style="bold" if listed else "dim")


def _written(prediction: Prediction) -> RenderableType:
    """A text as it was written, whole."""
    return Text(prediction["text"] or _("nothing written"), style="" if prediction["text"] else "dim", overflow="fold")


# The key that tells a shape, and what draws it below its text.
BLOCKS: dict[str, Callable[[Prediction], RenderableType]] = {
    "spans": _spans,
    "masks": _masks,
    "keywords": _keywords,
    "vector": _vector,
    "text": _written,
}
# The key that tells a shape, the answer's title, the answer on one line, and whether a score belongs beside it.
ROWS: tuple[tuple[str, str, Callable[[Prediction], str], bool], ...] = (
    ("answer", N_("answer"), lambda prediction: flat(prediction["answer"]) or _("no answer"), True),
    ("labels", N_("labels"), _labels, False),
    ("label", N_("label"), lambda prediction: str(prediction["label"]), True),
    ("value", N_("value"), lambda prediction: number(prediction["value"]), False),
)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False)
