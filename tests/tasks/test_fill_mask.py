"""Fill-mask: whole words through every kind of tokenizer, the same ones hidden in every evaluation, answers as transformers' pipeline."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.conftest import make_model, sentences
from weitiao import tasks
from weitiao.data.records import Records
from weitiao.data.whole_words import hidden_words, whole_words, word_numbers, word_segmenter
from weitiao.errors import DataError, ModelError, UsageError
from weitiao.processing import FastProcessor

TASK = tasks.get("fill-mask")
CHINESE = "南京市长江大桥很长，我们去看BERT。"


def masked_model(folder: Path) -> Path:
    """A tiny random model with a masked language modelling head."""
    import torch
    import transformers

    make_model(folder)
    torch.manual_seed(2)
    transformers.AutoModelForMaskedLM.from_config(transformers.AutoConfig.from_pretrained(folder)).save_pretrained(folder)
    return folder


def processor(kind: str, texts: list[str]) -> FastProcessor:
    """A processor with a small vocabulary learned from texts: "wordpiece", "bytes" (BPE) or "unigram" (SentencePiece's way, unsplit)."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=60, special_tokens=special)
    elif kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
        trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=special, unk_token="[UNK]")
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return FastProcessor(tokenizer, ("input_ids", "attention_mask"), {"mask": "[MASK]", "unk": "[UNK]"})


def encoded(text: str, tokens: FastProcessor, *, segmenter: str = "words", for_training: bool = True, max_length: int = 256) -> Any:
    spec = TASK.fit({"segmenter": segmenter, "top_k": 5}, tokens)
    return spec, TASK.encode({"text": text}, tokens, spec, max_length=max_length, for_training=for_training)


@pytest.mark.parametrize("kind", ["wordpiece", "bytes", "unigram"])
def test_english_pieces_share_their_word(kind: str) -> None:
    text = "unbelievable things happened, yesterday"
    parts = ["un", "be", "lie", "vable", "thi", "ngs", "hap", "pened", "yes", "terday", *text.replace(" ", "")]
    tokens = processor(kind, [text] if kind == "wordpiece" else parts)
    _spec, (features,) = encoded(text, tokens)
    assert len(features) > 8 and features.words[0] is features.words[-1] is None
    by_word: dict[int, str] = {}
    for (start, end), word in zip(features.offsets, features.words, strict=True):
        if word is not None:
            by_word[word] = by_word.get(word, "") + text[start:end]
    # A comma may hang on the piece before it; no piece is lost, and no word is parted.
    assert "".join(by_word.values()).replace(" ", "") == text.replace(" ", "")
    assert by_word[0].strip() == "unbelievable"


@pytest.mark.parametrize("kind", ["wordpiece", "bytes"])
def test_chinese_words_by_jieba(kind: str) -> None:
    pytest.importorskip("jieba")
    tokens = processor(kind, [" ".join(CHINESE), "BERT"])
    _spec, (features,) = encoded(CHINESE, tokens, segmenter="jieba")
    spans: dict[int, set[int]] = {}
    for (start, end), word in zip(features.offsets, features.words, strict=True):
        if word is not None:
            spans.setdefault(word, set()).update(range(start, end))
    words = ["".join(CHINESE[at] for at in sorted(places)) for places in spans.values()]
    assert words[:2] == ["南京市", "长江大桥"] and "BERT" in words and "我们" in words


def test_without_jieba_characters_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import weitiao.data.whole_words as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert word_segmenter([CHINESE]) == "characters" and word_segmenter() == "characters"
    assert [CHINESE[a:b] for a, b in whole_words(CHINESE, "characters")][:3] == ["南", "京", "市"]
    assert word_segmenter(["A day in the sun."]) == "words"


def test_a_token_without_characters_has_no_word() -> None:
    assert word_numbers([(0, 2)], [(0, 0), (0, 2), (2, 3), (2, 2)]) == [None, 0, None, None]


def test_a_window_looks_up_its_own_words_alone() -> None:
    """A long text has many windows: going through all of its words for each would take their product."""

    class Counted(list[tuple[int, int]]):
        seen = 0

        def __getitem__(self, at: Any) -> Any:
            self.seen += 1
            return super().__getitem__(at)

        def __iter__(self) -> Any:
            for word in super().__iter__():
                self.seen += 1
                yield word

    words = Counted((4 * at, 4 * at + 3) for at in range(10_000))
    assert word_numbers(words, [(0, 3), (20_000, 20_002), (20_002, 20_003), (20_003, 20_007)]) == [0, 5000, 5000, 5001]
    assert words.seen < 100


def test_an_evaluation_hides_whole_words_and_always_the_same() -> None:
    text = " ".join(f"{a}{b}" for a in ("alpha", "beta", "gamma", "delta") for b in ("one", "two", "three", "four", "five"))
    tokens = processor("wordpiece", [text])
    spec, (first,) = encoded(text, tokens, for_training=False)
    _spec, (second,) = encoded(text, tokens, for_training=False)
    assert first.inputs == second.inputs and first.target == second.target
    judged = [target != -100 for target in first.target]
    hidden = {word for word, is_judged in zip(first.words, judged, strict=True) if is_judged}
    assert len(hidden) == round(0.15 * 20)
    assert all(is_judged == (word in hidden) for word, is_judged in zip(first.words, judged, strict=True))
    assert all((token == spec["mask_id"]) == is_judged for token, is_judged in zip(first.inputs["input_ids"], judged, strict=True))
    # Windows together hide the same words.
    _spec, windows = encoded(text, tokens, for_training=False, max_length=12)
    assert len(windows) > 2
    assert {w for f in windows for w, t in zip(f.words, f.target, strict=True) if t != -100} == hidden
    assert hidden_words(text, range(20)) == hidden


def test_an_unknown_token_is_never_learned() -> None:
    tokens = processor("wordpiece", ["abc abd"])
    _spec, (features,) = encoded("abc 龘 abd", tokens)
    unknown = tokens.special("unk")
    assert unknown is not None and unknown[1] in features.inputs["input_ids"]
    assert features.words[features.inputs["input_ids"].index(unknown[1])] is None


def test_answers_are_those_of_transformers(tmp_path: Path) -> None:
    import transformers

    model = masked_model(tmp_path / "m")
    text = "the [MASK] was very [MASK] today"
    expected = transformers.pipeline("fill-mask", model=str(model), device="cpu", top_k=3)(text)
    answer = weitiao.load(model, task="fill-mask", top_k=3).predict([text.replace("[MASK]", "<mask>", 1)])[0]
    assert [[one["token"] for one in options] for options in answer["masks"]] == [[one["token_str"] for one in part] for part in expected]
    ours = [one["score"] for options in answer["masks"] for one in options]
    assert ours == pytest.approx([one["score"] for part in expected for one in part], abs=1e-6)
    best = [options[0]["token"] for options in answer["masks"]]
    assert answer["filled"] == f"the {best[0]} was very {best[1]} today"
    assert answer["masks"][1][0]["text"] == f"the [MASK] was very {best[1]} today"


def test_the_figures_are_those_of_a_cross_entropy_written_out(tmp_path: Path) -> None:
    import torch
    import transformers

    model = masked_model(tmp_path / "m")
    data = tmp_path / "t.txt"
    texts = [text for text, _label in sentences(40)]
    data.write_text("\n\n".join(texts), encoding="utf-8")
    loaded = weitiao.load(model, task="fill-mask")
    metrics = loaded.evaluate(str(data))["metrics"]
    network = transformers.AutoModelForMaskedLM.from_pretrained(model).eval()
    losses, right = [], []
    for text in texts:
        (features,) = loaded.predictor().encode({"text": text})
        with torch.no_grad():
            logits = network(torch.tensor([features.inputs["input_ids"]])).logits[0]
        for at, true in enumerate(features.target):
            if true != -100:
                losses.append(torch.nn.functional.cross_entropy(logits[at], torch.tensor(true)).item())
                right.append(int(logits[at].argmax()) == true)
    assert metrics["perplexity"] == pytest.approx(math.exp(np.mean(losses)), rel=1e-4)
    assert metrics["masked_accuracy"] == pytest.approx(np.mean(right))


def test_it_trains_on_plain_text(tmp_path: Path) -> None:
    data = tmp_path / "t.txt"
    data.write_text("\n\n".join(f"the room was very {word} today" for word in ("lovely", "sad") * 40), encoding="utf-8")
    settings = {"task": "fill-mask", "epochs": 4, "batch_size": 16, "lr": 3e-3, "max_length": 32, "threads": 1}
    with pytest.raises(DataError, match="same few texts"):
        weitiao.train(str(data), model=str(make_model(tmp_path / "m")), out=str(tmp_path / "no"), **settings)
    rows = [f"the room was very lovely and {a} the box was {b} sad today" for a in range(10) for b in range(10)]
    data.write_text("\n\n".join(rows), encoding="utf-8")
    run = weitiao.train(str(data), model=str(make_model(tmp_path / "m")), out=str(tmp_path / "run"), **settings)
    evaluation = run.record["evaluation"]
    assert run.record["spec"]["segmenter"] == evaluation["segmenter"] == "words"
    assert evaluation["metrics"]["masked_accuracy"] > evaluation["baselines"]["unigram"]["metrics"]["masked_accuracy"]
    assert "perplexity" not in evaluation["baselines"]["unigram"]["metrics"]
    asked = tmp_path / "q.txt"
    asked.write_text("the [MASK] was sad\nthe box was [MASK]\n", encoding="utf-8")
    assert run.predict_file(str(asked), tmp_path / "a.csv")["unanswered"] == 0


def test_what_asks_nothing_is_an_error(tmp_path: Path) -> None:
    loaded = weitiao.load(masked_model(tmp_path / "m"), task="fill-mask")
    with pytest.raises(UsageError, match=r"Input 1: The text has no mask.*\[MASK\]"):
        loaded.predict(["the room"])
    asked = tmp_path / "q.txt"
    asked.write_text("the [MASK] room\nthe box\n", encoding="utf-8")
    with pytest.raises(DataError, match="no mask"):
        loaded.predict_file(str(asked), tmp_path / "a.csv")
    with pytest.raises(DataError, match="plain texts without masks"):
        TASK.score([{"filled": "", "masks": [], "judged": []}], Records({"text": ["a"]}, np.arange(1)), {"segmenter": "words"})


def test_a_model_without_a_mask_is_refused() -> None:
    tokens = processor("wordpiece", ["abc"])
    tokens.special_tokens.pop("mask")
    with pytest.raises(ModelError, match="no mask token"):
        TASK.fit({}, tokens)
