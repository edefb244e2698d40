"""What a pretraining says before it begins: what cannot be, before the corpus is read; which base it took; what will not be measured."""

from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.conftest import make_model, write_corpus
from tests.engine.hub_stand_in import change_base
from tests.listening import Listener
from weitiao.data import whole_words
from weitiao.data.corpus_cleaning import Document
from weitiao.engine.model_folder import file_sha256
from weitiao.engine.pretraining import session
from weitiao.engine.pretraining.reading import beginnings
from weitiao.engine.training import Trainer
from weitiao.errors import ModelError, UsageError
from weitiao.pretraining import plan_pretraining

SETTINGS: dict[str, Any] = {"batch_size": 8, "block_size": 32, "held_out": 0.1, "threads": 1, "raw": True, "max_steps": 2}
CHINESE = "".join(f"今天的天气很好，我们去公园看花{number}。\n" for number in range(60))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.txt", 200)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that reads 64 tokens."""
    return make_model(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny stand-ins for both packaged bases; the Chinese one asks for larger steps, as the true one does."""
    for which, package in (("MINILM", "tiny_english_base"), ("ZH_MINI", "tiny_chinese_base")):
        folder = make_model(tmp_path / "packages" / package / "model")
        change_base(monkeypatch, which, package=package, sha256=file_sha256(folder / "model.safetensors"))
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"config": "bert:tiny", "objective": "rtd"}, ModelError, "trains ELECTRA models, and this is bert"),
        (
            {"config": "llama:tiny", "objective": "mlm"},
            ModelError,
            "made for --objective clm. Begin with another model: --config bert:mini",
        ),
        (
            {"config": "bert:tiny", "objective": "clm"},
            ModelError,
            "made to read a text whole.*made for --objective mlm.*--config llama:mini",
        ),
        ({"config": "bert:tiny", "objective": "denoising"}, ModelError, "made for --objective mlm. Begin.*--config t5:mini"),
        ({"config": "clip:tiny"}, ModelError, "clip models cannot do this"),
        ({"objective": "rtd"}, ModelError, "trains ELECTRA models, and this is bert"),
        ({"objective": "denoising"}, ModelError, "made for --objective mlm. Begin.*--config t5:mini"),
        ({"block_size": 65}, UsageError, "--block-size 65 is more than tiny reads: at most 64"),
        ({"track": "nobodys"}, UsageError, "--track nobodys"),
        ({"vocab_size": 500}, UsageError, "--vocab-size 500 would change nothing.*tiny has its own"),
        ({"config": "bert:tiny", "tokenizer": "BASE", "vocab_size": 500}, UsageError, "--vocab-size 500.*--tokenizer has its own"),
        ({"generator_width": 0.5}, UsageError, "--generator-width 0.5 would change nothing: --objective mlm"),
        ({"config": "t5:tiny", "generator_width": 0.5}, UsageError, "--generator-width 0.5 would change nothing: --objective denoising"),
        ({"config": "llama:tiny", "mask_share": 0.3}, UsageError, "--mask-share 0.3 would change nothing: --objective clm"),
    ],
)
def test_what_cannot_be_is_said_before_the_corpus_is_read(
    settings: dict[str, Any], error: type[Exception], said: str, corpus: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def documents(*args: Any, **how: Any) -> Any:
        pytest.fail("the corpus is read")

    monkeypatch.setattr(session, "documents", documents)
    given = {**SETTINGS, **({} if "config" in settings else {"model": str(base)}), **settings}
    given = {name: str(base) if value == "BASE" else value for name, value in given.items()}
    with pytest.raises(error, match=said):
        weitiao.pretrain(corpus, out=str(tmp_path / "run"), quiet=True, **given)
    assert not list(tmp_path.iterdir())


def test_settings_that_are_listened_to_are_taken(corpus: Path) -> None:
    given = {**SETTINGS, "config": "electra:tiny", "vocab_size": 400, "mask_share": 0.3, "generator_width": 0.5}
    assert plan_pretraining(corpus, **given)["rows"]["train"] > 0


def test_offline_is_the_base_of_the_corpus_s_language(packaged: None, corpus: Path, tmp_path: Path) -> None:
    chinese = tmp_path / "chinese.txt"
    chinese.write_text(CHINESE, encoding="utf-8")
    heard = Listener()
    plan = plan_pretraining(chinese, model="offline", observer=heard, **SETTINGS)
    assert plan["model"]["id"] == "offline:zh-mini"
    assert any(note.startswith("Base model: offline:zh-mini: the packaged base") for note in heard.notes)
    assert plan["lr"] == 2e-4  # what the package says suits it
    assert plan_pretraining(corpus, model="offline", observer=heard, **SETTINGS)["model"]["id"] == "offline:all-MiniLM-L6-v2"
    assert not heard.warnings
    # The long file comes first, and neither hides the other.
    english = tmp_path / "english.txt"
    english.write_text("the hotel was good\n", encoding="utf-8")
    assert plan_pretraining(english, chinese, model="offline", **SETTINGS)["model"]["id"] == "offline:zh-mini"
    plan_pretraining(chinese, model="offline:all-MiniLM-L6-v2", observer=heard, **SETTINGS)
    assert len(heard.warnings) == 1 and "knows another language than that of the texts (zh)" in heard.warnings[0]


def test_a_language_is_told_without_reading_on() -> None:
    books = (Document("好" * 400_000, "a.txt", row) for row in range(1, 100))
    assert [len(text) for text in beginnings(books)] == [500] * 3
    assert next(books).row == 4
    assert len(beginnings(Document("short", "a.txt", row) for row in range(1, 10_000))) == 500


def test_a_run_that_goes_on_keeps_its_base_and_reads_no_corpus(packaged: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chinese = tmp_path / "chinese.txt"
    chinese.write_text(CHINESE, encoding="utf-8")

    def interrupted(*args: Any, **how: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            weitiao.pretrain(chinese, model="offline", out=str(tmp_path / "run"), quiet=True, **SETTINGS)
    chinese.unlink()
    heard = Listener()
    run = weitiao.resume(tmp_path / "run", observer=heard)
    assert run.record["base_model"]["id"] == "offline:zh-mini"
    assert run.record["training"]["steps"] == 2
    assert not any("language" in said for said in heard.warnings)


@pytest.fixture
def no_jieba(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = whole_words.find_spec
    monkeypatch.setattr(whole_words, "find_spec", lambda name: None if name == "jieba" else honest(name))


def test_chinese_words_without_jieba_are_warned_of(base: Path, corpus: Path, tmp_path: Path, no_jieba: None) -> None:
    chinese, heard = tmp_path / "chinese.txt", Listener()
    chinese.write_text(CHINESE, encoding="utf-8")
    given = {**SETTINGS, "observer": heard}
    run = weitiao.pretrain(chinese, model=str(base), out=str(tmp_path / "run"), **given)
    told = [said for said in heard.warnings if "jieba" in said]
    assert len(told) == 1 and 'pip install "weitiao[zh]"' in told[0]
    assert "Hidden at a time: whole words, of Chinese single characters" in run.folder.card.read_text(encoding="utf-8")
    plan_pretraining(corpus, model=str(base), **given)  # English needs none
    plan_pretraining(chinese, config="llama:tiny", vocab_size=400, **given)  # nor does the next token
    assert [said for said in heard.warnings if "jieba" in said] == told


def test_chinese_words_with_jieba_are_not_warned_of(base: Path, tmp_path: Path) -> None:
    chinese, heard = tmp_path / "chinese.txt", Listener()
    chinese.write_text(CHINESE, encoding="utf-8")
    assert plan_pretraining(chinese, model=str(base), observer=heard, **SETTINGS)["corpus"]["segmenter"] == "jieba"
    assert not heard.warnings


def test_nothing_held_out_is_warned_of(base: Path, corpus: Path) -> None:
    heard = Listener()
    given = {**SETTINGS, "model": str(base), "observer": heard}
    plan_pretraining(corpus, **{**given, "held_out": 0.0})  # as it was wished
    plan_pretraining(corpus, **given)
    assert not heard.warnings
    plan_pretraining(corpus, **{**given, "held_out": 1e-9})
    assert (
        len(heard.warnings) == 1
        and "of 200 documents (1e-09 of them)" in heard.warnings[0]
        and "--held-out, such as 0.1" in heard.warnings[0]
    )
