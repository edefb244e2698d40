"""What of a run may be read by anybody: a Space is a public folder. Rows that it was measured on, paths, the command line and the machine
stay behind; what answers, and what is said of it, goes along.
"""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from weitiao.report.formats import file_name
from weitiao.runs import RunFolder, write_text

# Of an evaluation: figures. Beside them stand texts of the rows that it was measured on.
FIGURES = (
    *("split", "rows", "source", "metrics", "intervals", "baselines", "verdict", "headline", "direction"),
    *("per_class", "confusion_matrix", "calibration", "log_loss_rows"),
)
CORPUS = ("documents", "characters", "segmenter", "language")  # of a corpus that was pretrained on
PRIVATE = ("command", "environment", "prediction")  # of run.json
ANSWERING = ("spec", "export", "evaluation")  # what is read to answer and to draw: labels may look like paths
PLACES = ("data", "valid", "test", "out", "track")  # settings that may be paths without a root
# The longest path that begins at a root, in a text or as one.
_PATH = re.compile(r"(?<![\w.~/:])(?:/|[A-Za-z]:[\\/]|~/)[^\s\"'<>|:;,]*[\\/][^\s\"'<>|:;,]*")


def publish(run: RunFolder) -> None:
    """Take out of a copy of a run what is nobody's business, for good."""
    for file in (run.check_file, run.predictions_file, run.ledger_file, run.log_file, run.int8_file):
        file.unlink(missing_ok=True)
    write_text(run.record_file, json.dumps(public(run.record()), ensure_ascii=False, indent=2) + "\n")


def public(record: Mapping[str, Any]) -> dict[str, Any]:
    """A run's record without what is private.

    >>> public({"evaluation": {"rows": 5, "metrics": {"bleu": 0.3}, "side_by_side": [{"input": "a secret"}]}})
    {'evaluation': {'rows': 5, 'metrics': {'bleu': 0.3}}}

    >>> public({"command": ["weitiao"], "data": {"source": "private/a.csv"}, "settings": {"out": "c/d", "task": "/home/ann/mine.py"}})
    {'data': {'source': 'a.csv'}, 'settings': {'out': 'd', 'task': 'mine.py'}}
    """
    record = json.loads(json.dumps(record))
    kept = {name: value if name in ANSWERING else _without_paths(value) for name, value in record.items() if name not in PRIVATE}
    if isinstance(settings := kept.get("settings"), dict):
        kept["settings"] = {
            name: file_name(value) if name in PLACES and isinstance(value, str) else value for name, value in settings.items()
        }
    for name in ("evaluation", "held_out"):
        if kept.get(name):
            kept[name] = {what: value for what, value in kept[name].items() if what in FIGURES or isinstance(value, (int, float))}
    if corpus := (kept.get("pretraining") or {}).get("corpus"):
        kept["pretraining"]["corpus"] = {**{name: corpus[name] for name in CORPUS if name in corpus}, "sources": _sources(corpus)}
    for place in (*((kept.get("data") or {}).get("splits") or {}).values(), kept.get("data"), kept.get("evaluation")):
        if isinstance(place, dict) and isinstance(place.get("source"), str):
            place["source"] = file_name(place["source"])
    return kept


def _sources(corpus: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """What each file gave, by the names of the files alone."""
    sources: dict[str, dict[str, int]] = {}
    for source, counts in (corpus.get("sources") or {}).items():
        sums = sources.setdefault(file_name(source), {})
        for what, count in counts.items():
            sums[what] = sums.get(what, 0) + count
    return sources


def _without_paths(value: Any) -> Any:
    if isinstance(value, str):
        return _PATH.sub(lambda found: _last(found[0]), value)
    if isinstance(value, Mapping):
        return {name: _without_paths(inner) for name, inner in value.items()}
    return [_without_paths(inner) for inner in value] if isinstance(value, list) else value


def _last(path: str) -> str:
    return (PureWindowsPath(path) if "\\" in path else PurePosixPath(path)).name
