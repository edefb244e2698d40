"""The one file of what a page must know beside its model: the steps that its task declared, its boxes, its examples, and what it says of
itself in both languages. It knows no task by name.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.deploy.demo.about import facts, shown_name
from weitiao.deploy.space.static import runtime
from weitiao.deploy.space.static.words import in_both, said
from weitiao.messages import _
from weitiao.metrics import title
from weitiao.quantities import size
from weitiao.report.licenses import NAMELESS
from weitiao.tasks.base import Spec, Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

TABLE = "task.json"
LONGEST = 100_000  # characters of a text that the page takes


def named(record: Mapping[str, Any], name: str | Path) -> str:
    """What the page of an export is called where nobody said it: as the run was."""
    return str(record["export"].get("from") or shown_name(str(name)))


def table_of(
    called: str,
    task: Task,
    predictor: "Predictor",
    record: Mapping[str, Any],
    files: Mapping[str, Any],
    shown: list[dict[str, Any]],
    proof: Mapping[str, Any],
) -> dict[str, Any]:
    """What the page must know, for ``page/page.js`` and ``page/worker.js``.

    Args:
        called: what stands above it.
    """
    steps = task.in_browser(predictor.spec) or {}
    inputs = _inputs(task, predictor.spec, steps)
    mark = hashlib.sha256("".join(str(file["sha256"]) for file in files.values()).encode()).hexdigest()[:12]
    return {
        "name": called,
        "version": mark,
        "files": files,
        "encode": steps["encode"],
        "decode": steps["decode"],
        "max_length": predictor.max_length,
        "inputs": inputs,
        "examples": [{key: value for key, value in one.items() if key in inputs and value} for one in shown],
        "words": in_both(said),
        "about": in_both(lambda: _about(task, record, files, proof)),
    }


def _inputs(task: Task, spec: Spec, steps: Mapping[str, Any]) -> dict[str, Any]:
    """A box for each input that the run reads, and for each setting that visitors may change."""
    inputs: dict[str, Any] = {}
    for field in task.inputs:
        if field.optional and spec.get("pair") is False:
            continue  # learned from single texts
        needed = not field.optional or bool(spec.get(field.name))
        inputs[field.name] = {"type": field.type, "title": _titled(field.title), "optional": not needed, "lines": 4, "longest": LONGEST}
    for key, value in (steps.get("asked") or {}).items():
        inputs[key] = {
            "type": "choices",
            "title": in_both(lambda: _("{field} ({hint})").format(field=_("Labels"), hint=_("one a line"))),
            "optional": False,
            "lines": 4,
            "longest": LONGEST,
            "value": value,
        }
    return inputs


def _titled(text: str) -> dict[str, str]:
    return in_both(lambda: _(text))


def _about(task: Task, record: Mapping[str, Any], files: Mapping[str, Any], proof: Mapping[str, Any]) -> dict[str, Any]:
    """The head and the foot of the page, in the language in force."""
    fetched = sum(int(file["bytes"]) for file in files.values())
    notes = [_("Your browser fetches {size} once and keeps it.").format(size=size(fetched)), *_loss(proof)]
    license = (record.get("base_model") or {}).get("license")
    shown = [fact for fact in facts(task, {**record, "export": None}) if fact.get("mood") is None]
    spelled = _("its own, see its card") if str(license).lower() in NAMELESS else str(license)
    shown += [{"title": _("License of the base"), "value": spelled}] if license else []
    notes += [_("Made with weitiao; computed by ONNX Runtime Web {version} (MIT).").format(version=runtime.version())]
    return {"eyebrow": _("In your browser"), "summary": _(task.summary), "facts": shown, "notes": notes}


def _loss(proof: Mapping[str, Any]) -> list[str]:
    """What the page's model loses against the run, in two sentences."""
    weights = _("Its weights are kept in {bits} bits.").format(bits=proof["weights"])
    if proof.get("value") is None:
        return [weights, _("No held-out rows show what that costs.")]
    message = _("On {rows} held-out rows its {metric} is {value:.4f}, the run's {run:.4f}; {equal:.1%} of the answers are the same.")
    return [weights, message.format(**{**proof, "metric": title(str(proof["metric"]))})]
