"""How well tokenizers spell texts: what they cover, how many tokens they take, what they give back. It knows tokenizers and texts alone."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from weitiao.engine import offline_base
from weitiao.engine.places import find
from weitiao.errors import ModelError
from weitiao.messages import _

FILE = "tokenizer.json"
_LONGEST_SHOWN = 10


def figures(tokenizer: Any, texts: Sequence[str]) -> dict[str, float | int | None]:
    """Figures of a ``tokenizers.Tokenizer`` on texts, special tokens left out.

    >>> from weitiao.engine.architectures import WORDPIECE
    >>> from weitiao.engine.tokenizer_training import trained
    >>> figures(trained(WORDPIECE, ["a b c"] * 3, 20), ["a b", "a z"])["unknown_rate"]
    0.25

    Returns:
        {"vocabulary": entries, "coverage": share of the characters, white space aside, that are no part of an unknown token,
        "unknown_rate": share of tokens that are unknown, "tokens_per_character", "characters_per_token",
        "reads_back": share of the texts that decoding gives back as they were}
    """
    unknown = unknown_id(tokenizer)
    tokens = unknowns = lost = characters = visible = same = 0
    for at in range(0, len(texts), 256):
        part = list(texts[at : at + 256])
        for text, encoding in zip(part, tokenizer.encode_batch(part, add_special_tokens=False), strict=True):
            tokens += len(encoding.ids)
            characters += len(text)
            visible += sum(not character.isspace() for character in text)
            where = [span for number, span in zip(encoding.ids, encoding.offsets, strict=True) if number == unknown]
            unknowns += len(where)
            lost += sum(not character.isspace() for start, end in where for character in text[start:end])
            same += tokenizer.decode(encoding.ids) == text
    return {
        "vocabulary": tokenizer.get_vocab_size(),
        "coverage": 1 - lost / max(1, visible),
        "unknown_rate": unknowns / max(1, tokens),
        "tokens_per_character": tokens / max(1, characters),
        "characters_per_token": characters / max(1, tokens),
        "reads_back": same / max(1, len(texts)),
    }


def unknown_id(tokenizer: Any) -> int | None:
    """The id of what stands for the unknown; None where a tokenizer spells everything."""
    model = json.loads(tokenizer.to_str())["model"]
    if isinstance(model.get("unk_id"), int):  # Unigram
        return int(model["unk_id"])
    number: int | None = tokenizer.token_to_id(model["unk_token"]) if model.get("unk_token") else None
    return number


def longest_pieces(tokenizer: Any) -> list[str]:
    """The longest entries as they read, special tokens left out."""
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    readable = {_readable(tokenizer, piece) for piece in tokenizer.get_vocab() if piece not in special}
    return sorted((piece for piece in readable if piece), key=lambda piece: (-len(piece), piece))[:_LONGEST_SHOWN]


def _readable(tokenizer: Any, piece: str) -> str:
    """A piece without the marks of its kind; "" where it is no whole characters."""
    kind = type(tokenizer.decoder).__name__
    text: str = tokenizer.decoder.decode([piece]) if kind == "ByteLevel" else piece.removeprefix("##").replace("▁", " ")
    return "" if "\ufffd" in text else text.strip()


def tokens_as_read(tokenizer: Any, text: str) -> list[str]:
    """The stretches of a text that its tokens stand for: a blank as "␣", the unknown as what stands for it; characters that several tokens
    spell stand once.
    """
    encoding, unknown = tokenizer.encode(text, add_special_tokens=False), unknown_id(tokenizer)
    spans = {
        span: token if number == unknown else ""
        for span, token, number in zip(encoding.offsets, encoding.tokens, encoding.ids, strict=True)
    }
    return [token or text[start:end].strip() or "␣" for (start, end), token in spans.items() if end > start]


def beside(names: Sequence[str]) -> dict[str, Any]:
    """Tokenizers of existing models, by name: folders, runs, hub ids that are on this machine, "offline".

    Raises:
        ModelError: no model, or one without ``tokenizer.json``.
        NetworkError: a hub's model that is not here.
    """
    return {name: load(_folder(name), name) for name in dict.fromkeys(names)}


def packaged() -> dict[str, Any]:
    """The tokenizers of the packaged bases that are installed, under their names."""
    found = {}
    for base in offline_base.BASES:
        with suppress(ModelError):
            found[base.id] = load(base.folder(), base.id)
    return found


def load(folder: Path, name: str) -> Any:
    """The ``tokenizers.Tokenizer`` of a folder, without cutting or padding. Raises ModelError where there is none."""
    from tokenizers import Tokenizer

    if not (folder / FILE).is_file():
        raise ModelError(_("{name} has no tokenizer.json, so it cannot be compared. Leave it out of --beside.").format(name=name))
    try:
        tokenizer = Tokenizer.from_file(str(folder / FILE))
    except Exception as error:  # the library raises plain Exception
        message = _("The tokenizer.json of {name} cannot be read: {error}. Leave it out of --beside.")
        raise ModelError(message.format(name=name, error=error)) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _folder(name: str) -> Path:
    """A folder with nothing but a tokenizer counts too: another that was trained so."""
    path = Path(name).expanduser()
    return path if (path / FILE).is_file() else find(name).folder
