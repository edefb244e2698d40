"""The torch backends: features in, arrays out. They know a loaded model and an objective's way of answering, and no task by name."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import numpy as np
import torch

from weitiao.engine.batching import micro_batches
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Collated, Example, Objective
from weitiao.processing import Features

LOSS_TOKENS = 4096  # in one forward pass of ``loss``


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
            answers = self._written(collated) if self.generation is not None else self._answered(collated)
        placed: list[dict[str, np.ndarray]] = [{} for _ in batch]
        for name, rows in answers.items():
            for row, answer in zip(collated.order, rows, strict=True):
                placed[row][name] = answer.cpu().numpy()
        return placed

    def loss(self, examples: Sequence[Example]) -> dict[str, float]:
        """The mean loss of examples with targets, and its exponential: {"loss", "perplexity"}. The right answers are shown as it goes."""
        self.loaded.network.eval()
        total, terms = 0.0, 0.0
        with torch.inference_mode():
            for group in micro_batches([self.objective.cost(example) for example in examples], LOSS_TOKENS, padded=True):
                part = [examples[i] for i in group]
                batch = self._collate(part)
                total += float(self.objective.loss(self.loaded.forward(batch), batch))
                terms += self.objective.terms(part)
        loss = total / max(terms, 1.0)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}

    def stream(self, features: Features, arguments: Mapping[str, Any]) -> Iterator[str]:
        """The answer to one features, piece by piece as it is written."""
        from transformers import TextIteratorStreamer

        streamer: Any = TextIteratorStreamer(self.loaded.tokenizer, skip_prompt=not self._two_parts, skip_special_tokens=True)
        self.loaded.network.eval()
        failure: list[BaseException] = []

        def write() -> None:
            try:
                with torch.inference_mode():
                    self._generate(self._collate([[features]]), {**(self.generation or {}), **arguments, "streamer": streamer})
            except BaseException as error:  # handed on to the reader, who would otherwise wait for ever
                failure.append(error)
                streamer.end()

        thread = Thread(target=write, daemon=True)
        thread.start()
        yield from (piece for piece in streamer if piece)
        thread.join()
        if failure:
            raise failure[0]

    @property
    def _two_parts(self) -> bool:
        return bool(self.loaded.network.config.is_encoder_decoder)

    def _collate(self, examples: Iterable[Example]) -> Collated:
        return self.objective.collate(list(examples), self.loaded.padding).to(self.loaded.machine.device)

    def _answered(self, batch: Collated) -> Mapping[str, Any]:
        return self.objective.answers(self.loaded.forward(batch), batch)

    def _written(self, batch: Collated) -> dict[str, list[torch.Tensor]]:
        """Newly written ids of each row, up to its end token."""
        ids, start = self._generate(batch, dict(self.generation or {}))
        ends = self.loaded.network.generation_config.eos_token_id
        stops = set(ends if isinstance(ends, list) else [ends]) - {None} | {self.loaded.padding["input_ids"]}
        rows = []
        for row in ids[:, start:]:
            stop = next((at for at, number in enumerate(row.tolist()) if number in stops), len(row))
            rows.append(row[:stop])
        return {"sequences": rows}

    def _generate(self, batch: Collated, arguments: Mapping[str, Any]) -> tuple[torch.Tensor, int]:
        """(rows, tokens) ids, and where the new ones begin."""
        inputs, start = dict(batch.inputs), 1
        if not self._two_parts:
            # What is written follows the last token, so the padding stands before the text.
            inputs = {name: _left(tensor, batch.lengths, self.loaded.padding.get(name, 0)) for name, tensor in inputs.items()}
            inputs.pop("token_type_ids", None)
            start = inputs["input_ids"].shape[1]
        if self.loaded.packing:
            self.loaded.packing.plan(batch.lengths)
        with self.loaded.autocast():
            ids: torch.Tensor = self.loaded.network.generate(**inputs, pad_token_id=self.loaded.padding["input_ids"], **arguments)
        return ids, start


def _left(rows: torch.Tensor, lengths: Sequence[int], padding: int) -> torch.Tensor:
    """(rows, length) padded on the right -> the same padded on the left."""
    moved = torch.full_like(rows, padding)
    for row, length in enumerate(lengths):
        moved[row, rows.shape[1] - length :] = rows[row, :length]
    return moved
