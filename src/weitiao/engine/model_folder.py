"""A model folder on disk: is it whole, is it safe, which files does a run need, what is its licence and its fingerprint.

It reads names, JSON and the headers of safetensors files; it knows nothing of hubs, of networks, or of how weights are loaded.
"""

import hashlib
import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.runs import RunFolder

ADAPTER_CONFIG, ADAPTER = "adapter_config.json", "adapter_model.safetensors"  # PEFT's names
TOKENIZER_CONFIG = "tokenizer_config.json"
_N_POSITIONS = ("gpt2", "gptj", "openai-gpt")  # families with a name of their own for their positions
SINGLE, INDEX, SHARDS = "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"
CLASSIFIER = "classifier.safetensors"  # beside a pair of encoders, which transformers gives no head
LAYERS_FILE = "own_layers.safetensors"  # beside the encoder of a network of somebody's own
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
OTHER_WEIGHTS = ("*.gguf", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.safetensors", "onnx/*.onnx")
NOT_WEIGHTS = ("training_args.bin", "optimizer.*", "scheduler.*", "rng_state*", "scaler.*")
TOKENIZERS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "vocab.bpe",
    "merges.txt",
    "bpe.codes",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "source.spm",
    "target.spm",
    "tokenizer.model",
    "*.tiktoken",
    "chat_template.jinja",
)
# What a run reads or passes on: nothing that can hold code, and no second copy of the weights.
NEEDED = (
    "config.json",
    SINGLE,
    INDEX,
    SHARDS,
    CLASSIFIER,
    LAYERS_FILE,
    *TOKENIZERS,
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "README.md",
    "LICENSE*",
    "NOTICE*",
)
_MAX_HEADER = 100_000_000  # bytes; safetensors' own bound
_CONVERT = (
    "python -c \"import torch, safetensors.torch as s; w = torch.load('pytorch_model.bin', map_location='cpu', weights_only=True); "
    "s.save_file({k: v.clone().contiguous() for k, v in w.items()}, 'model.safetensors', metadata={'format': 'pt'})\""
)


def needed_files(names: Iterable[str], *, code: bool = False) -> list[str]:
    """Of a repository's files those that a run needs, weights last; Python files only with ``code``.

    >>> needed_files(["model.safetensors", "pytorch_model.bin", "config.json", "onnx/model.onnx", "model-00001-of-00002.safetensors"])
    ['config.json', 'model.safetensors']
    """
    every = list(names)
    patterns = NEEDED + (("*.py",) if code else ())
    weights = (INDEX, SHARDS) if SINGLE in every else ()  # some repositories hold both; the single file wins, as in transformers
    chosen = [
        name
        for name in every
        # "*" would cross folders otherwise.
        if any(fnmatchcase(name, p) and name.count("/") == p.count("/") for p in patterns) and not _matches(name, weights)
    ]
    return sorted(chosen, key=lambda name: (name.endswith(".safetensors"), name))


def check_names(names: Iterable[str], where: str, *, hint: str = "") -> None:
    """The checks that need only the file names of a folder or a repository; ``hint`` ends the message about pickle weights.

    Raises:
        ModelError: an adapter, no config.json, no weights, or pickle weights only.
    """
    every = {name for name in names if not name.startswith(".")}
    if ADAPTER_CONFIG in every and not ("config.json" in every and every & {SINGLE, INDEX}):
        message = _(
            "{where} is an adapter (adapter_config.json), not a full model: it holds only the changes to a base model. Merge the two first "
            "(PEFT: merge_and_unload, then save_pretrained), or name the base model with --model."
        )
        raise ModelError(message.format(where=where))
    if not every & {SINGLE, INDEX}:
        pickles = sorted(name for name in every if _matches(name, PICKLES) and not _matches(name, NOT_WEIGHTS))
        others = sorted(name for name in every if _matches(name, OTHER_WEIGHTS))
        if pickles:
            message = _(
                "{where} has its weights only as pickle ({files}). Unpickling can run any code that someone put there: it is refused."
            )
            raise ModelError(message.format(where=where, files=few(pickles)) + " " + (hint or convert_hint()))
        if others:
            message = _(
                "{where} holds no model.safetensors, only {files}. weitiao trains from safetensors: take that edition of the model."
            )
            raise ModelError(message.format(where=where, files=few(others)))
        message = _(
            "{where} holds no weights: neither model.safetensors nor model.safetensors.index.json is there. Copy the whole model folder."
        )
        raise ModelError(message.format(where=where))
    if "config.json" not in every:
        message = _("{where} has no config.json, so nobody knows which architecture its weights belong to. Copy the whole model folder.")
        raise ModelError(message.format(where=where))
    if not any(_matches(name, TOKENIZERS) for name in every):
        message = _("{where} has weights but no tokenizer files (tokenizer.json, vocab.txt, ...). Copy the whole model folder.")
        raise ModelError(message.format(where=where))


def convert_hint() -> str:
    """How to turn pickle weights into safetensors, for a folder on this machine."""
    return _("If you trust where they come from, convert them once in that folder: {command}").format(command=_CONVERT)


def verify_folder(path: Path, *, where: str = "", beside: Iterable[str] = ()) -> None:
    """Insist that ``path`` holds a whole model: config, tokenizer and undamaged safetensors. Only headers are read.

    Args:
        path: the folder.
        where: what to call it in messages; its path otherwise.
        beside: further files of weights that must be there, such as those of a head that transformers does not know.

    Raises:
        ModelError: names what is missing or damaged.
    """
    where = where or _('The folder "{path}"').format(path=path)
    if not path.is_dir():
        raise ModelError(_("{where} does not exist.").format(where=where))
    names = [file.name for file in path.iterdir() if file.is_file()]
    run = RunFolder(path)
    if run.record_file.is_file() and run.model.is_dir():
        message = _("{where} is a run of weitiao; to go on training from its model, type --model {model}.")
        raise ModelError(message.format(where=where, model=run.model))
    check_names(names, where)
    _json(path / "config.json", where)
    for name in beside:
        if not (path / name).is_file():
            message = _("{where} has no {file}: weights of its head are missing. Copy the whole run.")
            raise ModelError(message.format(where=where, file=name))
    for name in (*weight_files(path, where=where), *beside):
        read_header(path / name, where)


def longest_read(path: Path) -> int | None:
    """Most tokens that the model of a folder can read, from its config and its tokenizer's; None where neither says."""
    config = _json(path / "config.json", path.name)
    config = config.get("text_config") or config
    tokenizer = _json(path / TOKENIZER_CONFIG, path.name) if (path / TOKENIZER_CONFIG).is_file() else {}
    # GPT-2's name for it.
    positions = config.get("max_position_embeddings") or (config.get("n_positions") if config.get("model_type") in _N_POSITIONS else None)
    return length_limit(str(config.get("model_type", "")), positions, config.get("pad_token_id"), tokenizer.get("model_max_length"))


def length_limit(family: str, positions: int | None, pad: int | None, tokenizer: int | None) -> int | None:
    """Most tokens that a model can read, None where it has no limit.

    >>> length_limit("roberta", 514, 1, 512), length_limit("t5", None, 0, 10**30)
    (512, None)

    Args:
        family: its config's ``model_type``.
        positions, pad: its config's ``max_position_embeddings`` and ``pad_token_id``.
        tokenizer: its tokenizer's ``model_max_length``, which is huge where there is none.
    """
    # RoBERTa counts positions from behind its padding id: two of its 514 are never used.
    offset = (pad or 0) + 1 if family in ("roberta", "xlm-roberta", "camembert") else 0
    limits = [*([tokenizer] if tokenizer and 0 < tokenizer < 10_000_000 else []), *([positions - offset] if positions else [])]
    return min(limits) if limits else None


def is_adapter(path: Path) -> bool:
    """Whether a model folder holds an adapter and not a whole model."""
    return (path / ADAPTER_CONFIG).is_file()


def verify_adapter(path: Path) -> None:
    """Insist that ``path`` holds a whole adapter. Raises ModelError: names what is missing or damaged."""
    where = _('The folder "{path}"').format(path=path)
    _json(path / ADAPTER_CONFIG, where)
    if not (path / ADAPTER).is_file():
        raise ModelError(
            _("{where} has no {file}: the adapter's weights are missing. Copy the whole run.").format(where=where, file=ADAPTER)
        )
    read_header(path / ADAPTER, where)


def weight_files(path: Path, *, where: str = "") -> list[str]:
    """The names of the safetensors files of a model folder, in the order of their names. Raises ModelError for a broken index."""
    if (path / SINGLE).is_file():
        return [SINGLE]
    where = where or _('The folder "{path}"').format(path=path)
    shards = _json(path / INDEX, where).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ModelError(_("{where}: {file} names no weights. Copy the whole model folder again.").format(where=where, file=INDEX))
    names = sorted({str(name) for name in shards.values()})
    unsafe = [name for name in names if Path(name).name != name or "\\" in name or not name.endswith(".safetensors")]
    if unsafe:
        message = _("{where}: {file} names {unsafe}, which is not a safetensors file in this folder. Do not use this model.")
        raise ModelError(message.format(where=where, file=INDEX, unsafe=few(unsafe)))
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        message = _("{where}: {file} names {count} parts and {missing} of them are not there: {names}. Copy or fetch them too.")
        raise ModelError(message.format(where=where, file=INDEX, count=len(names), missing=len(missing), names=few(missing)))
    return names


def weights_sha256(path: Path) -> str:
    """The sha256 of a folder's weight file; of a model in parts, the sha256 of its parts' sorted hashes, one a line."""
    hashes = [file_sha256(path / name) for name in weight_files(path)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def file_sha256(file: Path) -> str:
    """The sha256 of a file's content, in hexadecimal; a file that has not changed is read once a process."""
    state = file.stat()
    return _digest(file, state.st_size, state.st_mtime_ns)


def license_of(path: Path) -> str:
    """The licence that the model card (README.md) or config.json declares, "" where neither does."""
    import yaml

    declared: Any = None
    try:
        card = (path / "README.md").read_text(encoding="utf-8", errors="replace")
        front = card.split("\n---", 1)[0].removeprefix("---") if card.startswith("---") else ""
        values = yaml.safe_load(front)
        if isinstance(values, dict):
            declared = values.get("license_name") if values.get("license") == "other" else values.get("license")
    except (OSError, yaml.YAMLError):
        pass
    if not declared and (path / "config.json").is_file():
        declared = _json(path / "config.json", str(path)).get("license")
    return ", ".join(str(one) for one in declared) if isinstance(declared, list) else str(declared or "")


def remote_code(path: Path, name: str) -> dict[str, list[str]]:
    """The Python modules that the folder asks to run, by the repository they come from; ``name`` is the folder's own."""
    wanted: dict[str, list[str]] = {}
    for file in ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json"):
        entries = _json(path / file, name).get("auto_map") if (path / file).is_file() else None
        for entry in entries.values() if isinstance(entries, dict) else [entries] if entries else []:
            for reference in entry if isinstance(entry, list) else [entry]:
                if reference:
                    owner, _dashes, target = str(reference).rpartition("--")
                    wanted.setdefault(owner or name, []).append(target.split(".")[0] + ".py")
    return {owner: sorted(set(modules)) for owner, modules in wanted.items()}


def check_remote_code(path: Path, name: str, trusted: str) -> None:
    """Refuse a model that asks to run code from a repository other than ``trusted``, before anything could run it.

    Raises:
        ModelError: names the repository and the flag.
    """
    wanted = remote_code(path, name)
    for owner, modules in wanted.items():
        if owner != trusted:
            message = _(
                "The model {name} runs Python code of its own ({modules}, from {owner}). weitiao runs it only when you say so: read that "
                "code, and if you trust it, type --trust-remote-code {owner}; or choose another --model."
            )
            raise ModelError(message.format(name=name, modules=few(modules), owner=owner))


def check_code_there(path: Path, name: str) -> None:
    """Insist that the Python modules which the folder asks for, and which are its own, stand in it. Raises ModelError."""
    missing = [module for module in remote_code(path, name).get(name, []) if not (path / module).is_file()]
    if missing:
        message = _("The model {name} wants to run {modules}, which its folder does not hold. Copy or fetch the whole model.")
        raise ModelError(message.format(name=name, modules=few(missing)))


def check_own_code(path: Path, typed: str, trusted: str) -> bool:
    """Insist that the Python code which a folder wants to run is trusted and there. Returns whether it wants to run any.

    Args:
        typed: as the folder was named; it may be trusted by that, by its own name, or by its whole path.

    Raises:
        ModelError: see ``check_remote_code`` and ``check_code_there``.
    """
    own = path.resolve().name
    check_remote_code(path, own, own if trusted in (typed, own, str(path.resolve())) else trusted)
    check_code_there(path, own)
    return bool(remote_code(path, own))


def read_header(file: Path, where: str) -> dict[str, dict[str, Any]]:
    """The header of a safetensors file: {tensor: {"dtype", "shape", "data_offsets"}}. No weights are read.

    Such a file is 8 bytes of length, a JSON header, and exactly the bytes that the header speaks of. Raises ModelError where it is not.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        start = opened.read(8)
        length = int.from_bytes(start, "little")
        if start == b"version ":  # "version https://git-lfs.github.com/spec/v1"
            message = _("{where}: {file} is a Git LFS pointer, not the weights. In that folder type: git lfs pull")
            raise ModelError(message.format(where=where, file=file.name))
        try:
            if size < 8 or length > min(_MAX_HEADER, size - 8):
                raise ValueError
            header: dict[str, dict[str, Any]] = json.loads(opened.read(length))
            header.pop("__metadata__", None)
            end = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            message = _("{where}: {file} ({size} bytes) is cut short or damaged: it has no safetensors header. Copy or fetch it again.")
            raise ModelError(message.format(where=where, file=file.name, size=size)) from error
    if end != size:
        message = _("{where}: {file} is cut short or damaged: it has {size} bytes and its header speaks of {end}. Copy or fetch it again.")
        raise ModelError(message.format(where=where, file=file.name, size=size, end=end))
    return header


def _json(file: Path, where: str) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(_("not an object"))
    except (OSError, ValueError) as error:
        message = _("{where}: {file} cannot be read as JSON ({error}). Copy or fetch it again.")
        raise ModelError(message.format(where=where, file=file.name, error=error)) from error
    return values


@lru_cache(maxsize=256)
def _digest(file: Path, size: int, changed: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def few(names: list[str]) -> str:
    """The first of a list of names, for a message.

    >>> few(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    return _(", ").join(names[:3]) + (", ..." if len(names) > 3 else "")
