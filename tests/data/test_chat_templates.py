"""Chat templates: what we render is what transformers renders, nothing gets out of the sandbox, answers are found in all of them."""

from typing import Any

import pytest

from tests.data.chat_examples import TEMPLATES
from weitiao.data.chat_templates import ALPACA, render
from weitiao.data.learned_spans import ending, learned_spans
from weitiao.errors import DataError, ModelError

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TALK = [
    {"role": "user", "content": "Was ist 1 < 2 & 'wahr'?"},
    {"role": "assistant", "content": "好的，真。"},
    {"role": "user", "content": "Sure?\nReally?"},
    {"role": "assistant", "content": "Yes."},
]
SYSTEM = {"role": "system", "content": "Be brief."}
WITHOUT_SYSTEM = ("gemma",)


def conversations(name: str) -> list[list[dict[str, str]]]:
    return [TALK[:1], TALK[:2], TALK, *([[SYSTEM, *TALK], [SYSTEM, *TALK[:3]]] if name not in WITHOUT_SYSTEM else [])]


@pytest.fixture(scope="module")
def reference() -> Any:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1}, unk_token="<s>"))
    return PreTrainedTokenizerFast(tokenizer_object=plain, bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("prompt", [False, True])
def test_it_renders_as_transformers_does(name: str, prompt: bool, reference: Any) -> None:
    for talk in conversations(name):
        wanted = reference.apply_chat_template(talk, chat_template=TEMPLATES[name], tokenize=False, add_generation_prompt=prompt)
        assert render(TEMPLATES[name], talk, TOKENS, prompt=prompt) == wanted


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages | tojson(indent=2) }} {{ '<&>' | tojson }}",
        "{%- for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m['content'] | trim }}{% endfor %}",
        "{% for m in messages %}\n  {% generation %}{{ m.content }}{% endgeneration %}\n{% endfor %}",
        "{% set n = namespace(last='') %}{% for m in messages %}{% set n.last = m.role %}{% endfor %}{{ n.last }}",
        "{{ dict(a=1) | tojson }}{{ strftime_now('%Y') }}",
        "{% if tools is defined and tools is not none %}tools{% else %}none{% endif %}{{ documents is none }}",
    ],
)
def test_what_transformers_offers_a_template_is_there(source: str, reference: Any) -> None:
    assert render(source, TALK, TOKENS) == reference.apply_chat_template(TALK, chat_template=source, tokenize=False)


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__.x }}",
        "{{ messages.__class__.__base__.__subclasses__() }}",
        "{{ raise_exception.__globals__.x }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{% set n = namespace(_x=1) %}",
        "{{ raise_exception('No.') }}",
        "{% for i in range(10**9) %}{% endfor %}",
    ],
)
def test_a_template_can_change_nothing_and_may_refuse(source: str) -> None:
    with pytest.raises(DataError, match="template refuses this conversation"):
        render(source, TALK, TOKENS)


def test_a_refusal_says_the_templates_own_reason_and_the_roles() -> None:
    with pytest.raises(DataError, match=r"\(user, user\): Conversation roles must alternate"):
        render(TEMPLATES["mistral"], [TALK[0], TALK[0]], TOKENS)


def test_a_broken_template_is_the_models_fault() -> None:
    with pytest.raises(ModelError, match="not valid Jinja"):
        render("{% for %}", TALK, TOKENS)


@pytest.mark.parametrize(
    ("name", "learned"),
    [
        ("chatml", ["好的，真。<|im_end|>", "Yes.<|im_end|>"]),
        ("llama3", ["好的，真。<|eot_id|>", "Yes.<|eot_id|>"]),
        ("gemma", ["好的，真。<end_of_turn>", "Yes.<end_of_turn>"]),
        ("alpaca", ["好的，真。</s>", "Yes.</s>"]),
        ("marked", ["好的，真。<|end|>", "Yes.<|end|>"]),
        ("no prompt", ["<assistant>好的，真。</s>", "<assistant>Yes.</s>"]),
    ],
)
def test_one_text_holds_every_answer_with_its_end(name: str, learned: list[str]) -> None:
    ((text, spans),) = learned_spans(TEMPLATES[name], TALK, TOKENS)
    assert text == render(TEMPLATES[name], TALK, TOKENS)
    assert [text[slice(*span)] for span in spans] == learned


def test_templates_that_rewrite_history_give_a_text_for_each_answer() -> None:
    # The reasoning of an earlier answer is dropped once there is a later one.
    found = learned_spans(TEMPLATES["qwen3"], TALK, TOKENS)
    assert [[text[slice(*span)] for span in spans] for text, spans in found] == [
        ["<think>\n\n</think>\n\n好的，真。<|im_end|>"],
        ["<think>\n\n</think>\n\nYes.<|im_end|>"],
    ]
    # The system message moves to the last question.
    found = learned_spans(TEMPLATES["mistral"], [SYSTEM, *TALK], TOKENS)
    assert [[text[slice(*span)] for span in spans] for text, spans in found] == [[" 好的，真。</s>"], [" Yes.</s>"]]
    assert found[0][0].startswith("<s>[INST] Be brief.") and found[1][0].count("Be brief.") == 1


def test_a_prompt_that_opens_what_the_answer_lacks_ends_where_they_part() -> None:
    # As DeepSeek-R1's: whoever writes begins with a thought, and a given answer has none.
    ((text, spans),) = learned_spans(TEMPLATES["thinks"], TALK[:2], TOKENS)
    assert [text[slice(*span)] for span in spans] == ["好的，真。</s>"]


def test_what_follows_the_last_answer_is_left_out() -> None:
    ((text, spans),) = learned_spans(TEMPLATES["chatml"], TALK[:3], TOKENS)
    assert text.endswith("好的，真。<|im_end|>\n") and len(spans) == 1


@pytest.mark.parametrize(("name", "end"), [("chatml", "<|im_end|>\n"), ("llama3", "<|eot_id|>"), ("alpaca", "</s>\n\n")])
def test_how_a_template_ends_an_answer(name: str, end: str) -> None:
    assert ending(TEMPLATES[name], TOKENS) == end


def test_the_default_needs_no_end_token() -> None:
    assert render(ALPACA, TALK[:1], {"eos_token": ""}, prompt=True) == "### Instruction:\nWas ist 1 < 2 & 'wahr'?\n\n### Response:\n"
