"""Text becomes token ids: the one processor that training, prediction and torch-free exports share.

It knows the ``tokenizers`` backend and nothing of models or tasks. The training side builds it from a transformers tokenizer's
backend, the runtime from ``tokenizer.json``; both run this code.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass
class Features:
    """What the model sees of one record (or of one window of it), plus what ``decode`` needs to read its answer.

    Attributes:
        inputs: model input name -> one integer a token; every list has the same length.
        target: what to learn, in the objective's own form (a label's index, a number, ...); None when predicting.
        cut: tokens that did not fit and were cut off.
        offsets: (start, end) character offsets of each token in the raw text, special tokens (0, 0).
        words: word index of each token, None for special tokens.
    """

    inputs: dict[str, list[int]]
    target: Any = None
    cut: int = 0
    offsets: list[tuple[int, int]] = field(default_factory=list)
    words: list[int | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


class Processor(Protocol):
    """What a task's ``encode`` may ask for."""

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        """Tokens of ``a`` (and ``b`` as its pair) with special tokens, at most ``max_length`` of them."""
        ...


class FastProcessor:
    """The processor over a ``tokenizers.Tokenizer``.

    Args:
        tokenizer: a ``tokenizers.Tokenizer``; its truncation and padding are switched off, since both are decided here.
        input_names: the model's inputs among "input_ids", "attention_mask", "token_type_ids".
    """

    def __init__(self, tokenizer: Any, input_names: tuple[str, ...]) -> None:
        self.tokenizer = tokenizer
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.input_names = input_names
        self._max_length = 0

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        """Tokens of ``a`` (and ``b``), special tokens included; what does not fit is cut from the longer of the two and counted."""
        if max_length != self._max_length:
            self.tokenizer.enable_truncation(max_length)
            self._max_length = max_length
        encoding = self.tokenizer.encode(a, b)
        columns = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
        inputs = {name: columns[name] for name in self.input_names}
        # What overflows comes back in windows of their own, each with the special tokens again.
        cut = sum(sum(1 for special in window.special_tokens_mask if not special) for window in encoding.overflowing)
        return Features(inputs, cut=cut, offsets=encoding.offsets, words=encoding.word_ids)
