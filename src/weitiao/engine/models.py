"""Base models: tokenizer, architecture and weights, from a folder that ``hub`` found. The only file that calls ``from_pretrained``.

It knows how transformers loads and saves; it does not know where a model comes from, what a task means, or how training goes.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weitiao.engine.devices import Machine
from weitiao.engine.dropout import make_dropout_cheap
from weitiao.engine.objectives import Collated, Objective
from weitiao.engine.packing import Packing, pack
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.processing import FastProcessor, Features, Processor

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class SlowProcessor:
    """The processor over a tokenizer that has no fast backend: the same answers, without offsets."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def text(self, a: str, b: str | None = None, *, max_length: int) -> Features:
        """See ``processing.Processor``."""
        whole = len(self.tokenizer(a, b)["input_ids"])
        encoding = self.tokenizer(a, b, truncation=True, max_length=max_length)
        inputs = {name: list(encoding[name]) for name in self.tokenizer.model_input_names if name in encoding}
        return Features(inputs, cut=max(0, whole - len(inputs["input_ids"])))


@dataclass
class LoadedModel:
    """A model that can be run: a torch backend in the sense of the Task protocol.

    Attributes:
        network: the transformers model with its head, on its device.
        tokenizer: the transformers tokenizer, saved beside the weights.
        processor: what ``encode`` uses, made from it.
        limit: most tokens the architecture can read, None where it has no limit.
        machine: device, precision, threads.
        packing: set where padding is taken out inside the step.
        fresh: names of weights that the checkpoint did not hold and that start at random.
    """

    network: Any
    tokenizer: Any
    processor: Processor
    limit: int | None
    machine: Machine
    packing: Packing | None = None
    fresh: tuple[str, ...] = ()

    @property
    def padding(self) -> dict[str, int]:
        """The value that fills each input after a row's end."""
        pad = self.network.config.get_text_config().pad_token_id
        return {"input_ids": pad if pad is not None else self.tokenizer.pad_token_id or 0}

    def forward(self, batch: Collated) -> Any:
        """The transformers outputs for a collated batch; gradients flow where they are switched on."""
        inputs = batch.inputs
        if self.packing:
            self.packing.plan(batch.lengths)
        if self.machine.device != "cpu":
            inputs = {name: tensor.to(self.machine.device, non_blocking=True) for name, tensor in inputs.items()}
        dtype = PRECISIONS[self.machine.precision]
        with torch.autocast(self.machine.device, dtype) if dtype != torch.float32 else contextlib.nullcontext():
            return self.network(**inputs)

    def run(self, batch: Sequence[Features]) -> list[dict[str, np.ndarray]]:
        """The outputs of each of the batch's features, in their order: {"logits": (labels,)}."""
        order = sorted(range(len(batch)), key=lambda row: -len(batch[row]))
        self.network.eval()
        with torch.inference_mode():
            outputs = self.forward(Objective().collate([batch[row] for row in order], self.padding))
        arrays = {"logits": outputs.logits.float().cpu().numpy()}  # (rows, labels)
        placed: list[dict[str, np.ndarray]] = [{} for _ in order]
        for place, row in enumerate(order):
            placed[row] = {name: array[place] for name, array in arrays.items()}
        return placed

    def parameters(self) -> tuple[int, int]:
        """(all, trainable) parameters."""
        sizes = [(p.numel(), p.requires_grad) for p in self.network.parameters()]
        return sum(size for size, _trained in sizes), sum(size for size, trained in sizes if trained)


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The transformers tokenizer of a model folder, with a token to pad with. Raises ModelError where there is none."""
    from transformers import AutoTokenizer

    with _quiet(), _model_errors(folder):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=trust_remote_code, local_files_only=True)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def processor_for(tokenizer: Any) -> Processor:
    """Our processor for a transformers tokenizer."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return SlowProcessor(tokenizer)
    from tokenizers import Tokenizer

    # A copy: ours sets its own truncation, and the one that is saved beside the weights must stay as it was made.
    return FastProcessor(Tokenizer.from_str(backend.to_str()), tuple(tokenizer.model_input_names))


def load_model(
    folder: Path, model_class: str, config: Mapping[str, Any], machine: Machine, *, trust_remote_code: bool = False, packed: bool = True
) -> LoadedModel:
    """A model folder's weights under the head that ``model_class`` builds.

    Args:
        folder: a verified local model folder.
        model_class: a transformers Auto class by name.
        config: values the model's config must have (``num_labels``, ``id2label``, ...).
        machine: where it goes.
        packed: take padding out where the family allows it.

    Raises:
        ModelError: transformers cannot read the folder, or its weights do not fit its config.
    """
    import transformers

    tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
    with _quiet(), _model_errors(folder):
        network, info = getattr(transformers, model_class).from_pretrained(
            str(folder),
            **config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
        )
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
    network.to(machine.device)
    loaded = LoadedModel(
        network, tokenizer, processor_for(tokenizer), _length_limit(network.config, tokenizer), machine, fresh=tuple(fresh)
    )
    # On a GPU the buckets' many small kernels cost more than the padding they save.
    if machine.device == "cpu":
        make_dropout_cheap(network)
    if packed and machine.device == "cpu":
        loaded.packing = pack(network, _probe(loaded))
    return loaded


def save_model(loaded: LoadedModel, folder: Path, *, max_length: int) -> None:
    """Write an ordinary Hugging Face model folder (safetensors) that plain transformers loads without weitiao."""
    with _quiet():
        loaded.network.save_pretrained(str(folder))
        # So that a plain ``truncation=True`` cuts where training cut.
        loaded.tokenizer.model_max_length = max_length
        loaded.tokenizer.save_pretrained(str(folder))


def _probe(loaded: LoadedModel) -> dict[str, torch.Tensor]:
    """A small batch of unequal lengths, longest row first: what the packed and the plain model must agree on."""
    generator = np.random.default_rng(0)
    vocabulary = loaded.network.config.get_text_config().vocab_size
    names = tuple(loaded.tokenizer.model_input_names)
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
    return Objective().collate(rows, loaded.padding).inputs


def _length_limit(config: Any, tokenizer: Any) -> int | None:
    limits = [tokenizer.model_max_length] if 0 < tokenizer.model_max_length < 10_000_000 else []
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    if positions:
        # RoBERTa counts positions from behind its padding id: two of its 514 are never used.
        offset = (config.pad_token_id or 0) + 1 if config.model_type in ("roberta", "xlm-roberta", "camembert") else 0
        limits.append(positions - offset)
    return min(limits) if limits else None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
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
def _model_errors(folder: Path) -> Iterator[None]:
    """What transformers raises about a folder, as one paragraph of ours."""
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        message = _(
            'The model in "{folder}" cannot be loaded: {reason}. Check that it is a complete transformers model, or choose another --model.'
        )
        raise ModelError(message.format(folder=folder.name, reason=reason.rstrip("."))) from error
