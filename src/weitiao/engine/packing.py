"""Padding taken out of an unchanged encoder: the layer stack runs on the batch's real tokens only, and the mathematics stays the same.

The model is called with an ordinary padded batch. Around its layer stack the padding is cut out, (1, tokens, hidden), so that every linear
layer, norm and dropout works on real tokens; attention runs through a function in transformers' own registry, on buckets of rows of similar
length, (rows, heads, length, head width); after the stack the hidden states are laid back into the padded shape, so that the model's
pooler and head run untouched. A family is packed only where it is listed here *and* the outputs agree on the spot (``pack``).

It knows nothing of tasks, losses or training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from weitiao.engine.dropout import dropout as drop

ATTENTION = "weitiao_packed"
PACKING = "_weitiao_packing"  # where an attention module finds its model's packing
# How much shorter than its longest a row of a bucket may be: so many tokens, or this share of the longest, whichever is more. Only attention
# sees the difference; more buckets are more small products, each with its own cost.
BUCKET_TOKENS, BUCKET_SHARE = 16, 0.25
TOLERANCE = 1e-4  # largest difference from the unpacked model's logits, as a share of the largest of them
# Model type -> the attribute of its base model that holds the layer stack. Left out on purpose: DeBERTa, whose attention ignores the
# registry, and MPNet and T5, whose stacks add a position bias computed for the padded shape.
STACKS = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie", "albert"), "encoder"),
    "distilbert": "transformer",
}


@dataclass(frozen=True)
class Bucket:
    """Rows of similar length, padded to the longest of them: ``rows * length`` places from ``start``."""

    start: int
    rows: int
    length: int
    mask: torch.Tensor | None  # (rows, 1, 1, length), minus infinity where a row has ended; None where all rows are equally long


@dataclass(frozen=True)
class Plan:
    """How one padded batch is packed.

    Attributes:
        keep: (tokens,) the real tokens' places in the flattened batch.
        spread: (places,) which token stands at each place of the buckets; behind a row's end any token, which attention leaves out.
        collect: (tokens,) the place of each token.
        buckets: longest first.
    """

    keep: torch.Tensor
    spread: torch.Tensor
    collect: torch.Tensor
    buckets: tuple[Bucket, ...]


class Packing:
    """The plan in force for one model. Its rows must come longest first."""

    def __init__(self) -> None:
        self.current: Plan | None = None
        self.calls = 0

    def plan(self, lengths: Sequence[int]) -> None:
        """Plan the next forward pass from the rows' lengths in tokens, longest first."""
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
            there = positions < every[first:last, None]  # (rows, length)
            mask = None if lengths[last - 1] == longest else torch.zeros(there.shape).masked_fill_(~there, float("-inf"))[:, None, None]
            spread.append(torch.where(there, firsts[first:last, None] + positions, 0).flatten())
            real.append(there.flatten())
            buckets.append(Bucket(start, last - first, longest, mask))
            start += (last - first) * longest
            first = last
        keep = (torch.arange(lengths[0]) < every[:, None]).flatten().nonzero()[:, 0]
        self.current = Plan(keep, torch.cat(spread), torch.cat(real).nonzero()[:, 0], tuple(buckets))


def pack(model: Any, probe: dict[str, torch.Tensor]) -> Packing | None:
    """Pack a transformers model in place and return its packing, or leave it as it was and return None.

    Args:
        model: the model with its head.
        probe: a padded batch, longest row first, with an "attention_mask"; the packed and the plain logits must agree on it.

    Not packed is a family that is not listed, whose registered attention is never called, or whose logits differ by more than the
    ``TOLERANCE``.
    """
    base = getattr(model, model.base_model_prefix, model)
    stack = getattr(base, STACKS.get(model.config.model_type, ""), None)
    if not isinstance(stack, nn.Module):
        return None
    plain = _outputs(model, probe)
    implementation = model.config._attn_implementation
    packing = Packing()
    _register()
    model.set_attn_implementation(ATTENTION)
    for module in stack.modules():
        setattr(module, PACKING, packing)
    # Bound to the module, not to its class: other models of the same family stay as they are.
    stack.forward = _packed_forward(stack.forward, packing)
    packing.plan(probe["attention_mask"].sum(dim=1).tolist())
    try:
        packed = _outputs(model, probe)
        agree = packing.calls > 0 and all(
            bool((got - wanted).abs().max() <= TOLERANCE * wanted.abs().max()) for got, wanted in zip(packed, plain, strict=True)
        )
    except (RuntimeError, TypeError, AttributeError):
        # A stack that takes or returns something else than we know: the plain model is always right.
        agree = False
    if agree:
        return packing
    del stack.forward
    for module in stack.modules():
        delattr(module, PACKING)
    model.set_attn_implementation(implementation)
    return None


def _outputs(model: Any, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Everything the model answers on the batch's real tokens: its padding is nobody's answer."""
    training = model.training
    model.eval()
    with torch.no_grad():
        outputs = model(**batch)
    model.train(training)
    real = batch["attention_mask"].bool()  # (rows, length)
    tensors = (output.float() for output in outputs.to_tuple() if isinstance(output, torch.Tensor))
    return [tensor[real] if tensor.shape[:2] == real.shape else tensor for tensor in tensors]


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(ATTENTION, _attention)
    # The plan already says where rows end: no mask over the padded shape is needed.
    AttentionMaskInterface.register(ATTENTION, lambda *args, **kwargs: None)


def _packed_forward(forward: Any, packing: Packing) -> Any:
    def packed(*args: Any, **kwargs: Any) -> Any:
        hidden = args[0] if args else kwargs.pop("hidden_states")
        plan = packing.current
        assert plan is not None, "a packed model is run through its backend, which plans every batch"
        rows, length, width = hidden.shape
        kept = hidden.reshape(rows * length, width).index_select(0, plan.keep)[None]  # (1, tokens, width)
        outputs = forward(kept, *args[1:], **kwargs)
        laid = outputs.last_hidden_state[0]
        flat = laid.new_zeros(rows * length, laid.shape[-1]).index_copy(0, plan.keep, laid)
        outputs.last_hidden_state = flat.view(rows, length, -1)
        return outputs

    return packed


def _attention(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any, dropout: float = 0.0, scaling: Any = None, **_: Any
) -> tuple[torch.Tensor, None]:
    packing: Packing = getattr(module, PACKING)
    packing.calls += 1
    assert packing.current is not None
    plan = packing.current
    heads, tokens, width = query.shape[1:]  # (1, heads, tokens, width)
    scale = width**-0.5 if scaling is None else scaling
    spread: list[torch.Tensor] = [
        _Spread.apply(x[0].transpose(0, 1).reshape(tokens, heads * width), plan) for x in (query, key, value)
    ]  # (places, hidden)
    out = []
    for bucket in plan.buckets:
        end = bucket.start + bucket.rows * bucket.length
        # (rows, heads, length, width)
        q, k, v = (x[bucket.start : end].view(bucket.rows, bucket.length, heads, width).transpose(1, 2) for x in spread)
        mixed = _attend(q, k, v, bucket.mask, dropout, scale)
        out.append(mixed.transpose(1, 2).reshape(end - bucket.start, heads * width))
    collected: torch.Tensor = _Collect.apply(torch.cat(out), plan)
    return collected.view(1, tokens, heads, width), None


class _Spread(torch.autograd.Function):
    """(tokens, hidden) -> (places, hidden). Attention leaves out the places behind a row's end, so no gradient comes back from them, and the
    way back is a selection and not a sum.
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
