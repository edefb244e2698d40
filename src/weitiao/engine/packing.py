"""Padding taken out of an unchanged model: its layers run on the batch's real tokens only, and the mathematics stays the same.

The model is called with an ordinary padded batch. Around its layers the padding is cut out, (1, tokens, hidden), so that every linear
layer, norm and dropout works on real tokens; attention runs through a function in transformers' own registry, on buckets of rows of
similar length, (rows, heads, length, head width), so that no row ever sees another (on a GPU through flash attention, which is told where
rows end: ``varlen``); behind the layers the hidden states are laid back into the padded shape, and the model's pooler and head run
untouched. Encoders with a layer stack of their own are packed around the stack; others, which number positions where they are told to,
around the whole model without its head. A family is packed only where it is listed here *and* the outputs agree on the spot (``pack``).

It knows nothing of tasks, losses or training.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import torch
from torch import nn

from weitiao.engine.buckets import Plan
from weitiao.engine.last_layer import LastLayer
from weitiao.engine.out_of_memory import is_out_of_memory
from weitiao.engine.packed_attention import Selected, attend
from weitiao.engine.varlen import Room, Varlen

ATTENTION = "weitiao_packed"
PACKING = "_weitiao_packing"  # where an attention module finds its model's packing
# Largest difference from the unpacked model's logits, as a share of the largest of them, in fp32 and in 16 bits.
TOLERANCE, HALF_TOLERANCE = 1e-4, 0.05
# Model type -> the attribute of its base model that holds the layer stack. Left out on purpose: DeBERTa, whose attention ignores the
# registry, and MPNet and T5, whose stacks add a position bias computed for the padded shape.
STACKS = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie", "albert"), "encoder"),
    "distilbert": "transformer",
}
# Those of them that count positions from behind the padding's id.
COUNTED = ("roberta", "xlm-roberta", "camembert")
# Model types without a stack apart, whose base model takes position ids.
DECODERS = ("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma")
WHOLE = (*DECODERS, "modernbert")


class Packing:
    """The plan in force for one model. Its rows must come longest first.

    Args:
        network: the model.
        decoder: whether it writes token by token: its outputs are as wide as the vocabulary.
        part: the module that runs packed.
        device: where the model is.
    """

    def __init__(self, network: Any, decoder: bool, part: nn.Module, device: str) -> None:
        self.network, self.decoder, self.part, self.device = network, decoder, part, device
        self.implementation = network.config._attn_implementation
        self.first = network.config.pad_token_id + 1 if network.config.model_type in COUNTED else 0  # the first token's position id
        self.current: Plan | Varlen | None = None
        self.last: LastLayer | None = None  # set where the last layer runs on each row's first token alone
        self.unread = 0.0  # what its other tokens are given as
        self.multiple = 1  # of which a pass that learns nothing has its tokens, see ``laid_out``
        self.calls = 0
        self.turn = RLock()  # of whoever runs the model: it has one plan and one way of attention

    def plan(self, lengths: Sequence[int], room: Room | None = None) -> None:
        """Plan the next forward pass, which whoever holds the ``turn`` makes.

        Args:
            lengths: of the rows in tokens, longest first, to which they are padded; or to the ``room``'s longest.
            room: on a GPU, shapes to fill up to.
        """
        width = lengths[0] if room is None else room.longest
        if self.device != "cpu":
            self.follow(Varlen.of(lengths, self.device, width, room))
        elif torch.is_grad_enabled():
            self.follow(Plan.of(lengths))
        else:
            # Rows come sorted out of thousands: many are of one length. Among the few of a step hardly any are.
            self.follow(Plan.of(lengths, even=True, multiple=self.multiple))

    def plan_flat(self, lengths: Sequence[int]) -> torch.Tensor:
        """Plan the next forward pass over rows that come one behind the other, (1, tokens), longest first. Returns their position ids, as
        the family counts them, (1, tokens).
        """
        plan = Plan.of(lengths, flat=True) if self.device == "cpu" else Varlen.flat(lengths, self.device)
        self.follow(plan)
        return plan.positions + self.first

    def follow(self, plan: Plan | Varlen) -> None:
        """Pack the next forward pass by this plan."""
        with self.turn:
            self.current = plan

    def undo(self) -> None:
        """The model as it was made."""
        self.widen()
        del self.part.forward
        for module in self.part.modules():
            vars(module).pop(PACKING, None)  # an adapter's layers came later and never had it
        self.network.set_attn_implementation(self.implementation)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The model as it was made: for writing with a cache, where each step adds one token to every row. One at a time."""
        with self.turn:
            self.current = None
            self.network.set_attn_implementation(self.implementation)
            try:
                yield
            finally:
                self.network.set_attn_implementation(ATTENTION)

    def narrow(self, agree: Callable[[], bool]) -> None:
        """Run the last layer on each row's first token alone, if the outputs still ``agree`` and no other token is read for them. A network
        of somebody's own stays as it is: its loss may read more than its outputs show.
        """
        if not type(self.network).__module__.startswith("transformers."):
            return
        self.last = LastLayer.of(self.network.config.model_type, self.part, self)
        # Whoever reads what is no number answers with none, whatever weights, of zeros even, come behind it.
        self.unread = float("nan")
        if self.last and not agree():
            self.widen()
        self.unread = 0.0

    def widen(self) -> None:
        """Run the last layer on every token again."""
        if self.last:
            self.last.undo()
        self.last = None


def pack(model: Any, probe: dict[str, torch.Tensor], half: bool = False) -> Packing | None:
    """Pack a transformers model in place and return its packing, or leave it as it was and return None.

    Args:
        model: the model with its head.
        probe: a padded batch, longest row first, with an "attention_mask"; the packed and the plain logits must agree on it.
        half: whether it computes in 16 bits here.

    Not packed is a family that is not listed, whose registered attention is never called, or whose logits differ by more than the
    ``TOLERANCE``.
    """
    family = model.config.model_type
    base = getattr(model, model.base_model_prefix, model)
    whole = family in WHOLE
    part = base if whole else getattr(base, STACKS.get(family, ""), None)
    if not isinstance(part, nn.Module):
        return None
    plain = _outputs(model, probe)
    if not plain:
        return None
    packing = Packing(model, family in DECODERS, part, probe["attention_mask"].device.type)
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    _register()
    model.set_attn_implementation(ATTENTION)
    for module in part.modules():
        setattr(module, PACKING, packing)
    # Bound to the module, not to its class: other models of the same family stay as they are.
    part.forward = (_packed_whole if whole else _packed_stack)(part.forward, packing)
    lengths = probe["attention_mask"].sum(dim=1).tolist()

    def agree() -> bool:
        answers: list[tuple[torch.Tensor, torch.Tensor]] = []
        for learning in (False, True):
            with torch.set_grad_enabled(learning):
                packing.plan(lengths)
            try:
                answers += zip(_outputs(model, probe), plain, strict=True)
            except (RuntimeError, TypeError, AttributeError, ValueError) as error:
                if is_out_of_memory(error):
                    raise
                # A model that takes or returns something else than we know: the plain one is always right.
                return False
        return all(bool((got - wanted).abs().max() <= tolerance * wanted.abs().max()) for got, wanted in answers)

    if agree() and packing.calls:
        if not whole and packing.device == "cpu":
            packing.narrow(agree)
        return packing
    packing.undo()
    return None


def _outputs(model: Any, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Everything the model answers on the batch's real tokens: its padding is nobody's answer. [] for a network of somebody's own that does
    not answer as those of transformers do.
    """
    training = model.training
    model.eval()
    with torch.no_grad():
        outputs = model(**batch)
    model.train(training)
    if not hasattr(outputs, "to_tuple"):
        return []
    real = batch["attention_mask"].bool()  # (rows, length)
    tensors = (output.float() for output in outputs.to_tuple() if isinstance(output, torch.Tensor))
    return [tensor[real] if tensor.shape[:2] == real.shape else tensor for tensor in tensors]


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(ATTENTION, _attention)
    # The plan already says where rows end: no mask over the padded shape is needed.
    AttentionMaskInterface.register(ATTENTION, lambda *args, **kwargs: None)


def _packed_stack(forward: Any, packing: Packing) -> Any:
    def packed(*args: Any, **kwargs: Any) -> Any:
        hidden = args[0] if args else kwargs.pop("hidden_states")
        plan = packing.current
        assert plan is not None, "a packed model is run through its backend, which plans every batch"
        outputs = forward(_kept(hidden, plan), *args[1:], **kwargs)
        if packing.last and isinstance(plan, Plan):
            packing.last.forget()
            firsts = torch.arange(len(hidden) + plan.spare) * hidden.shape[1]  # of the empty tokens the place behind the end
            return _laid_back(outputs, firsts, hidden.shape[:2], plan.spare, packing.unread)
        return _laid_back(outputs, plan.keep, hidden.shape[:2], plan.spare)

    return packed


def _packed_whole(forward: Any, packing: Packing) -> Any:
    def packed(input_ids: torch.Tensor, **kwargs: Any) -> Any:
        plan = packing.current
        if plan is None:  # paused
            return forward(input_ids, **kwargs)
        changed: dict[str, Any] = {"attention_mask": None, "position_ids": plan.positions}
        if "use_cache" in kwargs:
            changed["use_cache"] = False
        if kwargs.get("token_type_ids") is not None:
            changed["token_type_ids"] = _kept(kwargs["token_type_ids"], plan)
        return _laid_back(forward(_kept(input_ids, plan), **{**kwargs, **changed}), plan.keep, input_ids.shape, plan.spare)

    return packed


def _kept(padded: torch.Tensor, plan: Plan | Varlen) -> torch.Tensor:
    """(rows, length, ...) -> (1, tokens, ...)"""
    if plan.keep is None:
        return padded
    flat = padded.flatten(0, 1)
    if plan.spare:
        flat = torch.cat([flat, flat.new_zeros(1, *flat.shape[1:])])
    kept: torch.Tensor = Selected.apply(flat, plan.keep)
    return kept[None]


def _laid_back(outputs: Any, places: torch.Tensor | None, shape: torch.Size, spare: bool = False, unread: float = 0.0) -> Any:
    """The outputs with their last hidden states, (1, tokens, width), in the padded shape, (rows, length, width).

    Args:
        places: (tokens,) of the states in the flattened batch, or one behind its end where there is ``spare`` room; None where the batch is
            the tokens alone.
        unread: what stands everywhere else.
    """
    if places is None:
        return outputs
    kept, size = outputs.last_hidden_state[0], shape.numel()
    flat = kept.new_full((size + spare, kept.shape[-1]), unread).index_copy(0, places, kept)
    outputs.last_hidden_state = flat[:size].view(*shape, -1)
    return outputs


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: Any,
    dropout: float = 0.0,
    scaling: Any = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    packing: Packing = getattr(module, PACKING)
    packing.calls += 1
    plan = packing.current
    assert plan is not None
    if softcap is not None:
        raise ValueError("capped attention scores are not packed")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    causal = bool(getattr(module, "is_causal", False))
    # (1, heads, tokens, width) -> (tokens, heads, width)
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    if isinstance(plan, Varlen):
        return plan.attend(q, k, v, causal, sliding_window, dropout, scale)[None], None
    return attend(q, k, v, plan, plan.masked(causal, sliding_window), dropout, scale)[None], None
