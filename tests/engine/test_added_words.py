"""Words of a new field become tokens, and what they begin with is the mean of what they were broken into."""

from pathlib import Path

import pytest
import torch
import transformers

import weitiao
from weitiao.data.corpus import is_held_out
from weitiao.engine import blank
from weitiao.engine.architectures import Size, architecture
from weitiao.engine.devices import Machine
from weitiao.engine.models import load_model
from weitiao.engine.pretraining import added_words
from weitiao.engine.pretraining.added_words import add_words, extend, words_to_add
from weitiao.errors import DataError, UsageError
from weitiao.observer import Observer

TEXTS = ["the patient has nephritis and a fever", "no nephritis was found in the patient", "nephritis again, says the doctor"] * 3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "model"
    letters = ["the a has and was found in says again doctor fever no", "abcdefghijklmnopqrstuvwxyz ,"]
    blank.write_blank(folder, architecture("bert"), letters * 5, seed=1, size=Size(32, 2, 2, 64, 200))
    return folder


def test_new_rows_are_the_mean_of_their_pieces(base: Path) -> None:
    loaded = load_model(base, ("AutoModelForMaskedLM",), {}, Machine("cpu", "fp32", 1))
    tokenizer, network = loaded.tokenizer, loaded.network
    with torch.no_grad():
        network.get_output_embeddings().bias.copy_(torch.arange(len(tokenizer)))
    pieces = tokenizer("nephritis", add_special_tokens=False)["input_ids"]
    assert len(pieces) > 1
    before = network.get_input_embeddings().weight.detach().clone()
    add_words(loaded, ["nephritis"])
    new = tokenizer.convert_tokens_to_ids("nephritis")
    assert new == len(before)
    assert tokenizer("nephritis", add_special_tokens=False)["input_ids"] == [new]
    assert new not in tokenizer("nephritises", add_special_tokens=False)["input_ids"]
    assert loaded.processor.token("nephritis") == new
    output = network.get_output_embeddings()
    for table in (network.get_input_embeddings().weight, output.weight):
        torch.testing.assert_close(table[new], before[pieces].mean(0))
        torch.testing.assert_close(table[:new], before)
    assert output.bias[new].item() == pytest.approx(sum(pieces) / len(pieces))


def test_which_words(base: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    found = words_to_add("2", TEXTS, tokenizer)
    assert set(found) == {"nephritis", "patient"}
    file = tmp_path / "words.txt"
    file.write_text("nephritis\n\nthe\n", encoding="utf-8")
    assert words_to_add(str(file), TEXTS, tokenizer) == ["nephritis"]
    with pytest.raises(DataError, match="neither a number nor a file"):
        words_to_add("nowhere.txt", TEXTS, tokenizer)
    with pytest.raises(DataError, match="none to add"):
        words_to_add("5", ["a the a"], tokenizer)
    with pytest.raises(UsageError, match=r"--add-tokens 0 adds none\. Leave it out"):
        words_to_add("0", TEXTS, tokenizer)
    with pytest.raises(DataError, match="--add-tokens ²: it is neither a number nor a file"):
        words_to_add("²", TEXTS, tokenizer)


def test_words_are_counted_evenly_in_all_that_is_learned_from(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And in nothing that is held out."""
    monkeypatch.setattr(added_words, "COUNTED", 4000)
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    assert words_to_add("1", ["the fever has risen"] * 900 + ["the nephritis was found"] * 1100, tokenizer) == ["nephritis"]
    lines = [f"{'nephritis' if is_held_out(f'{word} {number}', 0.5, 1) else 'patient'} {number}" for word in "ab" for number in range(40)]
    lines = [line for line in lines if is_held_out(line, 0.5, 1) == line.startswith("nephritis")]
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(lines), encoding="utf-8")
    settings = {"block_size": 16, "batch_size": 4, "max_steps": 1, "threads": 1, "held_out": 0.5, "seed": 1, "quiet": True}
    run = weitiao.pretrain(corpus, model=str(base), add_tokens="2", out=str(tmp_path / "run"), **settings)
    assert run.record["pretraining"]["added"] == ["patient"]
    assert len(lines) == run.record["pretraining"]["corpus"]["documents"] + sum(run.record["data"]["ledger"].values())


class Told(Observer):
    """Keeps what it is warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_chinese_words_become_tokens_that_occur(tmp_path: Path) -> None:
    texts = ["皇帝走了很远的路", "他们看见皇帝", "皇帝也看见他们"] * 3
    blank.write_blank(tmp_path / "base", architecture("bert"), texts, seed=1, size=Size(32, 2, 2, 64, 200))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "base")
    file = tmp_path / "words.txt"
    file.write_text("皇帝\n", encoding="utf-8")
    assert words_to_add(str(file), texts, tokenizer) == ["皇帝"]
    words = words_to_add("3", texts, tokenizer)
    assert "皇帝" in words
    extend(tokenizer, words)
    assert tokenizer.convert_tokens_to_ids("皇帝") in tokenizer("他们看见皇帝走了")["input_ids"]


def test_words_without_pieces_are_named(base: Path, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    file = tmp_path / "words.txt"
    file.write_text("nephritis\n微调\nthe\n", encoding="utf-8")
    told = Told()
    assert words_to_add(str(file), TEXTS, tokenizer, told) == ["nephritis"]
    assert len(told.warnings) == 1 and "1 of its words" in told.warnings[0] and "微调" in told.warnings[0]
    file.write_text("微调\n", encoding="utf-8")
    with pytest.raises(DataError, match="knows no pieces of 1 of its words"):
        words_to_add(str(file), TEXTS, tokenizer, told)


def test_a_model_that_goes_on_with_new_words(base: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(TEXTS * 5), encoding="utf-8")
    settings = {"block_size": 16, "batch_size": 4, "max_steps": 3, "threads": 1, "raw": True, "quiet": True}
    run = weitiao.pretrain(corpus, model=str(base), add_tokens="2", out=str(tmp_path / "run"), **settings)
    assert set(run.record["pretraining"]["added"]) == {"nephritis", "patient"}
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.folder.model)
    assert len(tokenizer.tokenize("the patient")) == 2
    assert run.predict(["the [MASK] has nephritis"])[0]["masks"]
