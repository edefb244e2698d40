"""Text becomes token ids: the one processor that training, prediction and torch-free exports share.

It knows the ``tokenizers`` backend and nothing of models or tasks. The training side builds it from a transformers tokenizer's
backend, the runtime from ``tokenizer.json``; both run this code.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np

from weitiao.errors import ModelError
from weitiao.images import Picture, Pixels
from weitiao.messages import _

IGNORED = -100  # the target of a token that is not judged or learned; torch's own ignore_index


@dataclass
class Features:
    """What the model sees of one record (or of one window of it), plus what ``decode`` needs to read its answer.

    Attributes:
        inputs: model input name -> one integer a token; every list has the same length.
        target: what to learn, in the objective's own form (a label's index, a number, ...); None when predicting.
        cut: tokens that did not fit and were cut off.
        offsets: (start, end) character offsets of each token in the raw text, special tokens (0, 0).
        words: word index of each token, None for special tokens.
        parts: which text each token is of: 0 for the first, 1 for its pair, None for special tokens.
        arrays: model input name -> what is not one integer a token: an array, or what becomes one when numpy asks, such as a picture.
        notes: whatever ``decode`` needs beside.
    """

    inputs: dict[str, list[int]]
    target: Any = None
    cut: int = 0
    offsets: list[tuple[int, int]] = field(default_factory=list)
    words: list[int | None] = field(default_factory=list)
    parts: list[int | None] = field(default_factory=list)
    arrays: dict[str, np.ndarray | Picture] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def forget(self, but: Collection[str] = ()) -> None:
        """Let go of ``offsets``, ``words`` and ``parts`` that are not among ``but``: a training set's would fill the memory."""
        for name in {"offsets", "words", "parts"} - set(but):
            setattr(self, name, [])

    @property
    def positions(self) -> int:
        """What it costs the model: its tokens, and the patches of its pictures."""
        return len(self) + sum(array.patches for array in self.arrays.values() if isinstance(array, Picture))


def judged(target: Iterable[int]) -> int:
    """How many token ids of a target are learned or judged.

    >>> judged([IGNORED, 5, 2])
    2
    """
    return sum(number != IGNORED for number in target)


def check_pictures(features: Iterable[Features]) -> None:
    """Read the pictures once, and forget them. Raises DataError for one that cannot be read."""
    for one in features:
        for array in one.arrays.values():
            np.asarray(array)


class Processor(Protocol):
    """What a task's ``encode`` may ask for."""

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        """Tokens of ``a`` (and ``b`` as its pair) with special tokens, at most ``max_length`` of them."""
        ...

    def target(self, text: str, *, max_length: int) -> Features:
        """Tokens of a text that is to be written, with special tokens: a model may spell what it writes otherwise than what it reads."""
        ...

    def windows(self, a: str, b: str | None = None, *, max_length: int, stride: int) -> list[Features]:
        """The same with nothing lost: the last text is cut into windows that share ``stride`` tokens. Of a pair, ``a`` stands in each.

        Word numbers and offsets count through the whole text.
        """
        ...

    def ids(self, text: str) -> Features:
        """Tokens of a text as it stands, without special tokens added; those written in it are recognised."""
        ...

    def written(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""
        ...

    def special(self, name: str) -> tuple[str, int] | None:
        """A special token's text and id by role ("mask", "eos", "bos", "pad", ...), None where the vocabulary has none."""
        ...

    def token(self, text: str) -> int | None:
        """The id of the token that is written exactly so, None where the vocabulary has none."""
        ...

    def image(self, path: str) -> Picture:
        """A picture as the model reads it, (3, height, width) once it is read. Raises ModelError where the model reads none."""
        ...

    @property
    def vocabulary(self) -> int:
        """How many token ids there are."""
        ...

    @property
    def chat_template(self) -> str | None:
        """The model's own Jinja template for conversations."""
        ...


class FastProcessor:
    """The processor over a ``tokenizers.Tokenizer``.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``; its truncation and padding are switched off, since both are decided here.
        input_names: the model's inputs among "input_ids", "attention_mask", "token_type_ids".
        special_tokens: role ("mask", "eos", ...) -> the token's text.
        chat_template: the model's own.
        pixels: gives how the model reads pictures, None where it reads none; asked at the first picture.
        patch: pixels on the side of one of a picture's patches.
    """

    def __init__(
        self,
        tokenizer: Any,
        input_names: tuple[str, ...],
        special_tokens: Mapping[str, str] = {},
        chat_template: str | None = None,
        pixels: Callable[[], Pixels | None] = lambda: None,
        patch: int = 0,
    ) -> None:
        self.tokenizer = tokenizer
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.input_names, self.special_tokens, self.chat_template = input_names, dict(special_tokens), chat_template
        self.pixels, self.patch = cache(pixels), patch
        self._truncation: tuple[Any, ...] = ()

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        """Tokens of ``a`` (and ``b``), special tokens included; what does not fit is cut from the longer of the two and counted."""
        self._truncate(max_length, 0, "longest_first")
        encoding = self.tokenizer.encode(a, b)
        if not encoding.overflowing:
            return self._features(encoding)
        # Overflow comes back in windows, of a pair with one of its texts again in each: only the whole says how much was lost.
        self._truncate(None, 0, "")
        return self._features(encoding, len(self.tokenizer.encode(a, b)) - len(encoding))

    def target(self, text: str, *, max_length: int) -> Features:
        """See ``Processor.target``: one vocabulary for both."""
        return self.text(text, max_length=max_length)

    def windows(self, a: str, b: str | None = None, *, max_length: int, stride: int) -> list[Features]:
        """See ``Processor.windows``. A first text that would fill a window alone is cut to half of one; its lost tokens count as cut."""
        room, cut = max_length - self.tokenizer.num_special_tokens_to_add(b is not None), 0
        if b is not None:
            self._truncate(None, 0, "")
            first = self.tokenizer.encode(a, add_special_tokens=False)
            kept = min(len(first.ids), max(1, room // 2))
            cut, a = len(first.ids) - kept, a[: first.offsets[kept - 1][1]] if first.ids else a
            room -= kept
        # The tokenizer cannot step on by less than a token.
        stride = max(0, min(stride, room // 2))
        self._truncate(max_length, stride, "longest_first" if b is None else "only_second")
        encoding = self.tokenizer.encode(a, b)
        return [self._features(window, cut if not at else 0) for at, window in enumerate((encoding, *encoding.overflowing))]

    def ids(self, text: str) -> Features:
        """See ``Processor.ids``."""
        self._truncate(None, 0, "")
        return self._features(self.tokenizer.encode(text, add_special_tokens=False))

    def written(self, ids: Sequence[int]) -> str:
        """See ``Processor.written``."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def special(self, name: str) -> tuple[str, int] | None:
        """See ``Processor.special``."""
        token = self.special_tokens.get(name)
        number = None if token is None else self.tokenizer.token_to_id(token)
        return None if token is None or number is None else (token, number)

    def token(self, text: str) -> int | None:
        """See ``Processor.token``."""
        number: int | None = self.tokenizer.token_to_id(text)
        return number

    def image(self, path: str) -> Picture:
        """See ``Processor.image``."""
        pixels = self.pixels()
        if pixels is None:
            raise ModelError(_("This model reads no pictures: it has no preprocessor_config.json. Choose one such as CLIP with --model."))
        return Picture(path, pixels, self.patch)

    @property
    def vocabulary(self) -> int:
        """How many token ids there are."""
        size: int = self.tokenizer.get_vocab_size()
        return size

    def _truncate(self, max_length: int | None, stride: int, strategy: str) -> None:
        wanted = (max_length, stride, strategy)
        if wanted == self._truncation:
            return
        if max_length is None:
            self.tokenizer.no_truncation()
        else:
            self.tokenizer.enable_truncation(max_length, stride=stride, strategy=strategy)
        self._truncation = wanted

    def _features(self, encoding: Any, cut: int = 0) -> Features:
        columns = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
        inputs = {name: columns[name] for name in self.input_names}
        return Features(inputs, cut=cut, offsets=encoding.offsets, words=encoding.word_ids, parts=encoding.sequence_ids)
