"""Linear layers that compute in 8 bits on a CPU. It puts them into a network and takes them out again; whether that may be done to a
model, ``number_formats`` decides.

A weight matrix is rounded once, each output with a scale of its own. What goes into a layer is rounded token by token, each token by its
own extreme values, as in LLM.int8 (Dettmers et al., 2022): a scale for the whole batch would make an answer depend on the texts that are
beside it. Inputs that are always large are made smaller first and their weights larger, as in SmoothQuant (Xiao et al., 2023). The
products are FBGEMM's, which torch brings along on x86.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

# A token's values become 0..127. Processors without VNNI add two products of 8 by 8 bits in 16 bits, which 127 x 127 x 2 just fits into.
LEVELS = 127
LEAST = 4  # levels on each side of zero
SMOOTHING = 0.65  # how much of the difficulty goes from the inputs to the weights: of 0.4, 0.5 and 0.65 it kept the logits closest
SAMPLE = 512  # tokens that a layer's inputs are known by
CHUNK = 200_000  # values that go through a layer together: what lies between its steps stays in the processor's cache
SMALLEST = 1e-12  # a token of zeros has no extreme values to be divided by
OPERATOR = "linear_with_input_q_dq_qweight_dq_output_fp32"


def available() -> bool:
    """Whether this torch has the products for this processor."""
    there = hasattr(torch.ops.quantized, OPERATOR) and hasattr(torch, "quantize_per_channel")
    return there and "fbgemm" in torch.backends.quantized.supported_engines


class Int8Product:
    """Linear layers that read the same, such as an attention's queries, keys and values, as one product: what they read is rounded once.

    Args:
        layers: the layers.
        sample: (tokens, inputs) some of what they read.

    >>> layers = [nn.Linear(64, 8), nn.Linear(64, 4)]
    >>> x = torch.randn(100, 64)
    >>> answers = Int8Product(layers, x)(x) if available() else [layer(x) for layer in layers]
    >>> [bool((answer - layer(x)).abs().max() < 0.1) for answer, layer in zip(answers, layers)]
    [True, True]
    """

    def __init__(self, layers: Sequence[nn.Linear], sample: torch.Tensor) -> None:
        weight = torch.cat([layer.weight.detach() for layer in layers])  # (outputs, inputs)
        self.widths = [layer.out_features for layer in layers]
        self.biases = [layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias.detach() for layer in layers]
        sizes = [x.abs().amax(0).clamp_min(SMALLEST) for x in (sample, weight)]
        smaller = sizes[0] ** SMOOTHING / sizes[1] ** (1 - SMOOTHING)
        smaller /= smaller.mean()
        self.smoothing = 1 / smaller.clamp_min(1e-3)  # (inputs,)
        low, high = torch.aminmax(sample * self.smoothing, dim=1)
        share = float((-low / (high - low).clamp_min(SMALLEST)).median())
        self.zero = min(max(round(share * LEVELS), LEAST), LEVELS - LEAST)  # which level stands for 0: behind a GELU little is below it
        self.packed = _packed(weight / self.smoothing)

    def __call__(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(..., inputs) -> (..., outputs) of each layer"""
        product: Any = getattr(torch.ops.quantized, OPERATOR)
        tokens = x.reshape(-1, x.shape[-1])
        outs = [x.new_empty(len(tokens), width) for width in self.widths]
        step = max(CHUNK // x.shape[-1], 1)
        for begin in range(0, len(tokens), step):
            own = tokens[begin : begin + step] * self.smoothing
            up, down = own.amax(1, keepdim=True), own.amin(1, keepdim=True)
            scale = torch.maximum(up / (LEVELS - self.zero), down / -self.zero).clamp_min_(SMALLEST)  # (tokens, 1)
            parts = product(own.div_(scale), 1.0, self.zero, self.packed).split(self.widths, dim=1)
            for out, part, bias in zip(outs, parts, self.biases, strict=True):
                torch.addcmul(bias, part, scale, out=out[begin : begin + step])
        return [out.view(*x.shape[:-1], out.shape[-1]) for out in outs]


def _packed(weight: torch.Tensor) -> Any:
    """A matrix, (outputs, inputs), rounded and laid out as FBGEMM reads it."""
    scales = (weight.abs().amax(1) / LEVELS).clamp_min(SMALLEST).double()
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings(category=UserWarning, action="ignore"):  # torch wants to drop its tensors of 8 bits one day
            rounded = torch.quantize_per_channel(weight, scales, torch.zeros(len(weight), dtype=torch.int64), 0, torch.qint8)
        return torch.ops.quantized.linear_prepack(rounded, None)
    finally:
        torch.backends.quantized.engine = before


class Int8Linear(nn.Module):
    """One of the layers of a product, in the place of an ``nn.Linear``. It answers and does not learn.

    Args:
        shared: what the product gave for the input of last time, the same for all of its layers.
        at: which of them this is.
    """

    def __init__(self, product: Int8Product, shared: "dict[int, tuple[torch.Tensor, torch.Tensor]]", at: int) -> None:
        super().__init__()
        self.product, self.shared, self.at = product, shared, at
        self.weight = None  # T5 asks whether its layers' weights are tensors, before it asks for their number format

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., inputs) -> (..., outputs)"""
        of, answer = self.shared.pop(self.at, (None, x))
        if of is not x:
            answers = self.product(x)
            answer = answers[self.at]
            self.shared.clear()
            self.shared.update({at: (x, other) for at, other in enumerate(answers) if at != self.at})
        return answer


class Int8Layers:
    """The linear layers of a network's repeated blocks, in two forms. Nothing is changed until ``put_in``.

    Embeddings, poolers and heads stay as they are: they are a small part of the work, and answers hang on them.

    Args:
        network: the network.
        answer: lets it answer some texts, which shows what its layers read, and which of them read the same.
    """

    def __init__(self, network: nn.Module, answer: Callable[[], object]) -> None:
        self.network, self.plain = network, dict(linear_layers(network))
        self.rounded: dict[str, Int8Linear] = {}
        for names, sample in _read(self.plain, answer):
            product = Int8Product([self.plain[name] for name in names], sample)
            shared: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
            self.rounded |= {name: Int8Linear(product, shared, at) for at, name in enumerate(names)}

    @property
    def parameters(self) -> int:
        """Of all layers that have such a form."""
        return sum(parameter.numel() for name in self.rounded for parameter in self.plain[name].parameters())

    def put_in(self) -> None:
        """Compute in 8 bits from here on."""
        for name, layer in self.rounded.items():
            self.network.set_submodule(name, layer)

    def take_out(self) -> None:
        """Compute as before."""
        for name in self.rounded:
            self.network.set_submodule(name, self.plain[name])


def linear_layers(network: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """The linear layers in a network's blocks by name. GPT-2 for one has none: its layers are of another kind."""
    blocks = tuple(name + "." for name, module in network.named_modules() if isinstance(module, nn.ModuleList))
    for name, module in network.named_modules():
        if type(module) is nn.Linear and name.startswith(blocks):
            yield name, module


def _read(layers: dict[str, nn.Linear], answer: Callable[[], object]) -> Iterator[tuple[list[str], torch.Tensor]]:
    """The layers' names in groups that were given one and the same tensor, with some rows of it, (tokens, inputs). A layer that was not
    asked is in none.
    """
    groups: list[tuple[list[str], torch.Tensor]] = []
    current: torch.Tensor | None = None
    seen: set[str] = set()

    def reader(name: str) -> Callable[..., None]:
        def note(layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            nonlocal current
            if not given or name in seen:
                return
            seen.add(name)
            if given[0] is not current:
                current = given[0]
                rows = current.reshape(-1, current.shape[-1])
                groups.append(([], rows[:: len(rows) // SAMPLE + 1].clone()))
            groups[-1][0].append(name)

        return note

    hooks = [layer.register_forward_pre_hook(reader(name)) for name, layer in layers.items()]
    try:
        answer()
    finally:
        for hook in hooks:
            hook.remove()
    return iter(groups)
