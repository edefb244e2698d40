"""Tags of tokens become entities and back. Knows the schemes BIO (IOB2), IOB1, BIOES (BMES), BILOU and tags without prefixes; no file.

BIO     B-PER begins an entity, I-PER goes on with it, O is outside.
IOB1    I-PER begins one too; B-PER only where the entity before it is a PER that ends there.
BIOES   E-PER ends an entity of several tokens, S-PER is one of a single token. BMES (M inside) and BILOU (L last, U unit) say the same.
plain   PER, PER, O: neighbours of the same type are one entity.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from weitiao.errors import DataError
from weitiao.messages import _

OUTSIDE = "O"
ONLY = "entity"  # the type of tags that are nothing but B, I and O
_TAG = re.compile(r"([BIESMLU])(?:[-_](.+))?")
_BEGINS, _ENDS = frozenset("BSU"), frozenset("ESLU")


class Entity(NamedTuple):
    """Tokens ``first`` to ``past``, the latter no longer of it, and their type."""

    first: int
    past: int
    label: str


@lru_cache(maxsize=4096)
def parted(tag: str, plain: bool = False) -> tuple[str, str] | None:
    """A tag's prefix and type, None where it has no known prefix; ("", "") is outside.

    >>> parted("B-PER"), parted("I"), parted("O"), parted("PER"), parted("PER", plain=True)
    (('B', 'PER'), ('I', 'entity'), ('', ''), None, ('I', 'PER'))
    """
    if tag == OUTSIDE:
        return "", ""
    if plain:
        return "I", tag
    match = _TAG.fullmatch(tag)
    return (match[1], match[2] or ONLY) if match else None


def scheme_of(sentences: Iterable[Sequence[str]]) -> str:
    """The scheme that sentences are written in: "bio", "iob1" or "bioes".

    >>> scheme_of([["O", "I-PER", "I-PER"]]), scheme_of([["B-PER", "I-PER"]]), scheme_of([["B-PER", "E-PER"]])
    ('iob1', 'bio', 'bioes')
    """
    inside_begins = begins = False
    for tags in sentences:
        before = ""
        for tag in tags:
            prefix, label = parted(tag) or ("", "")
            if prefix in _ENDS and prefix:
                return "bioes"
            inside_begins |= prefix == "I" and label != before
            begins |= prefix == "B" and label != before
            before = label
    return "iob1" if inside_begins and not begins else "bio"


def entities(tags: Sequence[str], scheme: str) -> list[Entity]:
    """The entities of one sentence.

    >>> entities(["B-PER", "I-PER", "O", "I-LOC"], "repair")
    [Entity(first=0, past=2, label='PER'), Entity(first=3, past=4, label='LOC')]

    Args:
        scheme: "bio", "iob1", "bioes" or "plain"; "repair" reads all of them as CoNLL's own scorer does, by which nothing is wrong.

    Raises:
        DataError: a tag without a prefix, or one that the scheme does not allow after the one before it.
    """
    found: list[Entity] = []
    first, going = 0, ""  # the entity that tokens may go on with
    for at, tag in enumerate([*tags, OUTSIDE]):
        parts = parted(tag, scheme == "plain")
        if parts is None:
            raise _unknown(tag, at)
        prefix, label = parts
        goes_on = bool(prefix) and prefix not in _BEGINS and label == going
        if scheme in ("bio", "bioes") and prefix and prefix not in _BEGINS and not goes_on:
            raise _out_of_order(tags, at, scheme)
        if goes_on:
            if prefix in _ENDS:
                found.append(Entity(first, at + 1, label))
                going = ""
            continue
        if going:
            if scheme == "bioes":
                raise _unfinished(tags, at)
            found.append(Entity(first, at, going))
        going = ""
        if prefix in ("S", "U") or (prefix in _ENDS and prefix):
            found.append(Entity(at, at + 1, label))
        elif prefix:
            first, going = at, label
    return found


def tags_over(words: Sequence[tuple[int, int]], spans: Sequence[Mapping[str, Any]]) -> list[str]:
    """BIO tags of words, from spans of characters.

    >>> tags_over([(0, 3), (4, 8), (9, 11)], [{"start": 0, "end": 8, "label": "LOC"}])
    ['B-LOC', 'I-LOC', 'O']

    A word belongs to the span that covers half of it or more; a span that covers half of none gets the word it covers most of, so that
    no entity is lost where its borders fall inside words.

    Args:
        words: (start, end) of each word, in the text's order.
        spans: as records hold them, sorted, without overlaps.
    """
    tags = [OUTSIDE] * len(words)
    if not spans:
        return tags
    starts, ends = [start for start, _end in words], [end for _start, end in words]
    for span in spans:
        touched = range(bisect_right(ends, span["start"]), bisect_left(starts, span["end"]))
        shared = {at: min(ends[at], span["end"]) - max(starts[at], span["start"]) for at in touched if tags[at] == OUTSIDE}
        own = [at for at, width in shared.items() if 2 * width >= ends[at] - starts[at]]
        own = own or sorted(shared, key=lambda at: -shared[at])[:1]
        for position, at in enumerate(own):
            tags[at] = f"{'I' if position else 'B'}-{span['label']}"
    return tags


def _unknown(tag: str, at: int) -> DataError:
    if tag.lstrip("-").isdigit():
        message = _(
            'token {number} has the tag "{tag}", which is a number. Say what the numbers mean, in their order: '
            "--tag-names O,B-PER,I-PER,..."
        )
    else:
        message = _(
            'token {number} has the tag "{tag}". Allowed are O and tags with a prefix (B-PER, I-PER; E-, S-, M-, L-, U-). If every token '
            "of "
            "an entity has its bare type as its tag, add --tag-scheme plain."
        )
    return DataError(message.format(number=at + 1, tag=tag))


def _out_of_order(tags: Sequence[str], at: int, scheme: str) -> DataError:
    message = _(
        'token {number} has the tag "{tag}" {place}, where {scheme} would begin an entity with B-. Correct the tag, or read such files '
        "as CoNLL's scorer does: --tag-scheme repair."
    )
    place = _('after "{tag}"').format(tag=tags[at - 1]) if at else _("at the beginning")
    return DataError(message.format(number=at + 1, tag=tags[at], place=place, scheme=scheme.upper()))


def _unfinished(tags: Sequence[str], at: int) -> DataError:
    message = _(
        'the entity of token {number} ("{tag}") has no end (E- or L-, S- or U- for a single token). Correct the tag, or read such '
        "files as CoNLL's scorer does: --tag-scheme repair."
    )
    return DataError(message.format(number=at, tag=tags[at - 1]))
