"""The last layer of an encoder, computed only for the tokens that its head reads.

A classifier's head reads the first token of each row. Of all the others the last layer is asked for keys and values alone; what comes
behind them, five sixths of its products, changes no answer and gets no gradient. The layer itself stays what it is and is run on the first
tokens; only its attention is told to look at all of them. Where a head reads more, ``pack`` finds other outputs and leaves the layer whole.
It knows packed batches and how the families below name their projections.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from weitiao.engine.buckets import Plan
from weitiao.engine.packed_attention import Selected, attend_from_first

if TYPE_CHECKING:
    from weitiao.engine.packing import Packing


@dataclass(frozen=True)
class _Names:
    """Where a layer has its attention, and that its projections; ``out`` where it is part of the same module."""

    attention: str
    query: str
    key: str
    value: str
    out: str = ""


_BERT = _Names("attention.self", "query", "key", "value")
# ALBERT's layers are one and the same; pre-norm families put a norm between what a layer is given and its keys.
FAMILIES = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie"), _BERT),
    "distilbert": _Names("attention", "q_lin", "k_lin", "v_lin", "out_lin"),
}


class LastLayer:
    """The narrowed last layer of a packed stack. Made by ``of``."""

    def __init__(self, layer: nn.Module, names: _Names, packing: "Packing") -> None:
        self.layer, self.names, self.packing = layer, names, packing
        self.attention: Any = layer.get_submodule(names.attention)
        self.given = torch.empty(0)  # (1, tokens, width), of the pass under way
        self.forward = layer.forward
        # Bound to the modules, not to their classes, and taken back by ``undo``.
        layer.forward = self._narrowed
        self.attention.forward = self._attended

    @classmethod
    def of(cls, family: str, stack: nn.Module, packing: "Packing") -> "LastLayer | None":
        """Narrow the last layer of a stack; None for a family that is built otherwise."""
        lists = [child for child in stack.children() if isinstance(child, nn.ModuleList)]
        if family not in FAMILIES or len(lists) != 1 or not len(lists[0]):
            return None
        return cls(lists[0][-1], FAMILIES[family], packing)

    def undo(self) -> None:
        """The layer as it was made."""
        del self.layer.forward, self.attention.forward

    def forget(self) -> None:
        """Let go of what the pass left behind, unless its layers are going to be computed once more."""
        if not getattr(self.layer, "gradient_checkpointing", False):
            self.given = torch.empty(0)

    def _narrowed(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        self.given = hidden_states
        return self.forward(Selected.apply(hidden_states[0], self._plan.firsts)[None], *args, **kwargs)

    def _attended(self, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, None]:
        """The attention's own steps, (1, rows, width) -> (1, rows, width), with the keys and values of all tokens."""
        attention, names, dropout = self.attention, self.names, self.attention.dropout
        project = partial(getattr, attention)  # by name, at every call: an adapter puts layers of its own there
        shape = (-1, attention.config.num_attention_heads, attention.attention_head_size)
        q = project(names.query)(hidden_states)[0].view(shape)
        k, v = (project(name)(self.given)[0].view(shape) for name in (names.key, names.value))
        mixed = attend_from_first(q, k, v, self._plan, dropout.p if attention.training else 0.0, attention.scaling)
        gathered = mixed.reshape(1, len(q), -1)
        return project(names.out)(gathered) if names.out else gathered, None

    @property
    def _plan(self) -> Plan:
        plan = self.packing.current
        assert isinstance(plan, Plan)
        return plan
