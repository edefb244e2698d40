"""Accelerate as a training uses it: number format, and the experiment trackers that were asked for. It knows settings and no model."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.config import TrainingSettings
from weitiao.errors import UsageError
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.engine.devices import Machine


def accelerator_for(settings: TrainingSettings, machine: "Machine", folder: Path) -> Any:
    """An ``accelerate.Accelerator`` for a machine, which logs into the run's folder. Raises UsageError for a tracker that is not there."""
    from accelerate import Accelerator

    precision = {"fp32": "no"}.get(machine.precision, machine.precision)
    trackers = _trackers(settings)
    try:
        accelerator = Accelerator(
            cpu=machine.device == "cpu", mixed_precision=precision, log_with=trackers or None, project_dir=str(folder)
        )
    except (ValueError, ImportError) as error:
        if not trackers:
            raise
        message = _('--track {name}: {error}. Install it with: pip install "weitiao[track]"')
        raise UsageError(message.format(name=settings.track, error=str(error).rstrip("."))) from error
    if trackers and not accelerator.log_with:
        message = _('--track {name}: it is not installed. Type: pip install "weitiao[track]"')
        raise UsageError(message.format(name=settings.track))
    return accelerator


def tracker_of(accelerator: Any, settings: TrainingSettings) -> Callable[[Mapping[str, float], int], None]:
    """Where a step's figures go: to the trackers, or nowhere."""
    if not _trackers(settings):
        return lambda values, step: None
    return lambda values, step: accelerator.log(dict(values), step=step)


def _trackers(settings: TrainingSettings) -> list[str]:
    return [name.strip() for name in settings.track.split(",") if name.strip()]
