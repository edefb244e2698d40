"""Base models: tokenizer, architecture and weights, from a folder that ``hub`` found. Only here and in ``adapters`` weights are loaded.

It knows how transformers loads and saves; it does not know where a model comes from, what a task means, or how training goes.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weitiao.engine.adapters import head_modules, load_adapter, save_adapter
from weitiao.engine.devices import Machine
from weitiao.engine.dropout import make_dropout_cheap
from weitiao.engine.dual import MODEL_TYPES, DualEncoder
from weitiao.engine.fused_kernels import fuse
from weitiao.engine.half_base import HalfBase
from weitiao.engine.model_folder import length_limit
from weitiao.engine.objectives.base import Collated, Objective
from weitiao.engine.packing import Packing, pack
from weitiao.engine.quantising import dequantise, place, quantised, size_of
from weitiao.engine.slow_processor import SlowProcessor
from weitiao.errors import ModelError
from weitiao.images import Pixels, settings_files
from weitiao.messages import _
from weitiao.processing import FastProcessor, Features, Processor
from weitiao.task_files import broken_task_file

TOKEN_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class LoadedModel:
    """A model that can be run.

    Attributes:
        network: the transformers model with its head, on its device.
        tokenizer: the transformers tokenizer, saved beside the weights.
        processor: what ``encode`` uses, made from it.
        limit: most tokens the architecture can read, None where it has no limit.
        machine: device, precision, threads.
        packing: set where padding is taken out inside the step.
        fresh: names of weights that the checkpoint did not hold and that start at random.
        picture_files: the base's own record of how it reads pictures, by file name, saved beside the weights as it was.
        adapter: the PEFT model around the network, where one was put on it.
        half_base: set while the frozen weights are held in 16 bits.
        fused: whether Liger's kernels are in it.
        in_int8: parameters of the layers that compute in 8 bits, which are torch's no longer.
    """

    network: Any
    tokenizer: Any
    processor: Processor
    limit: int | None
    machine: Machine
    packing: Packing | None = None
    fresh: tuple[str, ...] = ()
    picture_files: Mapping[str, bytes] = field(default_factory=dict)
    adapter: Any = None
    half_base: HalfBase | None = None
    fused: bool = False
    in_int8: int = 0

    @property
    def fresh_head(self) -> tuple[str, ...]:
        """Fresh weights that decide answers; a pooler beside a head that does not use it decides nothing."""
        return tuple(name for name in self.fresh if "pooler" not in name and "position_ids" not in name)

    @property
    def padding(self) -> dict[str, int]:
        """The value that fills each input after a row's end."""
        pad = self.network.config.get_text_config().pad_token_id
        return {"input_ids": pad if pad is not None else self.tokenizer.pad_token_id or 0}

    def forward(self, batch: Collated) -> Any:
        """The transformers outputs for a collated batch on the model's device; gradients flow where they are switched on."""
        if not self.packing:
            with self.autocast():
                return self.network(**batch.inputs)
        with self.packing.turn, self.autocast():  # several threads may ask one model
            if batch.flat:
                return self.network(**batch.inputs, position_ids=self.packing.plan_flat(batch.lengths))
            self.packing.plan(batch.lengths)
            return self.network(**batch.inputs)

    @property
    def number_format(self) -> torch.dtype:
        """In which matrix products are computed."""
        return PRECISIONS[self.machine.precision]

    def autocast(self) -> Any:
        """The forward pass's number format, as a context."""
        half = self.number_format != torch.float32
        return torch.autocast(self.machine.device, self.number_format) if half else contextlib.nullcontext()

    def answer_in_full(self) -> None:
        """Compute in fp32 from here on, as a finished run does, whatever the training computed in."""
        self.machine = replace(self.machine, precision="fp32")
        if self.half_base:
            self.half_base.undo()
            self.half_base = None
        if self.packing and self.machine.device != "cpu":  # where it computes in 16 bits alone
            self.packing.undo()
            self.packing = None
        for module in self.network.modules():
            if getattr(module, "compute_dtype", None) is not None:  # bitsandbytes' 4 bits
                module.compute_dtype = torch.float32

    def parameters(self) -> tuple[int, int]:
        """(all, trainable) parameters."""
        sizes = [(size_of(p), p.requires_grad) for p in self.network.parameters()]
        return sum(size for size, _trained in sizes) + self.in_int8, sum(size for size, trained in sizes if trained)


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The transformers tokenizer of a model folder, with a token to pad with. Raises ModelError where there is none."""
    from transformers import AutoTokenizer

    with quiet(), model_errors(folder):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=trust_remote_code, local_files_only=True)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def processor_for(tokenizer: Any, pixels: Callable[[], Pixels | None] = lambda: None, patch: int = 0) -> Processor:
    """Our processor for a transformers tokenizer and, where the model reads pictures, its settings for them, see ``FastProcessor``."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return SlowProcessor(tokenizer)
    from tokenizers import Tokenizer

    # A copy: ours sets its own truncation, and the one that is saved beside the weights must stay as it was made.
    specials = {role.removesuffix("_token"): str(token) for role, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    names = tuple(name for name in tokenizer.model_input_names if name in TOKEN_INPUTS)
    return FastProcessor(Tokenizer.from_str(backend.to_str()), names, specials, tokenizer.chat_template, pixels, patch)


def limit_of(config: Any, tokenizer: Any) -> int | None:
    """Most tokens that a model of this transformers config reads with this tokenizer, None where it has no limit."""
    text = config.get_text_config()
    pad = tokenizer.pad_token_id if text.pad_token_id is None else text.pad_token_id
    return length_limit(text.model_type, getattr(text, "max_position_embeddings", None), pad, tokenizer.model_max_length)


def class_for(folder: Path, classes: Sequence[str | type], *, trust_remote_code: bool = False, advice: str = "") -> Any:
    """The first of the Auto classes that can build this folder's family.

    Raises:
        ModelError: none can. It ends with the ``advice``, or where there is none with what else --model may name.
    """
    import transformers

    with quiet(), model_errors(folder):
        config = transformers.AutoConfig.from_pretrained(str(folder), trust_remote_code=trust_remote_code, local_files_only=True)
    for name in classes:
        if isinstance(name, type):  # of a task file of somebody's own
            return name
        if name == DualEncoder.__name__:
            if config.model_type in MODEL_TYPES:
                return DualEncoder
            continue
        found = getattr(transformers, name)
        if name == "AutoModelForCausalLM" and _reads_whole(config):
            message = _("{family} models are made to read a text whole, not to go on with it word by word.")
            advice = advice or _("Choose a decoder for --model, such as GPT-2, Llama or Qwen, or blank:llama.")
            raise ModelError(f"{message.format(family=config.model_type)} {advice}")
        if name == "AutoModel" and (config.is_encoder_decoder or hasattr(config, "vision_config")):
            continue  # its last states are not those of the text it was given
        if type(config) in found._model_mapping or hasattr(config, "auto_map"):
            return found
    message = _("{family} models cannot do this task: transformers has no {classes} for them.")
    wanted = _(", ").join(str(name).removeprefix("AutoModelFor") for name in classes)
    advice = advice or _("Choose another --model.")
    raise ModelError(f"{message.format(family=config.model_type, classes=wanted)} {advice}")


def _reads_whole(config: Any) -> bool:
    """Whether this is an encoder, or has one. transformers would give BERT a head to write with, although each of its tokens sees those
    behind it, and BART's decoder would stand without what it attends to.
    """
    from transformers import AutoModelForMaskedLM

    encoder = type(config) in AutoModelForMaskedLM._model_mapping and not getattr(config, "is_decoder", False)
    return bool(config.is_encoder_decoder) or encoder


def load_model(
    folder: Path,
    classes: Sequence[str | type],
    config: Mapping[str, Any],
    machine: Machine,
    *,
    trust_remote_code: bool = False,
    packed: bool = True,
    bits: int = 0,
    whole: bool = False,
    adapter: Path | None = None,
    shared: dict[str, torch.Tensor] | None = None,
    advice: str = "",
) -> LoadedModel:
    """A model folder's weights under the head that the task asks for.

    Args:
        folder: a verified local model folder.
        classes: transformers Auto classes by name, the first that knows the family is taken.
        config: values the model's config must have (``num_labels``, ``id2label``, ...).
        machine: where it goes.
        packed: take padding out where the family allows it.
        bits: 4 or 8 to load the base's linear layers quantised; 0 leaves them as they are.
        whole: turn quantised weights back into ordinary ones, with the values that they were rounded to.
        adapter: a folder with a saved adapter, its head and its tokenizer.
        shared: the base's weights by name, as another model of this process holds them: taken in the place of the ones just read, and added
            to. They must stay as they are.
        advice: what to do where the family cannot do what is asked; "" says what else --model may name.

    Raises:
        ModelError: transformers cannot read the folder, or its weights do not fit its config.
        UsageError, ResourceError: ``bits`` cannot be had here; or the network is of a task file, which has a mistake in it.
    """
    auto = class_for(folder, classes, trust_remote_code=trust_remote_code, advice=advice)
    tokenizer = load_tokenizer(adapter or folder, trust_remote_code=trust_remote_code)
    smaller = quantised(bits, machine, _heads_of(auto, folder, config, trust_remote_code)) if bits else {}
    with quiet(), model_errors(folder):
        network, info = auto.from_pretrained(
            str(folder),
            **config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            **smaller,
        )
        if bits and whole:
            dequantise(network)
    fresh = sorted({*info["missing_keys"], *(entry[0] for entry in info["mismatched_keys"])})
    prefix = network.base_model_prefix + "."
    lost = [name for name in fresh if name.startswith(prefix) and "pooler" not in name]
    if len(lost) > len(list(network.parameters())) // 2:
        message = _(
            "{folder}: {count} of its weights are missing or of another shape, such as {name}. The weights do not "
            "belong to this config.json."
        )
        raise ModelError(message.format(folder=folder.name, count=len(lost), name=lost[0]))
    if network.config.get_text_config().pad_token_id is None:
        network.config.pad_token_id = tokenizer.pad_token_id
    if auto.__name__ == "AutoModelForMultipleChoice":
        network.register_forward_pre_hook(_one_option_a_row, with_kwargs=True)
    if shared is not None:
        _share(network, fresh, shared)
    vision = getattr(network.config, "vision_config", None)
    loaded = LoadedModel(
        network,
        tokenizer,
        processor_for(tokenizer, lambda: Pixels.of(folder), getattr(vision, "patch_size", 0)),
        limit_of(network.config, tokenizer),
        machine,
        fresh=tuple(fresh),
    )
    loaded.picture_files = settings_files(folder)
    put_in_place(loaded, packed=packed)
    if adapter is not None:
        load_adapter(loaded, adapter)
    return loaded


def put_in_place(loaded: LoadedModel, *, packed: bool) -> None:
    """Put a network on its device and make it quick there; ``packed``: take padding out where the family allows it."""
    network, machine = loaded.network, loaded.machine
    place(network, machine.device)
    if machine.device == "cpu":
        make_dropout_cheap(network)
    if packed and machine.device == "cpu":
        loaded.packing = pack(network, _probe(loaded))
    elif packed and machine.device == "cuda" and machine.precision != "fp32":  # flash attention computes in 16 bits alone
        probe = _probe(loaded)
        with loaded.autocast(), torch.no_grad():
            loaded.packing = pack(network, probe, half=True)
            if loaded.packing and loaded.packing.decoder:
                loaded.fused = fuse(network, lambda: network(**probe).to_tuple()[0][probe["attention_mask"].bool()].float())


def _share(network: Any, fresh: Sequence[str], shared: dict[str, torch.Tensor]) -> None:
    """Let a network's base model use the weights in ``shared``, and the next one those that were not there yet."""
    prefix = network.base_model_prefix + "." if hasattr(network, network.base_model_prefix) else ""
    for name, parameter in network.named_parameters():
        if name not in fresh and name.startswith(prefix):
            held = shared.setdefault(name.removeprefix(prefix), parameter.data)
            if held.shape == parameter.shape:
                parameter.data = held


def _heads_of(auto: Any, folder: Path, config: Mapping[str, Any], trust_remote_code: bool) -> list[str]:
    """Names of the modules outside the base model, from an empty one: quantising is decided before weights are read."""
    import transformers

    make = getattr(auto, "from_config", getattr(auto, "_from_config", None))
    if make is None:  # transformers loads the base alone, and the head is put on it
        return []
    with torch.device("meta"), quiet(), model_errors(folder):
        own = transformers.AutoConfig.from_pretrained(str(folder), trust_remote_code=trust_remote_code, local_files_only=True, **config)
        network = make(own)
    vocabulary = network.get_output_embeddings()
    names = [name for name, module in network.named_modules() if vocabulary is not None and module is vocabulary]
    return [*head_modules(network), *names]


def set_output_bias(loaded: LoadedModel, bias: torch.Tensor) -> None:
    """Start a new output layer from ``bias``, (labels,). A layer that the checkpoint held, or one without a bias, stays as it is."""
    new = [loaded.network.get_parameter(name) for name in loaded.fresh if name.endswith("bias")]
    fitting = [parameter for parameter in new if parameter.shape == bias.shape]
    if len(fitting) == 1:
        with torch.no_grad():
            fitting[0].copy_(bias)


def save_model(
    loaded: LoadedModel, folder: Path, *, max_length: int, chat_template: str | None = None, base: tuple[str, str] = ("", "")
) -> None:
    """Write an ordinary Hugging Face folder (safetensors) that transformers, or PEFT where there is an adapter, loads without weitiao.

    Args:
        max_length: of the training.
        chat_template: what conversations were written in, for a tokenizer that has none of its own.
        base: hub id and revision of the base model, for an adapter.
    """
    with quiet():
        if loaded.adapter is None:
            loaded.network.save_pretrained(str(folder))
        else:
            save_adapter(loaded, folder, *base)
        # So that a plain ``truncation=True`` cuts where training cut.
        loaded.tokenizer.model_max_length = max_length
        loaded.tokenizer.chat_template = loaded.tokenizer.chat_template or chat_template
        loaded.tokenizer.save_pretrained(str(folder))
    for name, content in loaded.picture_files.items():
        (folder / name).write_bytes(content)


def _probe(loaded: LoadedModel) -> dict[str, torch.Tensor]:
    """A small batch of unequal lengths, longest row first: what the packed and the plain model must agree on."""
    generator = np.random.default_rng(0)
    vocabulary = loaded.network.config.get_text_config().vocab_size
    names = [name for name in loaded.tokenizer.model_input_names if name in TOKEN_INPUTS]
    rows = []
    for length in (23, 21, 9, 4):
        columns = {
            "input_ids": generator.integers(vocabulary, size=length).tolist(),
            "attention_mask": [1] * length,
            "token_type_ids": [0] * length,
        }
        # The padding id must not stand inside a row: RoBERTa counts positions by it.
        columns["input_ids"] = [i if i != loaded.padding["input_ids"] else (i + 1) % vocabulary for i in columns["input_ids"]]
        rows.append(Features({name: columns[name] for name in names}))
    return Objective().collate([[row] for row in rows], loaded.padding).to(loaded.machine.device).inputs


def _one_option_a_row(network: Any, args: tuple[Any, ...], inputs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Networks that choose want (rows, options, length). Here every option is a row of its own, so that records may have any number of them
    and padding can be taken out: (rows, length) -> (rows, 1, length), and the logits are (rows, 1).
    """
    return args, {name: value[:, None] if isinstance(value, torch.Tensor) and value.ndim == 2 else value for name, value in inputs.items()}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """transformers without its progress bars and its advice to train: we are doing just that."""
    from transformers.utils import logging as chatter

    before, bars = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity(logging.ERROR)
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        chatter.set_verbosity(before)
        if bars:
            chatter.enable_progress_bar()


@contextlib.contextmanager
def model_errors(folder: Path) -> Iterator[None]:
    """What transformers raises about a folder, as one paragraph of ours; what a task file raises meanwhile, as a mistake in that file."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        message = _(
            'The model in "{folder}" cannot be loaded: {reason}. Check that it is a complete transformers model, or choose another --model.'
        )
        raise broken_task_file(error) or ModelError(message.format(folder=folder.name, reason=reason.rstrip("."))) from error
