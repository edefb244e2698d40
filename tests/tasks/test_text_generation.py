"""Text generation: what is learned is what is answered, in any chat template; whatever a row lacks is said with its number."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

import weitiao
from tests.data.chat_examples import TEMPLATES
from weitiao import tasks
from weitiao.api import plan
from weitiao.errors import DataError, ModelError, UsageError
from weitiao.processing import FastProcessor, Features

TASK = tasks.get("chat")
SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
TALK = [
    {"role": "user", "content": "Wie geht's?"},
    {"role": "assistant", "content": "Gut 好的，谢谢!"},
    {"role": "user", "content": "Wirklich?"},
    {"role": "assistant", "content": "Ja."},
]


def byte_tokenizer(*, begins: bool = False) -> Tokenizer:
    """One token a byte, plus the special ones: small, and it can spell anything."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: at for at, token in enumerate([*SPECIAL, *alphabet])}, [], unk_token="<unk>"))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    if begins:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def processor(template: str | None = None, *, begins: bool = False) -> FastProcessor:
    return FastProcessor(
        byte_tokenizer(begins=begins), ("input_ids", "attention_mask"), {"bos": "<s>", "eos": "</s>", "unk": "<unk>"}, template
    )


def spec_for(made: FastProcessor, form: str = "chat", **settings: Any) -> dict[str, Any]:
    from dataclasses import replace

    chosen = replace(tasks.settings_of(TASK)(), **settings)
    return TASK.fit({**TASK.spec_from({}, chosen), "form": form}, made)


def encode(messages: Any, made: FastProcessor, max_length: int = 1024, *, training: bool = True, **settings: Any) -> list[Features]:
    form = "text" if messages[0]["role"] == "text" else "chat"
    spec = spec_for(made, form, **settings)
    return TASK.encode({"messages": messages}, made, spec, max_length=max_length, for_training=training)


def learned(made: FastProcessor, features: Features) -> str:
    """The learned tokens as text, special ones too."""
    ids = [label for label in features.target if label != -100]
    return made.tokenizer.decode(ids, skip_special_tokens=False)


def seen(made: FastProcessor, features: Features) -> str:
    return made.tokenizer.decode(features.inputs["input_ids"], skip_special_tokens=False)


def test_only_the_answers_and_what_ends_them_are_learned() -> None:
    made = processor(TEMPLATES["chatml"])
    (features,) = encode(TALK, made)
    assert learned(made, features) == "Gut 好的，谢谢!<|im_end|>Ja.<|im_end|>"
    # A target is the id of its own position: the objective shifts.
    assert all(label in (-100, number) for label, number in zip(features.target, features.inputs["input_ids"], strict=True))
    assert set(features.inputs) == {"input_ids", "attention_mask"}


def test_a_template_that_rewrites_history_gives_features_for_each_answer() -> None:
    made = processor(TEMPLATES["qwen3"])
    assert [learned(made, one) for one in encode(TALK, made)] == [
        "<think>\n\n</think>\n\nGut 好的，谢谢!<|im_end|>",
        "<think>\n\n</think>\n\nJa.<|im_end|>",
    ]


def test_a_prompt_ends_where_the_learned_answer_begins() -> None:
    made = processor(TEMPLATES["chatml"])
    (asked,) = encode(TALK, made, training=False)
    (whole,) = encode(TALK, made)
    assert asked.target is None
    size = len(asked)
    assert whole.inputs["input_ids"][:size] == asked.inputs["input_ids"]
    assert whole.target[size - 1] == -100 and whole.target[size] != -100


def test_without_a_template_the_default_is_named_and_begins_as_the_model_does() -> None:
    spec = spec_for(processor())
    assert spec["template_name"] == "alpaca" and spec["stops"] == [2]
    assert spec_for(processor(TEMPLATES["chatml"]))["template_name"] == "model"
    made = processor(begins=True)
    (features,) = encode(TALK[:2], made)
    assert seen(made, features).startswith("<s>### Instruction:\nWie") and learned(made, features).endswith("谢谢!</s>")
    assert not seen(processor(), encode(TALK[:2], processor())[0]).startswith("<s>")


def test_it_stops_at_the_end_of_text_and_at_the_end_of_a_turn() -> None:
    spec = spec_for(processor(TEMPLATES["chatml"]))
    assert spec["stops"] == [2, 4]
    assert TASK.generation(spec) == {"max_new_tokens": 256, "num_beams": 1, "eos_token_id": [2, 4], "do_sample": False}
    drawn = TASK.generation(spec_for(processor(), temperature=0.7, top_p=0.9))
    assert drawn["do_sample"] and drawn["temperature"] == 0.7 and drawn["top_p"] == 0.9


def test_fitting_twice_changes_nothing() -> None:
    made = processor()
    spec = spec_for(made)
    assert TASK.fit(spec, made) == spec
    # A trained model's tokenizer has the default in it, and the name stays.
    assert TASK.fit(spec, processor(spec["chat_template"])) == spec


def test_a_system_message_is_added_where_there_is_none() -> None:
    made = processor(TEMPLATES["chatml"])
    assert "<|im_start|>system\nBe kind.<|im_end|>" in seen(made, encode(TALK, made, system="Be kind.")[0])
    own = encode([{"role": "system", "content": "Own."}, *TALK], made, system="Be kind.")[0]
    assert "Own." in seen(made, own) and "Be kind." not in seen(made, own)


def test_a_system_message_joins_the_question_where_the_template_has_no_place_for_it() -> None:
    made = processor(TEMPLATES["gemma"])
    assert "<start_of_turn>user\nBe kind.\n\nWie geht's?<end_of_turn>" in seen(made, encode(TALK, made, system="Be kind.")[0])


def test_the_same_ids_where_a_tokenizer_knows_no_offsets() -> None:
    class Slow(FastProcessor):
        def ids(self, text: str) -> Features:
            features = super().ids(text)
            features.offsets = []
            return features

    made = processor(TEMPLATES["chatml"])
    slow = Slow(byte_tokenizer(), made.input_names, made.special_tokens, made.chat_template)
    assert encode(TALK, slow)[0] == encode(TALK, made)[0]


def test_a_long_conversation_loses_its_end_and_counts_it() -> None:
    made = processor(TEMPLATES["chatml"])
    (whole,) = encode(TALK, made)
    (cut,) = encode(TALK, made, len(whole) - 10)
    assert cut.inputs["input_ids"] == whole.inputs["input_ids"][:-10] and cut.cut == 10


def test_a_long_question_loses_its_beginning_before_the_answer_goes() -> None:
    made = processor(begins=True)
    long = [{"role": "user", "content": "x" * 500}, {"role": "assistant", "content": "Yes."}]
    (features,) = encode(long, made, 64)
    assert len(features) == 64 and features.cut > 400
    assert learned(made, features) == "Yes.</s>"
    assert features.inputs["input_ids"][0] == 1  # the bos token is kept
    (asked,) = encode(long, made, 64, training=False)
    # Room for an answer is left.
    assert len(asked) == 32 and asked.cut > 400
    assert seen(made, asked).startswith("<s>x") and seen(made, asked).endswith("### Response:\n")


def test_of_plain_text_every_token_is_learned_in_pieces() -> None:
    made = processor(begins=True)
    pieces = encode([{"role": "text", "content": "a" * 100}], made, 40)
    assert [len(piece) for piece in pieces] == [40, 40, 22] and all(piece.target == piece.inputs["input_ids"] for piece in pieces)
    assert pieces[0].target[0] == 1 and pieces[-1].target[-1] == 2
    # A last token alone would follow nothing.
    pieces = encode([{"role": "text", "content": "a" * 79}], made, 40)
    assert [len(piece) for piece in pieces] == [40, 40, 2] and seen(made, pieces[-1]) == "a</s>" and pieces[-1].target[-1] == 2
    (asked,) = encode([{"role": "text", "content": "abc"}], made, training=False)
    assert seen(made, asked) == "<s>abc"


def test_a_row_with_nothing_to_learn_is_refused() -> None:
    made = processor("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}")
    with pytest.raises(DataError, match="not one token of it would be learned"):
        encode(TALK, made)
    with pytest.raises(DataError, match="a single token"):
        encode([{"role": "text", "content": "a"}], FastProcessor(byte_tokenizer(), ("input_ids", "attention_mask")))


def test_rouge_where_there_are_references() -> None:
    from numpy import arange

    from weitiao.data.records import Records

    records = Records({"messages": [TALK, TALK[:1], TALK[:2]]}, arange(3))
    spec = spec_for(processor())
    scores = TASK.score([{"text": "Ja."}, {"text": "?"}, {"text": ""}], records, spec)
    assert scores["metrics"]["rougeL"] == 0.5
    assert [row["score"] for row in scores["side_by_side"]] == [0.0, 1.0]
    assert scores["side_by_side"][1]["input"] == "Wie geht's?\nWirklich?"
    none = TASK.score([{"text": "?"}], records.select([1]), spec)
    assert none["metrics"] == {}


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [{"instruction": f"Say {word}.", "input": "", "output": f"I say {word}, {word}!"} for word in NUMBERS]
    path = tmp_path_factory.mktemp("numbers") / "numbers.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture(scope="module")
def run(numbers: Path, tmp_path_factory: pytest.TempPathFactory) -> weitiao.Run:
    out = tmp_path_factory.mktemp("run") / "run"
    settings = {"epochs": 80, "lr": 2e-3, "batch_size": 4, "max_new_tokens": 24, "valid": 0, "test": str(numbers), "threads": 1}
    return weitiao.train(str(numbers), task="chat", model="blank:llama", out=str(out), **settings)


def test_it_learns_by_heart_and_says_what_it_was_judged_by(run: weitiao.Run) -> None:
    assert run.metrics["rougeL"] > 0.9 and run.metrics["perplexity"] < 1.3
    assert math.isclose(run.metrics["perplexity"], math.exp(run.metrics["loss"]), rel_tol=1e-6)
    low, high = run.record["evaluation"]["intervals"]["perplexity"]
    assert low < run.metrics["perplexity"] < high
    assert run.record["spec"]["template_name"] == "alpaca"
    assert run.predict(["Say three."]) == [{"text": "I say three, three!"}]


def test_what_is_streamed_is_what_is_predicted(run: weitiao.Run) -> None:
    asked = [[{"role": "user", "content": f"Say {word}."}] for word in ("one", "six")]
    for messages, answer in zip(asked, run.predict(asked), strict=True):
        pieces = list(run.stream({"messages": messages}))
        assert len(pieces) > 1 and "".join(pieces) == answer["text"]


def test_settings_given_in_use_win(run: weitiao.Run) -> None:
    short = weitiao.load(run.path, max_new_tokens=2)
    assert len(short.predict(["Say one."])[0]["text"]) < len(run.predict(["Say one."])[0]["text"])


def test_a_file_of_prompts_is_answered(run: weitiao.Run, tmp_path: Path) -> None:
    (tmp_path / "asked.txt").write_text("Say two.\n\nSay four.\n")
    run.predict_file(str(tmp_path / "asked.txt"), tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    # The second answer is learned by heart on some processors and not on others.
    assert [row["predicted_text"] for row in rows] == [answer["text"] for answer in run.predict(["Say two.", "Say four."])]
    assert rows[0]["predicted_text"] == "I say two, two!"


def test_plain_transformers_reads_the_model_and_its_template(run: weitiao.Run) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(run.path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForCausalLM.from_pretrained(folder)
    talk = [{"role": "user", "content": "Say five."}]
    inputs = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    ids = network.generate(inputs["input_ids"], max_new_tokens=24, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == run.predict(["Say five."])[0]["text"]


def tiny(folder: Path, family: str, template: str | None) -> Path:
    """A tiny random decoder over the byte tokenizer."""
    import torch
    import transformers

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    sizes |= {"num_key_value_heads": 1, "head_dim": 8} if family != "gpt2" else {}
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **sizes, vocab_size=300, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=byte_tokenizer(), bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>"
    )
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_pretrained_model_is_used_as_it_came(family: str, tmp_path: Path) -> None:
    model = weitiao.load(tiny(tmp_path / "m", family, TEMPLATES["chatml"]), task="chat", max_new_tokens=5)
    (answer,) = model.predict(["hello"])
    assert set(answer) == {"text"} and model.spec["form"] == "chat"
    assert model.predict(["hello", "hello, how are you today?"])[0] == answer
    assert "".join(model.stream("hello")) == answer["text"]
    with pytest.raises(UsageError, match="empty"):
        model.predict([" "])


def test_a_models_own_penalty_of_repetitions_holds_and_the_help_says_so(tmp_path: Path) -> None:
    """As transformers' pipeline has it: small models that were published with one loop without it."""
    folder = tiny(tmp_path / "m", "gpt2", None)
    plain = weitiao.load(folder, task="chat", max_new_tokens=12).predict(["hello"])
    own = json.loads((folder / "generation_config.json").read_text()) | {"repetition_penalty": 50.0}
    (folder / "generation_config.json").write_text(json.dumps(own))
    assert weitiao.load(folder, task="chat", max_new_tokens=12).predict(["hello"]) != plain
    fields = {field.name: field for field in dataclasses.fields(TASK.settings)}
    assert "the model's own repetition penalty counts" in fields["temperature"].metadata["help"]


def test_the_check_counts_answers_with_their_questions(tmp_path: Path) -> None:
    rows = [{"prompt": "hi", "response": "x" * 100}, {"prompt": "hi", "response": "x"}]
    (tmp_path / "talk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows * 4))
    told = {"task": "chat", "model": str(tiny(tmp_path / "m", "llama", TEMPLATES["chatml"])), "valid": 0, "test": 0, "max_length": 64}
    lengths = weitiao.check(str(tmp_path / "talk.jsonl"), **told)["check"]["lengths"]
    assert (lengths["limit"], lengths["truncated_rows"], lengths["max"]) == (64, 4, 103)
    assert plan(str(tmp_path / "talk.jsonl"), out=str(tmp_path / "run"), threads=1, **told)["truncated_rows"] == 4
    asked = weitiao.check(str(tmp_path / "talk.jsonl"), **told, system="Be kind.")["check"]["lengths"]
    assert asked["max"] == 112
    # Plain text is learned in pieces, so nothing of it is cut.
    (tmp_path / "texts.txt").write_text("".join(f"{at} birds sing. {'x' * 100}\n" for at in range(4)))
    lengths = weitiao.check(str(tmp_path / "texts.txt"), **told)["check"]["lengths"]
    assert (lengths["limit"], lengths["truncated_rows"]) == (None, 0) and lengths["max"] > 64
    assert plan(str(tmp_path / "texts.txt"), out=str(tmp_path / "run"), threads=1, **told)["truncated_rows"] == 0


def test_it_writes_no_further_than_the_model_has_positions(tmp_path: Path) -> None:
    model = weitiao.load(tiny(tmp_path / "m", "gpt2", None), task="text-generation", max_new_tokens=500)
    assert model.predict(["x" * 200])[0].keys() == {"text"}
    assert model.spec["form"] == "text"


def test_an_encoder_cannot_write(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="weitiao models --task chat"):
        weitiao.load(tiny_model, task="chat").predict(["hello"])


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}]}, "row 3: the conversation has no answer of the assistant"),
        ({"messages": [{"role": "narrator", "content": "Hi"}]}, 'row 3: message 1 has the role "narrator"'),
        (
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ""}]},
            r"row 3: message 2 \(assistant\) is empty",
        ),
        ({"messages": [TALK[1], TALK[0], TALK[1]]}, "row 3: the model's chat template refuses this conversation .*must alternate"),
    ],
)
@pytest.mark.parametrize("place", ["train", "validation"])
def test_a_bad_row_is_named_before_training(row: Any, problem: str, place: str, tmp_path: Path) -> None:
    good = [{"messages": TALK[:2]}, {"messages": TALK}]
    for name in ("train", "validation"):
        rows = [*good, row] if name == place else good
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    model = tiny(tmp_path / "m", "llama", TEMPLATES["gemma"])
    with pytest.raises(DataError, match=problem) as caught:
        plan(str(tmp_path), task="chat", model=str(model), out=str(tmp_path / "run"), max_length=64, threads=1)
    assert caught.value.row == 3 and f"{place}.jsonl" in str(caught.value)


def test_plain_text_trains_and_is_judged_by_perplexity_alone(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("".join(f"The {word} birds sing in the {word} trees.\n" for word in NUMBERS * 2))
    model = tiny(tmp_path / "m", "gpt2", None)
    settings = {"epochs": 1, "max_length": 64, "max_new_tokens": 4, "threads": 1, "batch_size": 4}
    run = weitiao.train(str(tmp_path / "texts.txt"), task="text-generation", model=str(model), out=str(tmp_path / "run"), **settings)
    assert set(run.metrics) == {"loss", "perplexity"} and run.spec["form"] == "text"
    low, high = run.record["evaluation"]["intervals"]["perplexity"]
    assert low <= run.metrics["perplexity"] <= high
    assert run.predict(["The one"])[0].keys() == {"text"}


def test_plain_text_and_conversations_do_not_mix(tmp_path: Path) -> None:
    rows = [{"messages": TALK}, {"messages": [{"role": "text", "content": "Once upon a time."}]}] * 5
    (tmp_path / "both.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="not on both"):
        weitiao.check(str(tmp_path / "both.jsonl"), task="chat", valid=0, test=0)
