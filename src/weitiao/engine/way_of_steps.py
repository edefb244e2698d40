"""Which way the steps of a training take, in words for the plan and the run. It looks and changes nothing."""

from typing import TYPE_CHECKING

from weitiao.engine import fused_kernels
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.engine.training import Trainer


def way_of_steps(trainer: "Trainer") -> str:
    """Which way the steps take, and why they take no faster one."""
    said, loaded = [_padding(trainer)], trainer.job.loaded
    packing, device = loaded.packing, loaded.machine.device
    if packing and packing.last:
        said.append(_("the last layer only where the head reads it"))
    if trainer.recorded and trainer.recorded.failure:
        said.append(_("no more steps recorded as CUDA graphs: {reason}").format(reason=trainer.recorded.failure))
    elif trainer.recorded:
        said.append(_("steps played back from CUDA graphs"))
    if trainer.late:
        said.append(_("products with the vocabulary only where something is learned"))
    if trainer.every_word:
        said.append(_("every word of the vocabulary is trained: {reason}").format(reason=trainer.every_word))
    if loaded.half_base:
        said.append(_("frozen weights held in bfloat16"))
    if loaded.fused:
        said.append(_("Liger's fused kernels"))
    elif device == "cuda" and packing and loaded.network.config.model_type in fused_kernels.FAMILIES:
        without = _('without Liger\'s fused kernels, which are faster: pip install "weitiao[liger]"')
        said.append(_("without Liger's fused kernels: with them the outputs differ") if fused_kernels.installed() else without)
    return _("; ").join(said)


def _padding(trainer: "Trainer") -> str:
    loaded = trainer.job.loaded
    device, precision = loaded.machine.device, loaded.machine.precision
    if loaded.packing and device == "cpu":
        return _("padding-free: the layers run on real tokens only (outputs checked against the plain model)")
    if loaded.packing:
        return _("padding-free: flash attention over real tokens (outputs checked against the plain model)")
    if device == "mps":
        return _("padded micro-batches sorted by length")
    if device == "cuda" and precision == "fp32":
        return _("padded micro-batches sorted by length: flash attention, which needs no padding, computes with --precision bf16")
    family = loaded.network.config.model_type
    return _("padded micro-batches sorted by length: padding-free steps are not proven for {family}").format(family=family)
