"""What to do next, judged from a run's own figures. Each rule is a few lines and says one sentence; it knows no file and no HTML.

The thresholds are rules of thumb for a reader's attention, not tests of significance: where a figure carries an interval, that decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.messages import _
from weitiao.metrics import smaller_is_better, title
from weitiao.pretraining_settings import MEASURED
from weitiao.report import formats, learning, results

TRUNCATED = 0.05  # share of rows
OVERCONFIDENT = 0.10  # expected calibration error
WIDE = 0.10  # width of the headline's interval
WEAK = 0.15  # F1 below the macro average
FEW = 50  # training rows of a label


def next_steps(record: Mapping[str, Any], check: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences in order of weight; [] where nothing stands out."""
    evaluation = record.get("evaluation") or {}
    return [
        *_data(check),
        *_learning(record, log),
        *(_results(evaluation, check) if evaluation.get("metrics") else _no_results(record)),
    ]


def _data(check: Mapping[str, Any]) -> list[str]:
    advice = []
    if any(finding["severity"] == "error" for finding in check.get("findings", ())):
        advice.append(_("Look at the data check first: with what it marks as a problem, the figures on this page cannot be relied on."))
    lengths = check.get("lengths") or {}
    if (lengths.get("truncated_share") or 0) > TRUNCATED:
        text = _("{share} of the texts are longer than the limit of {limit} and lose their end. A larger --max-length reads more of them.")
        advice.append(text.format(share=formats.percent(lengths["truncated_share"]), limit=lengths.get("limit")))
    return advice


def _learning(record: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> list[str]:
    metric, seen = learning.headline_of(record), learning.validations(record, log)
    values = [line[metric] for line in seen if line.get(metric) is not None]
    if len(values) < 2:
        return []
    better = min if smaller_is_better(metric, record.get("evaluation") or {}) else max
    best = better(range(len(values)), key=values.__getitem__)
    if best == len(values) - 1:
        text = _("The validation {metric} was still improving at the end: more {flag} may help.")
        return [text.format(metric=title(metric), flag=_ended_by(record))]
    losses = [line["loss"] for line in seen if line.get("loss") is not None]
    if len(losses) == len(values) and losses[-1] > 1.1 * min(losses):
        return [_("The validation loss rose again after its best: the model began to learn rows by heart. Fewer --epochs save time.")]
    return []


def _ended_by(record: Mapping[str, Any]) -> str:
    """The flag that says how long a training goes on, of the one that ended it."""
    settings, training = record.get("settings") or {}, record.get("training") or {}
    if settings.get("max_steps") and training.get("steps", 0) >= settings["max_steps"]:
        return "--max-steps"
    timed = settings.get("max_minutes") and training.get("epochs", 0) < settings.get("epochs", 0)
    return "--max-minutes" if timed else "--epochs"


def _results(evaluation: Mapping[str, Any], check: Mapping[str, Any]) -> list[str]:
    advice = []
    if evaluation.get("split") == "validation":
        text = _("These figures come from the validation rows, which also chose the checkpoint, so they flatter a little.")
        advice.append(text + " " + _("Set test rows aside with --test."))
    low, high = (evaluation.get("intervals") or {}).get(evaluation.get("headline"), (0, 0))
    if high - low > WIDE:
        text = _("With {rows} rows to test on, the figures are uncertain (see the intervals). More labelled test rows make them firm.")
        advice.append(text.format(rows=formats.count(evaluation.get("rows"))))
    advice += _classes(evaluation, check)
    if evaluation["metrics"].get("ece", 0) > OVERCONFIDENT:
        text = _("Scores do not mean what they say (calibration error {ece}): do not read them as probabilities.")
        advice.append(text.format(ece=formats.figure(evaluation["metrics"]["ece"])))
    return advice


def _classes(evaluation: Mapping[str, Any], check: Mapping[str, Any]) -> list[str]:
    advice = []
    unseen = [row["label"] for row in check.get("labels", ()) if not row.get("train")]
    if unseen:
        text = _("Not a single training row has the label {labels}, so the model can never answer it. Add some.")
        advice.append(text.format(labels=_quoted(unseen)))
    classes = [row for row in evaluation.get("per_class", ()) if row["support"] and row["label"] not in unseen]
    if len(classes) > 1 and sum(row["predicted"] > 0 for row in evaluation["per_class"]) == 1:
        # What follows would only describe the same failure label by label.
        return [
            *advice,
            _("The model gives every row the same answer: it has not learned yet. Try more --epochs, more rows or a higher --lr."),
        ]
    average = evaluation["metrics"].get("f1_macro")
    weak = sorted((row for row in classes if average is not None and row["f1"] < average - WEAK), key=lambda row: row["f1"])
    if weak:
        rows = {row["label"]: row.get("train", 0) for row in check.get("labels", ())}
        few = all(rows.get(row["label"], FEW) < FEW for row in weak)
        text = _("Weakest on {labels}. They have few training rows: label more of them, or try --class-weights balanced.")
        other = _("Weakest on {labels}. Read some of their mistakes below: are the labels right, and the classes distinct?")
        advice.append((text if few else other).format(labels=_quoted([row["label"] for row in weak])))
    pair = next(iter(results.confused_pairs(evaluation)), None)
    if pair and len(classes) > 2 and pair["share"] > 0.2 and pair["count"] >= 5:
        text = _("{true} is often taken for {answered} ({count} times, {share} of its rows). Are the two clearly different?")
        true, answered = _quoted([pair["true"]]), _quoted([pair["answered"]])
        advice.append(text.format(true=true, answered=answered, count=pair["count"], share=formats.percent(pair["share"])))
    return advice


def _no_results(record: Mapping[str, Any]) -> list[str]:
    if record.get("status") != "finished":
        return [_("This run did not finish. Continue it: weitiao train --resume RUN")]
    if "pretraining" in record:
        return _pretrained(record)
    return [_("The model has not been tested on rows it never saw. Do so: weitiao evaluate RUN DATA")]


def _pretrained(record: Mapping[str, Any]) -> list[str]:
    """What a base is good for is seen in what is made of it."""
    advice, about = [], record["pretraining"]
    if not_better(record):
        text = _("It knows held-out documents no better than before. Try more texts, more steps, or a lower --lr.")
        advice.append(text)
    if not record.get("held_out"):
        text = _("It has not been measured on documents that it never saw. Hold some out: --held-out 0.01")
        if about["objective"] in MEASURED:
            text += " " + _("Or measure it on other texts: weitiao evaluate RUN TEXTS")
        advice.append(text)
    return [*advice, _("What it is worth shows when it is fine-tuned: weitiao train DATA --model RUN/model")]


def not_better(record: Mapping[str, Any]) -> bool:
    """Whether a pretraining that went on with a model left it no better on held-out documents than it was."""
    before, after = (record.get("pretraining") or {}).get("before"), record.get("held_out")
    chosen = (record.get("training") or {}).get("best")  # a loss that picks no checkpoint, as rtd's, says nothing of better or worse
    return bool(before and after and chosen and after["loss"] >= before["loss"])


def _quoted(labels: Sequence[str]) -> str:
    shown = _(", ").join(f"“{formats.shorten(label, 40)}”" for label in labels[:4])
    return shown + (" …" if len(labels) > 4 else "")
