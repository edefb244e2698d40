"""A processor over a tokenizer of transformers that has no fast backend. It knows no model."""

from collections.abc import Sequence
from typing import Any

from weitiao.errors import ModelError
from weitiao.images import Picture
from weitiao.messages import _
from weitiao.processing import Features


class SlowProcessor:
    """The processor over a tokenizer that has no fast backend: the same answers, without offsets and words."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = len(tokenizer)
        self.chat_template = tokenizer.chat_template

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        """See ``processing.Processor``."""
        whole = len(self.tokenizer(a, b)["input_ids"])
        encoding = self.tokenizer(a, b, truncation=True, max_length=max_length)
        return Features(self._inputs(encoding), cut=max(0, whole - len(encoding["input_ids"])))

    def target(self, text: str, *, max_length: int) -> Features:
        """See ``processing.Processor``: Marian has a vocabulary of its own for what it writes."""
        whole = len(self.tokenizer(text_target=text)["input_ids"])
        encoding = self.tokenizer(text_target=text, truncation=True, max_length=max_length)
        return Features(self._inputs(encoding), cut=max(0, whole - len(encoding["input_ids"])))

    def windows(self, a: str, b: str | None = None, *, max_length: int, stride: int) -> list[Features]:
        """Raises ModelError: without offsets there is no way back from a window to the text."""
        raise ModelError(_("This model's tokenizer has no fast backend, which is needed to find words and spans. Choose another --model."))

    def ids(self, text: str) -> Features:
        """See ``processing.Processor``."""
        return Features(self._inputs(self.tokenizer(text, add_special_tokens=False)))

    def written(self, ids: Sequence[int]) -> str:
        """See ``processing.Processor``."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def special(self, name: str) -> tuple[str, int] | None:
        """See ``processing.Processor``."""
        token = getattr(self.tokenizer, f"{name}_token", None)
        return None if token is None else (token, self.tokenizer.convert_tokens_to_ids(token))

    def token(self, text: str) -> int | None:
        """See ``processing.Processor``."""
        number = self.tokenizer.convert_tokens_to_ids(text)
        return None if number is None or (number == self.tokenizer.unk_token_id and text != self.tokenizer.unk_token) else int(number)

    def image(self, path: str) -> Picture:
        """Raises ModelError: no model that reads pictures has such a tokenizer."""
        raise ModelError(_("This model's tokenizer has no fast backend, which is needed to read pictures. Choose another --model."))

    def _inputs(self, encoding: Any) -> dict[str, list[int]]:
        return {name: list(encoding[name]) for name in self.tokenizer.model_input_names if name in encoding}
