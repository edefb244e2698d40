"""Frozen lower layers: where adapters stand beside the top layers alone, what enters the lowest of these is computed once a row and kept.

The states are caught on their way into the lowest layer that learns, and the pass is broken off there. Later the layers below hand on what
they are given, and what was kept is put before the lowest one that learns: masks, positions, norms and the head are computed by the
network itself, as ever. The frozen layers run without dropout, which is the price: what they give would otherwise be different each time.

Whether that is the same as the whole network's work is asked on the first rows (their gradients must be the same) and not of a list of
families; where it is not, the training goes the ordinary way. It knows no task and no loop.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from weitiao.engine.adapters import place_in, stacks_of
from weitiao.engine.frozen import FrozenPart
from weitiao.engine.late_projection import LateProjection
from weitiao.engine.models import LoadedModel
from weitiao.engine.objectives import Collated, Example, Objective
from weitiao.engine.out_of_memory import is_out_of_memory
from weitiao.engine.replaced import replaced
from weitiao.messages import _

CHECKED_ROWS = 4  # examples whose gradients must agree


class FrozenLayers(FrozenPart):
    """A loaded model of which the lower layers are frozen. ``of`` makes one where that is possible.

    Args:
        layers: the stack, run in order, each on the states that the one below gives.
        lowest: the lowest layer that learns, counted from 0; at least 1.
        late: see ``FrozenPart``.

    Attributes:
        below: how many layers are frozen, of ``layers``.
    """

    def __init__(
        self, loaded: LoadedModel, objective: Objective, layers: nn.ModuleList, lowest: int, late: LateProjection | None = None
    ) -> None:
        super().__init__(loaded, objective, late)
        self.layers, self.below = layers, lowest
        self._entered = 0  # how often the lowest layer that learns was run in one pass
        self._beside: int | None = None  # what a layer gives beside its states: so many values in a tuple; None where it gives them alone

    @classmethod
    def of(
        cls, loaded: LoadedModel, objective: Objective, examples: Sequence[Example], late: LateProjection | None = None
    ) -> "tuple[FrozenLayers | None, str]":
        """(the frozen layers, ""), or (None, why what they give cannot be kept).

        Args:
            loaded: with its adapter.
            examples: rows of the training; the first few are used up on the proof.
            late: see ``FrozenPart``.
        """
        family = loaded.network.config.model_type
        if type(objective).drawn is not Objective.drawn:
            return None, _("this task hides other words at every step")
        stacks, lowest = stacks_of(loaded.network), dict[str, int]()
        for name, parameter in loaded.network.named_parameters():
            if parameter.requires_grad and (place := place_in(stacks, name)):
                lowest[place[0]] = min(place[1], lowest.get(place[0], place[1]))
        if len(lowest) != 1:
            return None, _("{family} has several stacks of layers that learn").format(family=family)
        ((name, number),) = lowest.items()
        layers = loaded.network.get_submodule(name)
        if number == 0:
            return None, _("an adapter stands beside the lowest layer of {family}").format(family=family)
        frozen = cls(loaded, objective, layers, number, late)
        try:
            proven = frozen._is_proven(examples[:CHECKED_ROWS])
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None, _("memory ran out when they were to be proven on {rows} rows").format(rows=len(examples[:CHECKED_ROWS]))
        if not proven:
            return None, _("{family} does more with its layers' states than to hand them on").format(family=family)
        return frozen, ""

    @property
    def title(self) -> str:
        """See ``FrozenPart``."""
        return _("the lower {below} of {all} layers").format(below=self.below, all=len(self.layers))

    def train(self) -> None:
        """Dropout from the lowest layer that learns on."""
        self.loaded.network.train()

    def _compute(self, batch: Collated) -> list[torch.Tensor]:
        network, caught = self.loaded.network, list[torch.Tensor]()

        def break_off(layer: nn.Module, args: tuple[Any, ...], inputs: dict[str, Any]) -> None:
            caught.append(args[0] if args else inputs["hidden_states"])
            raise _Reached

        training = network.training
        network.eval()
        catch = self.layers[self.below].register_forward_pre_hook(break_off, with_kwargs=True)
        try:
            with torch.no_grad(), suppress(_Reached):
                self.loaded.forward(batch)
        finally:
            catch.remove()
            network.train(training)
        (states,) = caught
        if self.loaded.packing is not None:
            return list(states[0].split(batch.lengths))  # (1, tokens, width), one row behind the other
        return [own[:length] for own, length in zip(states, batch.lengths, strict=True)]  # (rows, length, width)

    def _go_on(self, given: Sequence[torch.Tensor], batch: Collated) -> Any:
        packed = self.loaded.packing is not None
        states = torch.cat(list(given))[None] if packed else nn.utils.rnn.pad_sequence(list(given), batch_first=True)

        def put(layer: nn.Module, args: tuple[Any, ...], inputs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            self._entered += 1
            return (states, *args[1:]) if args else args, inputs if args else {**inputs, "hidden_states": states}

        self._entered = 0
        catch = self.layers[self.below].register_forward_pre_hook(put, with_kwargs=True)
        try:
            with replaced(self.layers[: self.below], self._handed):
                return self.way.forward(batch)
        finally:
            catch.remove()

    def _handed(self, hidden_states: torch.Tensor, *args: Any, **inputs: Any) -> Any:
        """What a frozen layer was given, as such a layer gives it."""
        return hidden_states if self._beside is None else (hidden_states, *[None] * self._beside)

    def _seen(self, layer: nn.Module, inputs: Any, outputs: Any) -> None:
        self._beside = len(outputs) - 1 if isinstance(outputs, tuple) else None

    def _is_proven(self, examples: Sequence[Example]) -> bool:
        """Whether what learns has the same gradients from kept states as in the whole network, on these rows."""
        network, batch = self.loaded.network, self._collated(examples)
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        training = network.training
        network.eval()  # dropout would draw twice
        look = self.layers[0].register_forward_hook(self._seen)
        try:
            with _filled(learned):
                return self._learns_the_same(learned, self._compute(batch), batch) and self._entered == 1
        except (RuntimeError, TypeError, AttributeError, ValueError, IndexError, KeyError) as error:
            if is_out_of_memory(error):
                raise
            # Layers that take or return something else than we know: the ordinary way is always right.
            return False
        finally:
            look.remove()
            network.train(training)


class _Reached(Exception):
    """The lowest layer that learns was reached."""


@contextmanager
def _filled(learned: Sequence[nn.Parameter]) -> Iterator[None]:
    """Small numbers in the place of the zeros that a new adapter's second matrices hold, behind which the first have no gradient."""
    generator = torch.Generator().manual_seed(0)
    zeros = [parameter for parameter in learned if parameter.ndim > 1 and not parameter.any()]
    with torch.no_grad():
        for parameter in zeros:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter in zeros:
                parameter.zero_()
