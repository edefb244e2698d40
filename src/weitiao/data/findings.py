"""What a finding of the data check is, and those that come from labels and the row ledger. It knows no terminal and no report."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from weitiao.data.bad_rows import NAMED
from weitiao.data.ledger import Entry, Ledger
from weitiao.data.normalising import normalise
from weitiao.data.titles import split_title
from weitiao.data.values import parser
from weitiao.messages import _
from weitiao.quantities import some

Severity = Literal["info", "warning", "error"]
Example = dict[str, Any]
EXAMPLES = 5
_ORDER = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """Something about the data that people should know.

    Attributes:
        code: stable short name.
        severity: "error" means that training or its figures will be wrong; "warning" that they may be; "info" is good to know.
        count: how many rows, texts or labels.
        message: one sentence that says what to do.
        examples: at most five: {"source", "rows", "text", "labels"}.
    """

    code: str
    severity: Severity
    count: int
    message: str
    examples: list[Example] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "code": self.code,
            "severity": self.severity,
            "count": self.count,
            "message": self.message,
            "examples": self.examples[:EXAMPLES],
        }


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first."""
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))


def ledger_findings(ledger: Ledger) -> list[Finding]:
    """What reading and cleaning did to rows, in sentences."""
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in ledger.entries:
        groups[_code(entry)].append(entry)
    findings = []
    for code, entries in groups.items():
        if code not in _LEDGER_SEVERITY:
            continue
        message = _ledger_message(code).format(count=len(entries), rows=some((entry.row for entry in entries), NAMED))
        if code == "missing_label":
            spelled = Counter(entry.detail for entry in entries if entry.detail).most_common(3)
            message = " ".join([message, *(detail for detail, _count in spelled)])
        examples = [{"source": entry.source, "rows": [entry.row], "text": entry.detail, "labels": []} for entry in entries[:EXAMPLES]]
        findings.append(Finding(code, _LEDGER_SEVERITY[code], len(entries), message, examples))
    return findings


_LEDGER_SEVERITY: dict[str, Severity] = {
    "unreadable_rows": "warning",
    "empty_text": "warning",
    "missing_label": "warning",
    "removed_duplicates": "info",
    "nul_characters": "info",
    "label_whitespace": "info",
    "repaired_rows": "info",
}


def _code(entry: Entry) -> str:
    if entry.action == "repaired":
        return {"nul_character": "nul_characters", "label_whitespace": "label_whitespace"}.get(entry.reason, "repaired_rows")
    if entry.action != "dropped":
        return ""
    if entry.reason.startswith("empty_"):
        return "empty_text"
    if entry.reason.startswith("missing_"):
        return "missing_label"
    return "removed_duplicates" if entry.reason == "exact_duplicate" or entry.reason.startswith("in_") else "unreadable_rows"


def _ledger_message(code: str) -> str:
    return {
        "unreadable_rows": _("Rows that could not be read and were left out: {count} (rows {rows}); repair them in the file."),
        "empty_text": _("Rows that have no text and were left out: {count} (rows {rows})."),
        "missing_label": _(
            "Rows that have no label and were left out: {count} (rows {rows}); label them, or rename the class if that is its name."
        ),
        "removed_duplicates": _("Training rows that were removed because their text stands elsewhere too: {count} (rows {rows})."),
        "nul_characters": _("Texts whose NUL characters were taken out: {count} (rows {rows})."),
        "label_whitespace": _("Labels that lost the white space around them: {count} (rows {rows})."),
        "repaired_rows": _("Rows that broke the format's rules in a way that could be mended: {count} (rows {rows}); see the ledger."),
    }[code]


def label_findings(
    counts: Mapping[str, Mapping[str, int]], rows: Mapping[str, int], example: Callable[[str], Example], for_numbers: Sequence[str] = ()
) -> list[Finding]:
    """What the number of rows a label says.

    Args:
        counts: label -> split -> rows.
        rows: split -> rows.
        example: gives a row with a label, as a finding shows it.
        for_numbers: tasks that would learn a number where this one learns labels.
    """
    counts = {label: by_split for label, by_split in counts.items() if sum(by_split.values())}
    train = {label: by_split.get("train", 0) for label, by_split in counts.items()}
    known = {label: count for label, count in train.items() if count}
    findings = []
    if rows.get("train") and list(known.values()) == [rows["train"]]:
        message = _('All training rows have the same label, "{label}", so there is nothing to tell apart; add rows of another class.')
        findings.append(Finding("one_class", "error", rows["train"], message.format(label=next(iter(known)))))
    unseen = [label for label in counts if not train[label]]
    if unseen and rows.get("train"):
        held = sum(sum(counts[label].values()) for label in unseen)
        message = _(
            "Rows of validation or test whose label no training row has: {count} ({labels}); add training rows with it, or remove them."
        )
        findings.append(
            Finding(
                "unseen_labels",
                "error",
                held,
                message.format(count=held, labels=_names(unseen)),
                [example(label) for label in unseen[:EXAMPLES]],
            )
        )
    if for_numbers and _fractional(known):
        # Few rows a label, and labels that a split lacks, are the way of numbers: nothing is to be said about each.
        return [_numbers(known, for_numbers), *findings]
    single = [label for label, count in known.items() if count == 1]
    if single and len(known) > 1:
        message = _("Labels with a single training row: {count} ({labels}); add rows, or merge them with another label.")
        findings.append(
            Finding(
                "single_row_classes",
                "warning",
                len(single),
                message.format(count=len(single), labels=_names(single)),
                [example(label) for label in single[:EXAMPLES]],
            )
        )
    few = [label for label, count in known.items() if 1 < count < 8]
    if few and len(known) > 1:
        message = _("Labels with fewer than 8 training rows: {count} ({labels}); expect little of them until there are more.")
        findings.append(
            Finding(
                "small_classes",
                "info",
                len(few),
                message.format(count=len(few), labels=_names(few)),
                [example(label) for label in few[:EXAMPLES]],
            )
        )
    if len(known) > 1 and max(known.values()) >= 10 * min(known.values()) and max(known.values()) >= 20:
        most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
        message = _(
            'The label "{most}" has {times} times as many training rows as "{least}": look at macro F1, and try --class-weights balanced.'
        )
        message = message.format(most=most, least=least, times=round(known[most] / known[least]))
        findings.append(Finding("class_imbalance", "warning", known[most], message))
    if len(known) > 50 and len(known) * 3 > rows.get("train", 0):
        message = _(
            "Different labels: {count}, for {rows} training rows; the label column may be an id, a number or a text, so check --label."
        )
        findings.append(Finding("many_labels", "warning", len(known), message.format(count=len(known), rows=rows["train"])))
    return [*findings, *_similar(counts, example), *_unmeasured(counts, rows)]


def _fractional(labels: Collection[str]) -> bool:
    """Whether all labels are numbers and some have a fraction: nobody numbers classes like that."""
    try:
        numbers = [parser("number")([label]) for label in labels]
    except ValueError:
        return False
    return any(not number.is_integer() for number in numbers)


def _numbers(labels: Collection[str], tasks: Sequence[str]) -> Finding:
    """What to type where labels are numbers."""
    message = _(
        "The labels are numbers ({count} different ones, such as {examples}), and each is learned as a class of its own. To learn the "
        "number itself, type {flags}."
    )
    flags = _(" or ").join(f"--task {task}" for task in tasks)
    spread = sorted(labels, key=float)[:: max(1, len(labels) // 3)][:3]
    return Finding("numeric_labels", "warning", len(labels), message.format(count=len(labels), examples=_(", ").join(spread), flags=flags))


def _similar(counts: Mapping[str, Mapping[str, int]], example: Callable[[str], Example]) -> list[Finding]:
    """Labels that differ only in case, width or white space: nearly always one label spelled in two ways."""
    spelled: defaultdict[str, list[str]] = defaultdict(list)
    for label in counts:
        spelled[normalise(label)].append(label)
    pairs = [labels for labels in spelled.values() if len(labels) > 1]
    if not pairs:
        return []
    message = _(
        "Labels that seem to be spelled in several ways: {count} ({labels}); they are learned as different labels, so use one spelling."
    )
    message = message.format(count=len(pairs), labels=_("; ").join(" / ".join(map(_quoted, labels)) for labels in pairs[:3]))
    return [Finding("similar_labels", "warning", len(pairs), message, [example(label) for labels in pairs for label in labels][:EXAMPLES])]


def _unmeasured(counts: Mapping[str, Mapping[str, int]], rows: Mapping[str, int]) -> list[Finding]:
    """Held-out splits that are too small, or lack a label."""
    findings = []
    for split in ("validation", "test"):
        if split not in rows:
            continue
        if rows[split] < 50:
            message = _("Rows in the {split} split: only {count}; its figures will be rough, so hold out more of the data or collect more.")
            findings.append(Finding("small_split", "warning", rows[split], message.format(split=split_title(split), count=rows[split])))
        absent = [label for label, by_split in counts.items() if by_split.get("train") and not by_split.get(split)]
        if absent:
            message = _("Labels that do not occur in the {split} split: {count} ({labels}); nothing can be said about them there.")
            message = message.format(count=len(absent), split=split_title(split), labels=_names(absent))
            findings.append(Finding(f"absent_from_{split}", "info", len(absent), message))
    return findings


def _names(labels: Sequence[str]) -> str:
    return some(map(_quoted, labels), NAMED)


def _quoted(label: str) -> str:
    return f'"{label}"'
