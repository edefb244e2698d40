"""A discriminator with the generator that it learns from (Clark et al., 2020, ELECTRA). It knows networks and batches, no task and no loop.

The generator is the same architecture, narrower, and shares the discriminator's embeddings. Words of a batch are hidden; what the generator
draws for them goes to the discriminator, which says of every token whether it was drawn. No gradient goes through the drawing. Only the
discriminator is saved.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from weitiao.engine.late_projection import LateProjection
from weitiao.engine.models import LoadedModel, put_in_place
from weitiao.engine.objectives import Collated, Example, Objective
from weitiao.engine.objectives.unprojected import Unprojected, drawn_ids
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.processing import IGNORED


def check_family(family: str) -> None:
    """Insist that a model of this ``model_type`` can be a discriminator here. Raises ModelError: it is no ELECTRA."""
    if family != "electra":
        message = _("--objective rtd trains ELECTRA models, and this is {family}. Use --config electra:mini, or --objective mlm.")
        raise ModelError(message.format(family=family))


class _Pair(nn.Module):
    """Both networks as one, for the optimizer and for checkpoints."""

    def __init__(self, discriminator: nn.Module, generator: nn.Module) -> None:
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.config = discriminator.config

    def gradient_checkpointing_enable(self, **how: Any) -> None:
        """As transformers' models have it."""
        self.discriminator.gradient_checkpointing_enable(**how)  # type: ignore[operator]
        self.generator.gradient_checkpointing_enable(**how)  # type: ignore[operator]


@dataclass
class GeneratedPair(LoadedModel):
    """A discriminator and its generator, as one model that learns by ``ReplacedTokens``. Made by ``of``."""

    discriminator: Any = None
    generator: Any = None
    late: LateProjection | None = None

    @classmethod
    def of(cls, discriminator: LoadedModel, width: float) -> "GeneratedPair":
        """The pair for a loaded discriminator.

        Args:
            width: of the generator, as a share of the discriminator's.

        Raises:
            ModelError: the model is no ELECTRA.
        """
        import transformers

        network = discriminator.network
        check_family(network.config.model_type)
        config = copy.deepcopy(network.config)
        if discriminator.packing:  # the generator is packed by itself
            config._attn_implementation = discriminator.packing.implementation
        heads = max(1, round(config.num_attention_heads * width))
        per_head = network.config.hidden_size // network.config.num_attention_heads
        config.num_attention_heads, config.hidden_size = heads, heads * per_head
        config.intermediate_size = max(1, network.config.intermediate_size * config.hidden_size // network.config.hidden_size)
        generator = transformers.ElectraForMaskedLM(config)
        embeddings = network.electra.embeddings
        generator.electra.embeddings = embeddings
        generator.generator_lm_head.weight = embeddings.word_embeddings.weight
        small = replace(discriminator, network=generator, packing=None)
        put_in_place(small, packed=discriminator.packing is not None)
        shared = {name: getattr(discriminator, name) for name in LoadedModel.__dataclass_fields__ if name != "network"}
        pair = cls(_Pair(network, generator), **shared, discriminator=discriminator, generator=small)
        if small.packing is None:  # both or none
            pair.packing = None
        return pair

    def project_late(self, objective: Objective, examples: Sequence[Example]) -> None:
        """Let the generator meet the vocabulary only where a word is hidden, if that is the same on the examples."""
        self.late = LateProjection.of(self.generator, objective, examples)

    def forward(self, batch: Collated) -> Any:
        """What ``ReplacedTokens`` reads: "generator", (hidden, vocabulary), what it expects where words are hidden, and "right", (hidden,),
        what stood there; "detected", (tokens,), logits of all real tokens, and "replaced", (tokens,), 1.0 where one is not the text's own.
        """
        labels = batch.targets["labels"]
        hidden = labels != IGNORED
        right = labels[hidden]
        expected = (self.late or self.generator).forward(batch).logits[hidden]
        with torch.no_grad():
            drawn = expected.sampled() if isinstance(expected, Unprojected) else drawn_ids(expected)
        ids = batch.inputs["input_ids"].masked_scatter(hidden, drawn)
        replaced = torch.zeros(labels.shape, device=labels.device).masked_scatter(hidden, (drawn != right).float())
        detected = self.discriminator.forward(replace(batch, inputs={**batch.inputs, "input_ids": ids})).logits.float()
        if not batch.flat:
            real = batch.inputs["attention_mask"].bool()
            detected, replaced = detected[real], replaced[real]
        return SimpleNamespace(generator=expected, right=right, detected=detected.flatten(), replaced=replaced.flatten())

    def answer_in_full(self) -> None:
        """Both in fp32."""
        super().answer_in_full()
        self.generator.answer_in_full()
        self.discriminator.answer_in_full()
