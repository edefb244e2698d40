"""Steps on a GPU, recorded once and played back: a small encoder's kernels are over before Python has named the next one.

Forward and backward pass are each recorded as a CUDA graph for every shape of batch that comes a second time. So that few shapes serve
all batches, padded rows and packed tokens are filled up (``varlen.Room``); what they are filled with no row sees. A recorded backward pass
adds to the gradients where they stand, so they are set to zero and never taken away. The loss in between is computed as always, whatever
objective it is of. Dropout draws from torch's generator at every replay, as without recording. Where a pass cannot be recorded, it and all
new shapes run as without recording, and why is said. It knows no task and no loop.
"""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import torch

from weitiao.engine.objectives import Collated
from weitiao.engine.out_of_memory import is_out_of_memory
from weitiao.engine.varlen import Room, Varlen
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.engine.models import LoadedModel

MOST = 64  # recordings: each holds a batch and its outputs
Recorder = Callable[[Callable[[], None]], Callable[[], None]]  # records what a function does, and returns what does it again


class RecordedSteps:
    """The way through a packed encoder by recordings.

    Args:
        loaded: a packed model.
        longest: no row of the training is longer.
        recorder: how passes are recorded; None takes CUDA graphs that share their memory.
        warn: hears why nothing more is recorded, once that is so.

    Attributes:
        failure: why nothing more is recorded; "" while all goes well.
    """

    def __init__(
        self,
        loaded: "LoadedModel",
        longest: int,
        recorder: Recorder | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.loaded, self.longest, self.warn, self.failure = loaded, longest, warn, ""
        self.recorder = recorder or _cuda_recorder()
        self.recordings: dict[Hashable, _Recording] = {}
        self.met: set[Hashable] = set()
        self.anchor = torch.zeros((), device=loaded.machine.device, requires_grad=True)  # so that torch asks for the way back

    def room(self, lengths: list[int]) -> Room:
        """The shapes that a batch with rows of these lengths is filled up to."""
        width = min(1 << max(5, (max(lengths) - 1).bit_length()), max(self.longest, max(lengths)))
        config = self.loaded.network.config
        while width in (config.num_labels, config.hidden_size):  # outputs as wide as these are not to be taken for as long as rows
            width += 1
        return Room.for_rows(len(lengths), sum(lengths), width)

    def forward(self, batch: Collated) -> Any:
        """The network's outputs for a batch; gradients reach its weights once torch goes back from them."""
        room = self.room(batch.lengths)
        shape = (len(batch.lengths), room, tuple(batch.inputs))
        recording = self.recordings.get(shape)
        if recording is None:
            # The first time kernels and libraries make themselves ready, which cannot be recorded, and gradients come into being.
            if self.failure or shape not in self.met or len(self.recordings) == MOST:
                self.met.add(shape)
                return self.loaded.forward(batch)
            recording = self._recorded(batch, room)
            if recording is None:
                return self.loaded.forward(batch)
            self.recordings[shape] = recording
        recording.fill(batch)
        outputs = _Replay.apply(self.anchor, recording)
        return recording.answer(outputs, batch.inputs["input_ids"].shape[1])

    def _recorded(self, batch: Collated, room: Room) -> "_Recording | None":
        """A recording of a batch's shape; None where that fails, and from then on. Memory that runs out is for the loop to mend."""
        recording = _Recording(self.loaded, batch, room)
        try:
            recording.record(self.recorder)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            # A network may wait for a number in between, or call what cannot be recorded: CUDA says so in its first line.
            self.failure = (str(error).strip() or type(error).__name__).splitlines()[0]
            message = _("A step could not be recorded as a CUDA graph ({reason}); other shapes of batches run without, which is slower.")
            self.warn(message.format(reason=self.failure))
            return None
        return recording


class _Recording:
    """One shape's passes with the tensors that they read and write.

    Args:
        loaded, batch, room: a batch of the shape, and what it is filled up to.
    """

    def __init__(self, loaded: "LoadedModel", batch: Collated, room: Room) -> None:
        self.loaded, self.room, self.device = loaded, room, loaded.machine.device
        self.inputs = {name: tensor.new_zeros(len(tensor), room.longest) for name, tensor in batch.inputs.items()}
        self.plan = self._planned(batch)
        self.names: tuple[str, ...] = ()
        self.kind: Any = None
        self.live: tuple[torch.Tensor, ...] = ()  # the network's outputs, with their way back
        self.outputs: tuple[torch.Tensor, ...] = ()  # where they stand after a pass
        self.gradients: tuple[torch.Tensor | None, ...] = ()  # theirs; None for what no gradient comes back from
        self.fill(batch)

    def record(self, recorder: Recorder) -> None:
        """Record the pass there and the pass back."""
        packing = self.loaded.packing
        assert packing is not None
        packing.follow(self.plan)
        self.there = recorder(self._forward)
        self.gradients = tuple(torch.zeros_like(x) if x.requires_grad else None for x in self.live)
        self.back = recorder(self._backward)
        self.live = ()

    def fill(self, batch: Collated) -> None:
        """Lay a batch of this shape where the passes read it."""
        for name, tensor in batch.inputs.items():
            self.inputs[name].fill_(self.loaded.padding.get(name, 0))
            self.inputs[name][:, : tensor.shape[1]].copy_(tensor, non_blocking=True)
        self.plan.copy_from(self._planned(batch))

    def answer(self, outputs: tuple[torch.Tensor, ...], longest: int) -> Any:
        """Outputs as the network gives them, without what was added behind the ``longest`` row."""
        padded = self.inputs["input_ids"].shape
        cut = (x[:, :longest] if x.shape[:2] == padded else x for x in outputs)
        return self.kind(**dict(zip(self.names, cut, strict=True)))

    def _planned(self, batch: Collated) -> Varlen:
        return Varlen.of(batch.lengths, self.device, self.room.longest, self.room)

    def _forward(self) -> None:
        with self.loaded.autocast():
            outputs = self.loaded.network(**self.inputs)
        every = {name: x for name, x in outputs.items() if isinstance(x, torch.Tensor)}
        self.kind, self.names, self.live = type(outputs), tuple(every), tuple(every.values())
        if not self.outputs:
            self.outputs = tuple(x.detach() for x in self.live)
            return
        for place, x in zip(self.outputs, self.live, strict=True):  # by a recorder that computes anew
            place.copy_(x.detach())

    def _backward(self) -> None:
        pairs = [(x, slope) for x, slope in zip(self.live, self.gradients, strict=True) if slope is not None]
        torch.autograd.backward([x for x, _slope in pairs], [slope for _x, slope in pairs])


class _Replay(torch.autograd.Function):
    """The recorded passes, there and back. The weights' gradients are the recording's own work."""

    @staticmethod
    def forward(context: Any, anchor: torch.Tensor, recording: _Recording) -> tuple[torch.Tensor, ...]:
        context.recording = recording
        context.set_materialize_grads(False)
        recording.there()
        outputs = tuple(x.detach() for x in recording.outputs)
        context.mark_non_differentiable(*(x for x, slope in zip(outputs, recording.gradients, strict=True) if slope is None))
        return outputs

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor | None) -> tuple[None, None]:
        recording: _Recording = context.recording
        for place, gradient in zip(recording.gradients, gradients, strict=True):
            if place is not None and gradient is None:
                place.zero_()
            elif place is not None and gradient is not None:
                place.copy_(gradient)
        recording.back()
        return None, None


def _cuda_recorder() -> Recorder:
    """CUDA graphs of one pool of memory: no two of them are ever under way together."""
    pool = torch.cuda.graph_pool_handle()

    def record(run: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, pool=pool):
            run()
        replay: Callable[[], None] = graph.replay
        return replay

    return record
