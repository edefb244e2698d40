"""Tiny models whose tokenizers are transformers' own of each multilingual family, made from a few words."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import transformers

SIZES = {
    **{
        f"{part}_{name}": value
        for part in ("encoder", "decoder")
        for name, value in {"layers": 2, "attention_heads": 4, "ffn_dim": 64}.items()
    },
    "d_model": 32,
    "max_position_embeddings": 64,
}


def make_translator(folder: Path, family: str, texts: Sequence[str]) -> Path:
    """A random model with the tokenizer of "t5", "mbart", "mbart50", "nllb", "m2m100" or "marian"."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _TOKENIZERS[family](folder, sorted({word for text in texts for word in text.split()}))
    own: dict[str, Any] = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    if family == "m2m100":
        own["vocab_size"] += len(tokenizer.lang_token_to_id)  # which the tokenizer does not count
    if family == "t5":
        sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
        config: Any = transformers.T5Config(**own, **sizes, decoder_start_token_id=tokenizer.pad_token_id)
        network: Any = transformers.T5ForConditionalGeneration
    elif family == "marian":
        config = transformers.MarianConfig(**own, **SIZES, decoder_start_token_id=tokenizer.pad_token_id)
        network = transformers.MarianMTModel
    elif family in ("nllb", "m2m100"):
        config = transformers.M2M100Config(**own, **SIZES, decoder_start_token_id=tokenizer.eos_token_id)
        network = transformers.M2M100ForConditionalGeneration
    else:
        config = transformers.MBartConfig(**own, **SIZES, decoder_start_token_id=tokenizer.eos_token_id)
        network = transformers.MBartForConditionalGeneration
    torch.manual_seed(0)
    network(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _pieces(words: Sequence[str]) -> list[tuple[str, float]]:
    letters = sorted({letter for word in words for letter in word})
    return [("▁", -4.0), *((f"▁{word}", -2.0) for word in words), *((letter, -6.0) for letter in letters)]


def _t5(folder: Path, words: Sequence[str]) -> Any:
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), *_pieces(words)]
    vocabulary += [(f"<extra_id_{number}>", 0.0) for number in reversed(range(3))]
    return transformers.T5Tokenizer(vocab=vocabulary, extra_ids=3)


def _mbart(folder: Path, words: Sequence[str]) -> Any:
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0)]
    return transformers.MBartTokenizer(vocab=[*special, *_pieces(words)])


def _mbart50(folder: Path, words: Sequence[str]) -> Any:
    return transformers.MBart50Tokenizer(vocab=[("<unk>", -9.0), ("<s>", 0.0), ("</s>", 0.0), *_pieces(words)])


def _nllb(folder: Path, words: Sequence[str]) -> Any:
    names = ["<s>", "<pad>", "</s>", "<unk>", "▁", *sorted({letter for word in words for letter in word})]
    codes = ["eng_Latn", "deu_Latn", "zho_Hans", "zho_Hant"]
    return transformers.NllbTokenizer(vocab={name: at for at, name in enumerate(names)}, merges=[], additional_special_tokens=codes)


def _m2m100(folder: Path, words: Sequence[str]) -> Any:
    model = _spm(folder / "sentencepiece.bpe", words)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    names = ["<s>", "<pad>", "</s>", "<unk>", *(processor.id_to_piece(at) for at in range(3, processor.get_piece_size()))]
    (folder / "vocab.json").write_text(json.dumps({name: at for at, name in enumerate(names)}))
    return transformers.M2M100Tokenizer(str(folder / "vocab.json"), str(model))


def _marian(folder: Path, words: Sequence[str]) -> Any:
    """Two ways of cutting, one for each side, and two target languages."""
    half = len(words) // 2
    models = [_spm(folder / side, part) for side, part in (("source", words), ("target", words[half:]))]
    loaded = [sentencepiece.SentencePieceProcessor(model_file=str(model)) for model in models]
    pieces = dict.fromkeys(one.id_to_piece(at) for one in loaded for at in range(3, one.get_piece_size()))
    names = ["</s>", "<unk>", ">>deu<<", ">>fra<<", *pieces, "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({name: at for at, name in enumerate(names)}))
    return transformers.MarianTokenizer(str(models[0]), str(models[1]), str(folder / "vocab.json"))


def _spm(place: Path, words: Sequence[str]) -> Path:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(list(words) * 3),
        model_prefix=str(place),
        vocab_size=200,
        hard_vocab_limit=False,
        model_type="unigram",
        minloglevel=2,
    )
    made = place.with_name(place.name + ".model")
    return made.rename(place.with_name(f"{place.name}.spm")) if place.name in ("source", "target") else made


_TOKENIZERS: dict[str, Callable[[Path, Sequence[str]], Any]] = {
    "t5": _t5,
    "mbart": _mbart,
    "mbart50": _mbart50,
    "nllb": _nllb,
    "m2m100": _m2m100,
    "marian": _marian,
}
