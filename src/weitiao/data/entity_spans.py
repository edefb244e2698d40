"""Entities as people's tools write them become ``{"start", "end", "label"}`` in characters of the text. It knows key names, no model.

Understood are lists of [start, end, label] (doccano, spaCy), of objects under the usual names (start_offset, entity_group, ...), Label
Studio's results, and tokens with their tags.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.data.tag_schemes import entities
from weitiao.data.words import joined, located
from weitiao.errors import DataError
from weitiao.messages import _

Span = dict[str, Any]
STARTS = ("start", "start_offset", "begin", "start_char", "offset", "start_idx")
ENDS = ("end", "end_offset", "stop", "end_char", "end_idx")
LABELS = ("label", "labels", "entity_group", "entity_type", "entity", "type", "category", "tag", "class")
QUOTES = ("text", "surface", "word", "mention", "value")


def tagged_spans(tokens: Any, tags: Any, scheme: str, text: str | None) -> tuple[str, list[Span]]:
    """A text and its entities, from tokens and their tags.

    >>> tagged_spans(["In", "New", "York"], ["O", "B-LOC", "I-LOC"], "bio", None)
    ('In New York', [{'start': 3, 'end': 11, 'label': 'LOC'}])

    Args:
        scheme: as ``tag_schemes.entities`` takes it.
        text: the text that the tokens were cut from, where there is one; they are joined where not, or where they do not stand in it.

    Raises:
        DataError: they do not fit each other, or the scheme.
    """
    for name, values in (("tokens", tokens), ("tags", tags)):
        if not isinstance(values, list):
            message = _("the {name} are no list: {values}.")
            raise DataError(message.format(name=name, values=str(values)[:60]))
    if len(tokens) != len(tags):
        message = _("it has {tokens} tokens and {tags} tags; every token needs one tag.")
        raise DataError(message.format(tokens=len(tokens), tags=len(tags)))
    for number, (token, tag) in enumerate(zip(tokens, tags, strict=True), 1):
        if tag is None or tag == "":
            raise DataError(_('token {number} ("{token}") has no tag.').format(number=number, token=token))
    tokens, tags = ["" if token is None else str(token) for token in tokens], [str(tag).strip() for tag in tags]
    places = located(tokens, text) if text is not None else None
    if text is None or places is None:
        text, places = joined(tokens)
    spans = [{"start": places[found.first][0], "end": places[found.past - 1][1], "label": found.label} for found in entities(tags, scheme)]
    return text, spans


def checked_spans(value: Any, text: str) -> tuple[list[Span], dict[str, str]]:
    """The entities of a text in their order, and what had to be mended in them: reason -> detail.

    >>> checked_spans([[8, 14, "LOC"], {"start_offset": 0, "end_offset": 4, "entity_group": "PER"}], "Anna in Berlin")[0]
    [{'start': 0, 'end': 4, 'label': 'PER'}, {'start': 8, 'end': 14, 'label': 'LOC'}]

    White space at a span's ends is not part of the entity. Where a span quotes its text, offsets counted in UTF-16 (as JavaScript does,
    for which an emoji is two) are recognised.

    Raises:
        DataError: a span that is none, is empty, lies outside the text, holds another text than it says, or overlaps another one.
    """
    if not isinstance(value, list):
        message = _('the entities are {value}; a list is expected, such as [{{"start": 0, "end": 5, "label": "PER"}}].')
        raise DataError(message.format(value=repr(value)[:60]))
    spans: list[Span] = []
    repaired: dict[str, str] = {}
    for number, written in enumerate(value, 1):
        start, end, label, quote = _parts(written, number)
        if quote is not None and text[start:end] != quote:
            start, end = _from_utf16(start, end, quote, text, number)
            repaired["utf16_offsets"] = _("Offsets were counted in UTF-16; they are now in characters.")
        if not 0 <= start <= end <= len(text):
            message = _("entity {number} ({start} to {end}) lies outside the text, which has {length} characters.")
            raise DataError(message.format(number=number, start=start, end=end, length=len(text)))
        inside = text[start:end]
        if not inside.strip():
            message = _('entity {number} ({start} to {end}, "{label}") is empty.')
            raise DataError(message.format(number=number, start=start, end=end, label=label))
        if inside != inside.strip():
            start, end = end - len(inside.lstrip()), start + len(inside.rstrip())
            repaired["span_white_space"] = _("White space at an entity's ends was left out of it.")
        spans.append({"start": start, "end": end, "label": label})
    spans.sort(key=lambda span: (span["start"], span["end"]))
    for one, other in itertools.pairwise(spans):
        if other["start"] < one["end"]:
            message = _('two entities overlap: "{one}" ({a}) and "{other}" ({b}). A word can be of one entity only; keep one of them.')
            names = {name: text[span["start"] : span["end"]] for name, span in (("one", one), ("other", other))}
            raise DataError(message.format(**names, a=one["label"], b=other["label"]))
    return spans, repaired


def _parts(written: Any, number: int) -> tuple[int, int, str, str | None]:
    """Start, end, label and, where it is quoted, the text of one span."""
    quote: Any = None
    if isinstance(written, Mapping):
        start, end, label = (_first(written, names) for names in (STARTS, ENDS, LABELS))
        if end is None and "length" in written and isinstance(start, int):
            end = start + written["length"]
        quote = _first(written, QUOTES)
    elif isinstance(written, Sequence) and not isinstance(written, str) and len(written) == 3:
        start, end, label = written
    else:
        start = end = label = None
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    numbers = [int(value) if isinstance(value, float) and value.is_integer() else value for value in (start, end)]
    if any(not isinstance(value, int) or isinstance(value, bool) for value in numbers) or not isinstance(label, str) or not label.strip():
        message = _('entity {number} is {value}; it needs a start, an end and one label, such as {{"start": 0, "end": 5, "label": "PER"}}.')
        raise DataError(message.format(number=number, value=repr(written)[:80]))
    return numbers[0], numbers[1], label.strip(), quote if isinstance(quote, str) else None


def _first(written: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((written[name] for name in names if written.get(name) is not None), None)


def _from_utf16(start: int, end: int, quote: str, text: str, number: int) -> tuple[int, int]:
    """Offsets in characters, from offsets in UTF-16 code units. Raises DataError where that gives another text than the one quoted."""
    units = text.encode("utf-16-le")
    if 0 <= start <= end <= len(units) // 2:
        before = units[: 2 * start].decode("utf-16-le", "replace")
        if text[len(before) : len(before) + len(quote)] == quote:
            return len(before), len(before) + len(quote)
    message = _('entity {number} says "{quote}", and {start} to {end} of the text is "{there}". Correct its start and end.')
    raise DataError(message.format(number=number, quote=quote[:60], start=start, end=end, there=text[max(0, start) : max(0, end)][:60]))
