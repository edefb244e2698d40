"""Frozen weights in 16 bits on a GPU, while adapters of full precision learn beside them. It knows no family of models and no loop.

Under autocast a frozen matrix of 32 bits is cast anew at every use: 7 bytes a weight for each pass through a model of a billion. Held in
bfloat16, which most large checkpoints were made in, it is read once, and takes half the room. Embeddings are held so too: what runs
through a decoder from layer to layer is then of 16 bits, as in every training of such a checkpoint.
"""

import torch
from torch import nn


class HalfBase:
    """A network's frozen weights, in bfloat16 from here to ``undo``. Those that lose digits are kept in main memory meanwhile."""

    def __init__(self, network: nn.Module) -> None:
        self.held: list[tuple[nn.Parameter, torch.Tensor | None]] = []
        for parameter in network.parameters():
            if parameter.requires_grad or parameter.dtype != torch.float32:
                continue
            half = parameter.data.bfloat16()
            lossless = bool((half.float() == parameter.data).all())
            self.held.append((parameter, None if lossless else parameter.data.cpu()))
            parameter.data = half

    def undo(self) -> None:
        """Full precision again, bit for bit."""
        for parameter, whole in self.held:
            parameter.data = parameter.data.float() if whole is None else whole.to(parameter.device)
        self.held = []
