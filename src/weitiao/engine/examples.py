"""The user's examples on the way to a training: read, checked, with the base model that fits their language. It writes nothing, and needs
torch only where there is to be a training.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from weitiao import meant, tasks
from weitiao.config import Recipe, TrainingSettings
from weitiao.data import checking, language, loading
from weitiao.data.ledger import Ledger
from weitiao.data.marks import MARKS
from weitiao.data.near_duplicates import told_apart
from weitiao.data.records import Records
from weitiao.engine import blank, hub
from weitiao.engine.devices import machine_for
from weitiao.engine.model_folder import longest_read
from weitiao.errors import DataError, ModelError, NetworkError, UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.tasks.base import Spec, Task

WRITTEN_ROWS = 2000  # enough to tell a language


@dataclass
class Examples:
    """A user's data, read and checked.

    Attributes:
        loaded: splits, column plan, ledger, fingerprints.
        base: the base model, None where none is on this machine and none was needed.
        check: the data check's findings.
        learned: what the task learned from the training rows.
    """

    task: Task
    loaded: loading.Loaded
    base: hub.BaseModel | None
    check: dict[str, Any]
    learned: Spec

    @property
    def splits(self) -> dict[str, Records]:
        """Records by split: "train", and "validation" and "test" where there are any."""
        return self.loaded.splits

    @property
    def ledger(self) -> Ledger:
        """Every row that was dropped, cut or repaired."""
        return self.loaded.ledger


def read_examples(recipe: Recipe, observer: Observer, *, base_needed: bool = True) -> Examples:
    """Read and check the data, and find the base model that fits its language.

    Args:
        base_needed: False for a check alone: the base is then looked for on this machine only, and lengths are counted in characters
            where it is not there.
    """
    if not recipe.source:
        raise UsageError(_("Which data? Name a file, such as: weitiao train reviews.csv"))
    task = tasks.get(recipe.model.task)
    schema = task.schema(recipe.task)
    try:
        loaded = loading.load(
            recipe.source, recipe.data, schema, seed=recipe.training.seed, offline=recipe.model.offline, observer=observer
        )
    except DataError as error:
        if any(schema.columns.values()):  # whoever names columns means this task
            raise
        raise meant.advised(error, task, recipe.data) from error
    learned = task.learn(loaded.splits["train"], recipe.task)
    if base_needed:
        for name, held in loaded.splits.items():
            if name != "train":
                # A training is judged by what was learned; what it is evaluated on at the end may say otherwise.
                task.check_judging(learned if name == "validation" else task.judged_on(learned, held), held)
    seen = {name: _as_text(task, records) for name, records in loaded.splits.items()}
    base = _base(recipe, task, learned, seen["train"], loaded.splits["train"], observer, needed=base_needed)
    check = checking.check(
        seen,
        label_field="label" if "label" in seen["train"].columns else None,
        labels=learned.get("labels", []),
        for_numbers=meant.for_numbers(task),
        ledger=loaded.ledger,
        token_lengths=_token_lengths(base.path) if base else None,
        limit=_limit(recipe, task, base.path) if base and not task.in_windows(learned) else None,
        measured=_measured(task, learned, loaded.splits),
        seed=recipe.training.seed,
    )
    observer.checked(check, loaded.plan.as_dict(), loaded.ledger.counts())
    return Examples(task, loaded, base, check, learned)


def _limit(recipe: Recipe, task: Task, folder: Path) -> int:
    """Tokens that the model sees of a text: what was asked for, but never more than it can read."""
    wanted = recipe.model.max_length or task.max_length
    return min(wanted, longest_read(folder) or wanted)


def _as_text(task: Task, records: Records) -> Records:
    """The records as the data check sees them: one text each and, where the task has such, the label or labels, or what is marked."""
    only = [field.name for field in task.inputs if field.name in records.columns]
    texts = records.columns[only[0]] if len(only) == 1 and task.fields[only[0]].type == "text" else [task.plain(r) for r in records]
    # A choice among a row's own options is no class: "0" means another thing in every row.
    choices = (field.name for field in task.outputs if field.type == "choice" and not field.varied)
    choice = next((name for name in choices if name in records.columns), None)
    label = {"label": records.columns[choice]} if choice else {}
    return Records({"text": texts, **label, **_marks(task, records), **_told_apart(task, records)}, records.rows, records.source)


def _marks(task: Task, records: Records) -> dict[str, list[list[str]]]:
    """The kinds of what is marked in each text, where the task marks something of a kind (an answer is of none)."""
    fields = (field.name for field in task.outputs if field.type == "spans" and field.name in records.columns)
    kinds = {MARKS: [[span["label"] for span in row or () if "label" in span] for name in fields for row in records.columns[name]]}
    return kinds if any(kinds[MARKS]) else {}


def _told_apart(task: Task, records: Records) -> dict[str, list[Any]]:
    """By what near-duplicates are told where rows share a text on purpose: two questions about one text are no duplicates."""
    there = [field for field in task.inputs if field.type == "text" and field.name in records.columns]
    own, shared = ([field.name for field in there if field.shared is common] for common in (False, True))
    if not own or not shared:
        return {}
    sides = [["\n".join(str(record[name] or "") for name in names) for record in records] for names in (own, shared)]
    return {checking.SEARCHED: [told_apart(*texts) for texts in zip(*sides, strict=True)]}


def _measured(task: Task, learned: Spec, splits: Mapping[str, Records]) -> list[str] | None:
    """What the check counts the tokens of, where that is more than it looks at (questions with their answers)."""
    if type(task).measured is Task.measured:
        return None
    return [task.measured(record, learned) for records in splits.values() for record in records]


def _base(
    recipe: Recipe, task: Task, learned: Spec, seen: Records, records: Records, observer: Observer, *, needed: bool
) -> hub.BaseModel | None:
    settings = recipe.model
    if settings.model.startswith(blank.PREFIX):
        name = settings.model.removeprefix(blank.PREFIX)
        return blank.make_blank(name, list(task.texts(records)), seed=recipe.training.seed) if needed else None
    gpu = _gpu_memory(recipe.training) if needed else None
    try:
        base = hub.resolve(
            settings.model,
            revision=settings.revision,
            offline=settings.offline or not needed,
            language=language.language_of(seen.columns["text"]),
            writes=_written(task, records),
            classes=task.head(learned).classes if task.trainable else (),
            method=recipe.training.method,
            trust_remote_code=settings.trust_remote_code,
            memory_bytes=gpu,
            gpu=gpu is not None,
            observer=observer if needed else SILENT,
        )
    except (NetworkError, ModelError):
        if needed:
            raise
        return None
    if needed:
        observer.note(_("Base model: {id}: {why}").format(id=base.id, why=base.why))
    return base


def _written(task: Task, records: Records) -> str:
    """The language that the task writes, "" where it writes none: a base model must know both."""
    targets = [text for record in islice(records, WRITTEN_ROWS) for text in task.targets(record)]
    return language.language_of(targets) if targets else ""


def _gpu_memory(settings: TrainingSettings) -> int | None:
    """Bytes of the GPU that will train, None where something else will."""
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory) if machine_for(settings).device == "cuda" else None


def _token_lengths(folder: Path) -> Callable[[Sequence[str]], list[int]] | None:
    """Counts tokens with the folder's own tokenizer, without torch; None where it has no fast one."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def lengths(texts: Sequence[str]) -> list[int]:
        counts: list[int] = []
        for at in range(0, len(texts), 4096):  # bounded: an encoding is far larger than its text
            counts += map(len, tokenizer.encode_batch_fast(list(texts[at : at + 4096])))
        return counts

    return lengths
