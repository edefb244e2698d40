"""A frozen backbone: only the head learns, so what it is given of each row is computed once, before the first step, and kept.

The head's input is caught on its way from the base model into the first module that learns. Later the base model is left out: the network
runs with empty hidden states in the place of its own, and what was kept is put before the head. So whatever a family does behind its head
stays the family's own. It knows no task and no loop.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from weitiao.engine.adapters import head_modules, refuse_loose_weights
from weitiao.engine.frozen import FrozenPart
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Collated, Objective
from weitiao.engine.replaced import replaced
from weitiao.errors import UsageError
from weitiao.messages import _


class FrozenBackbone(FrozenPart):
    """A loaded model of which only the head is trained.

    Args:
        loaded: its weights are frozen but for the head's.
        objective: what it learns by.

    Raises:
        UsageError: the model has no head of its own on top of a base model, or the rows are others at every step.
    """

    def __init__(self, loaded: LoadedModel, objective: Objective) -> None:
        network = loaded.network
        if type(objective).drawn is not Objective.drawn:
            message = _(
                "--method head computes what the head is given once, and this task hides other words at every step. Use --method lora."
            )
            raise UsageError(message)
        names = head_modules(network, loaded.fresh_head)
        if not names or not hasattr(network, network.base_model_prefix):
            message = _("--method head trains a new head alone, and {family} has none for this task. Use --method lora or full.")
            raise UsageError(message.format(family=network.config.model_type))
        refuse_loose_weights(network, names, loaded.fresh_head)
        network.requires_grad_(False)
        super().__init__(loaded, objective)
        self.heads = [network.get_submodule(name) for name in names]
        for head in self.heads:
            head.requires_grad_(True)
            head.register_forward_pre_hook(self._before)
        self.base = getattr(network, network.base_model_prefix)
        self._checked = False
        self._caught: list[torch.Tensor] | None = None  # while the whole network runs
        self._given: list[torch.Tensor] | None = None  # while the head runs alone
        self._outputs: Any = None  # one answer of the base model, as a pattern

    @property
    def title(self) -> str:
        """See ``FrozenPart``."""
        return _("the base model")

    def train(self) -> None:
        """Dropout in the head alone."""
        self.loaded.network.eval()
        for head in self.heads:
            head.train()

    def _compute(self, batch: Collated) -> list[torch.Tensor]:
        given = self._run_whole(batch)
        if not self._checked:
            self._check(given, batch)
        return given

    def _go_on(self, given: Sequence[torch.Tensor], batch: Collated) -> Any:
        by_token = given[0].ndim == 2
        self._given = [nn.utils.rnn.pad_sequence(list(given), batch_first=True) if by_token else torch.stack(list(given))]
        try:
            with replaced([self.base], lambda *args, **inputs: self._stand_in(len(given), max(batch.lengths))), self.loaded.autocast():
                return self.loaded.network(**batch.inputs)
        finally:
            self._given = None

    def _run_whole(self, batch: Collated) -> list[torch.Tensor]:
        """What the head is given of each row, (width,) or (the tokens that it reads, width), by the whole network."""
        caught: list[torch.Tensor] = []
        self._caught = caught
        catch = self.base.register_forward_hook(self._seen)
        try:
            with torch.no_grad():
                self.loaded.forward(batch)
        finally:
            catch.remove()
            self._caught = None
        given = caught[0]  # (rows, width) or (rows, length, width)
        if given.ndim == 2:
            return list(given)
        packing = self.loaded.packing
        first = packing is not None and packing.last is not None  # behind it stand zeros, which no head reads
        return [own[: 1 if first else length] for own, length in zip(given, batch.lengths, strict=True)]

    def _check(self, given: list[torch.Tensor], batch: Collated) -> None:
        """Raises UsageError where the head alone would learn something else than the whole network's head."""
        if any("pooler" in name for name in self.loaded.fresh) and self._is_pooled(given):
            message = _(
                "The head reads the pooler of {family}, which this base model does not hold: it starts at random, and --method head would "
                "leave it so. Use --method lora or full."
            )
            raise UsageError(message.format(family=self.loaded.network.config.model_type))
        training = self.heads[0].training
        for head in self.heads:
            head.eval()
        same = self._learns_the_same([parameter for head in self.heads for parameter in head.parameters()], given, batch)
        for head in self.heads:
            head.train(training)
        if not same:
            message = _(
                "--method head gives a head the base model's states once, and {name} does more with them before it answers. Use "
                "--method lora or full."
            )
            raise UsageError(message.format(name=type(self.loaded.network).__name__))
        self._checked = True

    def _is_pooled(self, given: Sequence[torch.Tensor]) -> bool:
        pooled = getattr(self._outputs, "pooler_output", None)
        return pooled is not None and pooled.shape == (len(given), *given[0].shape) and torch.equal(pooled, torch.stack(list(given)))

    def _before(self, head: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        """Before a head: note what it is given, or give it what was kept. A second head goes on from what the first one says."""
        if self._caught is not None:
            self._caught.append(inputs[0].detach())
        return (self._given.pop(), *inputs[1:]) if self._given else None

    def _seen(self, base: nn.Module, inputs: Any, outputs: Any) -> None:
        self._outputs = outputs

    def _stand_in(self, rows: int, tokens: int) -> Any:
        """Outputs of the base model's kind and shapes, without content: nothing of them reaches the head."""
        made = {}
        for name, value in vars(self._outputs).items():
            if isinstance(value, torch.Tensor):
                # (rows, length, ...) follows the batch; (rows, width) has no length of its own.
                inner = (tokens, *value.shape[2:]) if value.ndim > 2 else value.shape[1:]
                made[name] = value.new_zeros(rows, *inner)
        return type(self._outputs)(**made)
