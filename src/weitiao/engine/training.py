"""The one loop. An optimizer step sees exactly ``batch_size`` rows drawn at random, its loss normalised over the whole step.

It knows features, an objective and a loaded model; it knows no task by name and no file inside a run.
"""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import torch

from weitiao.config import ADAPTED
from weitiao.engine.batching import micro_batches
from weitiao.engine.checkpoints import Progress, load_weights
from weitiao.engine.devices import give_back_freed_memory, memory_in_use, seed_generators
from weitiao.engine.embeddings import KeptGradients
from weitiao.engine.frozen import FrozenPart
from weitiao.engine.frozen_backbone import FrozenBackbone
from weitiao.engine.frozen_layers import FrozenLayers
from weitiao.engine.gradient_checkpointing import checkpoint_activations
from weitiao.engine.interrupts import interrupts
from weitiao.engine.job import Job
from weitiao.engine.late_projection import LateProjection
from weitiao.engine.objectives import Collated, Example
from weitiao.engine.optimization import learning_rate, make_optimizer
from weitiao.engine.out_of_memory import is_out_of_memory
from weitiao.engine.recorded_steps import RecordedSteps
from weitiao.engine.token_budget import lowered
from weitiao.engine.words_in_use import why_every_word, words_in_use
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.tasks.base import Headline

# The micro-batch budget where padding stays in, so that rows of like length share a micro-batch, and for decoders, whose outputs are as
# wide as the vocabulary: 5 GB for 8,192 tokens of 150,000 words.
BOUNDED_TOKENS = 8192
GPU_TOKENS = 32_768  # the same on a GPU where no logits are kept: full products; memory that runs out lowers it
LOGGED_STEPS = 2000  # a longer training logs every so many steps
TRIMMED = 16  # after so many steps what was freed goes back to the system


@dataclass(frozen=True)
class _Ready:
    """A step's micro-batches, each with its rows, and what their summed loss is divided by."""

    parts: list[tuple[list[Example], Collated]]
    terms: float


class Trainer:
    """Runs a job to its end, or to an interrupt after which it can go on.

    Args:
        job: what to train.
        accelerator: an ``accelerate.Accelerator``: scaling, clipping, devices.
    """

    def __init__(self, job: Job, accelerator: Any) -> None:
        self.job, self.accelerator = job, accelerator
        network = job.loaded.network
        if job.settings.gradient_checkpointing:
            checkpoint_activations(network)
        self.frozen: FrozenPart | None = None
        self.not_kept = ""  # why what frozen layers give is not kept, where there are such
        self.expected: tuple[int, float] | None = None  # (bytes, share of the rows) that will be kept, as measured
        self.late: LateProjection | None = None
        if job.settings.method == "head":  # before anything asks which weights are trained
            self.frozen = FrozenBackbone(job.loaded, job.objective)
        else:
            self.late = LateProjection.of(job.loaded, job.objective, job.examples[:1])
        if job.settings.method in ADAPTED:
            self.frozen, self.not_kept = FrozenLayers.of(job.loaded, job.objective, job.examples, self.late)
        self.recorded = self._recorded()
        # On a GPU a table's zeros cost next to nothing.
        self.kept = KeptGradients(network if job.loaded.machine.device == "cpu" else torch.nn.Module())
        packing = job.loaded.packing
        bounded = GPU_TOKENS if self.late and packing and packing.device != "cpu" else BOUNDED_TOKENS
        budget = 0 if packing and not packing.decoder else bounded
        self.progress = Progress(token_budget=job.settings.token_budget or budget, threads=job.loaded.machine.threads)
        self.parameters = job.loaded.parameters()  # (all, trainable)
        self.every_word = ""  # why all of a large vocabulary is trained, though the rows hold less
        self.words = self._compact_vocabulary()
        self.trained = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(network, job.settings)
        # The network's own autocast and placement are the loaded model's; Accelerate scales, clips and steps.
        self.prepared = accelerator.prepare(self.optimizer)

    def _recorded(self) -> RecordedSteps | None:
        """Recordings of the steps, where a GPU would wait for Python: an encoder's."""
        job, packing = self.job, self.job.loaded.packing
        if job.loaded.machine.device != "cuda" or not packing or packing.decoder or self.frozen or self.late:
            return None
        if getattr(job.objective, "flat", False):  # its rows have no padding to take out
            return None
        # What quantised weights and recomputed activations run through was not made to be recorded.
        if job.settings.gradient_checkpointing or job.settings.method == "qlora":
            return None
        if not type(job.loaded.network).__module__.startswith("transformers."):  # somebody's own may wait for a number in between
            return None
        longest = max(len(features) for example in job.examples for features in example)
        return RecordedSteps(job.loaded, longest, warn=job.observer.warn)

    def _compact_vocabulary(self) -> tuple[int, int] | None:
        """Leave the embedding rows that no training row touches out of the training: (rows trained, rows in all); None where all are."""
        job, network = self.job, self.job.loaded.network
        if not self.kept.tables:
            return None
        self.every_word = why_every_word(job)
        if self.every_word:
            return None
        table = network.get_input_embeddings()
        used = words_in_use(job, table.num_embeddings)
        # A pass through the network shows whether it uses the table in another way as well.
        self._training_mode()
        self._gradients(self._ready(job.examples[:1], 0))
        network.zero_grad()
        done = self.kept.compact(table, torch.from_numpy(used.nonzero()[0]))
        return (int(used.sum()), len(used)) if done else None

    def resume(self) -> bool:
        """Continue from the newest checkpoint; False where there is none."""
        progress = self.job.store.restore(self.job.loaded.network, self.optimizer, self.accelerator.scaler)
        if progress is None:
            return False
        self.progress = progress
        torch.set_num_threads(progress.threads)
        return True

    def measure(self) -> tuple[float, int]:
        """(seconds of all steps, peak bytes expected), from a few real forward and backward passes that change no weight."""
        job = self.job
        batch = job.course.batches(0)[0]
        rows = [job.examples[row] for row in batch]
        self._training_mode()
        self._accumulate(rows[: max(1, len(rows) // 8)], 0)  # the first pass warms up allocators and kernels
        if self.recorded:
            for _time in range(2):  # met, and recorded: played back from here on
                self._accumulate(rows, 0)
        first = again = self._timed(rows)
        later, share = 0, 1.0
        if self.frozen and self._keeps:
            self.frozen.fill(rows)
            again = self._timed(rows)  # what the frozen part gives is known by now, as it will be in every epoch
            later, share = self.frozen.to_keep(sum(map(len, job.examples)))
            self.expected = (self.frozen.held + later, share)
        passes = job.steps / job.course.steps_per_pass
        seconds = job.course.steps_per_pass * (min(1, passes) * first + max(0, passes - 1) * (share * again + (1 - share) * first))
        seconds = min(seconds, job.course.seconds or seconds)
        moments = 2 * sum(p.numel() * p.element_size() for p in self.trained)
        memory = memory_in_use(job.loaded.machine.device) + moments + later
        if self.frozen:
            self.frozen.forget()
        self._clear()
        return seconds, memory

    @property
    def _keeps(self) -> bool:
        """Whether what a frozen part gives is worth keeping: each row is seen again."""
        return self.job.settings.epochs > 1

    def _timed(self, rows: list[Example]) -> float:
        """Seconds for the gradients of a step."""
        began = time.perf_counter()
        self._accumulate(rows, 0)
        if self.job.loaded.machine.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    def _training_mode(self) -> None:
        if self.frozen:
            self.frozen.train()
        else:
            self.job.loaded.network.train()

    def train(self) -> Progress:
        """Train to the end, keeping the best weights by the headline metric, and leave them in the network.

        Raises:
            KeyboardInterrupt: interrupted; the state was saved first.
            ResourceError: even a single row does not fit into memory.
            ModelError: the loss is no longer a number.
        """
        job, progress = self.job, self.progress
        self._prepare()
        with interrupts() as interrupted:
            while not progress.finished:
                self._epoch(interrupted)
                self._end_of_epoch()
                if interrupted.is_set():  # while it evaluated; the state is saved
                    raise KeyboardInterrupt
        if progress.best and job.store.best_file.is_file():
            load_weights(job.loaded.network, job.store.best_file)
        self.kept.restore()
        return progress

    def _prepare(self) -> None:
        """Compute what a frozen part gives of every row, where there is one. It counts among the seconds of the training."""
        if not self.frozen or self.progress.finished:
            return
        began = time.perf_counter()
        self._training_mode()
        # After a break as much as before it: memory may be freer or scarcer now.
        examples, observer = self.job.examples, self.job.observer
        self.progress.kept = self.frozen.fill(
            examples, self.progress.kept if self._keeps else 0, lambda rows: observer.progress("prepare", rows, len(examples), {})
        )
        self.progress.prepared += time.perf_counter() - began

    def _epoch(self, interrupted: threading.Event) -> None:
        """The steps that are left of the current epoch."""
        job, progress, settings = self.job, self.progress, self.job.settings
        batches = job.course.batches(progress.epoch)
        every = 1 if job.course.seconds else max(1, job.steps // LOGGED_STEPS)  # how many there will be nobody knows
        self._training_mode()
        ahead, ready = job.loaded.machine.device != "cpu", None
        coming: list[Example] = []
        left = batches[progress.position :]
        for batch, following in zip_longest(left, left[1:]):
            rows = coming or [job.examples[row] for row in batch]
            began = time.perf_counter()
            mean_loss = self._step(rows, ready)
            # While a GPU computes.
            coming = [job.examples[row] for row in following] if following and ahead else []
            ready = self._made_ready(coming) if coming else None
            loss = self._number(mean_loss)
            elapsed = time.perf_counter() - began
            tokens = sum(map(job.objective.cost, rows))
            progress.position += 1
            progress.step += 1
            if progress.step % TRIMMED == 0:
                give_back_freed_memory()
            progress.loss_sum += loss
            progress.loss_steps += 1
            progress.seconds += elapsed
            progress.rows += len(rows)
            progress.tokens += tokens
            self._report(loss, tokens / elapsed, every)
            if interrupted.is_set():
                self.save()
                raise KeyboardInterrupt
            if settings.save_every and progress.step % settings.save_every == 0:
                self.save()
            if self._at >= job.steps:  # the time is over, or it is the last step
                return

    @property
    def _at(self) -> int:
        """How far along the training is, in steps."""
        return self.job.course.at(self.progress.step, self.progress.seconds)

    def _step(self, rows: list[Example], ready: "_Ready | None" = None) -> torch.Tensor:
        """One optimizer step: gradients over all rows, clipped, applied. Returns the mean loss, which a GPU may still have to compute."""
        settings, progress = self.job.settings, self.progress
        loss = self._accumulate(rows, progress.step, ready)
        if settings.max_grad_norm:
            self.accelerator.clip_grad_norm_(self.trained, settings.max_grad_norm)
        rate = learning_rate(self._at, self.job.steps, settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.prepared.step()
        self.kept.stepped(rate * settings.weight_decay)
        self._clear()
        return loss

    def _number(self, loss: torch.Tensor) -> float:
        """A step's mean loss. Raises ModelError where it is none."""
        found, settings = loss.item(), self.job.settings
        if not math.isfinite(found):
            message = _("The loss became {loss} at step {step}: the training has diverged. Lower --lr ({lr}), or use --precision fp32.")
            raise ModelError(message.format(loss=found, step=self.progress.step + 1, lr=settings.peak_lr))
        return found

    def _clear(self) -> None:
        """No gradients. Where steps are recorded they stay where they are."""
        if self.recorded:
            self.optimizer.zero_grad(set_to_none=False)
        else:
            self.kept.clear(self.optimizer)

    def _accumulate(self, rows: list[Example], step: int, ready: "_Ready | None" = None) -> torch.Tensor:
        """The rows' gradients, in micro-batches under the token budget; the budget is lowered until they fit. Returns the mean loss."""
        while True:
            # Dropout draws from (seed, epoch, step) alone, so a resumed run and a repeated step draw the same.
            seed_generators(self.job.settings.seed, self.progress.epoch, step)
            try:
                return self._gradients(ready or self._ready(rows, step))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the handler: the exception's frames no longer hold the tensors that did not fit.
            ready = None
            self._clear()
            self.progress.token_budget = lowered(self.progress.token_budget, rows, self.job)

    def _ready(self, rows: Sequence[Example], step: int) -> "_Ready":
        """A step's rows, cut into micro-batches and on their way to the device."""
        loaded, objective = self.job.loaded, self.job.objective
        rows = objective.drawn(rows, np.random.default_rng([self.job.settings.seed, self.progress.epoch, step]))
        groups = micro_batches(
            [objective.cost(row) for row in rows], self.progress.token_budget if objective.divisible else 0, padded=loaded.packing is None
        )
        parts = [[rows[i] for i in group] for group in groups]
        return _Ready([(part, objective.collate(part, loaded.padding).to(loaded.machine.device)) for part in parts], objective.terms(rows))

    def _made_ready(self, rows: Sequence[Example]) -> "_Ready | None":
        """The rows of the step after this one; None where memory has no room for them beside it."""
        try:
            return self._ready(rows, self.progress.step + 1)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _gradients(self, ready: "_Ready") -> torch.Tensor:
        """The gradients of a step. Returns its mean loss."""
        total = torch.zeros(())
        for part, batch in ready.parts:
            way = self.recorded or self.late or self.job.loaded
            outputs = self.frozen.forward(part, batch) if self.frozen else way.forward(batch)
            loss = self.job.objective.loss(outputs, batch) / ready.terms
            self.accelerator.backward(loss)
            total = loss.detach() + total.to(loss.device)
        return total

    def _end_of_epoch(self) -> None:
        """Evaluate, remember the best weights, decide whether to stop, and write a checkpoint."""
        job, progress = self.job, self.progress
        progress.epoch += 1
        progress.position = 0
        entry: dict[str, Any] = {
            "epoch": progress.epoch,
            "step": progress.step,
            "train_loss": progress.loss_sum / max(1, progress.loss_steps),
        }
        progress.loss_sum, progress.loss_steps = 0.0, 0
        if job.evaluate:
            metrics = job.evaluate()
            entry["validation"] = {"loss": metrics.get("log_loss"), **metrics}
            if job.headline:
                self._keep_best(job.headline, metrics[job.headline.metric], entry)
            passes = round(progress.step / job.course.steps_per_pass, 2) if job.paced else progress.epoch
            job.log({"step": progress.step, "epoch": passes, "validation": entry["validation"], "seconds": progress.seconds})
            job.tracker({f"validation/{name}": number for name, number in metrics.items()}, progress.step)
            job.observer.evaluated({"split": "validation", **entry, "epoch": passes, "metrics": metrics, "best": progress.best})
        progress.history.append(entry)
        stopped = bool(job.settings.patience) and progress.waiting >= job.settings.patience
        over = progress.epoch >= job.course.rounds or self._at >= job.steps
        if stopped and job.headline and not over:
            message = _("Stopped early: {count} evaluations without a better {metric}.")
            job.observer.note(message.format(count=progress.waiting, metric=job.headline.metric))
        progress.finished = stopped or over
        self.save()

    def _keep_best(self, headline: Headline, value: float, entry: Mapping[str, Any]) -> None:
        """Remember the weights, if they are the best so far."""
        progress, store = self.progress, self.job.store
        if headline.better(value, progress.best["value"] if progress.best else None):
            progress.best = {"epoch": progress.epoch, "step": progress.step, "metric": headline.metric, "value": value}
            progress.waiting = 0
            store.keep_best(self.job.loaded.network)
            return
        progress.waiting += 1
        if progress.best and value == progress.best["value"] and not self._lost_more(entry):
            progress.best |= {"epoch": progress.epoch, "step": progress.step}
            store.keep_best(self.job.loaded.network)

    def _lost_more(self, entry: Mapping[str, Any]) -> bool:
        """Whether an epoch that is as good as the best one has a higher validation loss: of few rows the metric is often the same."""
        progress = self.progress
        assert progress.best is not None
        then = progress.history[progress.best["epoch"] - 1]["validation"]
        pairs = ((entry["validation"].get(name), then.get(name)) for name in ("loss", "rmse"))  # a regression's, in the place of a loss
        return next((loss > least for loss, least in pairs if loss is not None and least is not None), False)

    def save(self) -> None:
        """Write a checkpoint of this moment."""
        self.job.store.save(self.job.loaded.network, self.optimizer, self.progress, self.accelerator.scaler)

    def _report(self, loss: float, speed: float, every: int) -> None:
        job, progress = self.job, self.progress
        rate = self.optimizer.param_groups[0]["lr"]
        done = progress.step / job.course.steps_per_pass
        eta = (job.steps - self._at) * progress.seconds / max(1, self._at)
        figures = {"loss": loss, "lr": rate, "epoch": done, "tokens_per_s": speed, "eta_seconds": eta}
        job.observer.progress("train", progress.step, job.steps, figures)
        if progress.step % every == 0:
            line = {
                "loss": round(loss, 6),
                "lr": rate,
                "tokens_per_s": round(speed, 1),
                "seconds": round(progress.seconds, 3),
                "memory_bytes": memory_in_use(job.loaded.machine.device),
            }
            job.log({"step": progress.step, "epoch": round(done, 4), **line})
            job.tracker({"train/loss": loss, "train/lr": rate, "train/tokens_per_s": speed}, progress.step)
