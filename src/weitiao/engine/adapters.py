"""LoRA adapters through PEFT: which layers of a model get one, what is trained and saved beside them, how they are kept and merged.

Everything is listed for PEFT by name. Its own defaults miss families (ALBERT, DistilBERT, ModernBERT, mBART) and neither train nor save
the classification heads of T5 and BART. What is listed follows from how transformers builds models: repeated blocks stand in module
lists inside the base model, and whatever stands outside it is the head. It knows no task and no data.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from weitiao.config import AdapterSettings
from weitiao.engine.dropout import make_dropout_cheap
from weitiao.engine.half_base import HalfBase
from weitiao.engine.low_rank import make_products_cheap
from weitiao.engine.model_folder import ADAPTER, few
from weitiao.errors import ModelError, UsageError
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.engine.models import LoadedModel


def add_adapter(loaded: "LoadedModel", settings: AdapterSettings) -> None:
    """Freeze a loaded model and put a new adapter on it; its head stays trainable. The base's weights are not changed.

    Raises:
        UsageError: the model has no layers that an adapter could stand beside.
    """
    from peft import LoraConfig, get_peft_model

    network = loaded.network
    targets = target_modules(network, settings.share)
    if not targets:
        message = _("{family} has no linear layers in repeated blocks, so LoRA has nothing to stand beside. Use --method full.")
        raise UsageError(message.format(family=network.config.model_type))
    heads = head_modules(network, loaded.fresh)
    refuse_loose_weights(network, heads, loaded.fresh)
    _refuse_shared_endings(network, heads)
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        modules_to_save=heads or None,
        # GPT-2 keeps its matrices the other way round.
        fan_in_fan_out=any(type(network.get_submodule(name)).__name__ == "Conv1D" for name in targets),
    )
    with _without_advice():
        loaded.adapter = get_peft_model(network, config)
    _settle(loaded)
    if loaded.machine.device == "cuda" and loaded.machine.precision == "bf16":
        loaded.half_base = HalfBase(network)


def load_adapter(loaded: "LoadedModel", folder: Path) -> None:
    """Put a saved adapter, with its head, on a loaded model. Raises ModelError where it does not belong there."""
    from peft import PeftModel

    try:
        with _without_advice():
            loaded.adapter = PeftModel.from_pretrained(loaded.network, str(folder))
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        message = _("The adapter in {folder} does not fit its base model: {reason}")
        raise ModelError(message.format(folder=folder, reason=reason)) from error
    _refuse_missing(loaded.adapter, folder)
    loaded.fresh = ()
    _settle(loaded)


def _refuse_missing(adapter: Any, folder: Path) -> None:
    """Raises ModelError where a saved adapter lacks what its config speaks of: PEFT would leave that as random as it starts."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(str(folder / ADAPTER), "pt") as file:
        saved = set(file.keys())
    with _without_advice():
        wanted = get_peft_model_state_dict(adapter, save_embedding_layers=False)
    missing = sorted(wanted.keys() - saved)
    if missing:
        message = _("{folder} does not hold what was trained: {names} would start at random. Copy the whole run again, or train anew.")
        raise ModelError(message.format(folder=folder, names=few(missing)))


def merge_adapter(loaded: "LoadedModel") -> None:
    """Add the adapter's products to the base's weights: a plain model, with the same answers."""
    loaded.network = loaded.adapter.merge_and_unload()
    loaded.adapter = None


def save_adapter(loaded: "LoadedModel", folder: Path, base: str, revision: str) -> None:
    """Write what ``PeftModel.from_pretrained`` reads, naming the base by its hub id, and the model's config with its labels.

    Args:
        base: as PEFT is to find it again; never a path of this machine.
        revision: its commit, where known.
    """
    adapter = loaded.adapter
    for config in adapter.peft_config.values():
        config.base_model_name_or_path, config.revision = base, revision or None
    with _without_advice():
        # The vocabulary is untouched; asked to find that out by itself, PEFT would look for the base's config on the hub.
        adapter.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty card; the run has one of its own
    loaded.network.config.save_pretrained(str(folder))


def target_modules(network: nn.Module, share: float = 1.0) -> list[str]:
    """Names of the linear layers in the base model's blocks, those in the top ``share`` of each list of blocks.

    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> small = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 9}
    >>> names = target_modules(BertForSequenceClassification(BertConfig(**small)), share=0.5)
    >>> len(names), names[0]
    (6, 'bert.encoder.layer.1.attention.self.query')
    """
    stacks = stacks_of(network)
    places = {name: place_in(stacks, name) for name, module in network.named_modules() if _is_linear(module)}
    return [name for name, place in places.items() if place and place[1] >= stacks[place[0]] - math.ceil(stacks[place[0]] * share)]


def stacks_of(network: nn.Module) -> dict[str, int]:
    """The lists of blocks inside the base model, the outermost ones first: name -> how many blocks."""
    prefix = getattr(network, "base_model_prefix", "")
    inside = prefix + "." if hasattr(network, prefix) else ""
    lists = {name: len(module) for name, module in network.named_modules() if isinstance(module, nn.ModuleList) and name.startswith(inside)}
    return {name: lists[name] for name in sorted(lists, key=len)}


def place_in(stacks: Mapping[str, int], name: str) -> tuple[str, int] | None:
    """(the list, the number of the block in it) that a module or a weight belongs to; None where it is in none of ``stacks``."""
    stack = next((outer for outer in stacks if name.startswith(outer + ".")), None)
    return None if stack is None else (stack, int(name[len(stack) + 1 :].split(".")[0]))


def head_modules(network: Any, fresh: Sequence[str] = ()) -> list[str]:
    """Names of what is trained whole beside the adapter: everything outside the base model, and parts of it that start at random.

    The vocabulary layer of a model that writes is none, unless it starts at random: it is the embeddings' own matrix, or as large.

    Args:
        fresh: names of weights that the checkpoint did not hold.
    """
    vocabulary = network.get_output_embeddings() if hasattr(network, "get_output_embeddings") else None
    started = {name.removesuffix(".weight") for name in fresh}
    known = {vocabulary} if not any(module is vocabulary and name in started for name, module in network.named_modules()) else set()
    names = list(_parts(network, "", {*_base_of(network), *known}))
    within = [name.rpartition(".")[0] for name in fresh if name.startswith(f"{network.base_model_prefix}.") and "position_ids" not in name]
    return names + [name for name in dict.fromkeys(within) if not any(name.startswith(other + ".") or name == other for other in names)]


def refuse_loose_weights(network: nn.Module, heads: Sequence[str], fresh: Sequence[str]) -> None:
    """Raises UsageError for weights that start at random and are in none of the modules that are trained: they would stay as random as they
    are, and come back as others.
    """
    parameters = dict(network.named_parameters())
    loose = [name for name in fresh if name in parameters and not any(name.startswith(head + ".") for head in heads)]
    loose = [name for name in loose if parameters[name].unique().numel() > 1]  # a bias of zeros comes back as it was
    if loose:
        message = _(
            "{names} starts at random and is in no layer of its own, so that only --method full trains it. Put it into an nn.Module, or "
            "use --method full."
        )
        raise UsageError(message.format(names=_(", ").join(loose)))


def _refuse_shared_endings(network: nn.Module, heads: Sequence[str]) -> None:
    """Raises UsageError where PEFT, which finds a head by how its name ends, would take parts of the base for it."""
    for name, _module in network.named_modules(remove_duplicate=False):
        head = next((head for head in heads if name.endswith(head)), None)
        if head is not None and name not in heads and not any(name.startswith(other + ".") for other in heads):
            message = _(
                'LoRA trains the layer "{head}" whole, and PEFT would train "{other}" of the base whole as well, since its name ends '
                'alike. Give yours another name, such as "my_{head}".'
            )
            raise UsageError(message.format(head=head, other=name))


def _base_of(network: Any) -> list[nn.Module]:
    """The base model inside a network, or the modules that it is made of: T5 for questions has them beside its head."""
    base = getattr(network, network.base_model_prefix, None)
    if base is not None:
        return [base]
    import torch
    from transformers import AutoModel

    with torch.device("meta"):
        bare = AutoModel.from_config(network.config)
    return [child for name, child in network.named_children() if hasattr(bare, name)]


def _parts(module: nn.Module, prefix: str, without: set[Any]) -> Iterator[str]:
    """The largest submodules with weights that hold none of ``without``."""
    for name, child in module.named_children():
        if child in without or not any(True for _parameter in child.parameters()):
            continue
        if any(inner in without for inner in child.modules()):
            yield from _parts(child, f"{prefix}{name}.", without)
        else:
            yield prefix + name


def _is_linear(module: nn.Module) -> bool:
    """Linear layers: torch's own, GPT-2's, and bitsandbytes', which are torch's by inheritance."""
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def _settle(loaded: "LoadedModel") -> None:
    """The new modules as the rest of the network: on its device, and computed as it is."""
    for parameter in loaded.network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(loaded.machine.device)
    if loaded.machine.device == "cpu":
        make_dropout_cheap(loaded.network)
    make_products_cheap(loaded.network)


class _without_advice(warnings.catch_warnings):
    """PEFT warns about names that it would rather set itself."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.simplefilter("ignore")
        return entered
