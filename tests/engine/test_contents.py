"""What is told of a model folder without loading it: every kind of file, the parameters by block, and where the folder is looked for."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.conftest import make_model
from tests.engine.hub_stand_in import NAME, HubStandIn, model_files, safetensors_bytes, write
from weitiao.engine import hub
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.engine.contents import look_into
from weitiao.engine.model_files import UNKNOWN, files_of, meaning_of
from weitiao.engine.parameters import block_of, read_weights
from weitiao.engine.places import find
from weitiao.errors import ModelError, NetworkError, RunError, UsageError

pytestmark = pytest.mark.usefixtures("own_caches")
SMALL = Size(width=32, layers=2, heads=4, positions=64, vocabulary=400)
TEXTS = ["the room was lovely", "微调一个模型，很简单。", "it was a cold and dark day"] * 30


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("config.json", "Which architecture"),
        ("model.safetensors", "The weights"),
        ("model-00001-of-00002.safetensors", "One part of the weights"),
        ("model.safetensors.index.json", "Says which part"),
        ("adapter_config.json", "What kind of adapter"),
        ("adapter_model.safetensors", "The adapter's weights"),
        ("classifier.safetensors", "weitiao's own head"),
        ("own_layers.safetensors", "a task file of somebody's own"),
        ("tokenizer.json", "The whole tokenizer"),
        ("tokenizer_config.json", "The tokenizer's settings"),
        ("special_tokens_map.json", "Which tokens mean"),
        ("vocab.txt", "The vocabulary"),
        ("vocab.json", "The vocabulary"),
        ("merges.txt", "byte-pair encoding"),
        ("spiece.model", "SentencePiece"),
        ("source.spm", "SentencePiece"),
        ("chat_template.jinja", "How a conversation"),
        ("generation_config.json", "How it writes"),
        ("preprocessor_config.json", "How a picture"),
        ("modules.json", "the steps"),
        ("1_Pooling/config.json", "how the tokens' vectors become one"),
        ("2_Normalize/config.json", "a further step"),
        ("sentence_bert_config.json", "the longest text"),
        ("README.md", "The model card"),
        ("LICENSE.txt", "The licence"),
        ("pytorch_model.bin", "weitiao refuses them"),
        ("model.pt", "weitiao refuses them"),
        ("training_args.bin", "does not read it"),
        ("modeling_odd.py", "--trust-remote-code"),
        ("tf_model.h5", "TensorFlow"),
        ("onnx/model.onnx", "another runtime"),
        ("model.gguf", "llama.cpp"),
        ("extra.safetensors", "Further weights"),
        ("notes.docx", "Not known"),
        ("elsewhere/config.json", "Not known"),
    ],
)
def test_every_kind_of_file_has_its_sentence(path: str, words: str) -> None:
    assert words in meaning_of(path)


def test_files_are_told_in_order_and_pickle_is_marked(tmp_path: Path) -> None:
    changes = {"pytorch_model.bin": b"xx", "notes.docx": b"", ".git/config": b"", "1_Pooling/config.json": b"{}"}
    files = list(files_of(write(tmp_path, model_files(**changes))))
    assert [file.path for file in files][:2] == ["config.json", "model.safetensors"]
    assert [file.path for file in files if file.refused] == ["pytorch_model.bin"]
    assert files[-1] == ("notes.docx", 0, UNKNOWN, False)
    assert not any(file.path.startswith(".git/") for file in files)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_those_that_torch_counts(name: str, tmp_path: Path) -> None:
    import transformers

    write_blank(tmp_path, ARCHITECTURES[name], TEXTS, seed=1, size=SMALL)
    network = transformers.AutoModel.from_pretrained(tmp_path)
    weights = read_weights(tmp_path)
    assert weights.sizes.all == sum(parameter.numel() for parameter in network.parameters())
    blocks = {block.name: block for block in weights.blocks}
    assert blocks["embeddings"].parameters > 0
    stacks = [block for block in blocks.values() if "layers" in block.name]
    expected = {"clip": 2, "t5": 2, "mt5": 2, "bart": 2, "mbart": 2, "marian": 2}.get(name, 1)
    assert len(stacks) == expected and all(block.layers == (1 if name == "albert" else 2) for block in stacks)
    assert 0 < weights.sizes.linear < weights.sizes.all
    kinds = {"clip": "dual", **dict.fromkeys(("t5", "mt5", "bart", "mbart", "marian"), "encoder-decoder")}
    written = dict.fromkeys(("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma"), "decoder")
    assert look_into(str(tmp_path))["kind"] == (kinds | written).get(name, "encoder")


@pytest.mark.parametrize(
    ("tensor", "block"),
    [
        ("cls.predictions.transform.dense.weight", "head"),
        ("distilbert.transformer.layer.0.attention.q_lin.weight", "layers"),
        ("model.decoder.layers.11.fc1.weight", "decoder layers"),
        ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", "encoder layers"),
        ("shared.weight", "embeddings"),
        ("wte.weight", "embeddings"),
        ("vision_model.encoder.layers.3.mlp.fc1.weight", "vision layers"),
        ("text_model.embeddings.token_embedding.weight", "embeddings"),
        ("visual_projection.weight", "head"),
        ("qa_outputs.bias", "head"),
        ("classifier.0.weight", "head"),
        ("base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight", "adapter"),
        ("model.norm.weight", "rest"),
    ],
)
def test_blocks_are_told_by_name(tensor: str, block: str) -> None:
    assert block_of(tensor) == block


def test_a_classifier_in_full(tmp_path: Path) -> None:
    import transformers

    folder = make_model(tmp_path / "tiny")
    labels = {"num_labels": 3, "id2label": {0: "bad", 1: "so-so", 2: "good"}, "label2id": {"bad": 0, "so-so": 1, "good": 2}}
    transformers.AutoModelForSequenceClassification.from_pretrained(folder, **labels).save_pretrained(folder)
    inside = look_into(str(folder))
    assert inside["architecture"] == "BertForSequenceClassification" and inside["family"] == "bert" and inside["kind"] == "encoder"
    assert "text-classification" in inside["tasks"] and "multiple-choice" not in inside["tasks"] and not inside["general"]
    assert inside["labels"] == ["bad", "so-so", "good"]
    assert (inside["context_tokens"], inside["vocabulary"]) == (64, json.loads((folder / "config.json").read_text())["vocab_size"])
    head = next(block for block in inside["blocks"] if block["block"] == "head")
    assert head["parameters"] == 3 * 32 + 3
    assert inside["memory"]["load"]["fp32"] == 4 * inside["parameters"]
    assert inside["memory"]["train"]["qlora"] < inside["memory"]["train"]["lora"] < inside["memory"]["train"]["full"]
    assert inside["formats"] == {"F32": inside["parameters"]}
    json.dumps(inside)


@pytest.mark.parametrize("file", ["classifier.safetensors", "own_layers.safetensors"])
def test_a_head_in_a_file_of_its_own_is_counted_as_one(file: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "tiny")
    before = read_weights(folder)
    # Whatever its layers are called: they are no layers of the base.
    save_file({"stack.layers.0.weight": np.zeros((4, 8), np.float32), "out.bias": np.zeros(3, np.float32)}, folder / file)
    after = read_weights(folder)
    head = next(block for block in after.blocks if block.name == "head")
    assert (head.parameters, head.layers) == (35, 0)
    assert (after.sizes.all, after.sizes.linear, after.sizes.adapter) == (before.sizes.all + 35, before.sizes.linear, before.sizes.adapter)


def test_a_model_in_parts_and_in_half_precision(tmp_path: Path) -> None:
    names = {f"model.layers.{layer}.mlp.up.weight": layer + 1 for layer in range(2)} | {"model.embed_tokens.weight": 1}
    for part in (1, 2):
        tensors = {name: np.zeros((4, 8), np.float16) for name, where in names.items() if where == part}
        save_file(tensors, tmp_path / f"model-0000{part}-of-00002.safetensors")
    index = {"weight_map": {name: f"model-0000{part}-of-00002.safetensors" for name, part in names.items()}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 4}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    inside = look_into(str(tmp_path))
    assert inside["parameters"] == 96 and inside["formats"] == {"F16": 96} and inside["kind"] == "decoder"
    assert inside["blocks"] == [{"block": "embeddings", "parameters": 32, "layers": 0}, {"block": "layers", "parameters": 64, "layers": 2}]
    assert inside["tied_head"] and inside["tasks"] == ["text-generation"] and inside["context_tokens"] is None
    assert inside["memory"]["load"] == {"fp32": 384, "fp16": 192, "int8": 64 + 64, "4-bit": 36 + 64}
    save_file({"lm_head.weight": np.zeros((4, 8), np.float16)}, tmp_path / "model-00002-of-00002.safetensors")
    assert not look_into(str(tmp_path))["tied_head"]


def test_pickle_alone_is_told_and_not_opened(tmp_path: Path) -> None:
    write(tmp_path, model_files(**{"model.safetensors": None, "pytorch_model.bin": b"never opened"}))
    inside = look_into(str(tmp_path))
    assert inside["parameters"] is None and inside["memory"] is None
    assert [file["path"] for file in inside["files"] if file["refused"]] == ["pytorch_model.bin"]


def test_an_adapter_is_told_with_its_base(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    folder = write(tmp_path / "adapter", {"config.json": (base / "config.json").read_bytes()})
    matrices = {f"base_model.model.bert.encoder.layer.0.attention.self.query.lora_{side}.weight": (8, 32) for side in "AB"}
    save_file({name: np.zeros(shape, np.float32) for name, shape in matrices.items()}, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["query"], "base_model_name_or_path": str(base)}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    inside = look_into(str(folder))
    whole = read_weights(base).sizes.all
    about = {"base": str(base), "kind": "LORA", "rank": 8, "alpha": 16}
    assert inside["adapter"] | about == inside["adapter"] and inside["matrices"] == 1
    assert inside["adapter"]["base_parameters"]["all"] == whole
    assert inside["parameters"] == 512 and inside["memory"]["load"]["fp32"] == 4 * (whole + 512)
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "some/where"}), encoding="utf-8")
    inside = look_into(str(folder))
    assert inside["adapter"]["base_parameters"] is None and inside["memory"] is None


def test_a_hub_s_model_is_looked_for_on_this_machine_alone(stand_in: HubStandIn, no_socket_after: object) -> None:
    with pytest.raises(NetworkError, match=f"weitiao fetch {NAME}"):
        look_into(NAME)
    assert stand_in.requests == []
    hub.resolve(NAME)
    no_socket_after()  # type: ignore[operator]
    inside = look_into(NAME)
    assert inside["license"] == "apache-2.0" and inside["parameters"] == 1000


def test_the_packaged_base(no_socket: None) -> None:
    inside = look_into("offline")
    assert (inside["parameters"], inside["vocabulary"], inside["license"]) == (22_713_216, 30_522, "apache-2.0")
    assert (inside["context_tokens"], inside["sentence_tokens"]) == (512, 256) and inside["general"]
    assert [(block["block"], block["layers"]) for block in inside["blocks"]] == [("embeddings", 0), ("encoder layers", 6), ("pooler", 0)]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("auto", UsageError, "weitiao models"),
        ("blank:llama", UsageError, "weitiao train DATA --model blank:llama"),
        ("a/b/c", ModelError, "no folder a/b/c"),
        ("./nowhere", ModelError, "no folder ./nowhere"),
        ("google-bert/bert-base-chines", NetworkError, "Did you mean"),
    ],
)
def test_names_that_are_no_model_here(name: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        find(name)


def test_folders_that_are_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "reviews").mkdir(parents=True)
    (tmp_path / "runs" / "reviews" / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ModelError, match=r"neither config.json nor adapter_config.json. It holds: notes.txt"):
        find("runs/reviews")
    with pytest.raises(ModelError, match="is a file"):
        find("runs/reviews/notes.txt")
    with pytest.raises(ModelError, match='Did you mean "runs/reviews"'):
        find("runs/reviewz")
    (tmp_path / "runs" / "reviews" / "run.json").write_text('{"schema": 1, "status": "interrupted"}', encoding="utf-8")
    with pytest.raises(RunError, match=r"its status is interrupted. Go on with: weitiao train --resume runs/reviews"):
        find("runs/reviews")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, model_files())
    (folder / "model.safetensors").write_bytes(safetensors_bytes([1.0, 2.0])[:-2])
    with pytest.raises(ModelError, match="cut short or damaged"):
        look_into(str(folder))
    write(folder, model_files(**{"config.json": b"{", "tokenizer_config.json": b"{}"}))
    with pytest.raises(ModelError, match=r"no readable config.json"):
        look_into(str(folder))
    write(folder, model_files(**{"tokenizer_config.json": b"["}))
    with pytest.raises(ModelError, match=r"tokenizer_config\.json cannot be read as JSON"):
        look_into(str(folder))
