"""encode -> forward -> decode over many records, in bounded memory and in their own order. It knows no file and no metric."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from weitiao.data.records import Records
from weitiao.engine.batching import micro_batches
from weitiao.engine.lookahead import ahead
from weitiao.engine.out_of_memory import is_out_of_memory
from weitiao.errors import DataError, ResourceError
from weitiao.messages import _
from weitiao.processing import Features, Processor, check_pictures
from weitiao.tasks.base import Outputs, Prediction, Record, Spec, Task

if TYPE_CHECKING:
    from weitiao.engine.models import LoadedModel

WINDOW = 1024  # records that are sorted by length together
TOKENS = 2048  # most tokens, padding included, in one forward pass: of 512 to 8,192 the fastest on two cores, if by little


Parts = Literal["rows", "tokens", "counts"]


class Backend(Protocol):
    """Whatever computes the forward pass: torch here, onnxruntime in an export."""

    def run(self, batch: Sequence[Features]) -> Sequence[Outputs]:
        """The outputs of each features, in their order."""
        ...


@dataclass(frozen=True)
class Predictor:
    """A task, what it learned, and a backend: a function from records to predictions.

    Attributes:
        max_length: most tokens of a text.
    """

    task: Task
    spec: Spec
    backend: Backend
    processor: Processor
    max_length: int
    # A tokenizer remembers how it is to cut: one thread at a time.
    _processing: Any = field(default_factory=Lock, init=False, repr=False, compare=False)

    def predict(
        self,
        records: Iterable[Record],
        progress: Callable[[int], None] = lambda rows: None,
        truncated: Callable[[int, int], None] = lambda at, tokens: None,
    ) -> Iterator[Prediction]:
        """One prediction a record, in order. Only two windows of records are held at a time: one is encoded while the model is busy with
        the other.

        Args:
            progress: hears how many are done.
            truncated: hears of each record that was cut: which one, counted from 0, and how many of its tokens were not read.

        Raises:
            DataError: a record that the task refuses, with its file and row where it has such.
        """
        done = 0
        # A window that is not full is the last.
        for window, features in ahead(self._windows(records), lambda window: len(window[0]) == WINDOW):
            for at, own in enumerate(features, done):
                cut = sum(one.cut for one in own)
                if cut:
                    truncated(at, cut)
            try:
                answers = self.outputs(features)
            except DataError:
                _blame_a_picture(records, features, done)
                raise
            for record, own, outputs in zip(window, features, answers, strict=True):
                with self._processing:
                    prediction = self.task.decode(record, own, outputs, self.spec, self.processor)
                yield prediction
            done += len(window)
            progress(done)

    def _windows(self, records: Iterable[Record]) -> Iterator[tuple[list[Record], list[list[Features]]]]:
        """Records, so many at a time, with their features."""
        stream = enumerate(records)
        while window := list(itertools.islice(stream, WINDOW)):
            features = []
            for at, record in window:
                try:
                    features.append(self.encode(record))
                except DataError as error:
                    raise (records.blamed(records.rows[at], error) if isinstance(records, Records) else error) from error
            yield [record for _at, record in window], features

    def encode(self, record: Record) -> list[Features]:
        """The task's features of a record that is only to be predicted."""
        with self._processing:
            return self.task.encode(record, self.processor, self.spec, max_length=self.max_length, for_training=False)

    def outputs(self, features: Sequence[list[Features]], answered: Callable[[int], None] = lambda more: None) -> list[list[Outputs]]:
        """The outputs of every record's features: all of a window's features go through the backend sorted by length.

        Args:
            answered: hears how many features more have been.
        """
        flat = list(itertools.chain.from_iterable(features))
        outputs: list[Outputs] = [{}] * len(flat)
        for batch in batches(flat):
            for index, output in zip(batch, in_halves(self.backend.run, [flat[i] for i in batch]), strict=True):
                outputs[index] = output
            answered(len(batch))
        answers = iter(outputs)
        return [list(itertools.islice(answers, len(own))) for own in features]


def apart(answers: Mapping[str, np.ndarray], parts: Parts, lengths: Sequence[int]) -> list[dict[str, np.ndarray]]:
    """The answers to a padded batch, told apart into those of each row.

    >>> apart({"logits": np.zeros((2, 5, 3))}, "tokens", [5, 4])[1]["logits"].shape
    (4, 3)

    Args:
        answers: by name, for all rows.
        parts: "rows": an entry a row; "tokens": (rows, length, ...), of which a row has as many as it has tokens; "counts": the entries of
            the rows stand one after the other, and "counts", (rows,), says how many each has.
        lengths: tokens of each row.
    """
    if parts != "counts":
        ends = lengths if parts == "tokens" else [None] * len(lengths)
        return [
            {name: values[row][:end] if end is not None else values[row] for name, values in answers.items()}
            for row, end in enumerate(ends)
        ]
    ends = np.cumsum(answers["counts"]).tolist()
    pairs = zip([0, *ends[:-1]], ends, strict=True)
    return [{name: values[begin:end] for name, values in answers.items() if name != "counts"} for begin, end in pairs]


def _blame_a_picture(records: Iterable[Record], features: Sequence[list[Features]], begin: int) -> None:
    """Raises DataError about the first record of a window whose picture cannot be read, with its file and row where it has such."""
    for at, own in enumerate(features, begin):
        try:
            check_pictures(own)
        except DataError as error:
            raise (records.blamed(records.rows[at], error) if isinstance(records, Records) else error) from error


def in_halves(run: Callable[[Sequence[Any]], Sequence[Any]], batch: Sequence[Any]) -> Sequence[Any]:
    """What ``run`` gives for a batch, or for its halves one after the other where memory runs out.

    Raises:
        ResourceError: it runs out on one row alone.
    """
    try:
        return run(batch)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        if len(batch) == 1:
            message = _("Memory ran out on a single row. Close other programs, or train a smaller --model or with a lower --max-length.")
            raise ResourceError(message) from error
    # Outside the handler: the exception's frames no longer hold the tensors that did not fit.
    middle = len(batch) // 2
    return [*in_halves(run, batch[:middle]), *in_halves(run, batch[middle:])]


def batches(features: Sequence[Features]) -> list[list[int]]:
    """Which of the features go through the backend together, longest first."""
    return micro_batches([one.positions for one in features], TOKENS, padded=True)


def predictor_for(task: Task, spec: Spec, loaded: "LoadedModel", max_length: int) -> Predictor:
    """A loaded torch model as a predictor."""
    from weitiao.engine.backend import TorchBackend
    from weitiao.engine.objectives import objective_for

    generation = task.generation(spec) if task.answers_by == "generate" else None
    backend = TorchBackend(loaded, objective_for(task.head(spec).objective, spec), generation)
    return Predictor(task, spec, backend, loaded.processor, max_length)
