"""Tokenizers of every kind, trained on texts: how each normalises, splits, spells and decodes. It knows texts, no corpus and no model."""

import json
import unicodedata
from collections.abc import Collection, Iterable
from typing import Any

from weitiao.engine.architectures import SENTINELS, Tokens

LONGEST = 16  # characters of a piece, as SentencePiece has it: longer ones are phrases of this corpus alone
_FEWEST = 2  # occurrences of a piece: what stands there once, such as a serial number, is worth no entry
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
# What BERT's splitter sets apart as Chinese.
_CHINESE = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


def trained(tokens: Tokens, texts: Iterable[str], vocabulary: int, *, lowercase: bool = False, characters: Collection[str] = ()) -> Any:
    """A ``tokenizers.Tokenizer`` of a kind. Chinese characters stand alone in WordPiece.

    >>> from weitiao.engine.architectures import WORDPIECE
    >>> trained(WORDPIECE, ["a day and a dog", "the day"] * 5, 40).encode("the day").tokens
    ['[CLS]', 'the', 'day', '[SEP]']

    Args:
        texts: read once; what ``normaliser`` makes of them is the same when it is made again.
        vocabulary: most entries, special tokens included; ``least`` says how many there must be.
        lowercase: "wordpiece" and "char" only: no capitals and no accents, as in BERT's uncased models.
        characters: those that are spelled, most frequent first: of "char" the vocabulary. WordPiece without them depends on chance
            where pieces are equally frequent.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, processors, trainers

    special = special_tokens(tokens)
    unknown = tokens.special.get("unk", special[0])
    # Where pieces begin with the blank before a word, a mask takes it, or a word in its place would begin with two.
    blank = tokens.special.get("mask") if tokens.model in ("byte-bpe", "bpe", "unigram") else None
    reserved = [AddedToken(token, special=True, normalized=False, lstrip=token == blank) for token in special]
    common: dict[str, Any] = {"vocab_size": vocabulary - tokens.sentinels, "special_tokens": reserved, "show_progress": False}
    trainer: Any = None
    plain: list[str] = []  # entries whose ids are reserved like those of special tokens, which they are not
    if tokens.model == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
        tokenizer.decoder = decoders.WordPiece()
        # The trainer numbers what goes on inside a word in the order of a hash table, and prefers low numbers among equals.
        plain = [f"##{character}" for character in sorted(characters) if _goes_on(character)]
        trainer = trainers.WordPieceTrainer(**{**common, "special_tokens": [*reserved, *plain]}, min_frequency=_FEWEST)
    elif tokens.model == "byte-bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(**common, initial_alphabet=_byte_alphabet(), min_frequency=_FEWEST)
    elif tokens.model == "bpe":
        tokenizer = Tokenizer(models.BPE(unk_token=unknown, fuse_unk=True))
        plain = _BYTES
        trainer = trainers.BpeTrainer(**{**common, "special_tokens": [*reserved, *plain]}, max_token_length=LONGEST, min_frequency=_FEWEST)
    elif tokens.model == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(**common, unk_token=unknown)
    else:
        tokenizer = Tokenizer(models.WordLevel({token: at for at, token in enumerate([*special, *characters])}, unk_token=unknown))
        tokenizer.decoder = decoders.Fuse()
        tokenizer.add_special_tokens(reserved)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normaliser(tokens, lowercase=lowercase), _splitter(tokens)
    if trainer is not None:
        tokenizer.train_from_iterator(texts, trainer)
    if plain or tokens.model == "unigram":
        tokenizer = _settled(tokenizer, frozenset(plain), len(special))
    if tokens.model == "bpe":
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1, right=0)]
        )
    sentinels = reversed(SENTINELS[: tokens.sentinels])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in sentinels])
    pairs = [(token, tokenizer.token_to_id(token)) for token in special]
    tokenizer.post_processor = processors.TemplateProcessing(single=tokens.single, pair=tokens.pair, special_tokens=pairs)
    return tokenizer


def special_tokens(tokens: Tokens) -> list[str]:
    """The special tokens with the lowest ids, in their order: all but sentinels."""
    return list(dict.fromkeys([*tokens.special.values(), *tokens.more]))


def normaliser(tokens: Tokens, *, lowercase: bool) -> Any:
    """What a text goes through first: a ``tokenizers`` normalizer, or None."""
    from tokenizers import Regex, normalizers

    if tokens.model == "wordpiece":
        return normalizers.BertNormalizer(lowercase=lowercase, strip_accents=lowercase)
    if tokens.model == "unigram":
        return normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    if tokens.model == "char" and lowercase:
        return normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.NFC()])
    return getattr(normalizers, tokens.form)() if tokens.form else None


def least(tokens: Tokens, characters: Iterable[str]) -> int:
    """The fewest entries that a vocabulary of these characters can have.

    >>> from weitiao.engine.architectures import WORDPIECE, architecture
    >>> least(WORDPIECE, "ab微。"), least(architecture("t5").corpus_tokens, "ab微。")
    (11, 109)
    """
    special = len(special_tokens(tokens)) + tokens.sentinels
    if tokens.model == "byte-bpe":
        return special + 256
    kept = list(characters)
    if tokens.model == "wordpiece":  # a character inside a word has an entry of its own
        return special + len(kept) + sum(map(_goes_on, kept))
    # The blank's "▁", and the 256 bytes; a Unigram trainer that has no room for one piece more does not stop.
    return special + len(kept) + {"bpe": 1 + 256, "unigram": 1 + 1}.get(tokens.model, 0)


def _goes_on(character: str) -> bool:
    """Whether BERT's splitter may find it inside a word."""
    point = ord(character)
    apart = any(first <= point <= last for first, last in _CHINESE)
    return not apart and not unicodedata.category(character).startswith("P") and (character.isalnum() or point > 127)


def _splitter(tokens: Tokens) -> Any:
    """What cuts a text into the words that pieces never cross."""
    from tokenizers import Regex, pre_tokenizers

    if tokens.model == "wordpiece":
        return pre_tokenizers.BertPreTokenizer()
    if tokens.model == "byte-bpe":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if tokens.model == "char":
        return pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    # Chinese has no spaces: without its punctuation set apart a whole paragraph would be a word.
    marks = [pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits(individual_digits=True)]
    return pre_tokenizers.Sequence([*marks, pre_tokenizers.Metaspace(prepend_scheme="first")])


def _byte_alphabet() -> list[str]:
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _settled(tokenizer: Any, plain: frozenset[str], special: int) -> Any:
    """The tokenizer without ``plain`` among its special tokens; of Unigram, the same for the same texts: its trainer gives the characters
    that no piece needed their scores, all but equal, in the order of a hash table.
    """
    from tokenizers import Tokenizer

    whole = json.loads(tokenizer.to_str())
    model = whole["model"]
    whole["added_tokens"] = [token for token in whole["added_tokens"] if token["content"] not in plain]
    if model["type"] == "BPE":
        model["byte_fallback"] = True
    elif model["type"] == "Unigram":
        first, pieces = model["vocab"][:special], {piece: round(score, 6) for piece, score in model["vocab"][special:]}
        last = min(pieces.values(), default=0.0)
        spare = sorted(piece for piece, score in pieces.items() if len(piece) == 1 and score < last + 1e-4 * len(pieces))
        pieces |= {piece: round(last + 1e-4 * at, 6) for at, piece in enumerate(reversed(spare))}
        model["vocab"] = first + sorted(([piece, score] for piece, score in pieces.items()), key=lambda entry: (-entry[1], entry[0]))
    return Tokenizer.from_str(json.dumps(whole, ensure_ascii=False))
