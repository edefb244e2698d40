"""Token ids as people can read them, by a transformers tokenizer or by our own processor. It knows no model."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from weitiao.processing import FastProcessor

_ROLES = ("bos", "eos", "pad", "cls", "sep", "mask")


@dataclass(frozen=True)
class Spelling:
    """How token ids read.

    Attributes:
        special: ids that stand for no text.
        unknown: the id of what the vocabulary does not have; None where there is none of its own. GPT-2 has one token for everything; where
            the unknown has its own, a word that is not in the vocabulary is worth telling.
        token: an id as the vocabulary spells it.
        written: the text of ids, with special tokens where the second argument says so.
    """

    special: Collection[int]
    unknown: int | None
    token: Callable[[int], str | None]
    written: Callable[[Sequence[int], bool], str]

    @classmethod
    def of_transformers(cls, tokenizer: Any) -> "Spelling":
        """Of a transformers tokenizer."""
        added = getattr(tokenizer, "added_tokens_decoder", {})
        special = {*tokenizer.all_special_ids, *(number for number, token in added.items() if token.special)}
        others = {getattr(tokenizer, f"{role}_token_id", None) for role in _ROLES}

        def written(ids: Sequence[int], with_special: bool) -> str:
            return str(tokenizer.decode(list(ids), skip_special_tokens=not with_special, clean_up_tokenization_spaces=False))

        return cls(special, tokenizer.unk_token_id if tokenizer.unk_token_id not in others else None, _told(tokenizer), written)

    @classmethod
    def of_processor(cls, processor: FastProcessor) -> "Spelling":
        """Of a ``tokenizers.Tokenizer`` and the roles of its special tokens."""
        tokenizer = processor.tokenizer
        roles = {role: found[1] for role in ("unk", *_ROLES) if (found := processor.special(role))}
        special = {*roles.values(), *(number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special)}
        unknown = roles.pop("unk", None)

        def written(ids: Sequence[int], with_special: bool) -> str:
            return str(tokenizer.decode(list(ids), skip_special_tokens=not with_special))

        return cls(special, unknown if unknown not in roles.values() else None, tokenizer.id_to_token, written)

    def read(self, number: int) -> dict[str, Any]:
        """{"token": as the vocabulary spells it, "text": as it reads}."""
        token = self.token(number)
        return {"token": str(token if token is not None else number), "text": self.written([number], True)}

    def kind(self, number: int, part: int | None, parted: bool) -> str:
        """ "text", "special", or "unknown" for a piece of the text that the vocabulary does not have."""
        if number == self.unknown and not (parted and part is None):
            return "unknown"
        return "special" if number in self.special or (parted and part is None) else "text"


def _told(tokenizer: Any) -> Callable[[int], str | None]:
    return lambda number: tokenizer.convert_ids_to_tokens(number)
