"""Padding taken out of an unchanged model: its layers run on the batch's real tokens only, and the mathematics stays the same.

The model is called with an ordinary padded batch. Around its layers the padding is cut out, (1, tokens, hidden), so that every linear
layer, norm and dropout works on real tokens; attention runs through a function in transformers' own registry, on buckets of rows of
similar length, (rows, heads, length, head width), so that no row ever sees another; behind the layers the hidden states are laid back
into the padded shape, and the model's pooler and head run untouched. Encoders with a layer stack of their own are packed around the
stack; others, which number positions where they are told to, around the whole model without its head. A family is packed only where it is
listed here *and* the outputs agree on the spot (``pack``).

It knows nothing of tasks, losses or training.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from weitiao.engine.dropout import dropout as drop

ATTENTION = "weitiao_packed"
PACKING = "_weitiao_packing"  # where an attention module finds its model's packing
# How much shorter than its longest a row of a bucket may be: so many tokens, or this share of the longest, whichever is more. Only
# attention sees the difference; more buckets are more small products, each with its own cost.
BUCKET_TOKENS, BUCKET_SHARE = 16, 0.25
TOLERANCE = 1e-4  # largest difference from the unpacked model's logits, as a share of the largest of them
# Model type -> the attribute of its base model that holds the layer stack. Left out on purpose: DeBERTa, whose attention ignores the
# registry, and MPNet and T5, whose stacks add a position bias computed for the padded shape.
STACKS = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie", "albert"), "encoder"),
    "distilbert": "transformer",
}
# Model types without a stack apart, whose base model takes position ids.
DECODERS = ("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma")
WHOLE = (*DECODERS, "modernbert")
_Wanted = tuple[bool, int | None]  # causal, window


@dataclass(frozen=True)
class Bucket:
    """Rows of similar length, padded to the longest of them: ``rows * length`` places from ``start``.

    Attributes:
        ended: (rows, length), where a row has ended; None where all rows are equally long.
    """

    start: int
    rows: int
    length: int
    ended: torch.Tensor | None

    def mask(self, causal: bool, window: int | None) -> torch.Tensor | None:
        """(rows or 1, 1, length or 1, length), minus infinity where a place is not seen from another; None where all is seen.

        Args:
            causal: a place sees only those before it and itself.
            window: it sees only those nearer than this, where there is one.
        """
        narrow = window is not None and window < self.length
        # What stands behind a row's end comes later than all of it: causal attention never looks there.
        hidden = None if causal or self.ended is None else self.ended[:, None, None]  # (rows, 1, 1, length)
        if causal or narrow:
            places = torch.arange(self.length)
            distance = places[:, None] - places  # (length, length), from the one that looks back to the one that is seen
            far = distance < 0 if causal else torch.zeros_like(distance, dtype=torch.bool)
            if window is not None:
                far = far | (distance.abs() >= window)
            # A place always sees itself: behind a row's end there may be nothing else, and a softmax over nothing is not a number.
            hidden = far[None, None] if hidden is None else (hidden | far) & (distance != 0)
        return None if hidden is None else torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))


@dataclass(frozen=True)
class Plan:
    """How one padded batch is packed.

    Attributes:
        keep: (tokens,) the real tokens' places in the flattened batch.
        positions: (1, tokens) each token's position in its own row.
        spread: (places,) which token stands at each place of the buckets; behind a row's end any token, which attention leaves out.
        collect: (tokens,) the place of each token.
        buckets: longest first.
        masks: what ``Bucket.mask`` gave, so that all layers share it.
    """

    keep: torch.Tensor
    positions: torch.Tensor
    spread: torch.Tensor
    collect: torch.Tensor
    buckets: tuple[Bucket, ...]
    masks: dict[_Wanted, list[torch.Tensor | None]] = field(default_factory=dict)

    def masked(self, causal: bool, window: int | None) -> list[tuple[Bucket, torch.Tensor | None]]:
        """The buckets with their masks."""
        if (causal, window) not in self.masks:
            self.masks[causal, window] = [bucket.mask(causal, window) for bucket in self.buckets]
        return list(zip(self.buckets, self.masks[causal, window], strict=True))


class Packing:
    """The plan in force for one model. Its rows must come longest first.

    Args:
        network: the model.
        decoder: whether it writes token by token: its outputs are as wide as the vocabulary.
    """

    def __init__(self, network: Any, decoder: bool) -> None:
        self.network, self.decoder = network, decoder
        self.implementation = network.config._attn_implementation
        self.current: Plan | None = None
        self.calls = 0
        self._writing = Lock()  # held while paused

    def plan(self, lengths: Sequence[int]) -> None:
        """Plan the next forward pass from the rows' lengths in tokens, longest first. While the model is paused it waits."""
        every = torch.tensor(lengths)  # (rows,)
        firsts = every.cumsum(0) - every  # (rows,) each row's first token among the kept
        spread, real, buckets = [], [], []
        start = first = 0
        while first < len(lengths):
            longest, last = lengths[first], first
            shortest = min(longest - BUCKET_TOKENS, int(longest * (1 - BUCKET_SHARE)))
            while last < len(lengths) and lengths[last] >= shortest:
                last += 1
            positions = torch.arange(longest)
            ended = positions >= every[first:last, None]  # (rows, length)
            spread.append(torch.where(ended, 0, firsts[first:last, None] + positions).flatten())
            real.append(~ended.flatten())
            buckets.append(Bucket(start, last - first, longest, None if lengths[last - 1] == longest else ended))
            start += (last - first) * longest
            first = last
        keep = (torch.arange(lengths[0]) < every[:, None]).flatten().nonzero()[:, 0]
        plan = Plan(keep, (keep % lengths[0])[None], torch.cat(spread), torch.cat(real).nonzero()[:, 0], tuple(buckets))
        with self._writing:
            self.current = plan

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The model as it was made: for writing with a cache, where each step adds one token to every row. One at a time: the next waits,
        as does ``plan``, for a model has one way of attention for all who use it.
        """
        with self._writing:
            self.current = None
            self.network.set_attn_implementation(self.implementation)
            try:
                yield
            finally:
                self.network.set_attn_implementation(ATTENTION)


def pack(model: Any, probe: dict[str, torch.Tensor]) -> Packing | None:
    """Pack a transformers model in place and return its packing, or leave it as it was and return None.

    Args:
        model: the model with its head.
        probe: a padded batch, longest row first, with an "attention_mask"; the packed and the plain logits must agree on it.

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
    packing = Packing(model, family in DECODERS)
    _register()
    model.set_attn_implementation(ATTENTION)
    for module in part.modules():
        setattr(module, PACKING, packing)
    # Bound to the module, not to its class: other models of the same family stay as they are.
    part.forward = (_packed_whole if whole else _packed_stack)(part.forward, packing)
    packing.plan(probe["attention_mask"].sum(dim=1).tolist())
    try:
        packed = _outputs(model, probe)
        agree = packing.calls > 0 and all(
            bool((got - wanted).abs().max() <= TOLERANCE * wanted.abs().max()) for got, wanted in zip(packed, plain, strict=True)
        )
    except (RuntimeError, TypeError, AttributeError, ValueError):
        # A model that takes or returns something else than we know: the plain one is always right.
        agree = False
    if agree:
        return packing
    del part.forward
    for module in part.modules():
        delattr(module, PACKING)
    model.set_attn_implementation(packing.implementation)
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
        return _laid_back(forward(_kept(hidden, plan), *args[1:], **kwargs), plan, hidden.shape[:2])

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
        return _laid_back(forward(_kept(input_ids, plan), **{**kwargs, **changed}), plan, input_ids.shape)

    return packed


def _kept(padded: torch.Tensor, plan: Plan) -> torch.Tensor:
    """(rows, length, ...) -> (1, tokens, ...)"""
    return padded.flatten(0, 1).index_select(0, plan.keep)[None]


def _laid_back(outputs: Any, plan: Plan, shape: torch.Size) -> Any:
    """The outputs with their last hidden states, (1, tokens, width), in the padded shape, (rows, length, width)."""
    kept = outputs.last_hidden_state[0]
    flat = kept.new_zeros(shape.numel(), kept.shape[-1]).index_copy(0, plan.keep, kept)
    outputs.last_hidden_state = flat.view(*shape, -1)
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
    heads, tokens, width = query.shape[1:]  # (1, heads, tokens, width); keys and values may have fewer heads, each for several of the query
    scale = width**-0.5 if scaling is None else scaling
    causal = bool(getattr(module, "is_causal", False))
    spread: list[torch.Tensor] = [_Spread.apply(x[0].transpose(0, 1).flatten(1), plan) for x in (query, key, value)]  # (places, hidden)
    out = []
    for bucket, hidden in plan.masked(causal, sliding_window):
        end = bucket.start + bucket.rows * bucket.length
        # (rows, heads, length, width)
        q, k, v = (x[bucket.start : end].view(bucket.rows, bucket.length, -1, width).transpose(1, 2) for x in spread)
        if k.shape[1] != heads:
            k, v = (x.repeat_interleave(heads // x.shape[1], dim=1) for x in (k, v))
        mixed = _attend(q, k, v, hidden, dropout, scale)
        out.append(mixed.transpose(1, 2).reshape(end - bucket.start, heads * width))
    collected: torch.Tensor = _Collect.apply(torch.cat(out), plan)
    return collected.view(1, tokens, heads, width), None


class _Spread(torch.autograd.Function):
    """(tokens, hidden) -> (places, hidden). Attention leaves out the places behind a row's end, so no gradient comes back from them, and
    the way back is a selection and not a sum.
    """

    @staticmethod
    def forward(context: Any, x: torch.Tensor, plan: Plan) -> torch.Tensor:
        context.plan = plan
        return x.index_select(0, plan.spread)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient.index_select(0, context.plan.collect), None


class _Collect(torch.autograd.Function):
    """(places, hidden) -> (tokens, hidden): ``_Spread`` the other way round."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, plan: Plan) -> torch.Tensor:
        context.plan = plan
        return x.index_select(0, plan.collect)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        plan = context.plan
        return gradient.new_zeros(len(plan.spread), gradient.shape[1]).index_copy_(0, plan.collect, gradient), None


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, dropout: float, scale: float) -> torch.Tensor:
    if not dropout:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else mask.to(q.dtype), scale=scale)
    # torch's fused attention cannot drop probabilities on a CPU, so with dropout the three steps are written out.
    scores = torch.matmul(q * scale, k.transpose(-1, -2))  # (rows, heads, length, length)
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    return torch.matmul(drop(torch.softmax(scores, dim=-1), dropout), v)
