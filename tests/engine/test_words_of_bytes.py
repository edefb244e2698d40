"""Characters that several tokens spell are hidden whole: bytes of one neither stand alone nor go with those of the next word."""

from pathlib import Path

import numpy as np
import pytest

from weitiao.data.corpus_cleaning import Document
from weitiao.data.ledger import ShortLedger
from weitiao.data.whole_words import going_on, tokens_going_on, whole_words, word_numbers, word_segmenter
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import own_tokenizer
from weitiao.engine.pretraining.encoding import Layout, write_tokens
from weitiao.engine.pretraining.token_files import TokenFile
from weitiao.observer import SILENT

TEXTS = ["皇帝走了很远的路，他们看见皇帝。", "the patient has nephritis", "我们用BERT模型 in a 旅馆"] * 3


@pytest.mark.parametrize("family", ["roberta", "modernbert", "xlm-roberta", "bert"])
def test_words_are_those_of_fine_tuning(family: str, tmp_path: Path) -> None:
    """Byte-level vocabularies of 256 bytes and next to nothing else, so that each Chinese character is three tokens."""
    tokenizer = own_tokenizer(
        ARCHITECTURES[family], ["the patient"] * 3 if "bpe" in ARCHITECTURES[family].tokens.model else TEXTS, Size(vocabulary=300)
    )
    segmenter = word_segmenter(TEXTS)
    documents = [Document(text, "a.txt", row) for row, text in enumerate(TEXTS, 1)]
    write_tokens(tmp_path, documents, tokenizer, Layout(512, False, True, 0.0, 1), ShortLedger(), SILENT, 1)
    file = TokenFile(tmp_path / "train")
    ids, places, goes_on = (np.concatenate(parts) for parts in zip(*map(file.block, range(len(file))), strict=True))
    pieces = np.split(np.arange(len(ids)), np.flatnonzero(places == 0)[1:])
    assert len(pieces) == len(TEXTS)
    for text, piece in zip(TEXTS, pieces, strict=True):
        encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
        numbers = word_numbers(whole_words(text, segmenter), encoding.offsets)
        same = [a is not None and a == b for a, b in zip(numbers[1:], numbers[:-1], strict=True)]
        assert goes_on[piece][1:-1].tolist() == [False, *same]


def test_bytes_of_a_character() -> None:
    inside = going_on("好的", "characters")
    assert tokens_going_on(inside, [(0, 1), (0, 1), (0, 1), (1, 2), (1, 2)]).tolist() == [False, True, True, False, True]
    assert tokens_going_on(going_on("", "words"), []).tolist() == []
