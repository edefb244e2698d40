"""A finished run's model: written when training ends, and read whenever the run is used. Its own weights, or an adapter on its base."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.engine import hub, offline_base
from weitiao.engine.model_folder import check_remote_code, is_adapter, verify_adapter, verify_folder
from weitiao.engine.pretrained import load_predictor
from weitiao.runs import RunFolder, write_text
from weitiao.tasks.base import Spec, Task

if TYPE_CHECKING:
    from weitiao.engine.models import LoadedModel
    from weitiao.engine.prediction import Predictor


def save_finished(task: Task, spec: Spec, loaded: "LoadedModel", folder: Path, max_length: int, base: hub.BaseModel | None = None) -> None:
    """Write the model folder of a run, with what the task puts beside the weights.

    Args:
        base: what an adapter stands on; None for a whole model.
    """
    from weitiao.engine.models import save_model

    known = ("", "") if base is None else (offline_base.on_hub(base.id), base.revision)
    save_model(loaded, folder, max_length=max_length, chat_template=spec.get("chat_template"), base=known)
    width = loaded.network.config.get_text_config().hidden_size
    for name, values in task.model_files(spec, width, max_length).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_text(folder / name, json.dumps(values, ensure_ascii=False, indent=2) + "\n")


def load_finished(
    task: Task,
    spec: Spec,
    run: RunFolder,
    *,
    shared: dict[str, Any] | None = None,
    merged: bool | None = None,
    dequantised: bool = False,
    packed: bool = True,
    offline: bool = False,
    trust_remote_code: str = "",
) -> "Predictor":
    """A finished run's model, ready to predict: its own weights, or its adapter on the base model that it was made from.

    Args:
        shared: base models in memory, see ``load_predictor``.
        merged: add an adapter's products to the base's weights, which answers the same and faster. None does so unless the base is shared,
            or quantised and to stay small.
        dequantised: turn quantised weights back into ordinary ones, and leave the adapter beside them.
        packed: take padding out where the family allows it; what is traced must be as it was made.
        offline: open no socket for an adapter's base.
        trust_remote_code: the one repository whose Python code may run. What run.json says of it is not asked: a run may be anybody's.

    Raises:
        ModelError, NetworkError: the model or its base is missing, damaged or another.
    """
    record = run.record()
    settings, longest = record["settings"], record["training"]["max_length"]
    if not is_adapter(run.model):
        verify_folder(run.model)
        check_remote_code(run.model, run.model.name, trust_remote_code)
        verify_folder(run.model, beside=_beside(task, spec, run.model, bool(trust_remote_code)))
        return load_predictor(task, spec, run.model, {}, longest, trust_remote_code=bool(trust_remote_code), packed=packed)
    verify_adapter(run.model)
    base = hub.found_again(record["base_model"], settings["model"], offline=offline, trust_remote_code=trust_remote_code)
    bits = int(settings["quant_bits"]) if settings["method"] == "qlora" else 0
    return load_predictor(
        task,
        spec,
        base.path,
        task.model_config(spec),
        longest,
        trust_remote_code=bool(trust_remote_code),
        bits=bits,
        adapter=run.model,
        merged=(shared is None and not bits) if merged is None else merged,
        dequantised=dequantised,
        packed=packed,
        shared=None if shared is None else shared.setdefault(f"{base.sha256}:{bits}", {}),
    )


def _beside(task: Task, spec: Spec, folder: Path, trust_remote_code: bool) -> tuple[str, ...]:
    """The files of weights that a head lies in which transformers does not know."""
    from weitiao.engine.devices import require_torch

    require_torch()
    from weitiao.engine.models import class_for

    names: tuple[str, ...] = getattr(class_for(folder, task.head(spec).classes, trust_remote_code=trust_remote_code), "beside", ())
    return names
