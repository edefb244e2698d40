"""The data check: what is in the splits, and what in them would spoil a training run or its figures. It changes nothing.

Everything is counted on all rows, except near-duplicates, which are searched in a seeded sample where there are more than some 200,000
texts, and token lengths, measured on a sample of 100,000; the result says how many were looked at.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.data.duplicates import SHOWN, Corpus, drop_duplicates, first_of
from weitiao.data.findings import EXAMPLES, Finding, by_severity, label_findings, ledger_findings
from weitiao.data.language import has_spaces, language_of, scripts_of
from weitiao.data.ledger import Ledger
from weitiao.data.marks import mark_counts
from weitiao.data.near_duplicates import near_pairs
from weitiao.data.normalising import normalise
from weitiao.data.records import Records
from weitiao.data.titles import script_title, split_title
from weitiao.messages import _
from weitiao.quantities import one_line

__all__ = ["check", "drop_duplicates"]

MOST_NEAR_TEXTS = 200_000
MOST_NEAR_CHARACTERS = 20_000_000
MOST_MEASURED = 100_000  # texts whose tokens are counted
VERY_LONG = 20_000  # characters
SEARCHED = "searched"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# U+FFFD, and what UTF-8, GBK and Mac Roman turn into when they are read as one another; nobody writes U+0080 to U+009F.
_DAMAGED = re.compile("[\ufffd\x80-\x84\x86-\x9f]|锟斤拷|Ã[\xa0-\xbf]|â€")


def check(
    splits: Mapping[str, Records],
    label_field: str | None = "label",
    text_field: str = "text",
    labels: Sequence[str] = (),
    *,
    for_numbers: Sequence[str] = (),
    token_lengths: Callable[[list[str]], list[int]] | None = None,
    limit: int | None = None,
    measured: Sequence[str] | None = None,
    seed: int = 42,
    ledger: Ledger | None = None,
) -> dict[str, Any]:
    """Everything the data check found, JSON-ready.

    >>> train = Records({"text": ["good", "Good ", "bad", "fine"], "label": list("1001")}, np.arange(2, 6), "a.csv")
    >>> found = check({"train": train}, labels=["0", "1"])
    >>> found["rows"], [(finding["code"], finding["count"]) for finding in found["findings"]][:2]
    ({'train': 4}, [('exact_duplicates', 1), ('conflicting_labels', 1)])

    Args:
        splits: "train", and where there are such, "validation" and "test".
        label_field: the field of the labels; None where there are none.
        text_field: the field of the texts. Where a field ``SEARCHED`` stands beside it, near-duplicates are told by that.
        labels: the labels in their fixed order; others follow in order of appearance.
        for_numbers: tasks that would learn a number where labels are learned, for labels that are numbers.
        token_lengths: texts -> their lengths in tokens, special tokens included; without it lengths are in characters.
        limit: tokens that the model sees of a text.
        measured: what lengths are counted of, one text a row of all splits, where it is more than the texts.
        seed: of the samples.
        ledger: what reading did to rows.

    Returns:
        "rows", "labels", "marks" (see ``marks``), "lengths", "language", "scripts", "near_duplicates_searched" and "findings", worst first.
    """
    rows = {name: len(records) for name, records in splits.items()}
    corpus = Corpus.of(splits, text_field)
    texts = [text for records in corpus.records for text in records.columns[text_field]]
    counts = _label_counts(splits, label_field, labels)
    lengths = _lengths(texts if measured is None else measured, token_lengths, limit if token_lengths else None, seed)
    told = [text for records in corpus.records for text in records.columns.get(SEARCHED, records.columns[text_field])]
    searched, near = _near_findings(corpus, told, seed)
    findings = [
        *(ledger_findings(ledger) if ledger else ()),
        *(_of_labels(splits, label_field, text_field, counts, for_numbers) if label_field else ()),
        *_exact_findings(corpus, label_field),
        *near,
        *_length_findings(corpus, texts, lengths),
        *_character_findings(corpus, texts),
    ]
    return {
        "rows": rows,
        "labels": [{"label": label, **{name: counts[label].get(name, 0) for name in splits}} for label in counts],
        "marks": mark_counts(splits),
        "lengths": lengths,
        "language": language_of(texts),
        "scripts": [{"script": script, "share": round(share, 4)} for script, share in scripts_of(texts).items() if share >= 0.001],
        "near_duplicates_searched": searched,
        "findings": [finding.as_dict() for finding in by_severity(findings)],
    }


def _of_labels(
    splits: Mapping[str, Records], field: str, text_field: str, counts: Mapping[str, Mapping[str, int]], for_numbers: Sequence[str]
) -> list[Finding]:
    rows = {name: len(records) for name, records in splits.items()}
    return label_findings(counts, rows, lambda label: _example(splits, field, text_field, label), for_numbers)


def _label_counts(splits: Mapping[str, Records], field: str | None, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """label -> split -> rows."""
    counts: dict[str, dict[str, int]] = {label: {} for label in labels}
    for name, records in splits.items():
        for label, count in Counter(label for answer in (records.columns[field] if field else ()) for label in _each(answer)).items():
            counts.setdefault(label, {})[name] = count
    return counts


def _each(answer: str | list[str] | None) -> list[str]:
    """The labels of a row: one, several or none."""
    return [] if answer is None else [answer] if isinstance(answer, str) else list(dict.fromkeys(answer))


def _example(splits: Mapping[str, Records], label_field: str, text_field: str, label: str) -> dict[str, Any]:
    """The first row that has a label, which one of the splits must have."""
    found = (
        (records, at) for records in splits.values() for at, answer in enumerate(records.columns[label_field]) if label in _each(answer)
    )
    records, at = next(found)
    text = one_line(str(records.columns[text_field][at]), SHOWN)
    return {"source": records.source, "rows": [int(records.rows[at])], "text": text, "labels": [label]}


def _exact_findings(corpus: Corpus, label_field: str | None) -> list[Finding]:
    findings = []
    repeats = corpus.repeats()
    if repeats:
        count = sum(len(group) - 1 for group in repeats)
        train = sum(len(group) - 1 for group in repeats if corpus.names[corpus.split[group[0]]] == "train")
        message = _("Rows that repeat another row of their split: {count}, of them {train} in train; --drop-duplicates removes those.")
        examples = [corpus.example(group, _labels_of(corpus, group, label_field)) for group in repeats[:EXAMPLES]]
        findings.append(Finding("exact_duplicates", "warning", count, message.format(count=count, train=train), examples))
    if label_field:
        conflicts = [group for group in corpus.same_text() if len(_labels_of(corpus, group, label_field)) > 1]
        if conflicts:
            message = _(
                "Texts that occur with different labels: {count}; at most one label of each is right, so decide which and correct the file."
            )
            examples = [corpus.example(group, _labels_of(corpus, group, label_field)) for group in conflicts[:EXAMPLES]]
            findings.append(Finding("conflicting_labels", "warning", len(conflicts), message.format(count=len(conflicts)), examples))
    for name in corpus.names:
        pairs = corpus.in_train(name) if name != "train" else []
        if pairs:
            message = _(
                "Rows of the {split} split that also stand in train: {count}; they flatter its figures (--drop-duplicates cures it)."
            )
            examples = [corpus.example(pair, _labels_of(corpus, pair, label_field)) for pair in pairs[:EXAMPLES]]
            message = message.format(count=len(pairs), split=split_title(name))
            findings.append(Finding(f"overlap_{name}", "warning", len(pairs), message, examples))
    return findings


def _labels_of(corpus: Corpus, positions: Sequence[int], field: str | None) -> list[str]:
    if field is None:
        return []
    found = (corpus.records[corpus.split[at]].columns[field][corpus.index[at]] for at in positions)
    # Several labels are one answer together, in whatever order they stand.
    return list(dict.fromkeys(", ".join(sorted(_each(answer))) for answer in found if answer is not None))


def _near_findings(corpus: Corpus, texts: Sequence[str], seed: int) -> tuple[dict[str, int], list[Finding]]:
    """How many rows were searched, and texts that nearly repeat another one of their split or of train."""
    distinct = np.flatnonzero(first_of(corpus.keys) == np.arange(len(corpus)))
    chosen = _sample(corpus, distinct, texts, seed)
    searched = {"rows": len(corpus) if len(chosen) == len(distinct) else len(chosen), "of": len(corpus)}
    shingle = 5 if has_spaces(texts) else 3
    pairs = near_pairs([normalise(texts[at]) for at in chosen], shingle, corpus.split[chosen])
    within: dict[int, tuple[int, float]] = {}
    across: dict[str, dict[int, tuple[int, float]]] = {}
    for a, b, overlap in pairs:
        first, second = int(chosen[a]), int(chosen[b])
        if corpus.split[first] == corpus.split[second]:
            within.setdefault(second, (first, overlap))
        elif corpus.names[corpus.split[first]] == "train":
            across.setdefault(corpus.names[corpus.split[second]], {}).setdefault(second, (first, overlap))
    findings = []
    sampled = "" if searched["rows"] == searched["of"] else " " + _("(searched in {rows} of {of} rows)").format(**searched)
    if within:
        message = _("Texts that nearly repeat another one of their split: {count}; look at the examples and remove what adds nothing.")
        examples = [_near_example(corpus, second, first, overlap) for second, (first, overlap) in list(within.items())[:EXAMPLES]]
        findings.append(Finding("near_duplicates", "info", len(within), message.format(count=len(within)) + sampled, examples))
    for name, found in across.items():
        message = _(
            "Texts of the {split} split that nearly repeat a training text: {count}; they flatter its figures, so look at the examples."
        )
        examples = [_near_example(corpus, second, first, overlap) for second, (first, overlap) in list(found.items())[:EXAMPLES]]
        text = message.format(count=len(found), split=split_title(name)) + sampled
        findings.append(Finding(f"near_overlap_{name}", "warning", len(found), text, examples))
    return searched, findings


def _near_example(corpus: Corpus, second: int, first: int, overlap: float) -> dict[str, Any]:
    return {
        **corpus.example([second]),
        "other": {"source": corpus.source(first), "row": corpus.row(first), "text": one_line(corpus.text(first), SHOWN)},
        "similarity": round(overlap, 3),
    }


def _sample(corpus: Corpus, positions: np.ndarray, texts: Sequence[str], seed: int) -> np.ndarray:
    """Positions whose texts are searched for near-duplicates: all, or a seeded sample in which held-out rows get up to half of the room."""
    sizes = np.array([min(len(texts[at]), 1500) for at in positions.tolist()], dtype=np.int64)
    if len(positions) <= MOST_NEAR_TEXTS and sizes.sum() <= MOST_NEAR_CHARACTERS:
        return positions
    draws = np.random.default_rng(seed).random(len(positions))
    held = corpus.split[positions] != 0
    order = np.lexsort((draws, ~held))  # held-out rows first
    half = min(int(held.sum()), _fitting(sizes[order[: int(held.sum())]], 0.5))
    rest = np.flatnonzero(~held)[np.argsort(draws[~held], kind="stable")]
    chosen = order[:half]
    room = 1.0 - max(half / MOST_NEAR_TEXTS, float(sizes[chosen].sum()) / MOST_NEAR_CHARACTERS)
    return np.sort(positions[np.concatenate([chosen, rest[: _fitting(sizes[rest], room)]])])


def _fitting(sizes: np.ndarray, room: float) -> int:
    """How many of the first texts fit into a share of the room for texts and characters."""
    by_characters = int(np.searchsorted(np.cumsum(sizes), room * MOST_NEAR_CHARACTERS, side="right"))
    return min(by_characters, int(room * MOST_NEAR_TEXTS))


def _lengths(texts: Sequence[str], token_lengths: Callable[[list[str]], list[int]] | None, limit: int | None, seed: int) -> dict[str, Any]:
    """The distribution of lengths; measured on a sample, the number of truncated rows is its share of all."""
    if token_lengths is not None and len(texts) > MOST_MEASURED:
        chosen = np.sort(np.argsort(np.random.default_rng(seed).random(len(texts)))[:MOST_MEASURED])
        measured = [texts[at] for at in chosen.tolist()]
    else:
        measured = list(texts)
    lengths = np.array(token_lengths(measured) if token_lengths else [len(text) for text in measured], dtype=np.int64)
    truncated = float((lengths > limit).mean()) if limit and len(lengths) else 0.0
    return {
        "unit": "tokens" if token_lengths else "characters",
        "limit": limit,
        "mean": round(float(lengths.mean()), 1) if len(lengths) else 0.0,
        "median": float(np.median(lengths)) if len(lengths) else 0.0,
        "p95": float(np.quantile(lengths, 0.95)) if len(lengths) else 0.0,
        "max": int(lengths.max(initial=0)),
        "truncated_rows": round(truncated * len(texts)),
        "truncated_share": truncated,
        "histogram": _histogram(lengths),
        "measured": {"rows": len(measured), "of": len(texts)},
    }


def _histogram(lengths: np.ndarray, bars: int = 20) -> list[dict[str, int]]:
    """Equal bars up to the 99th percentile, whole numbers wide; the last one takes what is longer. ``high`` is exclusive."""
    if not len(lengths):
        return []
    width = max(1, int(np.ceil((np.quantile(lengths, 0.99) + 1) / bars)))
    slots = np.minimum(lengths // width, bars - 1)
    counts = np.bincount(slots, minlength=int(slots.max()) + 1)
    top = int(lengths.max()) + 1
    return [
        {"low": i * width, "high": top if i == len(counts) - 1 else (i + 1) * width, "count": int(count)} for i, count in enumerate(counts)
    ]


def _length_findings(corpus: Corpus, texts: Sequence[str], lengths: Mapping[str, Any]) -> list[Finding]:
    findings = []
    if lengths["truncated_rows"]:
        share = lengths["truncated_share"]
        message = _(
            "Texts longer than {limit} tokens, which lose their end: {count} ({share}); a larger --max-length keeps more and takes longer."
        )
        message = message.format(count=lengths["truncated_rows"], share=f"{share:.1%}", limit=lengths["limit"])
        findings.append(Finding("truncation", "warning" if share > 0.05 else "info", lengths["truncated_rows"], message))
    long = [at for at, text in enumerate(texts) if len(text) >= VERY_LONG]
    if long:
        message = _("Texts of {least} characters or more: {count}; check that each is one example and not a whole document.")
        examples = [corpus.example([at]) for at in sorted(long, key=lambda at: -len(texts[at]))[:EXAMPLES]]
        findings.append(Finding("very_long_texts", "warning", len(long), message.format(count=len(long), least=VERY_LONG), examples))
    return findings


def _character_findings(corpus: Corpus, texts: Sequence[str]) -> list[Finding]:
    findings = []
    control = [at for at, text in enumerate(texts) if _CONTROL.search(text)]
    if control:
        message = _("Texts with invisible control characters: {count}; they are kept, so clean the file if the characters mean nothing.")
        examples = [corpus.example([at]) for at in control[:EXAMPLES]]
        findings.append(Finding("control_characters", "info", len(control), message.format(count=len(control)), examples))
    damaged = [at for at, text in enumerate(texts) if not text.isascii() and _DAMAGED.search(text)]
    if damaged:
        message = _("Texts that a wrong encoding had damaged before they came into this file: {count}; get them from their source again.")
        examples = [corpus.example([at]) for at in damaged[:EXAMPLES]]
        findings.append(Finding("damaged_characters", "warning", len(damaged), message.format(count=len(damaged)), examples))
    shares = scripts_of(texts)
    kana = sum(shares.pop(script, 0.0) for script in ("Hiragana", "Katakana"))
    if kana:  # Japanese is written in three scripts
        shares["Han"] = shares.get("Han", 0.0) + kana
    other = sorted(shares.items(), key=lambda item: -item[1])[1:2]
    if other and other[0][1] >= 0.15:
        message = _("{share} of the letters are {script}: choose a base model that knows all languages of the texts.")
        message = message.format(share=f"{other[0][1]:.0%}", script=script_title(other[0][0]))
        findings.append(Finding("mixed_scripts", "info", round(other[0][1] * 100), message))
    return findings
