"""What each file of a model folder is for, in one sentence, told by its name. It opens no file."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from weitiao.engine.model_folder import CLASSIFIER, INDEX, LAYERS_FILE, NOT_WEIGHTS, PICKLES, SHARDS, SINGLE
from weitiao.messages import N_

MOST_FILES = 200  # of a folder that somebody keeps everything in

PICKLED = N_("Weights as pickle, which can run any code when opened: weitiao refuses them.")
# First match wins. A pattern without "/" is for the folder itself, "*/..." for one folder below.
_MEANINGS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("config.json",), N_("Which architecture it is, and its sizes: layers, width, heads, vocabulary, labels.")),
    ((SINGLE,), N_("The weights: named tables of numbers in safetensors, which cannot run code.")),
    ((SHARDS,), N_("One part of the weights, in safetensors; a large model is cut into several.")),
    ((INDEX,), N_("Says which part holds which of the weights.")),
    (("adapter_config.json",), N_("What kind of adapter this is (LoRA: rank, layers), and which base model it belongs to.")),
    (("adapter_model.safetensors",), N_("The adapter's weights: only the changes to the base model.")),
    ((CLASSIFIER,), N_("The weights of weitiao's own head on top of a pair of encoders.")),
    ((LAYERS_FILE,), N_("The weights of the layers that a task file of somebody's own puts on the encoder.")),
    (("tokenizer.json",), N_("The whole tokenizer in one file: how text becomes token ids, and back.")),
    (("tokenizer_config.json",), N_("The tokenizer's settings: its class, longest text, special tokens, chat template.")),
    (("special_tokens_map.json",), N_("Which tokens mean beginning, end, padding, unknown and mask.")),
    (("added_tokens.json",), N_("Tokens that were added to the vocabulary later.")),
    (("vocab.txt", "vocab.json", "vocab.bpe"), N_("The vocabulary: every token that the model knows, with its id.")),
    (("merges.txt", "bpe.codes"), N_("Which pieces byte-pair encoding joins, in which order.")),
    (
        ("spiece.model", "sentencepiece.bpe.model", "spm.model", "source.spm", "target.spm", "tokenizer.model", "*.tiktoken"),
        N_("The tokenizer's vocabulary in the format of SentencePiece or tiktoken."),
    ),
    (("chat_template.jinja", "chat_template.json"), N_("How a conversation is written out as one text for the model.")),
    (("generation_config.json",), N_("How it writes where nobody says otherwise: beams, lengths, end tokens.")),
    (("preprocessor_config.json", "processor_config.json"), N_("How a picture becomes numbers: size, crop, spread of the colours.")),
    (("modules.json",), N_("sentence-transformers: the steps that make one vector of a text.")),
    (("*_Pooling/config.json",), N_("sentence-transformers: how the tokens' vectors become one (mean, first token, ...).")),
    (("sentence_bert_config.json",), N_("sentence-transformers: the longest text that it reads, and whether it lowers the case.")),
    (("config_sentence_transformers.json",), N_("sentence-transformers: its versions, and prompts that go before a text.")),
    (("*_Normalize/*", "*_Dense/*"), N_("sentence-transformers: a further step on the vector.")),
    (("data_config.json",), N_("Which data it was trained on; nothing reads it.")),
    (("README.md",), N_("The model card: what it is, how it was made, its licence.")),
    (("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY.md"), N_("The licence.")),
    (("weitiao.json",), N_("weitiao's note of where this copy came from, with checksums.")),
    ((".gitattributes", ".gitignore"), N_("A note for Git; nothing reads it.")),
    (NOT_WEIGHTS, N_("The state of somebody's training; weitiao does not read it.")),
    (PICKLES, PICKLED),
    (("*.py",), N_("Python code. weitiao runs it only with --trust-remote-code.")),
    (("*.h5", "*.msgpack", "*.ot"), N_("The weights again, for TensorFlow, JAX or Rust; weitiao does not read them.")),
    (("*.onnx", "*.onnx_data", "onnx/*", "openvino/*"), N_("The model exported for another runtime; a training does not read it.")),
    (("*.gguf", "*.ggml"), N_("The weights for llama.cpp; weitiao does not read them.")),
    (("*.safetensors",), N_("Further weights in safetensors, under a name that transformers does not load by itself.")),
)
UNKNOWN = N_("Not known to weitiao, which does not read it.")


class ModelFile(NamedTuple):
    """A file: its path inside the folder with "/", its size in bytes, an English sentence marked for translation, whether it is refused."""

    path: str
    bytes: int
    meaning: str
    refused: bool


def meaning_of(path: str) -> str:
    """The sentence about a file, by its path inside the folder.

    >>> meaning_of("vocab.txt"), meaning_of("notes.docx") == UNKNOWN
    ('The vocabulary: every token that the model knows, with its id.', True)
    """
    for patterns, meaning in _MEANINGS:
        if any(fnmatchcase(path, pattern) and ("/" in path) == ("/" in pattern) for pattern in patterns):
            return meaning
    return UNKNOWN


def files_of(folder: Path) -> Iterator[ModelFile]:
    """Every file of a model folder, in the order in which they are explained here; hidden folders are left out."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder) for path in found)
    visible = [name for name in names if not any(part.startswith(".") for part in name.parts[:-1])]
    order = [meaning for _patterns, meaning in _MEANINGS] + [UNKNOWN]
    paths = sorted((name.as_posix() for name in visible), key=lambda path: (order.index(meaning_of(path)), path))
    for path in paths[:MOST_FILES]:
        meaning = meaning_of(path)
        yield ModelFile(path, (folder / path).stat().st_size, meaning, meaning == PICKLED)
