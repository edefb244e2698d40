"""A network, and what its objective makes of its outputs, written as one ONNX graph: what goes in are token ids, what comes out are the
answers that ``decode`` reads. So nothing of an objective is written a second time. It knows torch; it knows no task and no run.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Collated, Objective
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.processing import Features

OPSET = 17  # which every onnxruntime since 1.13 runs


def write_graph(loaded: LoadedModel, objective: Objective, features: Sequence[Features], file: Path) -> None:
    """Trace a network on a batch and write the graph, for batches of any number of rows and any length.

    Args:
        loaded: not packed, on the CPU.
        objective: how outputs become answers.
        features: of some records, to trace with.
        file: the graph; weights of more than 2 GB lie in files beside it.

    Raises:
        ModelError: the network cannot be traced, or answers otherwise than this module knows; the message says why.
    """
    network = loaded.network.eval()
    _check(objective, features)
    batch = objective.collate([[one] for one in _two_lengths(features)], loaded.padding)
    module = _Answering(network, objective, list(batch.inputs), list(batch.targets))
    tensors = (*batch.inputs.values(), *batch.targets.values())
    inputs = [*batch.inputs, *batch.targets]
    axes = {name: {0: "rows", 1: "length"} for name, tensor in zip(inputs, tensors, strict=True) if name not in features[0].arrays}
    axes |= {name: {0: "rows"} for name in features[0].arrays}
    try:
        with _quiet(), torch.no_grad():
            names = list(module.answers(*tensors))
            axes |= {name: {0: "entries" if objective.parts == "counts" and name != "counts" else "rows"} for name in names}
            if objective.parts == "tokens":
                axes |= {name: {0: "rows", 1: "length"} for name in names}
            torch.onnx.export(
                module,
                tensors,
                str(file),
                dynamo=False,  # seconds where the newer exporter takes minutes, with the same answers
                opset_version=OPSET,
                input_names=inputs,
                output_names=names,
                dynamic_axes=axes,
            )
    except Exception as error:  # whatever an architecture does that cannot be traced
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        message = _('{family} with this head cannot be written as ONNX: {reason}. Export it with "--to merged".')
        raise ModelError(message.format(family=network.config.model_type, reason=reason.rstrip("."))) from error


class _Answering(nn.Module):
    """A network that gives an objective's answers, by name and in their order.

    Args:
        inputs, targets: names of what ``forward`` is given, in this order.
    """

    def __init__(self, network: nn.Module, objective: Objective, inputs: Sequence[str], targets: Sequence[str]) -> None:
        super().__init__()
        self.network, self.objective = network, objective
        self.inputs, self.targets = inputs, targets

    def answers(self, *tensors: torch.Tensor) -> Mapping[str, torch.Tensor]:
        inputs = dict(zip(self.inputs, tensors, strict=False))
        targets = dict(zip(self.targets, tensors[len(self.inputs) :], strict=True))
        batch = Collated(inputs, targets, inputs["attention_mask"].sum(dim=1), [])
        return self.objective.answers(self.network(**inputs), batch)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.answers(*tensors).values())


def _check(objective: Objective, features: Sequence[Features]) -> None:
    """Raises ModelError for what a graph could not say."""
    if type(objective).collate is not Objective.collate:
        message = _('The objective {name} puts batches together in a way of its own, which ONNX cannot hold. Export it with "--to merged".')
        raise ModelError(message.format(name=type(objective).__name__))
    if "attention_mask" not in features[0].inputs:
        message = _('This tokenizer says nothing of where a text ends (attention_mask), so there is no ONNX of it. Use "--to merged".')
        raise ModelError(message)


def _two_lengths(features: Sequence[Features]) -> list[Features]:
    """Two rows with padding between them: what is the same in every row of a traced batch would be taken for a constant. The shorter one
    lacks a token of the text: of those that end it, models such as BART want as many in every row.
    """
    longest = max(features, key=len)
    plain = [at for at, part in enumerate(longest.parts) if part is not None] or [len(longest) // 2]
    at = plain[len(plain) // 2]
    inputs = {name: values[:at] + values[at + 1 :] for name, values in longest.inputs.items()}
    # What is learned of each token is as long as the tokens.
    of_tokens = isinstance(longest.target, list) and len(longest.target) == len(longest)
    target = longest.target[:at] + longest.target[at + 1 :] if of_tokens else longest.target
    return [longest, replace(longest, inputs=inputs, target=target)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of its own exporter and of every shape that it traces."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "transformers")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
