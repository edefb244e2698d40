"""The torch backends: features in, arrays out. They know a loaded model and an objective's way of answering, and no task by name."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from inspect import signature
from threading import Event, Thread
from typing import Any

import numpy as np
import torch

from weitiao.engine.batching import micro_batches
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Collated, Example, Objective
from weitiao.engine.pieces import trimmed
from weitiao.engine.prediction import apart, in_halves
from weitiao.engine.spelling import Spelling
from weitiao.engine.watching import Watch, watched
from weitiao.processing import Features, Processor

LOSS_TOKENS = 4096  # in one forward pass of ``losses``


@dataclass(frozen=True)
class TorchBackend:
    """See ``prediction.Backend``.

    Attributes:
        objective: how outputs become answers.
        generation: for a model that writes: arguments of transformers' ``generate``; None for one that answers in a single pass.
    """

    loaded: LoadedModel
    objective: Objective
    generation: Mapping[str, Any] | None = field(default=None)

    def run(self, batch: Sequence[Features]) -> list[dict[str, np.ndarray]]:
        """The outputs of each of the batch's features, in their order; a model that writes gives {"sequences": (tokens,)}, the new ids."""
        self.loaded.network.eval()
        with torch.inference_mode():
            collated = self._collate([[features] for features in batch])
            rows = self._written(collated) if self.generation is not None else self._answered(collated)
        placed: list[dict[str, np.ndarray]] = [{} for _ in batch]
        for row, answers in zip(collated.order, rows, strict=True):
            placed[row] = answers
        return placed

    @property
    def squash(self) -> str:
        """How logits become probabilities, see ``Objective``."""
        return self.objective.squash

    @property
    def padding(self) -> Mapping[str, int]:
        """The value that fills each input after a row's end."""
        return self.loaded.padding

    @property
    def labels(self) -> dict[int, str]:
        """What the ids of answers mean, by the model's config; {} where it says nothing."""
        return {int(number): str(label) for number, label in (self.loaded.network.config.id2label or {}).items()}

    def about(self) -> dict[str, Any]:
        """{"network", "parameters", "device", "precision", "packed"}: what computes, and how."""
        machine = self.loaded.machine
        return {
            "network": type(self.loaded.network).__name__,
            "parameters": self.loaded.parameters()[0],
            "device": machine.device,
            "precision": "int8" if self.loaded.in_int8 else machine.precision,
            "packed": self.loaded.packing is not None and self.generation is None,
        }

    def watched(self) -> AbstractContextManager[Watch]:
        """A context that writes down what goes in and what comes out."""
        return watched(self.loaded.network)

    def spelling(self, processor: Processor) -> Spelling:
        """How token ids read."""
        return Spelling.of_transformers(self.loaded.tokenizer)

    @property
    def grouped(self) -> bool:
        """Whether all features of a record make one example of ``losses``."""
        return self.objective.grouped

    def terms(self, examples: Sequence[Example]) -> float:
        """What the summed loss of these examples is divided by."""
        return self.objective.terms(examples)

    def losses(self, examples: Sequence[Example]) -> tuple[np.ndarray, bool]:
        """(examples,) the summed loss of each example, of one features each, the right answers shown as it goes; and whether it is each
        one's: where an objective knows only the loss of a batch, that stands with one of its examples.
        """
        self.loaded.network.eval()
        losses, each = np.zeros(len(examples)), True
        with torch.inference_mode():
            for group in micro_batches([self.objective.cost(example) for example in examples], LOSS_TOKENS, padded=True):
                found = in_halves(self._loss, [examples[i] for i in group])
                for at, (loss, own) in zip(group, found, strict=True):
                    losses[at], each = loss, each and own
        return losses, each

    def _loss(self, part: Sequence[Example]) -> list[tuple[float, bool]]:
        """The summed loss of each of some examples, and whether it is its own."""
        batch = self._collate(part)
        outputs = self.loaded.forward(batch)
        rows = self.objective.row_losses(outputs, batch) if len(batch.order) == len(part) else None
        if rows is None:
            whole = float(self.objective.loss(outputs, batch))
            return [(whole if at == 0 else 0.0, len(part) == 1) for at in range(len(part))]
        placed = dict(zip(batch.order, rows.tolist(), strict=True))
        return [(placed[at], True) for at in range(len(part))]

    def write(self, features: Features) -> tuple[dict[str, np.ndarray], np.ndarray, int]:
        """The answer to one features, as ``run`` gives it, with how it came about.

        Returns:
            The outputs; all the ids that the writing part of the model saw and wrote, (tokens,), an end token included; and where the new
            ones begin.
        """
        self.loaded.network.eval()
        arguments = dict(self.generation or {})
        with torch.inference_mode():
            ids, start = self._generate(self._collate([[features]]), arguments)
        whole = ids[0].cpu().numpy()
        return {"sequences": self._ended(ids[0, start:], arguments).cpu().numpy()}, whole, start

    def likeliest(self) -> "TorchBackend":
        """The same, writing what is likeliest where it would draw."""
        drawing = {"temperature": None, "top_p": None, "top_k": None}
        return replace(self, generation={**(self.generation or {}), **drawing, "do_sample": False})

    def chances(self, features: Features, answer: Sequence[int]) -> np.ndarray:
        """(tokens,) log-probabilities of an answer's ids, each after the right ones before it; a model that writes."""
        answer = [int(number) for number in answer]
        if not answer:
            return np.zeros(0, np.float32)
        if self._two_parts:
            read = replace(features, target=answer)
        else:
            ids = [*features.inputs["input_ids"], *answer]
            read = Features({"input_ids": ids, "attention_mask": [1] * len(ids)})
        self.loaded.network.eval()
        with torch.inference_mode():
            logits = self.loaded.forward(self._collate([[read]])).logits[0]  # (length, vocabulary)
            if not self._two_parts:
                logits = logits[-len(answer) - 1 : -1]
            every = torch.log_softmax(logits.float(), dim=-1)
            chosen = torch.tensor(answer, dtype=torch.long, device=every.device)
            found: np.ndarray = every.gather(1, chosen[:, None])[:, 0].cpu().numpy()
        return found

    def follow(self, features: Features, ids: np.ndarray, start: int) -> np.ndarray:
        """What the model expected before each new token of ``write``, from one pass over all of them: (new tokens, vocabulary) logits."""
        self.loaded.network.eval()
        new = len(ids) - start
        if self._two_parts:
            batch = self._collate([[features]])
            more: dict[str, Any] = {"decoder_input_ids": torch.from_numpy(ids[None, :-1]).to(self.loaded.machine.device)}
        else:
            seen = ids[:-1].tolist()
            batch = self._collate([[Features({"input_ids": seen, "attention_mask": [1] * len(seen)})]])
            # The logits of a long text over a large vocabulary are gigabytes.
            more = {"logits_to_keep": new} if "logits_to_keep" in signature(self.loaded.network.forward).parameters else {}
        with torch.inference_mode():
            outputs = self.loaded.forward(replace(batch, inputs={**batch.inputs, **more}))
        logits: np.ndarray = outputs.logits[0, -new:].float().cpu().numpy()
        return logits

    def stream(self, features: Features, arguments: Mapping[str, Any], wrote: Callable[[int], None] = lambda tokens: None) -> Iterator[str]:
        """The answer to one features, piece by piece as it is written, without white space around it. The writing ends with the reader: a
        stream that is closed early stops it after the token in hand, and returns once it has stopped.

        Args:
            wrote: hears how many tokens are written so far, one that ends the answer not counted.
        """
        from transformers import StoppingCriteriaList, TextIteratorStreamer

        # The same text as ``decode`` makes of the ids: nothing is tidied up.
        said = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        ends = self._ends(arguments)

        class Counted(TextIteratorStreamer):
            """Counts what is put in, after what the writing begins with."""

            tokens = -1

            def put(self, value: torch.Tensor) -> None:
                own = sum(number not in ends for number in value.flatten().tolist())
                self.tokens = self.tokens + own if self.tokens >= 0 else 0
                wrote(self.tokens)
                super().put(value)

        streamer: Any = Counted(self.loaded.tokenizer, skip_prompt=not self._two_parts, **said)
        # Beams are only told apart at the end, so there is nothing to show of them while they are written.
        written = {**(self.generation or {}), **arguments, "num_beams": 1, "streamer": streamer}
        unread = Event()
        criteria = StoppingCriteriaList([*written.get("stopping_criteria", ()), _once(unread)])
        written["stopping_criteria"] = criteria
        self.loaded.network.eval()
        failure: list[BaseException] = []

        def write() -> None:
            try:
                with torch.inference_mode():
                    self._generate(self._collate([[features]]), written)
            except BaseException as error:  # handed on to the reader, who would otherwise wait for ever
                failure.append(error)
                streamer.end()

        thread = Thread(target=write, daemon=True)
        thread.start()
        try:
            yield from trimmed(streamer)
        finally:
            # Two writings at a time would share one model and one way of attention.
            unread.set()
            thread.join()
        if failure:
            raise failure[0]

    @property
    def _two_parts(self) -> bool:
        return bool(self.loaded.network.config.is_encoder_decoder)

    def _collate(self, examples: Iterable[Example]) -> Collated:
        return self.objective.collate(list(examples), self.loaded.padding).to(self.loaded.machine.device)

    def _answered(self, batch: Collated) -> list[dict[str, np.ndarray]]:
        answers = self.objective.answers(self.loaded.forward(batch), batch)
        return apart({name: values.cpu().numpy() for name, values in answers.items()}, self.objective.parts, batch.lengths)

    def _written(self, batch: Collated) -> list[dict[str, np.ndarray]]:
        """Newly written ids of each row, up to its end token."""
        arguments = dict(self.generation or {})
        ids, start = self._generate(batch, arguments)
        return [{"sequences": self._ended(row, arguments).cpu().numpy()} for row in ids[:, start:]]

    def _ended(self, row: torch.Tensor, arguments: Mapping[str, Any]) -> torch.Tensor:
        """(tokens,) new ids, up to the first that ends an answer."""
        stops = self._ends(arguments) | {self.loaded.padding["input_ids"]}
        return row[: next((at for at, number in enumerate(row.tolist()) if number in stops), len(row))]

    def _generate(self, batch: Collated, arguments: Mapping[str, Any]) -> tuple[torch.Tensor, int]:
        """(rows, tokens) ids, and where the new ones begin."""
        inputs, start = dict(batch.inputs), 1
        if not self._two_parts:
            # What is written follows the last token, so the padding stands before the text.
            inputs = {name: _left(tensor, batch.lengths, self.loaded.padding.get(name, 0)) for name, tensor in inputs.items()}
            inputs.pop("token_type_ids", None)
            start = inputs["input_ids"].shape[1]
        arguments = self._within_positions(arguments, start)
        ends = sorted(self._ends(arguments))
        arguments = {**arguments, "pad_token_id": self.loaded.padding["input_ids"], **({"eos_token_id": ends} if ends else {})}
        paused = self.loaded.packing.paused() if self.loaded.packing else contextlib.nullcontext()
        with paused, self.loaded.autocast():
            ids: torch.Tensor = self.loaded.network.generate(**inputs, **arguments)
        return ids, start

    def _ends(self, arguments: Mapping[str, Any]) -> set[int]:
        """The ids that end an answer: those of the model's own generation config, and those that the task names."""
        ends = (self.loaded.network.generation_config.eos_token_id, arguments.get("eos_token_id"))
        return {number for end in ends if end is not None for number in (end if isinstance(end, list) else [end])}

    def _within_positions(self, arguments: Mapping[str, Any], start: int) -> dict[str, Any]:
        """``arguments`` with no more new tokens than what writes has positions for, ``start`` of which are taken."""
        config = self.loaded.network.config.get_text_config(decoder=self._two_parts or None)
        names = ("max_decoder_position_embeddings", "max_position_embeddings")  # of LED, and of the others; T5 has no positions
        positions = next((found for name in names if (found := getattr(config, name, None))), None)
        wanted = arguments.get("max_new_tokens")
        if not positions or not wanted:
            return dict(arguments)
        return {**arguments, "max_new_tokens": max(1, min(wanted, positions - start))}


def _once(event: Event) -> Any:
    """A stopping criterion of ``generate``: every row ends once the event is set."""

    def stopped(ids: torch.Tensor, scores: Any, **more: Any) -> torch.Tensor:
        return torch.full((len(ids),), event.is_set(), device=ids.device)  # (rows,)

    return stopped


def _left(rows: torch.Tensor, lengths: Sequence[int], padding: int) -> torch.Tensor:
    """(rows, length) padded on the right -> the same padded on the left."""
    moved = torch.full_like(rows, padding)
    for row, length in enumerate(lengths):
        moved[row, rows.shape[1] - length :] = rows[row, :length]
    return moved
