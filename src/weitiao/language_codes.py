"""How multilingual models are told their languages: a token of the language before or after the text, which we put in ourselves.

The tokenizer's own template shows the place (mBART-50, M2M100, NLLB: before; mBART of 2020: after the end token), so no family is named
here. Marian's models for several target languages take ">>deu<<" as the first word instead.
"""

from typing import NamedTuple

from weitiao.data.languages import LANGUAGES, spellings
from weitiao.processing import Processor


class CodePlace(NamedTuple):
    """Where the language's token stands among a text's ids.

    Attributes:
        at: 0, the first id, or -1, the last.
        own: the id that the tokenizer puts there by itself.
    """

    at: int
    own: int


def code_place(processor: Processor) -> CodePlace | None:
    """The place of the language's token, None for models that have none."""
    codes = {
        number
        for one in LANGUAGES.values()
        for code in (one.mbart, one.nllb, f"__{one.code}__")
        if code
        if (number := processor.token(code))
    }
    ids = processor.text("", max_length=16).inputs["input_ids"]  # special tokens alone
    return next((CodePlace(at, ids[at]) for at in (0, -1) if ids and ids[at] in codes), None)


def code_of(language: str, processor: Processor) -> tuple[str, int] | None:
    """A language's token and its id, None where the vocabulary has none for it."""
    found = ((code, processor.token(code)) for code in (spellings(language) if language else ()))
    return next(((code, number) for code, number in found if number is not None), None)


def codes_in(processor: Processor) -> list[str]:
    """The languages of the table here that the vocabulary has tokens for, by ISO 639-1."""
    return [code for code in LANGUAGES if code_of(code, processor)]


def place_code(ids: list[int], place: int | None, code: int | None) -> list[int]:
    """Ids of a text with its language's token in its place; as they are where there is none.

    >>> place_code([250004, 17, 2], 0, 250025), place_code([17, 2], None, None)
    ([250025, 17, 2], [17, 2])
    """
    if place is None or code is None:
        return ids
    return [code, *ids[1:]] if place == 0 else [*ids[:-1], code]


def code_written(place: int | None, code: int | None) -> dict[str, int]:
    """Arguments of transformers' ``generate`` that begin the answer in a language."""
    if place is None or code is None:
        return {}
    return {"forced_bos_token_id": code} if place == 0 else {"decoder_start_token_id": code}
