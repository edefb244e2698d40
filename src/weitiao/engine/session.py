"""A training from its examples to its finished model: plan, loop, evaluation. It writes into a run folder and knows neither reports nor
the command line.
"""

import json
import shutil
from typing import TYPE_CHECKING, Any

from weitiao import asking, tasks
from weitiao.config import ADAPTED, Recipe
from weitiao.data.ledger import Ledger
from weitiao.data.records import Records
from weitiao.data.titles import rows_line
from weitiao.engine import blank
from weitiao.engine.examples import read_examples
from weitiao.engine.finished import save_finished
from weitiao.engine.prepared import Prepared, with_usual_rate
from weitiao.engine.pretrained import read_config
from weitiao.engine.way_of_steps import way_of_steps
from weitiao.errors import DataError, RunError, UsageError
from weitiao.messages import _
from weitiao.metrics import title
from weitiao.observer import Observer
from weitiao.runs import RunFolder, atomic, prediction_line, write_lines, write_text
from weitiao.tasks.base import Remark, Spec, Task

if TYPE_CHECKING:
    from weitiao.engine.devices import Machine
    from weitiao.engine.models import LoadedModel
    from weitiao.engine.objectives import Example, Objective
    from weitiao.engine.training import Trainer

LITTLE = 100_000  # tokens over all epochs, for a blank model


class Session(Prepared):
    """One training, prepared: everything is read, loaded and encoded, and nothing is written yet.

    Args:
        recipe: all settings.
        observer: hears what happens.
        folder: where the run goes.
    """

    def __init__(self, recipe: Recipe, observer: Observer, folder: RunFolder) -> None:
        from weitiao.engine import devices

        devices.require_torch()
        devices.keep_freed_memory()
        from weitiao.engine import adapters, models
        from weitiao.engine.objectives import check_honoured, objective_for

        if recipe.training.method != "full" and recipe.model.model.startswith(blank.PREFIX):
            message = _("--method {method} keeps the base's weights as they are, and those of {model} are random. Use --method full.")
            raise UsageError(message.format(method=recipe.training.method, model=recipe.model.model))
        task = tasks.get(recipe.model.task)
        if not task.trainable:
            asked = " ".join(f'"{word}"' if " " in word else word for word in asking.words(task, {}, recipe.task))
            message = _("{task} has nothing to train. Use a model as it came: weitiao predict {model} {asked} --task {task}")
            raise UsageError(message.format(task=task.name, model=recipe.model.model, asked=asked))
        from_nothing = recipe.model.model.startswith(blank.PREFIX)
        self.observer, self.folder = observer, folder
        self.examples = examples = read_examples(recipe, observer)
        self.task = examples.task
        if recipe.training.patience and "validation" not in examples.splits:
            message = _("--patience {patience} waits for better validation figures, and no rows are held out for them. Add --valid 0.1.")
            raise UsageError(message.format(patience=recipe.training.patience))
        assert examples.base is not None
        self.base = examples.base
        self.recipe = recipe = with_usual_rate(recipe, self.base)
        self.train_records = examples.splits["train"]
        self.spec: Spec = self.task.based_on(examples.learned, read_config(self.base.path))
        self.head = self.task.head(self.spec)
        check_honoured(self.head.objective, recipe.training, self.task.name)
        self.machine: Machine = devices.machine_for(recipe.training)
        devices.seed_generators(recipe.training.seed)  # the new head
        self.loaded: LoadedModel = models.load_model(
            self.base.path,
            self.head.classes,
            self.task.model_config(self.spec),
            self.machine,
            trust_remote_code=bool(recipe.model.trust_remote_code),
            bits=int(recipe.adapter.quant_bits) if recipe.training.method == "qlora" else 0,
        )
        wanted = recipe.model.max_length or self.task.max_length
        self.max_length = min(wanted, self.loaded.limit or wanted)
        if recipe.model.max_length > self.max_length:
            message = _("--max-length {wanted} is lowered to {limit}: {model} reads no more tokens.")
            observer.note(message.format(wanted=wanted, limit=self.max_length, model=self.base.id))
        self.spec = self.task.fit(self.spec, self.loaded.processor)
        self.rows: list[Example] = []
        self.truncated = 0
        self.remarked: set[str] = set()
        for name, records in examples.splits.items():
            self._encode(records, keep=name == "train")
        self._warn_of(self.train_records)
        if not self.rows:
            raise DataError(_("Not one training row gives the model anything to learn. Look at them: weitiao check DATA"))
        self.objective: Objective = objective_for(self.head.objective, self.spec, recipe.training, self.rows)
        bias = self.objective.initial_bias()
        if bias is not None:
            models.set_output_bias(self.loaded, bias)
        if recipe.training.method in ADAPTED:
            adapters.add_adapter(self.loaded, recipe.adapter)
        try:
            self.trainer: Trainer = self._trainer()
        except BaseException:
            self.close()
            raise
        tokens = recipe.training.epochs * sum(map(self.objective.cost, self.rows))
        if from_nothing and tokens < LITTLE:
            message = _(
                "A blank model starts from nothing and will have learnt little from {tokens} tokens. Give it more text or more --epochs, "
                "or take a pretrained --model."
            )
            observer.warn(message.format(tokens=f"{tokens:,}"))

    def _encode(self, records: Records, *, keep: bool) -> None:
        """Encode a split for training (``keep``), or only to note in the ledger which texts will be cut."""
        from weitiao.engine.objectives import objective_class

        kind = objective_class(self.head.objective)
        # What a generating task holds out is judged by its loss too: better to hear now that a row has nothing to learn.
        targets = keep or self.task.answers_by == "generate"
        for row, record in zip(records.rows, records, strict=True):
            try:
                features = self.task.encode(record, self.loaded.processor, self.spec, max_length=self.max_length, for_training=targets)
            except DataError as error:
                raise records.blamed(row, error) from error
            cut = sum(f.cut for f in features)
            if cut:
                self.truncated += 1
                self.examples.ledger.cut(records.source, row, cut, self.max_length)
            if keep:
                remark = self.task.remark(record, features, self.spec, max_length=self.max_length)
                remark = remark or (None if features else Remark("dropped", "not_in_loss", ""))
                if remark:
                    self.examples.ledger.add(records.source, row, *remark)
                    self.remarked |= {f"{remark.action}:{remark.reason}"}
                for one in features:
                    one.forget(kind.reads)
                self.rows += [[one] for one in features] if not kind.grouped else [features] if features else []

    def _warn_of(self, records: Records) -> None:
        """Say which rows the task had to remark on: a few by their number, all of them in the ledger."""
        for what in sorted(self.remarked):
            entries = list(self.examples.ledger.of(what))
            said = rows_line(records.source, what, [entry.row for entry in entries])
            self.observer.warn(" ".join(filter(None, [said, entries[0].detail])))  # the first one's, as an example

    def _trainer(self) -> "Trainer":
        validation = self.examples.splits.get("validation")
        self.selection = self.task.selected_by(self.spec) if validation is None else self.task.selected_on(self.spec, validation)
        usual = self.task.selected_by(self.spec).metric
        if self.selection.metric != usual:
            message = _("By {usual} the validation rows cannot tell one epoch from another: the best is chosen by {metric}.")
            self.observer.note(message.format(usual=title(usual), metric=title(self.selection.metric)))
        return self._trainer_for(
            loaded=self.loaded,
            objective=self.objective,
            examples=self.rows,
            headline=self.selection,
            evaluate=None if validation is None else lambda: self._validate(validation),
        )

    def _validate(self, records: Records) -> dict[str, float]:
        from weitiao.engine.evaluation import plain_numbers, teacher_forced

        predictor, deciding = self.predictor(), self.selection.metric
        metrics: dict[str, float] = {}
        if self.task.answers_by == "generate":
            metrics |= teacher_forced(predictor, records)["metrics"]
        elif deciding == "loss":
            metrics["loss"] = teacher_forced(predictor, records)["metrics"]["loss"]
        if self.task.answers_by != "generate" or deciding not in metrics:  # writing takes its time
            metrics |= self.task.score(list(predictor.predict(records)), records, self.spec)["metrics"]
        return plain_numbers(self.task, metrics, deciding)

    def predictor(self) -> Any:
        """The network as it is now, as a function from records to predictions."""
        from weitiao.engine.prediction import predictor_for

        return predictor_for(self.task, self.spec, self.loaded, self.max_length)

    def plan(self, *, measure: bool = True) -> dict[str, Any]:
        """What will be done, with an estimate of time and memory from measured steps."""
        return {
            "task": self.task.name,
            **self._planned(measure=measure),
            "frozen": self._frozen(*(self.trainer.expected or (None, None))),
            "rows": {name: len(records) for name, records in self.examples.splits.items()},
            "truncated_rows": self.truncated,
        }

    def _frozen(self, kept: int | None, share: float | None) -> dict[str, Any] | None:
        """What nothing is learnt in: {"part", "bytes", "share", "reason"}; None where there is no such part.

        Args:
            kept: bytes of what it gives that are kept, None where nothing is.
            share: of the rows, for which it is kept.
        """
        trainer, settings = self.trainer, self.recipe.training
        if trainer.frozen:
            return {"part": trainer.frozen.title, "bytes": kept, "share": share, "reason": ""}
        if settings.method in ADAPTED and self.recipe.adapter.share < 1:
            return {"part": "", "bytes": None, "share": None, "reason": trainer.not_kept}
        return None

    def begin(self, record: dict[str, Any]) -> None:
        """Write the run's first files: what is being done, the check, the ledger."""
        from weitiao.engine.devices import environment

        self.folder.update(**record)  # what stops before the rest is written is a run that was stopped before it began
        if self.base.source == "blank":
            # Tokenizers are not trained the same way twice: whoever resumes needs this very one.
            shutil.copytree(self.base.path, self.folder.blank)
        settings = self.recipe.flat()
        if (origin := self.task.origin) is not None:
            record = {**record, "task_file": {"name": origin.name, "sha256": origin.sums}}
            settings["task"] = self.folder.keep_task_file(origin.name, origin.files)
        self.folder.update(
            **record,
            task=self.task.name,
            spec=self.spec,
            settings=settings,
            base_model=self.base.record(),
            data={
                "splits": {
                    name: {"rows": len(records), "source": records.source, "fingerprint": self.examples.loaded.fingerprints[name]}
                    for name, records in self.examples.splits.items()
                },
                "plan": self.examples.loaded.plan.as_dict(),
                "ledger": self.examples.ledger.counts(),
                "language": self.examples.check.get("language"),
            },
            seed=self.recipe.training.seed,
            environment=environment(self.machine),
        )
        write_text(self.folder.check_file, json.dumps(self.examples.check, ensure_ascii=False, indent=2) + "\n")
        write_lines(self.folder.ledger_file, self.examples.ledger.lines())

    def continue_from(self, record: dict[str, Any]) -> bool:
        """Take up the run's newest checkpoint, after making sure that data and base are the same; False where there is none yet."""
        for name, split in record["data"]["splits"].items():
            if self.examples.loaded.fingerprints.get(name) != split["fingerprint"]:
                message = _(
                    "{source} has changed since this run began, so it cannot go on. Put the old file back, or train anew with --overwrite."
                )
                raise RunError(message.format(source=split["source"]))
        return super().continue_from(record)

    def fit(self) -> None:
        """Run the loop to its end, and write the model, the test set's predictions and all figures into the run."""
        self._begin_tracking()
        self._finish(self._trained())

    def _finish(self, progress: Any) -> None:
        from weitiao.engine.evaluation import evaluate

        splits, path = self.examples.splits, way_of_steps(self.trainer)
        self.loaded.answer_in_full()  # what is measured is what is used
        if "validation" in splits and type(self.task).calibrate is not Task.calibrate:
            predictions = list(self.predictor().predict(splits["validation"]))
            self.spec = self.task.calibrate(predictions, splits["validation"], self.spec)
        with atomic(self.folder.model) as temporary:
            save_finished(self.task, self.spec, self.loaded, temporary, self.max_length, self.base if self.loaded.adapter else None)
        results: dict[str, Any] = {"evaluation": None, "prediction": None}
        split = next((name for name in ("test", "validation") if name in splits), None)
        if split:
            records = splits[split]
            ledger = Ledger()
            evaluation, predictions, speed = evaluate(
                self.predictor(), records, split=split, train=self.train_records, observer=self.observer, ledger=ledger
            )
            self._note(ledger)
            write_lines(
                self.folder.predictions_file,
                (
                    prediction_line(int(row), records.source, record, prediction)
                    for row, record, prediction in zip(records.rows, records, predictions, strict=True)
                ),
            )
            results = {"evaluation": evaluation, "prediction": {"rows_per_s": round(speed, 1)}}
        held = self.trainer.frozen.held if self.trainer.frozen else 0
        frozen = self._frozen(held or None, progress.kept / sum(map(len, self.rows)) if held else None)
        self.folder.update(
            spec=self.spec,
            training={**self._done(progress), "path": path, "frozen": frozen, "epochs": progress.epoch},
            model_bytes=self.folder.model_bytes,
            **results,
        )
        if results["evaluation"]:
            self.observer.evaluated(results["evaluation"])

    def _note(self, found: Ledger) -> None:
        """Add to the run's ledger what only predicting found: what a model that writes is asked with may be cut where its row was not."""
        known = {(entry.source, entry.row, entry.action, entry.reason) for entry in self.examples.ledger.entries}
        new = [entry for entry in found.entries if (entry.source, entry.row, entry.action, entry.reason) not in known]
        if new:
            self.examples.ledger.entries += new
            write_lines(self.folder.ledger_file, self.examples.ledger.lines())
            self.folder.update(data={**self.folder.record()["data"], "ledger": self.examples.ledger.counts()})
