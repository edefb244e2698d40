"""The scripts of a static page by themselves, in Chromium: each against what it stands for in Python. No model is needed."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors, trainers

from tests.browser import Browser
from tests.browser import window as window
from weitiao.data.candidates import candidates, rule
from weitiao.data.language import SCRIPT_RANGES, language_of
from weitiao.deploy.space.static import folder, trial
from weitiao.deploy.space.static.serving import served
from weitiao.processing import FastProcessor

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PIECES = [
    "the ",
    "don't ",
    "x",
    "\u0301",
    "\ufeff",
    "\t",
    "\n",
    "\r\n",
    " ",
    "\u3000",
    "\x1c",
    "\x85é",
    "한국 ",
    "好",
    " <mask> ",
    "🎉",
    "1,000",
]


class Scripts:
    """The page's modules, on a page of their own."""

    def __init__(self, window: Browser) -> None:
        self.window = window

    def run(self, script: str, *given: Any) -> Any:
        """What a script returns that may import the modules ("/page/x.js") and has ``given``."""
        whole = f"const given = arguments[0], told = arguments[1]; (async () => {{ {script} }})().then((value) => told({{ value }}), "
        answer = self.window.driver.execute_async_script(whole + "(error) => told({ error: `${error?.stack ?? error}` }));", list(given))
        assert "error" not in answer, answer["error"]
        return answer.get("value")


@pytest.fixture
def scripts(window: Browser) -> Iterator[Scripts]:
    with served({"/page/": folder.PAGE}, {"/": b"<!doctype html><link rel=icon href=data:,>"}) as server:
        window.open(server.url)
        window.driver.set_script_timeout(60)
        yield Scripts(window)
        assert window.complaints() == []


def byte_level(*, prefix: bool, after: Any = None) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<s>", "</s>"], show_progress=False)
    made.train_from_iterator(["hello world, the don't of the old house " * 3, *PIECES], trainer)
    made.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    made.post_processor = after or processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True, add_prefix_space=prefix)
    return made


def texts() -> list[str]:
    drawn = random.Random(7)
    hard = [text for text in trial.HARD if len(text) < 200]
    return [*hard, "<mask>\nfoo", "  x ", *("".join(drawn.choices(PIECES, k=drawn.randint(1, 12))) for _ in range(150))]


@pytest.mark.parametrize(
    "tokenizer",
    [
        byte_level(prefix=False),
        byte_level(prefix=True),
        byte_level(prefix=True, after=processors.ByteLevel(add_prefix_space=True, trim_offsets=True)),
        byte_level(prefix=True, after=processors.ByteLevel(add_prefix_space=True, trim_offsets=False)),
    ],
    ids=["plain", "prefix", "no template", "no trim"],
)
def test_byte_level_tokens_and_places_are_those_of_the_library(tokenizer: Tokenizer, scripts: Scripts) -> None:
    processor = FastProcessor(tokenizer, INPUTS)
    wanted = []
    for text in texts():
        pair = processor.text(text, "the house", max_length=20).inputs
        windows = processor.windows(text, max_length=12, stride=2)
        places = [[*map(list, one.offsets or ())] for one in windows]
        wanted.append(
            [[*map(int, pair["input_ids"])], [*map(int, pair["token_type_ids"])], [[*one.inputs["input_ids"]] for one in windows], places]
        )
    script = """
      const { Tokenizer } = await import("/page/tokenizer.js");
      const tokenizer = new Tokenizer(JSON.parse(given[0]));
      return given[1].map((text) => {
        const [pair, windows] = [tokenizer.text(text, "the house", 20), tokenizer.windows(text, 12, 2)];
        return [pair.input_ids, pair.token_type_ids, windows.map((one) => one.input_ids), windows.map((one) => one.offsets)];
      });"""
    for text, said, right in zip(texts(), scripts.run(script, tokenizer.to_str(), texts()), wanted, strict=True):
        assert said == right, repr(text)


def test_a_vocabulary_may_be_large_and_a_word_long(scripts: Scripts) -> None:
    """More tokens than a function takes arguments; more letters than can be looked through once for each of them."""
    drawn = random.Random(3)
    word = "".join(drawn.choices("helowrdtn", k=100_000))
    tokenizer = byte_level(prefix=False)
    script = """
      const { Tokenizer } = await import("/page/tokenizer.js");
      const vocab = Object.fromEntries(Array.from({ length: 300000 }, (_, at) => [`t${at}`, at]));
      const model = { type: "WordPiece", vocab, unk_token: "t0", continuing_subword_prefix: "##", max_input_chars_per_word: 100 };
      const large = new Tokenizer({ model, added_tokens: [], pre_tokenizer: { type: "WhitespaceSplit" } });
      return [large.text("t299999 x", null, 8).input_ids, new Tokenizer(JSON.parse(given[0])).tokens(given[1]).map(({ id }) => id)];"""
    large, long = scripts.run(script, tokenizer.to_str(), word)
    assert large == [299_999, 0]
    assert long == tokenizer.encode(word, add_special_tokens=False).ids


def test_candidates_are_those_of_python(scripts: Scripts) -> None:
    drawn = random.Random(11)
    parts = ["solar ", "panels ", "\ufeff", "\x1c", "\u3000", "A1 ", "Ǆ", "ǅ", "US ", "NASA ", "ªb", "ʰA ", "Ⓐ"]
    parts += ["it's ", "fine-tuning ", "é", "of ", "한국 ", "ΟΔΟΣ "]
    texts = ["".join(drawn.choices(parts, k=drawn.randint(1, 9))) for _ in range(300)]
    script = 'const { candidates } = await import("/page/candidates.js"); return given[0].map((text) => candidates(text, given[1]));'
    for text, said in zip(texts, scripts.run(script, texts, rule()), strict=True):
        assert said == [one.text for one in candidates(text)], repr(text)


def test_a_text_is_chinese_where_python_says_so(scripts: Scripts) -> None:
    drawn = random.Random(13)
    mixed = ["".join(drawn.choices("好a한국ひкжα", k=drawn.randint(0, 14))) for _ in range(600)]
    texts = ["к好bк好кжaж", "국ж한국b국국好好", "好好ккккк", "好好abcde", "好好한국한국한", "", "123", *mixed]
    script = (
        'const { isMostlyChinese } = await import("/page/language.js"); return given[0].map((text) => isMostlyChinese(text, given[1]));'
    )
    assert scripts.run(script, texts, SCRIPT_RANGES) == [language_of([text]) == "zh" for text in texts]


def test_a_page_that_is_opened_from_the_disk_says_how_to_look_at_it(window: Browser) -> None:
    window.driver.get((folder.PAGE / "index.html").as_uri())
    assert "python -m http.server" in window.driver.find_element("id", "problem").text
