"""A tokenizer from a corpus: every kind loads in transformers and spells as its family does; what is reported; what is refused."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.conftest import sentences
from weitiao.engine import tokenizer_of_corpus
from weitiao.engine.architectures import ARCHITECTURES
from weitiao.engine.tokenizer_families import USUAL as KINDS
from weitiao.engine.tokenizer_families import choose
from weitiao.errors import DataError, ModelError, RunError, UsageError

CHINESE = ["春天来了，桃花开了。", "他们走了很远的路，终于到了海边。", "今天的天气很好，我们去公园。", "这家酒店的房间很干净，服务也好。"]
SIZES = {"wordpiece": 300, "bpe": 500, "byte-bpe": 400, "unigram": 260, "char": 300}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """English and Chinese sentences, each different from all others."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    lines = [f"{text.capitalize()} number {at * 7919}." for at, (text, _label) in enumerate(sentences(300))]
    chinese = [f"{CHINESE[at % 4]}第{at * 31}号，{CHINESE[at * 3 % 4][: 4 + at % 5]}" for at in range(100)]
    path.write_text("\n".join([*lines, *chinese]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, dict[str, Any]]:
    """A kind, its folder, its report."""
    kind = request.param
    out = tmp_path_factory.mktemp("made") / kind
    report = weitiao.train_tokenizer(corpus, out=out, kind=kind, vocab_size=SIZES[kind], coverage=1.0, raw=True)
    return kind, out, report


def test_every_kind_loads_with_auto_tokenizer(made: tuple[str, Path, dict[str, Any]]) -> None:
    from transformers import AutoTokenizer

    kind, out, report = made
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert len(tokenizer) == report["vocabulary"] <= SIZES[kind]
    assert tokenizer.model_max_length == 512 and tokenizer.pad_token_id is not None
    for role, token in choose(kind).tokens.special.items():
        assert getattr(tokenizer, f"{role}_token") == token
        assert tokenizer.tokenize(f"a{token}b").count(token) == 1
    assert (tokenizer.chat_template or "") == ""
    both = tokenizer("the room", "春天", padding="max_length", max_length=40, truncation=True)
    assert len(both["input_ids"]) == 40 and both["attention_mask"][-1] == 0
    assert ("token_type_ids" in both) == (kind in ("wordpiece", "char"))


def test_every_kind_frames_a_text_as_its_family_does(made: tuple[str, Path, dict[str, Any]]) -> None:
    from transformers import AutoTokenizer

    kind, out, _report = made
    tokenizer = AutoTokenizer.from_pretrained(out)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("春天 the room").input_ids)
    ends = {"wordpiece": ("[CLS]", "[SEP]"), "char": ("[CLS]", "[SEP]"), "byte-bpe": ("<s>", "</s>"), "bpe": ("<s>", None)}
    first, last = ends.get(kind, (None, "</s>"))
    assert (tokens[0] == first) if first else not tokens[0].startswith("<")
    assert (tokens[-1] == last) if last else not tokens[-1].startswith("<")
    if kind in ("wordpiece", "char"):
        assert tokens[1:3] == ["春", "天"]


def own_kinds() -> list[tuple[str, str]]:
    """Every family with each of its kinds."""
    return [(name, one.model) for name, each in ARCHITECTURES.items() if not each.pictures for one in (each.tokens, *each.others)]


# What stands before and behind a text.
FRAMES: dict[str, tuple[list[str], list[str]]] = {
    **dict.fromkeys(("bert", "electra", "distilbert", "deberta-v2", "modernbert", "albert"), (["[CLS]"], ["[SEP]"])),
    **dict.fromkeys(("roberta", "bart", "xlm-roberta"), (["<s>"], ["</s>"])),
    **dict.fromkeys(("t5", "mt5", "marian", "mbart"), ([], ["</s>"])),
    **dict.fromkeys(("llama", "mistral", "gemma"), (["<s>"], [])),
    **dict.fromkeys(("gpt2", "qwen2", "qwen3"), ([], [])),
}
MARK = "<|endoftext|>"
ROLES = {
    "bert": {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "bos": None, "eos": None},
    "roberta": {"pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>", "bos": "<s>", "eos": "</s>"},
    "t5": {"pad": "<pad>", "unk": "<unk>", "cls": None, "mask": None, "bos": None, "eos": "</s>"},
    "llama": {"pad": "<pad>", "unk": "<unk>", "cls": None, "mask": None, "bos": "<s>", "eos": "</s>"},
    "gpt2": {"pad": "<pad>", "unk": MARK, "cls": None, "mask": None, "bos": MARK, "eos": MARK},
    "qwen3": {"pad": MARK, "unk": None, "cls": None, "mask": None, "bos": None, "eos": MARK},
}
ROLES["modernbert"] = ROLES["bert"]


@pytest.mark.parametrize(("family", "kind"), own_kinds())
def test_a_family_has_its_own_special_tokens_where_it_puts_them(family: str, kind: str, corpus: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    settings = {"vocab_size": SIZES[kind], "coverage": 1.0, "raw": True}
    report = weitiao.train_tokenizer(corpus, out=tmp_path / "a", kind=kind, family=family, **settings)
    assert (report["family"], report["kind"], report["families"][0]) == (family, kind, family)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "a")
    assert tokenizer.is_fast and len(tokenizer) == report["vocabulary"]
    for role, token in ROLES.get(family, {}).items():
        assert getattr(tokenizer, f"{role}_token") == token
        if token is not None:
            assert tokenizer.convert_ids_to_tokens(getattr(tokenizer, f"{role}_token_id")) == token
    before, behind = FRAMES[family]
    text = "the room was lovely 今天的天气很好"
    alone, whole = (tokenizer.tokenize(text), tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids))
    assert whole == [*before, *alone, *behind]
    back = tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True)
    assert back.replace(" ", "") == text.replace(" ", "") and (back == text or kind == "wordpiece")
    pair = tokenizer("the room", "今天")
    assert tokenizer.decode(pair.input_ids, skip_special_tokens=True).replace(" ", "") == "theroom今天"
    assert ("token_type_ids" in pair) == (family in ("bert", "electra", "albert"))
    many = tokenizer(["the room", text], padding=True)
    assert len({*map(len, many.input_ids)}) == 1 and 0 in many.attention_mask[0]


@pytest.mark.parametrize("family", [name for name, one in ARCHITECTURES.items() if not one.pictures])
def test_a_blank_model_gets_the_tokenizer_of_its_family(family: str) -> None:
    chosen = choose(family=family)
    assert chosen.tokens == ARCHITECTURES[family].corpus_tokens and family in chosen.families


@pytest.mark.parametrize("family", ["modernbert", "albert", "roberta"])
def test_a_mask_takes_the_blank_before_it(family: str, corpus: Path, tmp_path: Path) -> None:
    """Where pieces begin with their blank: a word in the mask's place then brings the one blank that there is."""
    from transformers import AutoTokenizer

    weitiao.train_tokenizer(corpus, out=tmp_path / "a", family=family, vocab_size=400, raw=True, coverage=0.99)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "a")
    left, both, masked = (
        tokenizer(text, add_special_tokens=False).input_ids for text in ("the", "the room", f"the {tokenizer.mask_token} room")
    )
    assert masked == [*left, tokenizer.mask_token_id, *both[len(left) :]]


def test_families_that_compose_characters_do(corpus: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    for family, composes in {"modernbert": True, "qwen": True, "gpt2": False, "roberta": False}.items():
        weitiao.train_tokenizer(corpus, out=tmp_path / family, family=family, vocab_size=400, raw=True)
        tokenizer = Tokenizer.from_file(str(tmp_path / family / "tokenizer.json"))
        assert (tokenizer.encode("cafe\u0301").ids == tokenizer.encode("caf\u00e9").ids) is composes


def test_a_chat_of_qwen_has_its_marks(corpus: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    weitiao.train_tokenizer(corpus, out=tmp_path / "a", family="qwen", vocab_size=400, raw=True)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "a")
    tokens = tokenizer.tokenize("<|im_start|>user\nthe room<|im_end|>")
    assert tokens[0] == "<|im_start|>" and tokens[-1] == "<|im_end|>"
    assert tokenizer.decode(tokenizer("<|im_start|>room<|im_end|>").input_ids, skip_special_tokens=True) == "room"


def test_a_family_of_another_kind_is_refused_and_the_right_one_named(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--family gpt2 goes with --kind byte-bpe, not with unigram\. Families of unigram: albert, xlm"):
        weitiao.train_tokenizer(corpus, out=tmp_path / "a", kind="unigram", family="gpt2")
    with pytest.raises(UsageError, match="--family llama goes with --kind byte-bpe or bpe, not with char"):
        weitiao.train_tokenizer(corpus, out=tmp_path / "a", kind="char", family="llama")
    with pytest.raises(UsageError, match=r'There is no --family "gtp2".*Did you mean "gpt2"'):
        weitiao.train_tokenizer(corpus, out=tmp_path / "a", family="gtp2")
    with pytest.raises(UsageError, match="--lowercase is for --kind wordpiece and char; models of the kind byte-bpe"):
        weitiao.train_tokenizer(corpus, out=tmp_path / "a", family="gpt2", lowercase=True)
    assert not (tmp_path / "a").exists()


def test_texts_are_read_back(made: tuple[str, Path, dict[str, Any]]) -> None:
    from transformers import AutoTokenizer

    kind, out, report = made
    tokenizer = AutoTokenizer.from_pretrained(out)
    text = "The room was lovely. 今天的天气很好，我们去公园。"
    back = tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True)
    if kind == "wordpiece":
        assert back.replace(" ", "") == text.replace(" ", "")
    else:
        assert back == (text.replace("，", ",") if kind == "unigram" else text)
    if kind in ("bpe", "byte-bpe"):  # what no piece spells is spelled in bytes
        odd = "🙂 ½ 龘\n\tend"
        assert tokenizer.decode(tokenizer(odd).input_ids, skip_special_tokens=True) == odd
        assert report["tokenizers"][0]["unknown_rate"] == 0 and report["tokenizers"][0]["coverage"] == 1


def test_t5_finds_its_sentinels(made: tuple[str, Path, dict[str, Any]]) -> None:
    kind, out, _report = made
    if kind != "unigram":
        pytest.skip("only T5 has sentinels")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.convert_tokens_to_ids("<extra_id_0>") == len(tokenizer) - 1
    assert tokenizer.convert_tokens_to_ids("<extra_id_99>") == len(tokenizer) - 100
    assert [tokenizer.convert_tokens_to_ids(token) for token in ("<pad>", "</s>", "<unk>")] == [0, 1, 2]
    assert "<extra_id_7>" in tokenizer.tokenize("the <extra_id_7> room")
    assert tokenizer.decode(tokenizer("the <extra_id_7> room").input_ids, skip_special_tokens=True).split() == ["the", "room"]


def test_the_report_and_the_readme_agree(made: tuple[str, Path, dict[str, Any]]) -> None:
    kind, out, report = made
    assert {path.name for path in out.iterdir()} == {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "README.md"}
    own = report["tokenizers"][0]
    assert own["name"] == "" and own["vocabulary"] == report["vocabulary"]
    assert report["measured_on"]["split"] == "held_out" and report["corpus"]["held_out"] >= report["measured_on"]["documents"] > 0
    assert report["corpus"]["documents"] + report["corpus"]["held_out"] == 400
    assert own["coverage"] > 0.98 and own["tokens_per_character"] == pytest.approx(1 / own["characters_per_token"])
    assert report["longest"] and all(len(piece) <= 16 or kind in ("wordpiece", "byte-bpe") for piece in report["longest"])
    assert "".join(report["example"]["tokens"][0]["tokens"]).replace("␣", "").lower() == report["example"]["text"].replace(" ", "").lower()
    readme = (out / "README.md").read_text(encoding="utf-8")
    assert f"{own['tokens_per_character']:.3f}" in readme and "- corpus.txt" in readme and str(out.parent) not in readme


@pytest.mark.parametrize("kind", [*KINDS])
def test_the_same_corpus_gives_the_same_tokenizer(corpus: Path, tmp_path: Path, kind: str) -> None:
    """In another process too, where every hash table is in another order."""
    code = f"import weitiao, sys; weitiao.train_tokenizer({str(corpus)!r}, out=sys.argv[1], kind={kind!r}, vocab_size={SIZES[kind] + 300})"
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True, timeout=250)
    assert (tmp_path / "a" / "tokenizer.json").read_bytes() == (tmp_path / "b" / "tokenizer.json").read_bytes()


def test_lower_case_loses_capitals_and_accents(corpus: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    weitiao.train_tokenizer(corpus, out=tmp_path / "a", vocab_size=300, coverage=0.9, lowercase=True)
    tokenizer = Tokenizer.from_file(str(tmp_path / "a" / "tokenizer.json"))
    assert tokenizer.encode("THE RÓOM").ids == tokenizer.encode("the room").ids
    with pytest.raises(UsageError, match="--lowercase is for --kind wordpiece and char"):
        weitiao.train_tokenizer(corpus, out=tmp_path / "b", kind="bpe", lowercase=True)


def test_rare_characters_are_left_out_by_coverage(corpus: Path, tmp_path: Path) -> None:
    whole = weitiao.train_tokenizer(corpus, out=tmp_path / "a", coverage=1.0, vocab_size=400)
    some = weitiao.train_tokenizer(corpus, out=tmp_path / "b", coverage=0.9, vocab_size=400)
    assert some["alphabet"]["characters"] < whole["alphabet"]["characters"] == whole["alphabet"]["of"] - 1  # the blank
    assert some["tokenizers"][0]["unknown_rate"] > whole["tokenizers"][0]["unknown_rate"]
    kept = json.loads((tmp_path / "b" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert len({character for piece in kept for character in piece if character > "\u4e00"}) < whole["alphabet"]["characters"]


def test_characters_limit_what_is_trained_on(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    honest = tokenizer_of_corpus.trained

    def counted(tokens: Any, texts: Any, *args: Any, **how: Any) -> Any:
        given[:] = list(texts)
        return honest(tokens, given, *args, **how)

    monkeypatch.setattr(tokenizer_of_corpus, "trained", counted)
    for document in ("line", "file"):
        settings = {"kind": "byte-bpe", "vocab_size": 400, "characters": 3000, "document": document, "held_out": 0}
        report = weitiao.train_tokenizer(corpus, out=tmp_path / document, **settings)
        assert report["corpus"]["trained_on"] == 3000 < report["corpus"]["characters"]
        assert sum(map(len, given)) == 3000


def test_long_texts_come_to_the_trainer_in_parts(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds hundreds of them at once."""
    given: list[str] = []
    honest = tokenizer_of_corpus.trained

    def kept(tokens: Any, texts: Any, *args: Any, **how: Any) -> Any:
        given[:] = list(texts)
        return honest(tokens, given, *args, **how)

    monkeypatch.setattr(tokenizer_of_corpus, "trained", kept)
    long = tmp_path / "long.txt"
    settings = {"kind": "byte-bpe", "vocab_size": 300, "held_out": 0, "raw": True}
    for name, text in (("spaced", " ".join(["the long day was over"] * 40)), ("unspaced", "长夜漫漫" * 30)):
        long.write_text(text, encoding="utf-8")
        weitiao.train_tokenizer(long, out=tmp_path / name / "whole", **settings)
        assert given == [text]
        with monkeypatch.context() as patch:
            patch.setattr(tokenizer_of_corpus, "_LONGEST", 30)
            weitiao.train_tokenizer(long, out=tmp_path / name / "parts", **settings)
        assert "".join(given) == text
        assert max(map(len, given)) <= 30
        assert all(part[0] == " " for part in given[1:]) == (name == "spaced")
    # Cut where words end, the text has the same words.
    assert len({(tmp_path / "spaced" / way / "tokenizer.json").read_text(encoding="utf-8") for way in ("whole", "parts")}) == 1


def test_what_is_set_aside_lies_beside_what_is_written(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own place for temporary files is often in memory, and a corpus is not."""
    places: list[Path] = []
    honest = tempfile.TemporaryFile

    def noted(*args: Any, dir: Path | None = None, **how: Any) -> Any:
        places.append(Path(dir or tempfile.gettempdir()))
        return honest(*args, dir=dir, **how)

    monkeypatch.setattr(tempfile, "TemporaryFile", noted)
    weitiao.train_tokenizer(corpus, out=tmp_path / "new" / "tokenizer", vocab_size=400)
    settings = {"config": "bert:tiny", "vocab_size": 400, "max_steps": 1, "batch_size": 4, "block_size": 16, "threads": 1, "quiet": True}
    weitiao.pretrain(corpus, out=str(tmp_path / "run"), **settings)
    assert places[0] == tmp_path and places[1].parent == tmp_path and places[1].name.startswith(".weitiao-tokens-")
    assert not list(tmp_path.glob(".weitiao*"))


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_what_is_measured_is_the_text_as_it_stands(kind: str, tmp_path: Path) -> None:
    """With nothing held out too: neither the blanks nor the commas that normalising makes are counted."""
    lines = [f"{CHINESE[at % 4]}{CHINESE[at * 3 % 4][: 4 + at % 5]}（{at}）" for at in range(100)]
    (tmp_path / "c.txt").write_text("\n".join(lines), encoding="utf-8")
    report = weitiao.train_tokenizer(tmp_path / "c.txt", out=tmp_path / "a", kind=kind, vocab_size=300, held_out=0, raw=True)
    assert report["measured_on"] == {"split": "train", "documents": 100}
    assert report["corpus"]["characters"] == sum(map(len, lines))
    assert report["example"]["text"] in lines
    if kind == "wordpiece":
        assert report["tokenizers"][0]["tokens_per_character"] > 0.9


@pytest.mark.parametrize("kind", [*KINDS])
def test_too_small_a_vocabulary_says_what_is_needed(corpus: Path, tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match=r"--vocab-size is 20, and (\d+) is the least") as failure:
        weitiao.train_tokenizer(corpus, out=tmp_path / "a", kind=kind, vocab_size=20)
    needed = int(str(failure.value).split("and ")[1].split()[0])
    assert not (tmp_path / "a").exists()
    report = weitiao.train_tokenizer(corpus, out=tmp_path / "a", kind=kind, vocab_size=needed)
    assert report["vocabulary"] <= needed
    with pytest.raises(UsageError, match=f"and {needed} is the least"):
        weitiao.train_tokenizer(corpus, out=tmp_path / "b", kind=kind, vocab_size=needed - 1)


def test_what_cannot_be_is_refused_before_anything_is_read(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="exists already, and nothing is overwritten"):
        weitiao.train_tokenizer(corpus, out=tmp_path / "there")
    with pytest.raises(UsageError, match=r"--kind is .sentencepiece.; it must be one of auto, wordpiece, bpe"):
        weitiao.train_tokenizer(corpus, out=tmp_path / "a", kind="sentencepiece")
    with pytest.raises(UsageError, match='no setting "vocab"'):
        weitiao.train_tokenizer(corpus, out=tmp_path / "a", vocab=100)
    with pytest.raises(DataError, match=r"corpus\.text does not exist"):
        weitiao.train_tokenizer(corpus.with_suffix(".text"), out=tmp_path / "a")
    (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
    with pytest.raises(DataError, match="The corpus is empty"):
        weitiao.train_tokenizer(tmp_path / "empty.txt", out=tmp_path / "a")
    with pytest.raises(ModelError, match="There is no folder"):
        weitiao.train_tokenizer(corpus, out=tmp_path / "a", beside=[str(tmp_path / "nothing")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.txt", "there"]


def test_another_tokenizer_is_measured_beside(corpus: Path, tmp_path: Path) -> None:
    weitiao.train_tokenizer(corpus, out=tmp_path / "small", vocab_size=300, coverage=0.9)
    report = weitiao.train_tokenizer(corpus, out=tmp_path / "a", vocab_size=600, beside=[str(tmp_path / "small")])
    names = [row["name"] for row in report["tokenizers"]]
    assert names[0] == "" and names[-1] == str(tmp_path / "small")
    assert report["tokenizers"][0]["tokens_per_character"] < report["tokenizers"][-1]["tokens_per_character"]


def test_a_corpus_of_one_document_is_measured_on_itself(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("the only line that there is\n", encoding="utf-8")
    report = weitiao.train_tokenizer(tmp_path / "one.txt", out=tmp_path / "a", vocab_size=100, held_out=0)
    assert report["measured_on"] == {"split": "train", "documents": 1}
