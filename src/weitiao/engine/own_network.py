"""A network of somebody's own: any pretrained encoder with whatever layers they put on it. A task file makes a class of this one.

    class Mine(OwnNetwork):
        def __init__(self, base):
            super().__init__(base)
            self.classifier = nn.Linear(base.config.hidden_size, base.config.num_labels)

        def forward(self, **inputs):
            states = self.base(**inputs).last_hidden_state  # (rows, length, width)
            return SequenceClassifierOutput(logits=self.classifier(states[:, 0]))

It knows how such a network is loaded and saved: the folder stays an ordinary one of the encoder, and the layers' weights lie beside it. It
knows no task.
"""

from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from weitiao.engine.model_folder import LAYERS_FILE

# Arguments of transformers' ``from_pretrained``; all others are values of the config.
_LOADING = frozenset(
    (
        "dtype",
        "ignore_mismatched_sizes",
        "trust_remote_code",
        "local_files_only",
        "quantization_config",
        "device_map",
        "attn_implementation",
    )
)


class OwnNetwork(nn.Module):
    """Subclass it: add layers in ``__init__``, and answer in ``forward`` with something that has ``logits``.

    Values of ``Task.model_config`` (``num_labels``, or any of one's own) stand in ``self.config``, and come back with the saved model.

    Attributes:
        base: the pretrained model, without a head of its own.

    Args:
        base: as transformers' AutoModel gives it.
    """

    base_model_prefix = "base"  # where the pretrained weights are among the parameters' names
    beside = (LAYERS_FILE,)  # files of weights that ``save_pretrained`` writes beside the base's

    def __init__(self, base: Any) -> None:
        super().__init__()
        self.base = base

    @property
    def config(self) -> Any:
        """The base's."""
        return self.base.config

    @classmethod
    def from_pretrained(cls, folder: str, *, output_loading_info: bool = False, **settings: Any) -> tuple[Self, dict[str, Any]]:
        """The network of a folder, and what of it was missing, as transformers reports it.

        Raises:
            ValueError: the layers' file is damaged.
        """
        from transformers import AutoConfig, AutoModel

        how = {name: settings.pop(name) for name in _LOADING & settings.keys()}
        places = {name: how[name] for name in ("trust_remote_code", "local_files_only") if name in how}
        config = AutoConfig.from_pretrained(folder, **places)
        for name, value in settings.items():
            setattr(config, name, value)
        base, info = AutoModel.from_pretrained(folder, config=config, output_loading_info=True, **how)
        network = cls(base)
        missing = {f"{cls.base_model_prefix}.{name}" for name in info["missing_keys"]} | set(network._load_layers(Path(folder)))
        mismatched = [(f"{cls.base_model_prefix}.{entry[0]}", *entry[1:]) for entry in info["mismatched_keys"]]
        return network, {**info, "missing_keys": missing, "mismatched_keys": mismatched}

    def save_pretrained(self, folder: str, **settings: Any) -> None:
        """Write the base as transformers does, and the own layers beside it."""
        self.base.save_pretrained(folder, **settings)
        # Clones: safetensors refuses tensors that share memory.
        save_file({name: tensor.detach().cpu().clone() for name, tensor in self._layers().items()}, str(Path(folder) / LAYERS_FILE))

    def set_attn_implementation(self, name: str) -> None:
        """The base's."""
        self.base.set_attn_implementation(name)

    def gradient_checkpointing_enable(self, **arguments: Any) -> None:
        """The base's."""
        self.base.gradient_checkpointing_enable(**arguments)

    def _layers(self) -> dict[str, torch.Tensor]:
        """Everything saved that is not the base's."""
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(f"{self.base_model_prefix}.")}

    def _load_layers(self, folder: Path) -> list[str]:
        """Take the own layers from a folder, and name those that it lacks or has in another shape: they start at random."""
        own, saved = self._layers(), {}
        if (folder / LAYERS_FILE).is_file():
            try:
                saved = load_file(str(folder / LAYERS_FILE))
            except SafetensorError as error:
                raise ValueError(f"{LAYERS_FILE}: {error}") from error
        fitting = {name: tensor for name, tensor in saved.items() if name in own and own[name].shape == tensor.shape}
        self.load_state_dict(fitting, strict=False)
        return sorted(own.keys() - fitting.keys())
