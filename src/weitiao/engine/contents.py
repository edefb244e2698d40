"""What is in a model folder, without loading it: its files, its parameters, what its config says, and the memory it takes.

It puts together plain JSON from names, configs and the headers of weight files. It opens no socket, needs no torch, and draws nothing.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao.engine import hub, offline_base
from weitiao.engine.base_of_run import name_of
from weitiao.engine.fitting import fitting_tasks
from weitiao.engine.heads import kind_of_config, made_for
from weitiao.engine.memory import Sizes, to_load, to_train
from weitiao.engine.model_files import files_of
from weitiao.engine.model_folder import ADAPTER_CONFIG, INDEX, SINGLE, is_adapter, license_of, longest_read
from weitiao.engine.parameters import Weights, read_weights
from weitiao.engine.places import Place, find
from weitiao.engine.pretrained import read_config
from weitiao.errors import ModelError, WeitiaoError
from weitiao.messages import _
from weitiao.runs import RunFolder

_GENERAL = ("AutoModel", "AutoModelForMaskedLM")  # what was learned from texts alone, to be fine-tuned for anything
_WRITERS = ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModelForMaskedLM")


def look_into(name: str) -> dict[str, Any]:
    """Everything that can be told of a model by its folder.

    Args:
        name: a run's folder, a model's, a hub id that is on this machine, or "offline".

    Returns:
        {"name", "folder", "run", "architecture", "family", "kind", "general", "tasks", "labels", "vocabulary", "context_tokens",
        "sentence_tokens", "license", "adapter", "parameters", "blocks", "formats", "matrices", "tied_head", "memory", "files"}.
        "parameters", "blocks" and "memory" are None where there are no weights that may be read, "context_tokens" where nothing limits a
        text or says so; "matrices" are those that LoRA changes.

    Raises:
        ModelError: no model folder, or a damaged one.
        NetworkError, RunError, UsageError: see ``places.find``.
    """
    place = find(name)
    folder = place.folder
    config = read_config(folder) if (folder / "config.json").is_file() else {}
    architectures = [str(name) for name in config.get("architectures") or ()]
    adapter = _adapter(folder, place.run) if is_adapter(folder) else None
    has_weights = adapter is not None or (folder / SINGLE).is_file() or (folder / INDEX).is_file()
    weights = read_weights(folder, where=name) if has_weights else None
    return {
        "name": name,
        "folder": str(folder),
        "run": _run(place.run) if place.run else None,
        "architecture": ", ".join(architectures),
        "family": str(config.get("model_type") or ""),
        "kind": kind_of_config(config) if config else None,
        "general": kind_of_config(config) == "encoder" and all(made_for(name, _GENERAL) for name in architectures),
        "tasks": fitting_tasks(config) if adapter is None else [],  # its config is the base's, its head its own
        "labels": _labels(config),
        "vocabulary": _text_value(config, "vocab_size"),
        "context_tokens": longest_read(folder) if config else None,
        "sentence_tokens": config.get("sentence_length"),
        "license": license_of(folder) or _license_of_base(place),
        "adapter": adapter,
        **_figures(weights, architectures, _text_value(config, "vocab_size") or 0, adapter),
        "files": [{**file._asdict(), "meaning": _(file.meaning)} for file in files_of(folder)],
    }


def _figures(weights: Weights | None, architectures: Sequence[str], vocabulary: int, adapter: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters and memory, those of an adapter's base included where it is here."""
    if weights is None:
        return {"parameters": None, "blocks": None, "formats": {}, "matrices": 0, "tied_head": False, "memory": None}
    sizes: Sizes | None = weights.sizes
    base = adapter["base_parameters"] if adapter else None
    if adapter:
        # The base was trained with this very adapter: its own size is what LoRA adds.
        sizes = None if base is None else Sizes(base["all"] + weights.sizes.all, base["linear"], weights.sizes.all)
    writes = any(made_for(name, _WRITERS) for name in architectures)
    return {
        "parameters": weights.sizes.all,
        "blocks": [{"block": block.name, "parameters": block.parameters, "layers": block.layers} for block in weights.blocks],
        "formats": weights.formats,
        "matrices": sum("lora_A" in name for name in weights.tensors),
        "tied_head": writes and adapter is None and not weights.has_matrix_of(vocabulary),
        "memory": {"load": to_load(sizes), "train": to_train(sizes)} if sizes else None,
    }


def _adapter(folder: Path, run: RunFolder | None) -> dict[str, Any]:
    """What an adapter says of itself, and the size of its base where that is on this machine: {"base", "rank", ...}."""
    values = _json(folder / ADAPTER_CONFIG)
    base = str(values.get("base_model_name_or_path") or "")
    record = run.record() if run else {}
    named = base
    try:
        if record.get("base_model"):
            named = name_of(record["base_model"], record["settings"]["model"])
        if named == offline_base.MINILM.hub_id and hub.on_this_machine(named) is None:
            named = "offline"  # the same weights
        sizes = read_weights(find(named).folder, where=named).sizes
    except (WeitiaoError, OSError):
        found = None
    else:
        found = {"all": sizes.all, "linear": sizes.linear}
    return {
        "base": base,
        "kind": str(values.get("peft_type") or ""),
        "rank": values.get("r"),
        "alpha": values.get("lora_alpha"),
        "base_here": named if found else None,
        "base_parameters": found,
    }


def _license_of_base(place: Place) -> str:
    """The licence of the base model, where the folder itself declares none: what was made of it stands under the same."""
    if place.run:
        return str((place.run.record().get("base_model") or {}).get("license") or "")
    return offline_base.meant(place.name).license if offline_base.is_offline(place.name) else ""


def _run(run: RunFolder) -> dict[str, Any]:
    """What a run says of its model."""
    record = run.record()
    evaluation = record.get("evaluation") or {}
    metric = evaluation.get("headline")
    return {
        "path": str(run.path),
        "status": record.get("status"),
        "task": record.get("task"),
        "method": (record.get("settings") or {}).get("method"),
        "base": (record.get("base_model") or {}).get("id"),
        "split": evaluation.get("split"),
        "rows": evaluation.get("rows"),
        "headline": metric,
        "value": (evaluation.get("metrics") or {}).get(metric),
        "interval": (evaluation.get("intervals") or {}).get(metric),
        "report": str(run.report) if run.report.is_file() else None,
    }


def _labels(config: Mapping[str, Any]) -> list[str]:
    """The labels of the model's head by their numbers; [] for a model that has none of its own."""
    names = config.get("id2label")
    return [str(names[key]) for key in sorted(names, key=int)] if isinstance(names, dict) else []


def _json(file: Path) -> dict[str, Any]:
    """A JSON object, {} where there is no such file. Raises ModelError where it cannot be read."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        message = _("{folder} has no readable {file}: it is not a transformers model.")
        raise ModelError(message.format(folder=file.parent.name, file=file.name)) from error


def _text_value(config: Mapping[str, Any], name: str) -> int | None:
    """A number of the config, or of its part about texts."""
    value = config.get(name) or (config.get("text_config") or {}).get(name)
    return int(value) if value else None
