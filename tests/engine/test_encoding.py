"""Documents become token files: in flat memory however long they are, with Chinese words wherever there is Chinese."""

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import transformers

from tests.conftest import FILLER, make_model
from weitiao.config import TokenizerSettings
from weitiao.data import corpus_cleaning
from weitiao.data.corpus_cleaning import Document, cleaned
from weitiao.data.ledger import ShortLedger
from weitiao.engine import blank, tokenizer_of_corpus
from weitiao.engine.architectures import ROBERTA_BPE, Size, architecture
from weitiao.engine.pretraining import encoding
from weitiao.engine.pretraining.encoding import Layout, write_tokens
from weitiao.engine.pretraining.token_files import TokenFile
from weitiao.engine.tokenizer_of_corpus import of_corpus
from weitiao.observer import SILENT

LONG = 5000  # characters of a long document


def books(count: int) -> Iterator[Document]:
    """Long documents, each unlike the others."""
    for number in range(count):
        draw = np.random.default_rng(number)
        words = draw.choice(FILLER, size=LONG // 4)
        yield Document(" ".join(words)[:LONG], "books.txt", number + 1)


@pytest.mark.parametrize("what", ["write_tokens, words", "write_tokens, stream", "cleaned", "of_corpus"])
def test_memory_does_not_grow_with_long_documents(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_cleaning, "CHARACTERS_AT_ONCE", 2 * LONG)
    monkeypatch.setattr(encoding, "LANGUAGE_OF", 2 * LONG)
    monkeypatch.setattr(tokenizer_of_corpus, "_MEASURED", LONG)
    monkeypatch.setattr(tokenizer_of_corpus, "trained", lambda tokens, texts, *args, **how: sum(map(len, texts)))
    tokenizer = transformers.AutoTokenizer.from_pretrained(make_model(tmp_path / "model"))
    layout = Layout(512, what.endswith("stream"), what.endswith("words"), 0.1, 1)
    settings = TokenizerSettings.of({"vocab_size": 300, "held_out": 0.1})
    ways: dict[str, Callable[[Iterator[Document]], object]] = {
        "cleaned": lambda those: sum(1 for _one in cleaned(those, ShortLedger(most=1))),
        "of_corpus": lambda those: of_corpus((one.text for one in those), ROBERTA_BPE, settings, SILENT, place=tmp_path),
    }
    run = ways.get(what, lambda those: write_tokens(tmp_path / "tokens", those, tokenizer, layout, ShortLedger(most=1), SILENT, 1))
    run(books(2))  # what is imported and cached once

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            run(books(count))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(10), peak(60)  # 50 kB and 300 kB of text
    assert many < few + 150_000


def test_chinese_words_are_found_wherever_there_are_such(tmp_path: Path) -> None:
    """Whatever the documents before it are."""
    pytest.importorskip("jieba")
    chinese, japanese = "我们在北京大学学习语言", "東京大学でとても良い言語を学びます"
    blank.write_blank(tmp_path / "base", architecture("bert"), [chinese, japanese, "all the day"] * 3, seed=1, size=Size(32, 2, 2, 64, 200))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "base")
    english = [Document(f"all the day {number}", "a.txt", number) for number in range(1, 2101)]
    found = {}
    for name, those in {"english": english, "mixed": [*english, Document(chinese, "b.txt", 1), Document(japanese, "c.txt", 1)]}.items():
        told = write_tokens(tmp_path / name, those, tokenizer, Layout(64, False, True, 0.0, 1), ShortLedger(), SILENT, 1)
        found[name] = told["segmenter"], told["language"]
    assert found == {"english": ("words", "en"), "mixed": ("jieba", "en")}
    file = TokenFile(tmp_path / "mixed" / "train")
    ids, places, goes_on = file.block(len(file) - 1)
    firsts = [*np.flatnonzero(places == 0), len(ids)]
    pieces = [list(zip(tokenizer.convert_ids_to_tokens(ids[a:b]), goes_on[a:b], strict=True))[1:-1] for a, b in itertools.pairwise(firsts)]
    begun = {token for token, on in pieces[-2] if not on}
    assert {token for token, _on in pieces[-2]} == set(chinese) and begun == {"我", "在", "北", "学", "语"}
    assert not any(on for _token, on in pieces[-1])


def test_the_language_is_that_of_all_documents(tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(make_model(tmp_path / "model"))
    english = [Document("the day was lovely", "a.txt", row) for row in range(1, 2101)]
    chinese = [Document("我们在北京大学学习语言。" * 100, "b.txt", row) for row in range(1, 101)]
    layout = Layout(64, True, False, 0.0, 1)
    assert write_tokens(tmp_path / "t", [*english, *chinese], tokenizer, layout, ShortLedger(), SILENT)["language"] == "zh"
