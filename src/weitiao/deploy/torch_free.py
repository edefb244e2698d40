"""Writes the folder of an export that needs no torch: the graph, the tokenizer, the config, and what is recorded of them. It knows the
engine's models; it judges nothing.
"""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.data.records import Records
from weitiao.errors import MissingPackage, ModelError
from weitiao.messages import _
from weitiao.processing import FastProcessor
from weitiao.runs import RunFolder, write_text
from weitiao.tasks.base import Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

CONFIG = "config.json"
_UNUSED = ("_name_or_path", "transformers_version")  # of a config: a path of this machine, and a library that is not needed


def check_offered(task: Task) -> None:
    """Raises ModelError for a task whose models answer in more than one pass."""
    if task.answers_by == "generate":
        message = _(
            "A model that writes ({task}) answers token by token, and an ONNX graph in one pass: it is not exported as ONNX. "
            'Export it with "--to ctranslate2" or "--to merged".'
        )
        raise ModelError(message.format(task=task.name))


def require_onnx() -> None:
    """Raises MissingPackage, with the command that installs it, where the package is missing."""
    if find_spec("onnx") is None:
        raise MissingPackage(_('ONNX exports need the package onnx, which is not installed. Type: pip install "weitiao[export]"'))


def write_torch_free(traced: "Predictor", records: Records, made: RunFolder) -> dict[str, Any]:
    """Write the model folder of an export that onnxruntime computes.

    Args:
        traced: the run's predictor with a torch backend, not packed.
        records: some of the run's, to trace the network with.
        made: the export's folder.

    Returns:
        What ``runtime.open_export`` must know of it, plain JSON.

    Raises:
        ModelError: the network cannot be written as a graph, or its tokenizer only lives in transformers.
    """
    from weitiao.deploy.graph import write_graph

    backend: Any = traced.backend
    facts = write_beside(traced, made)
    backend.loaded.network.to("cpu")
    features = [one for record in records.select(range(min(len(records), 8))) for one in traced.encode(record)]
    write_graph(backend.loaded, backend.objective, features, made.graph)
    return {"reader": "onnx", "parts": backend.objective.parts, **facts}


def write_beside(traced: "Predictor", made: RunFolder) -> dict[str, Any]:
    """Write what stands beside the weights, whatever answers from them: the tokenizer, the config, the settings for pictures.

    Returns:
        What ``runtime.open_export`` must know of them, plain JSON.

    Raises:
        ModelError: the tokenizer only lives in transformers.
    """
    backend: Any = traced.backend
    loaded, processor = backend.loaded, traced.processor
    if not isinstance(processor, FastProcessor):
        message = _(
            "This model's tokenizer has no fast backend, so nothing but transformers reads a text as it does, and no export without "
            'torch can be made of it. Export it with "--to merged".'
        )
        raise ModelError(message)
    made.model.mkdir(parents=True, exist_ok=True)
    processor.tokenizer.no_truncation()
    processor.tokenizer.save(str(made.tokenizer))
    config = loaded.network.config.to_dict()
    _write_json(made.model / CONFIG, {name: value for name, value in config.items() if name not in _UNUSED})
    for name, content in loaded.picture_files.items():
        (made.model / name).write_bytes(content)
    return {
        "squash": backend.objective.squash,
        "padding": dict(loaded.padding),
        "max_length": traced.max_length,
        "inputs": list(processor.input_names),
        "special_tokens": dict(processor.special_tokens),
        "chat_template": processor.chat_template,
        "patch": processor.patch,
        "network": type(loaded.network).__name__,
        "parameters": loaded.parameters()[0],
        "precision": "fp32",
        "labels": {str(number): str(label) for number, label in (loaded.network.config.id2label or {}).items()},
    }


def _write_json(file: Path, values: Mapping[str, Any]) -> None:
    write_text(file, json.dumps(values, ensure_ascii=False, indent=2, default=str) + "\n")
