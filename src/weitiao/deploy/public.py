"""What of a run may be read by anybody, in a Space or in a repository of models. Rows that it was measured on, where things lie on a
machine, the command line and the machine itself stay behind; what answers, and what is said of it, goes along. It sends nothing anywhere.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from weitiao.config import setting_fields
from weitiao.pretraining_settings import PretrainingSettings
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
# The settings that can name a file or a folder, so that its last name is all that is told; "model" is told by the base's own name.
PLACES = ("data", "valid", "test", "out", "track", "task", "corpus", "config", "tokenizer", "add_tokens", "trust_remote_code")
_BLANK = "blank:"
# What begins at a root, of any system, down to where its last name begins; folders may have blanks in their names.
_FOLDER = r"[^\\/\"<>|:*?\r\n]*[^\\/\"<>|:*?\s][\\/]+"
_PATH = re.compile(
    rf"(?<![\w.~/:\\])(?:(?:file:/+|\\\\|[A-Za-z]:[\\/]+|~[\w.-]*[\\/]+)(?=[^\s\\/])(?:{_FOLDER})*|/(?=[^\s\\/])(?:{_FOLDER})+)"
)


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

    >>> public({"base_model": {"id": "base", "source": "folder", "folder": "/home/ann/base"}, "settings": {"model": "my clients/base"}})
    {'base_model': {'id': 'base', 'source': 'folder'}, 'settings': {'model': 'base'}}
    """
    record = json.loads(json.dumps(record))
    known = sorted(set(_places(record)), key=len, reverse=True)  # a folder after what lies in it
    kept = {name: value if name in ANSWERING else _without_paths(value, known) for name, value in record.items() if name not in PRIVATE}
    if isinstance(base := kept.get("base_model"), dict):
        base.pop("folder", None)
        if base.get("source") == "folder":
            base["id"] = file_name(base.get("id"))
    if isinstance(settings := record.get("settings"), dict):
        own = settings.keys() - setting_fields(PretrainingSettings).keys() if record.get("task_file") else set()
        kept["settings"] = {name: _setting(name, value, kept, name in own) for name, value in settings.items()}
    for name in ("evaluation", "held_out"):
        if kept.get(name):
            kept[name] = {what: value for what, value in kept[name].items() if what in FIGURES or isinstance(value, (int, float))}
    if corpus := (record.get("pretraining") or {}).get("corpus"):
        kept["pretraining"]["corpus"] = {**{name: corpus[name] for name in CORPUS if name in corpus}, "sources": _sources(corpus)}
    for place in _sourced(kept):
        place["source"] = file_name(place["source"])
    return kept


def _setting(name: str, value: Any, told: Mapping[str, Any], own: bool) -> Any:
    """A setting's value as anybody may read it.

    Args:
        told: the record, as far as it is public.
        own: whether somebody's own task declares it, so that nobody else knows what it means.
    """
    base = told.get("base_model") or {}
    if isinstance(value, list):
        return [_setting(name, one, told, own) for one in value]
    if not isinstance(value, str):
        return value
    if name == "model":
        if value.startswith(_BLANK):
            return _BLANK + file_name(value.removeprefix(_BLANK))
        if base.get("source") == "folder" or "\\" in value:
            return base.get("id") or file_name(value)
        return value if base else file_name(value)
    if name == "task" and value == f"task/{(told.get('task_file') or {}).get('name')}":
        return value  # where it stands in the run
    if name in PLACES or own:
        return value if value and value == base.get("id") else file_name(value)
    return _without_paths(value, [])


def _places(record: Mapping[str, Any]) -> Iterator[str]:
    """Every place that a record names, where the text has folders in it."""
    settings, base = record.get("settings") or {}, record.get("base_model") or {}
    named = [settings.get(name) for name in PLACES]
    named += [base.get("folder"), settings.get("model") if base.get("source") == "folder" else ""]
    named += [place["source"] for place in _sourced(record)]
    named += list(((record.get("pretraining") or {}).get("corpus") or {}).get("sources") or ())
    for one in named:
        for place in one if isinstance(one, list) else [one]:
            if isinstance(place, str) and place != base.get("id") and file_name(place) not in ("", place):
                yield place


def _sourced(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What of a record says from which file it came."""
    data = record.get("data") or {}
    parts = (*(data.get("splits") or {}).values(), data, record.get("evaluation"), record.get("held_out"))
    return [part for part in parts if isinstance(part, dict) and isinstance(part.get("source"), str)]


def _sources(corpus: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """What each file gave, by the names of the files alone."""
    sources: dict[str, dict[str, int]] = {}
    for source, counts in (corpus.get("sources") or {}).items():
        sums = sources.setdefault(file_name(source), {})
        for what, count in counts.items():
            sums[what] = sums.get(what, 0) + count
    return sources


def _without_paths(value: Any, known: list[str]) -> Any:
    if isinstance(value, str):
        for place in known:
            value = value.replace(place, file_name(place))
        return _PATH.sub("", value)
    if isinstance(value, Mapping):
        return {name: _without_paths(inner, known) for name, inner in value.items()}
    return [_without_paths(inner, known) for inner in value] if isinstance(value, list) else value
