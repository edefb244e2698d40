"""Writes answers with CTranslate2, tokenizers and numpy: the torch-free backend of a model that answers token by token. Neither torch nor
transformers is imported. It knows no task by name.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, NoReturn
from weakref import finalize

import numpy as np

from weitiao.deploy.generation import options
from weitiao.deploy.runtime import ALIKE, alike
from weitiao.engine.pieces import spelled, trimmed
from weitiao.errors import MissingPackage, UsageError
from weitiao.messages import _
from weitiao.processing import IGNORED, FastProcessor, Features, judged

AT_ONCE = 4  # answers that are written side by side, such as streams; they share the weights
SCORED = 4096  # tokens that are scored together


class Held:
    """A model of ctranslate2 that is let go of before Python ends. One of its threads that has just called back wants Python once more, to
    forget what it called, and aborts the process where Python has gone meanwhile.

    Args:
        model: a ``ctranslate2.Translator`` or ``ctranslate2.Generator``, of which nobody else keeps hold.
    """

    def __init__(self, model: Any) -> None:
        self._box = [model]
        finalize(self, self._box.clear)

    def __call__(self) -> Any:
        """The model."""
        return self._box[0]


@dataclass(frozen=True)
class WritingBackend:
    """See ``prediction.Backend``.

    Attributes:
        model: gives a ``ctranslate2.Translator`` where an encoder reads, else a ``ctranslate2.Generator``.
        tokens: the vocabulary's tokens by their ids.
        first: the token that CTranslate2 leaves out before what it gives back.
        generation: arguments of transformers' ``generate`` that say how it writes.
        facts: what is recorded of the model: "two_parts", "positions", "padding", ...
    """

    model: Callable[[], Any]
    tokens: Sequence[str]
    first: str
    generation: Mapping[str, Any]
    facts: Mapping[str, Any]
    processor: FastProcessor
    grouped = False

    def run(self, batch: Sequence[Features]) -> list[dict[str, np.ndarray]]:
        """{"sequences": (tokens,)} of each of the batch's features, the new ids, in their order."""
        settings = self._options({})
        # Of prompts of several lengths only the shortest is read at once. One of a single token is never among longer ones, which
        # CTranslate2 would give back with it.
        groups = alike([len(one) for one in batch], 1.0 if self._rereads(settings) else ALIKE)
        placed: list[dict[str, np.ndarray]] = [{} for _features in batch]
        for group in groups:
            for at, ids in zip(group, self._written([batch[at] for at in group], settings), strict=True):
                placed[at] = {"sequences": np.array(ids, dtype=np.int64)}
        return placed

    def stream(self, features: Features, arguments: Mapping[str, Any], wrote: Callable[[int], None] = lambda tokens: None) -> Iterator[str]:
        """The answer to one features, piece by piece as it is written, without white space around it. The writing ends with the reader.

        Args:
            wrote: hears how many tokens are written so far, one that ends the answer not counted.

        Raises:
            UsageError: an argument of ``generate`` that CTranslate2 does not know in this way.
        """
        # Beams are only told apart at the end.
        settings = self._options({**arguments, "num_beams": 1})
        with closing(self._numbers(features, settings)) as numbers:
            yield from trimmed(spelled(_counted(numbers, wrote), self.processor.written))

    def likeliest(self) -> "WritingBackend":
        """The same, writing what is likeliest where it would draw."""
        return replace(self, generation={**self.generation, "do_sample": False})

    def terms(self, examples: Sequence[Sequence[Features]]) -> float:
        """Tokens whose loss is summed, as ``engine.objectives`` counts them."""
        begin = 0 if self._two_parts else 1  # the first token of a text follows nothing
        return float(max(1, sum(judged(one.target[begin:]) for example in examples for one in example)))

    def losses(self, examples: Sequence[Sequence[Features]]) -> tuple[np.ndarray, bool]:
        """(examples,) the summed loss of each, the right answers shown as it goes; and True: it is each one's."""
        rows = [one for (one,) in examples]
        if self._two_parts:
            wanted = [[number for number in one.target if number != IGNORED] for one in rows]
            scored = self._scored([one.inputs["input_ids"] for one in rows], wanted)
            return np.array([-float(sum(chances)) for chances in scored]), True
        # What the n-th token was given is said in the n-1st place.
        losses = []
        for one, chances in zip(rows, self._scored([one.inputs["input_ids"] for one in rows]), strict=True):
            learned = [at for at, number in enumerate(one.target) if at and number != IGNORED]
            losses.append(-float(sum(chances[at - 1] for at in learned)))
        return np.array(losses), True

    def chances(self, features: Features, answer: Sequence[int]) -> np.ndarray:
        """(tokens,) log-probabilities of an answer's ids, each after the right ones before it."""
        answer, read = [int(number) for number in answer], features.inputs["input_ids"]
        if not answer:
            return np.zeros(0, np.float32)
        found = self._scored([read], [answer])[0] if self._two_parts else self._scored([[*read, *answer]])[0][len(read) - 1 :]
        return np.array(found, dtype=np.float32)

    def spelling(self, processor: FastProcessor) -> NoReturn:
        """Raises UsageError: what CTranslate2 computes on the way to an answer cannot be looked into."""
        message = _(
            "An export for CTranslate2 shows only what it writes, so it cannot be explained. Explain the run that it was made from."
        )
        raise UsageError(message)

    @property
    def _two_parts(self) -> bool:
        return bool(self.facts["two_parts"])

    @cached_property
    def _ids(self) -> dict[str, int]:
        # Of two tokens that are spelled alike CTranslate2 takes the first.
        return {token: number for number, token in reversed(list(enumerate(self.tokens)))}

    def _options(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return options({**self.generation, **arguments}, two_parts=self._two_parts)

    def _rereads(self, settings: Mapping[str, Any]) -> bool:
        """Whether what was read counts as said. CTranslate2 looks back on what it wrote alone, so it must write the prompt, too."""
        looks_back = settings["repetition_penalty"] != 1.0 or settings["no_repeat_ngram_size"]
        return bool(looks_back) and not self._two_parts

    def _spelled(self, rows: Sequence[Sequence[int]]) -> list[list[str]]:
        return [[self.tokens[number] for number in row] for row in rows]

    def _written(self, rows: Sequence[Features], settings: Mapping[str, Any], hear: Callable[[Any], bool] | None = None) -> list[list[int]]:
        """The new ids of each row; ``hear`` is called with each of them as it comes, and ends the writing where it says so."""
        how, heard = dict(settings), {} if hear is None else {"callback": hear}
        longest, shortest = how.pop("longest"), how.pop("shortest")
        if not how["end_token"]:
            del how["end_token"]
        read = self._spelled([one.inputs["input_ids"] for one in rows])
        if positions := self.facts["positions"]:
            longest = max(1, min(longest, positions - (1 if self._two_parts else max(map(len, read)))))
        shortest = min(shortest, longest)
        if self._two_parts:
            limits = {"max_decoding_length": longest, "min_decoding_length": shortest, "max_input_length": 0}
            found = self.model().translate_batch(read, **limits, **how, **heard)
            return [self._ended([self._ids[token] for token in one.hypotheses[0]], settings) for one in found]
        again = len(read[0]) - 1 if self._rereads(settings) else 0
        limits = {"max_length": longest + again, "min_length": shortest + again, "include_prompt_in_result": bool(again)}
        found = self.model().generate_batch(read, **limits, **how, **heard)
        begins = [again + (again > 0 and row[0] != self.first) for row in read]
        return [self._ended(one.sequences_ids[0][begin:], settings) for one, begin in zip(found, begins, strict=True)]

    def _ended(self, ids: Sequence[int], settings: Mapping[str, Any]) -> list[int]:
        """New ids, up to the first that ends an answer."""
        stops = {*settings["end_token"], self.facts["padding"]["input_ids"]}
        return list(ids[: next((at for at, number in enumerate(ids) if number in stops), len(ids))])

    def _numbers(self, features: Features, settings: Mapping[str, Any]) -> Generator[int, None, None]:
        """New ids one by one; the writing stops where this is closed, after the token in hand."""
        heard: SimpleQueue[int | None] = SimpleQueue()
        unread, failure = Event(), list[BaseException]()

        def hear(step: Any) -> bool:
            heard.put(step.token_id)
            return unread.is_set()

        def write() -> None:
            try:
                self._written([features], settings, hear)
            except BaseException as error:  # handed on to the reader, who would otherwise wait for ever
                failure.append(error)
            heard.put(None)

        thread = Thread(target=write, daemon=True)
        thread.start()
        stops = {*settings["end_token"], self.facts["padding"]["input_ids"]}
        again = len(features) - 1 if self._rereads(settings) else 0
        try:
            for at, number in enumerate(iter(heard.get, None)):
                if number in stops and at >= again:
                    break
                if at >= again:
                    yield number
        finally:
            unread.set()
            thread.join()
        if failure:
            raise failure[0]

    def _scored(self, read: Sequence[Sequence[int]], answers: Sequence[Sequence[int]] | None = None) -> list[list[float]]:
        """Log-probabilities of the answers' tokens, or of the tokens of what is read from the second on."""
        how = {"max_input_length": 0, "max_batch_size": SCORED, "batch_type": "tokens"}
        if answers is None:
            return [list(one.log_probs) for one in self.model().score_batch(self._spelled(read), **how)]
        found = self.model().score_batch(self._spelled(read), self._spelled(answers), **how)
        # An end token is scored behind each.
        return [list(one.log_probs)[: len(answer)] for one, answer in zip(found, answers, strict=True)]


def open_writer(folder: Path, facts: Mapping[str, Any], generation: Mapping[str, Any], processor: FastProcessor) -> WritingBackend:
    """What ``deploy.conversion`` wrote into a folder, ready to write, on the CPU with as many threads as OMP_NUM_THREADS says.

    Args:
        generation: arguments of transformers' ``generate``, over those that the model came with.

    Raises:
        MissingPackage: ctranslate2 is not installed.
        UsageError: it cannot write as these arguments say.
    """
    require_ctranslate2()
    import ctranslate2

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = ctranslate2.Translator if facts["two_parts"] else ctranslate2.Generator
    model = Held(kind(str(folder), device="cpu", inter_threads=AT_ONCE))
    ctranslate2.set_random_seed(facts["seed"])
    both = {**facts["generation"], **generation}
    ends = [end for one in (facts["generation"], generation) for end in _several(one.get("eos_token_id"))]
    backend = WritingBackend(model, vocabulary(folder), config["bos_token"], {**both, "eos_token_id": sorted({*ends})}, facts, processor)
    backend._options({})
    return backend


def vocabulary(folder: Path) -> list[str]:
    """The tokens of a model of CTranslate2, by their ids."""
    (file,) = folder.glob("*vocabulary.json")
    tokens: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return tokens


def require_ctranslate2() -> None:
    """Raises MissingPackage, with the command that installs it, where the package is missing."""
    if find_spec("ctranslate2") is None:
        message = _('Exports for CTranslate2 need the package ctranslate2, which is not installed. Type: pip install "weitiao[export]"')
        raise MissingPackage(message)


def _several(ends: Any) -> list[int]:
    return [] if ends is None else list(ends) if isinstance(ends, (list, tuple)) else [ends]


def _counted(numbers: Iterator[int], wrote: Callable[[int], None]) -> Iterator[int]:
    """The same numbers, each counted before it is handed on."""
    for count, number in enumerate(numbers, 1):
        wrote(count)
        yield number
