"""Tiny models from a config and a small vocabulary, and small data files: everything the tests need, made on the spot."""

import csv
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from weitiao import messages

WORDS = {
    "good": ["lovely", "great", "fine", "sunny", "happy", "bright", "kind", "warm"],
    "bad": ["awful", "sad", "broken", "cold", "angry", "dark", "late", "rude"],
}
FILLER = ["the", "a", "day", "room", "was", "is", "and", "it", "we", "my", "service", "box", "very", "so", "today", "then"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *WORDS["good"], *WORDS["bad"], *"!.,", *"0123456789"]

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64}


@pytest.fixture(autouse=True)
def english() -> None:
    """Every test starts in English, whatever the machine's locale."""
    messages.set_language("en")


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """A tiny BERT in a folder."""
    return make_model(tmp_path / "tiny")


def make_model(folder: Path, family: str = "bert", **changes: object) -> Path:
    """A tiny random model of a family with a word-level vocabulary, saved as an ordinary model folder."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    config = {**SIZES, "vocab_size": len(VOCABULARY), "pad_token_id": 0, **changes}
    if family == "distilbert":
        config |= {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    if family in ("roberta", "xlm-roberta"):
        config |= {"max_position_embeddings": 66}
    torch.manual_seed(0)
    network = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(family, **config))
    network.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ["input_ids", "attention_mask"]
    if family not in ("distilbert", "roberta", "xlm-roberta"):
        names.append("token_type_ids")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
        model_input_names=names,
    ).save_pretrained(folder)
    return folder


def sentences(rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, label) pairs that a tiny model can learn: the label is the kind of word in it."""
    draw = random.Random(seed)
    pairs = []
    for index in range(rows):
        label = "good" if index % 2 else "bad"
        words = draw.choices(FILLER, k=draw.randint(2, 20)) + draw.sample(WORDS[label], 2)
        draw.shuffle(words)
        pairs.append((" ".join(words), label))
    return pairs


def write_corpus(path: Path, rows: int, seed: int = 3) -> Path:
    """Running text that a tiny model can learn from: a file of so many of those texts, one a line."""
    path.write_text("".join(f"{text} .\n" for text, _label in sentences(rows, seed=seed)), encoding="utf-8")
    return path


def write_csv(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    """A CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A small CSV of learnable sentences."""
    return write_csv(tmp_path / "reviews.csv", list(sentences(120)))


@pytest.fixture
def train_tiny(tiny_model: Path, reviews: Path, tmp_path: Path) -> Callable[..., object]:
    """Trains the tiny model on the small CSV with quick settings; keyword arguments change them."""

    def train(**settings: object) -> object:
        import weitiao

        places = {"model": str(tiny_model), "out": str(tmp_path / "run")}
        values = {**places, "epochs": 2, "batch_size": 16, "lr": 3e-3, "max_length": 32, "threads": 1}
        return weitiao.train(str(settings.pop("data", reviews)), **{**values, **settings})

    return train
