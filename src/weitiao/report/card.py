"""The model card: README.md with Hugging Face metadata, so that a folder that is passed on explains itself. It holds no path of this
machine. Knows no concrete task.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao import __version__
from weitiao.data.titles import hidden_title
from weitiao.engine import offline_base
from weitiao.forms import form_of
from weitiao.messages import N_, _
from weitiao.report import held_out, obtaining, results
from weitiao.report.formats import file_name
from weitiao.report.licenses import told_to_a_hub
from weitiao.report.page import describe, is_adapter
from weitiao.report.rendering import render
from weitiao.runs import RunFolder, write_text

# What the hub calls our figures.
_HUB_METRICS = {
    **dict.fromkeys(("f1_macro", "f1_weighted", "f1_micro"), "f1"),
    "mcc": "matthews_correlation",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "rouge1": "rouge",
    "rouge2": "rouge",
    "rougeL": "rouge",
}
_SHOWN = (
    *("f1_macro", "accuracy", "f1_weighted", "balanced_accuracy", "mcc", "f1_micro", "f1", "precision", "recall", "pearson", "spearman"),
    *("mae", "exact_match", "rouge1", "rouge2", "rougeL", "bleu", "chrf", "perplexity", "masked_accuracy", "f1_at_5", "recall_at_1"),
)
_MOST_LABELS = 40
_MOST_FILES = 20
_LEARNED = {
    "mlm": N_("hidden words, whole ones, were to be found again (masked language modelling)"),
    "rtd": N_("words that a generator had replaced were to be found (replaced-token detection, ELECTRA); this is the discriminator"),
    "denoising": N_("spans that were taken out were to be written (T5's denoising)"),
    "clm": N_("the next token was to be foretold (causal language modelling)"),
}


def write_card(run: RunFolder, *, check: Mapping[str, Any] | None = None, published: str = "") -> Path:
    """Write the run's README.md, in the language in force (metadata is the hub's), and return its path.

    Args:
        check: the data check's findings, where they do not stand in the folder.
        published: OWNER/NAME on a hub, whose page the card will be.

    Raises:
        RunError: run.json cannot be read.
        ResourceError: the file cannot be written.
    """
    record, check = run.record(), run.check() if check is None else check
    if "pretraining" in record:
        return _pretraining_card(run, record, published)
    evaluation = record.get("evaluation") or {}
    labels = (record.get("spec") or {}).get("labels") or []
    task = describe(record, run.task)
    form = form_of(record)
    text = render(
        "card.md.j2",
        record=record,
        check=check,
        warnings=_warnings(record, check),
        task=task,
        evaluation=evaluation,
        metric_rows=results.metric_rows(evaluation) if evaluation.get("metrics") else [],
        labels=labels[:_MOST_LABELS],
        more_labels=max(0, len(labels) - _MOST_LABELS),
        **_bases(record),
        base_id=base_model(record),
        pipeline=task["hub_tag"] if task["pipeline"] and not is_adapter(record) and not form.reader else "",
        plain=obtaining.architecture(run) if task["classes"] and not is_adapter(record) and not form.reader else "",
        form=form,
        obtaining=obtaining.sentence(form.package, str(record.get("weitiao") or __version__)),
        adapter=is_adapter(record),
        published=published,
    )
    write_text(run.card, f"---\n{metadata(record, check, hub_tag=task['hub_tag'])}\n---\n\n{text.strip()}\n")
    return run.card


def _pretraining_card(run: RunFolder, record: Mapping[str, Any], published: str) -> Path:
    """The card of a model that was trained on running text: which corpora, how much of them, and what was measured."""
    pretraining, training = record["pretraining"], record.get("training") or {}
    base = record.get("base_model") or {}
    text = render(
        "pretraining_card.md.j2",
        record=record,
        learned=_LEARNED[pretraining["objective"]],
        **_bases(record),
        blank=base.get("source") == "blank",
        sources=_sources(pretraining["corpus"]["sources"]),
        figures={name: value for name, value in (record.get("held_out") or {}).items() if value is not None},
        before=pretraining.get("before") or {},
        measured_on=held_out.measured_on(record),
        hidden=hidden_title(pretraining["corpus"].get("segmenter") or ""),
        training=training,
        plain=obtaining.architecture(run),
        obtaining=obtaining.sentence("weitiao[train]", str(record.get("weitiao") or __version__)),
        published=published,
    )
    language = {"language": (record.get("data") or {}).get("language")}
    write_text(run.card, f"---\n{metadata(record, language)}\n---\n\n{text.strip()}\n")
    return run.card


def _sources(counted: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """{name: counts} of a corpus's files, those of the same name together: the largest, and all others in one row."""
    named: dict[str, dict[str, int]] = {}
    for source, counts in counted.items():
        _add(named.setdefault(file_name(source), {}), counts)
    ordered = sorted(named.items(), key=lambda item: -item[1]["characters"])
    shown = dict(ordered[:_MOST_FILES])
    rest: dict[str, int] = {}
    for _name, counts in ordered[_MOST_FILES:]:
        _add(rest, counts)
    if rest:
        shown[_("{count} other files").format(count=len(ordered) - _MOST_FILES)] = rest
    return shown


def _add(sums: dict[str, int], counts: Mapping[str, int]) -> None:
    for what, count in counts.items():
        sums[what] = sums.get(what, 0) + count


def own_figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the model in this very folder was measured by: of an export that answers a little otherwise than its run the one figure that
    was measured again, not the run's.

    >>> own_figures({"evaluation": {"metrics": {"f1_macro": 0.8}}, "export": {"to": "onnx-int8", "metric": "f1_macro", "value": 0.7}})
    {'f1_macro': 0.7}
    """
    export = record.get("export") or {}
    if form_of(record).plain and isinstance(export.get("value"), (int, float)):
        return {str(export["metric"]): export["value"]}
    return dict((record.get("evaluation") or {}).get("metrics") or {})


def metadata(record: Mapping[str, Any], check: Mapping[str, Any], *, hub_tag: str = "") -> str:
    """The card's YAML head. What is not known is left out, because the hub would show a guess as a fact; ``hub_tag`` as a task has it."""
    from huggingface_hub import EvalResult, ModelCardData

    evaluation, task = record.get("evaluation") or {}, str(record.get("task") or "")
    split = evaluation.get("split", "test")
    dataset = file_name(evaluation.get("source")) or split
    figures = [
        EvalResult(
            task_type=task,
            dataset_type=re.sub(r"[^\w.-]+", "-", dataset),
            dataset_name=dataset,
            dataset_split=split,
            metric_type=_HUB_METRICS.get(name, name),
            metric_name=name,
            metric_value=round(float(value), 4),
        )
        for name, value in own_figures(record).items()
        if name in {*_SHOWN, evaluation.get("headline")}
    ]
    language = check.get("language")
    license_told: dict[str, Any] = dict(told_to_a_hub(record))
    data = ModelCardData(
        language=language if re.fullmatch(r"[a-z]{2,3}", str(language)) else None,
        library_name=form_of(record).reader or ("peft" if is_adapter(record) else "transformers"),
        pipeline_tag=hub_tag or None,
        # An adapter belongs on its very base, which is not what that one was made from.
        base_model=(base_model if is_adapter(record) else origin)(record) or None,
        tags=["weitiao", *([task] if task else [])],
        metrics=sorted({figure.metric_type for figure in figures}) or None,
        model_name=str(record.get("name") or "model") if figures else None,
        eval_results=figures or None,
        **license_told,
    )
    return str(data.to_yaml()).strip()


def _warnings(record: Mapping[str, Any], check: Mapping[str, Any]) -> list[str]:
    """What the data check warns of, with files by their names alone."""
    sources = {str(split.get("source") or "") for split in (record.get("data") or {}).get("splits", {}).values()} - {""}
    warnings = [str(finding["message"]) for finding in check.get("findings", ()) if finding["severity"] != "info"]
    for source in sorted(sources, key=len, reverse=True):
        warnings = [warning.replace(source, file_name(source)) for warning in warnings]
    return warnings


def base_model(record: Mapping[str, Any]) -> str:
    """The base model's id on the hub, or "" where it came from a folder of somebody's machine."""
    return "" if (record.get("base_model") or {}).get("source") == "folder" else origin(record)


def origin(record: Mapping[str, Any]) -> str:
    """The id on the hub of what the run goes back to: its base model, or where that is another run's, what that one was made from."""
    name = _origin(record)
    packaged = offline_base.named(name)
    return name if re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", name) else packaged.hub_id if packaged else ""


def packaged_origin(record: Mapping[str, Any]) -> offline_base.Packaged | None:
    """The same where it is a packaged base that no hub has."""
    packaged = offline_base.named(_origin(record))
    return packaged if packaged and not packaged.hub_id else None


def origin_told(record: Mapping[str, Any]) -> str:
    """The same as people can find it: on a hub, or as a package."""
    packaged = packaged_origin(record)
    return f"{packaged.title} ({packaged.requirement})" if packaged else origin(record)


def _origin(record: Mapping[str, Any]) -> str:
    base = record.get("base_model") or {}
    return str(base.get("made_from" if base.get("source") == "folder" else "id") or "")


def _bases(record: Mapping[str, Any]) -> dict[str, str]:
    """What both cards say of it: {"base_name", "origin": what a base from a folder was made from}."""
    base = record.get("base_model") or {}
    there = base.get("source") == "folder"
    told = origin_told(record)
    return {"base_name": str(base.get("id") or "") if there else told or str(base.get("id") or ""), "origin": told if there else ""}
