"""What files give as the answer to a question becomes stretches of its context. It knows notations and texts, no task.

Understood are SQuAD's lists of {"text", "answer_start"}, the hub's {"text": [...], "answer_start": [...]}, our own {"text", "start"}, lists
of texts, and one text. Nothing at all, "" and [] say that there is no answer.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from weitiao.errors import DataError
from weitiao.messages import _

Span = dict[str, Any]  # {"text": str, "start": int | None}, in characters of the context


def answer_spans(value: Any, context: str) -> tuple[list[Span], list[Span]]:
    """The answers as spans, and those among them whose given start did not point at their text and was moved to the nearest place.

    >>> answer_spans({"text": ["1894"], "answer_start": [3]}, "Opened in 1894.")
    ([{'text': '1894', 'start': 10}], [{'text': '1894', 'start': 10}])

    Returns:
        Spans without white space around them. Of several answers, one that is not in the context has the start None.

    Raises:
        DataError: not one of the answers stands in the context, or they are written in no notation known.
    """
    given = [(text.strip(), start if start is None else start + len(text) - len(text.lstrip())) for text, start in _given(value)]
    given = [(text, start) for text, start in given if text]
    spans = [{"text": text, "start": _place(text, start, context)} for text, start in given]
    if spans and all(span["start"] is None for span in spans):
        message = _("The answer was not found in the context: {texts}. It must stand there letter by letter; leave it empty for none.")
        raise DataError(message.format(texts=_(", ").join(f'"{text[:60]}"' for text, _start in given[:3])), column="answers")
    moved = [span for span, (_text, start) in zip(spans, given, strict=True) if start is not None and span["start"] not in (None, start)]
    return spans, moved


def with_starts(answers: str | None, starts: str | None) -> str | None:
    """A cell of answers joined with the cell that says where they start; as it was where the two do not fit together.

    >>> with_starts("1894", "10"), with_starts("1894", None)
    ('{"text": ["1894"], "answer_start": [10]}', '1894')
    """
    if not answers or not starts or answers.lstrip()[:1] == "{":
        return answers
    try:
        texts = json.loads(answers) if answers.lstrip()[:1] == "[" else [answers]
        places = json.loads(starts)
        places = [int(place) for place in (places if isinstance(places, list) else [places])]
    except (ValueError, TypeError):
        return answers
    if len(texts) != len(places) or not all(isinstance(text, str) for text in texts):
        return answers
    return json.dumps({"text": texts, "answer_start": places}, ensure_ascii=False)


def _given(value: Any) -> list[tuple[str, int | None]]:
    """(text, start) of every answer, None where no start was given."""
    if value is None:
        return []
    if isinstance(value, str):
        return [(value, None)]
    if isinstance(value, Mapping):
        texts, starts = value.get("text", []), value.get("answer_start", value.get("start"))
        texts = texts if isinstance(texts, list) else [texts]
        starts = starts if isinstance(starts, list) else [] if starts is None else [starts]
        if len(starts) <= len(texts) and all(isinstance(text, str) for text in texts) and all(map(_is_place, starts)):
            return [(text, None if start is None else int(start)) for text, start in zip_longest(texts, starts)]
    elif isinstance(value, Sequence) and all(isinstance(one, (str, Mapping)) for one in value):
        return [pair for one in value for pair in _given(one)]
    message = _('The answers are written {value}; allowed are a text, a list of texts, and {{"text": [...], "answer_start": [...]}}.')
    raise DataError(message.format(value=str(value)[:60]), column="answers")


def _is_place(start: Any) -> bool:
    return start is None or (isinstance(start, (int, float)) and not isinstance(start, bool) and start == int(start))


def _place(text: str, start: int | None, context: str) -> int | None:
    """Where a text stands: where it is said to, else nearest to that; without a start in the first place, rather as a whole word."""
    if start is not None and start >= 0 and context.startswith(text, start):
        return start
    places = [match.start() for match in re.finditer(f"(?={re.escape(text)})", context)]
    if start is not None:
        return min(places, key=lambda place: abs(place - start), default=None)
    return next((place for place in places if _stands_alone(text, place, context)), places[0] if places else None)


def _stands_alone(text: str, place: int, context: str) -> bool:
    """Whether a text is no part of a longer word there."""
    end = place + len(text)
    pairs = (context[max(0, place - 1) : place + 1], context[end - 1 : end + 1])
    return not any(len(pair) == 2 and pair.isalnum() for pair in pairs)
