"""A classifier over a model with two encoders, one for pictures and one for texts (CLIP, SigLIP, a vision-text dual encoder).

The folder stays an ordinary one of the base model; the classifier's own weights lie beside it.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from weitiao.engine.model_folder import CLASSIFIER

MODEL_TYPES = frozenset({"clip", "siglip", "siglip2", "chinese_clip", "altclip", "vision-text-dual-encoder"})


class DualEncoder(nn.Module):
    """Logits from both embeddings, their product and their distance, so that "does the text fit the picture" is easy to learn.

    Args:
        base: a transformers model whose outputs have ``image_embeds`` and ``text_embeds``, (rows, width) each.
        labels: how many.
    """

    beside = (CLASSIFIER,)  # files of weights that ``save_pretrained`` writes beside the base's

    def __init__(self, base: Any, labels: int) -> None:
        super().__init__()
        self.base = base
        width = getattr(base.config, "projection_dim", None) or base.config.text_config.hidden_size
        self.classifier = nn.Linear(4 * width, labels)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    @property
    def config(self) -> Any:
        """The base's."""
        return self.base.config

    @property
    def base_model_prefix(self) -> str:
        """Where the pretrained weights are among the parameters' names."""
        return "base"

    def forward(self, **inputs: torch.Tensor) -> Any:
        """Logits, (rows, labels)."""
        outputs = self.base(**inputs)
        # Normalised vectors of hundreds of numbers are small in each: their scale is brought back to about 1.
        scale = outputs.image_embeds.shape[-1] ** 0.5
        image, text = outputs.image_embeds * scale, outputs.text_embeds * scale
        return SimpleNamespace(logits=self.classifier(torch.cat([image, text, image * text, (image - text).abs()], dim=-1)))

    @classmethod
    def from_pretrained(cls, folder: str, *, num_labels: int | None = None, **settings: Any) -> tuple["DualEncoder", dict[str, Any]]:
        """The model of a folder, and what of it was missing, as transformers reports it."""
        from transformers import AutoModel

        own = {name: settings.pop(name) for name in ("id2label", "label2id", "problem_type") if name in settings}
        base, info = AutoModel.from_pretrained(folder, **settings)
        for name, value in own.items():
            setattr(base.config, name, value)
        file = Path(folder) / CLASSIFIER
        state = load_file(str(file)) if file.is_file() else None
        labels = num_labels if num_labels is not None else len(state["bias"]) if state else base.config.num_labels
        network = cls(base, labels)
        if state and len(state["bias"]) == labels:
            network.classifier.load_state_dict(state)
        else:
            info["missing_keys"] = {*info["missing_keys"], "classifier.weight", "classifier.bias"}
        return network, info

    def save_pretrained(self, folder: str) -> None:
        """Write the base as transformers does, and the classifier beside it."""
        self.base.save_pretrained(folder)
        save_file({name: tensor.contiguous() for name, tensor in self.classifier.state_dict().items()}, str(Path(folder) / CLASSIFIER))

    def gradient_checkpointing_enable(self, **arguments: Any) -> None:
        """The base's."""
        self.base.gradient_checkpointing_enable(**arguments)
