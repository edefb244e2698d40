"""Predicts from an export with tokenizers, numpy, and onnxruntime or CTranslate2: neither torch nor transformers is imported. The task's
own ``encode`` and ``decode`` do what they do in training; only the forward pass is another one. It knows no task by name.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao.engine.prediction import Backend, Parts, Predictor, apart
from weitiao.engine.watching import Watch
from weitiao.errors import RunError, WeitiaoError
from weitiao.forms import form_of
from weitiao.images import Pixels
from weitiao.messages import _
from weitiao.processing import IGNORED, FastProcessor, Features
from weitiao.runs import RunFolder
from weitiao.tasks.base import Spec, Task

if TYPE_CHECKING:
    from weitiao.engine.spelling import Spelling

ALIKE = 0.875  # of a batch's longest row, the least length beside it


def is_torch_free(record: Mapping[str, Any]) -> bool:
    """Whether a run's record is of an export that needs no torch.

    >>> is_torch_free({"export": {"to": "onnx"}}), is_torch_free({"export": {"to": "merged"}}), is_torch_free({})
    (True, False, False)
    """
    return bool(form_of(record).reader)


def load_export(task: Task, spec: Spec, run: RunFolder) -> Predictor:
    """An export, ready to predict.

    Raises:
        RunError: one of its files is missing, was changed, or cannot be read.
    """
    export = run.record()["export"]
    run.check_hashes(export.get("sha256") or {})
    try:
        return open_export(task, spec, run, export["graph"])
    except (KeyError, TypeError) as error:
        message = _("{path} cannot be read: {error}. Copy it again, or export the run again.")
        raise RunError(message.format(path=run.record_file, error=f"{type(error).__name__}: {error}")) from error


def open_export(task: Task, spec: Spec, run: RunFolder, graph: Mapping[str, Any]) -> Predictor:
    """The same by what ``deploy.export`` says of the graph; nothing is checked.

    Args:
        graph: {"reader", "squash", "padding", "max_length", "inputs", "special_tokens", "chat_template", "patch", "network", "parameters",
            "precision", "labels"}, and what its reader needs: "parts", "optimised"; "two_parts", "positions", "generation", "seed".
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(run.tokenizer))
        processor = FastProcessor(
            tokenizer, tuple(graph["inputs"]), graph["special_tokens"], graph["chat_template"], lambda: Pixels.of(run.model), graph["patch"]
        )
        spec = task.fit(spec, processor)
        backend = READERS[graph.get("reader", "onnx")](task, spec, run, graph, processor)
    except (WeitiaoError, KeyError, TypeError):
        raise
    except Exception as error:  # the libraries raise their own plain exceptions
        message = _("{path} cannot be read: {error}. Copy it again, or export the run again.")
        raise RunError(message.format(path=run.path, error=" ".join(str(error).split())[:300])) from error
    return Predictor(task, spec, backend, processor, graph["max_length"])


def _answering(task: Task, spec: Spec, run: RunFolder, graph: Mapping[str, Any], processor: FastProcessor) -> Backend:
    session = open_session(run.graph, optimised=bool(graph.get("optimised")))
    return OnnxBackend(session, graph["parts"], graph["padding"], graph)


def _writing(task: Task, spec: Spec, run: RunFolder, graph: Mapping[str, Any], processor: FastProcessor) -> Backend:
    from weitiao.deploy.writing import open_writer

    return open_writer(run.ctranslate2, graph, task.generation(spec), processor)


# By the library that answers, see ``forms.Form``.
READERS: dict[str, Callable[[Task, Spec, RunFolder, Mapping[str, Any], FastProcessor], Backend]] = {
    "onnx": _answering,
    "ctranslate2": _writing,
}


def open_session(graph: Path, *, optimised: bool = False) -> Any:
    """An ``onnxruntime.InferenceSession`` on the CPU, with as many threads as there are cores, or as OMP_NUM_THREADS says.

    Args:
        optimised: the graph is one that ``optimise`` wrote: it is taken as it is.
    """
    import onnxruntime

    options = _options()
    if optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def optimise(graph: Path) -> bool:
    """Do once to a graph what onnxruntime would do each time that it is read, which takes a third of a cold start. Only what is the same on
    every processor. False, with nothing done, where its weights lie in files beside it.
    """
    import onnxruntime

    if any(file.suffix != ".json" for file in graph.parent.iterdir() if file != graph):
        return False
    options, better = _options(), graph.with_suffix(".better")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(better)
    onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    better.replace(graph)
    return True


def _options() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    options.intra_op_num_threads = int(said) if said.isdigit() else 0
    options.log_severity_level = 3  # errors, which are raised as well
    return options


@dataclass(frozen=True)
class OnnxBackend:
    """See ``prediction.Backend``.

    Attributes:
        session: an ``onnxruntime.InferenceSession`` whose outputs are an objective's answers.
        parts: what of them is of which row.
        padding: the value that fills each input after a row's end, 0 where unnamed.
        facts: what is recorded of the graph, for whoever explains it.
        watching: who wants to know what goes in and what comes out.
    """

    session: Any
    parts: Parts
    padding: Mapping[str, int]
    facts: Mapping[str, Any]
    watching: list[Watch] = field(default_factory=list)

    def run(self, batch: Sequence[Features]) -> list[dict[str, np.ndarray]]:
        """The outputs of each of the batch's features, in their order. Those of about the same length go through together: nothing is
        gained here by large batches, and padding costs as much as text.
        """
        names = [output.name for output in self.session.get_outputs()]
        placed: list[dict[str, np.ndarray]] = [{} for _ in batch]
        for group in alike([len(one) for one in batch]):
            own = [batch[at] for at in group]
            feeds = self.feeds(own)
            outputs = dict(zip(names, self.session.run(None, feeds), strict=True))
            for watch in self.watching:
                watch.note(feeds, outputs)
            for at, answers in zip(group, apart(outputs, self.parts, [len(one) for one in own]), strict=True):
                placed[at] = answers
        return placed

    @property
    def squash(self) -> str:
        """How logits become probabilities, see ``engine.objectives.Objective``."""
        return str(self.facts["squash"])

    @property
    def labels(self) -> dict[int, str]:
        """What the ids of answers mean; {} where the model's config says nothing."""
        return {int(number): label for number, label in self.facts["labels"].items()}

    def about(self) -> dict[str, Any]:
        """{"network", "parameters", "device", "precision", "packed"}: what computes, and how."""
        return {**{name: self.facts[name] for name in ("network", "parameters", "precision")}, "device": "cpu", "packed": False}

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """A context that writes down what goes in and what comes out."""
        watch = Watch()
        self.watching.append(watch)
        try:
            yield watch
        finally:
            self.watching.remove(watch)

    def spelling(self, processor: FastProcessor) -> "Spelling":
        """How token ids read."""
        from weitiao.engine.spelling import Spelling

        return Spelling.of_processor(processor)

    def feeds(self, batch: Sequence[Features]) -> dict[str, np.ndarray]:
        """What the graph is given for a batch: token ids, masks and targets padded to (rows, length), pictures as they are."""
        return {one.name: self._fed(one.name, batch) for one in self.session.get_inputs()}

    def _fed(self, name: str, batch: Sequence[Features]) -> np.ndarray:
        if name in batch[0].arrays:
            return np.stack([np.asarray(one.arrays[name]) for one in batch])
        if name in batch[0].inputs:
            return pad([one.inputs[name] for one in batch], self.padding.get(name, 0))
        return pad([one.target for one in batch], IGNORED)


def alike(lengths: Sequence[int], least: float = ALIKE) -> list[list[int]]:
    """Indices of rows in groups, longest first, in none of which a row is shorter than ``least`` of the longest.

    >>> alike([10, 40, 39, 9])
    [[1, 2], [0, 3]]
    """
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if not groups or lengths[row] < least * lengths[groups[-1][0]]:
            groups.append([])
        groups[-1].append(row)
    return groups


def pad(rows: Sequence[Sequence[int]], value: int) -> np.ndarray:
    """(rows, longest) int64.

    >>> pad([[1], [2, 3]], 0).tolist()
    [[1, 0], [2, 3]]
    """
    padded = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for row, values in enumerate(rows):
        padded[row, : len(values)] = values
    return padded
