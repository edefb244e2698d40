"""What every prepared training does, whether it reads labelled rows or running text: its plan, its loop, where it goes on, what it says of
itself in the run. It knows settings and run folders, and nothing of where the examples come from.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weitiao.config import BLANK_LEARNING_RATE, LEARNING_RATES
from weitiao.engine.offline_base import named
from weitiao.engine.way_of_steps import way_of_steps
from weitiao.errors import RunError
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.config import Recipe
    from weitiao.engine.checkpoints import Progress
    from weitiao.engine.devices import Machine
    from weitiao.engine.hub import BaseModel
    from weitiao.engine.training import Trainer
    from weitiao.observer import Observer
    from weitiao.runs import RunFolder


FAR = 1000  # times the usual learning rate: it is no choice any more but a slip


def usual_rate(method: str, base: "BaseModel") -> float:
    """The peak learning rate where none is given: what suits random weights, this packaged base, or else the method."""
    packaged = named(base.id)
    if base.source == "blank":
        return BLANK_LEARNING_RATE
    return packaged.lr if packaged and packaged.lr and method == "full" else LEARNING_RATES[method]


def with_usual_rate(recipe: "Recipe", base: "BaseModel") -> "Recipe":
    """The recipe with the peak learning rate that suits the base model, where none is given."""
    usual = usual_rate(recipe.training.method, base)
    if recipe.training.lr or usual == recipe.training.peak_lr:
        return recipe
    return replace(recipe, training=replace(recipe.training, lr=usual))


class Prepared:
    """A training that is ready for its first step.

    Attributes:
        recipe, observer, folder: all settings, who hears what happens, where the run goes.
        base: the model to begin with.
        machine: what it is trained on.
        accelerator, trainer: Accelerate as it is used, and the loop.
        max_length: tokens of the longest text, or block, that the model sees.
    """

    recipe: "Recipe"
    observer: "Observer"
    folder: "RunFolder"
    base: "BaseModel"
    machine: "Machine"
    accelerator: Any
    trainer: "Trainer"
    max_length: int

    def _trainer_for(self, **own: Any) -> "Trainer":
        """The loop over a job, of which ``own`` is what every kind of training has for itself."""
        from weitiao.engine.checkpoints import CheckpointStore
        from weitiao.engine.job import Job
        from weitiao.engine.tracking import accelerator_for, tracker_of
        from weitiao.engine.training import Trainer

        settings = self.recipe.training
        self.accelerator = accelerator_for(settings, self.machine, self.folder.path)
        job = Job(
            settings=settings,
            store=CheckpointStore(self.folder.checkpoints),
            log=self.folder.append_log,
            observer=self.observer,
            tracker=tracker_of(self.accelerator, settings),
            **own,
        )
        return Trainer(job, self.accelerator)

    def _planned(self, *, measure: bool) -> dict[str, Any]:
        """What the plans of all trainings tell, with an estimate of time and memory from measured steps where that is wanted."""
        from weitiao.engine.optimization import warmup_steps

        settings, trainer = self.recipe.training, self.trainer
        self._warn_of_rate()
        seconds, memory = trainer.measure() if measure else (None, None)
        parameters, trainable = trainer.parameters
        # A folder is called as it was typed: the last part of its path is "model" of every run's.
        called = self.recipe.model.model if self.base.source == "folder" else self.base.id
        return {
            "model": {"id": called, "source": self.base.source, "why": self.base.why},
            "device": self.machine.device,
            "precision": self.machine.precision,
            "threads": self.machine.threads,
            "path": way_of_steps(trainer),
            "method": settings.method,
            "parameters": parameters,
            "trainable_parameters": trainable,
            "vocabulary": trainer.words,
            "batch_size": settings.batch_size,
            "epochs": settings.epochs,
            "steps": trainer.job.steps,
            "warmup_steps": warmup_steps(trainer.job.steps, settings),
            "lr": settings.peak_lr,
            "max_length": self.max_length,
            "estimate": {"seconds": seconds, "memory_bytes": memory},
            "out": str(self.folder.path),
        }

    def _warn_of_rate(self) -> None:
        settings = self.recipe.training
        blank = self.base.source == "blank"
        usual = usual_rate(settings.method, self.base)
        if settings.peak_lr <= usual * FAR:
            return
        message = _(
            "--lr {lr:g} is {times:,.0f} times what suits --method {method} ({usual:g}): such steps as a rule undo what the base learned."
        )
        if blank:
            message = _(
                "--lr {lr:g} is {times:,.0f} times what suits a blank model ({usual:g}): with such steps as a rule nothing is learned."
            )
        words = {"lr": settings.peak_lr, "times": settings.peak_lr / usual, "method": settings.method, "usual": usual}
        self.observer.warn(message.format(**words))

    def continue_from(self, record: dict[str, Any]) -> bool:
        """Take up the run's newest checkpoint, after making sure that the base is the same; False where there is none yet."""
        if record["base_model"]["sha256"] != self.base.sha256:
            message = _("The base model {id} has changed since this run began, so it cannot go on. Train anew with --overwrite.")
            raise RunError(message.format(id=self.base.id))
        resumed = self.trainer.resume()
        self.folder.trim_log(self.trainer.progress.step)
        return resumed

    def _begin_tracking(self) -> None:
        """Tell the experiment trackers that were asked for of all settings."""
        if self.recipe.training.track:
            flat = {name: value for name, value in self.recipe.flat().items() if isinstance(value, (int, float, str, bool))}
            self.accelerator.init_trackers("weitiao", config=flat)

    def _trained(self) -> "Progress":
        """Run the loop to its end."""
        progress = self.trainer.train()
        self.accelerator.end_training()
        return progress

    def _done(self, progress: "Progress") -> dict[str, Any]:
        """What run.json says of a loop that has come to its end."""
        from weitiao.engine import devices

        parameters, trainable = self.trainer.parameters
        seconds = progress.seconds + progress.prepared
        return {
            "device": self.machine.device,
            "precision": self.machine.precision,
            "parameters": parameters,
            "trainable_parameters": trainable,
            "max_length": self.max_length,
            "steps": progress.step,
            "seconds": round(seconds, 2),
            "train_rows_per_s": round(progress.rows / max(seconds, 1e-9), 2),
            "tokens_per_s": round(progress.tokens / max(seconds, 1e-9), 1),
            "peak_memory_bytes": devices.peak_memory(self.machine.device),
            "token_budget": progress.token_budget,
            "best": progress.best,
            "history": progress.history,
        }

    def close(self) -> None:
        """Let go of Accelerate's process-wide state, so that another training with other settings can follow in this process."""
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(reset_partial_state=True)
