"""Tells a run from a pretrained model, and which tasks a model fits: from its config or its row in the table, without weights or torch."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import tasks
from weitiao.data.hub_cache import is_hub_name
from weitiao.engine.heads import kind_of, kind_of_config, made_for
from weitiao.errors import RunError, WeitiaoError
from weitiao.messages import _
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

if TYPE_CHECKING:
    from weitiao.engine.base_models import Choice


def open_run(path: str | Path, *, offline: bool = False) -> RunFolder:
    """A run's folder; a run that was published is fetched by its name on the hub, OWNER/NAME, unless ``offline``.

    Raises:
        RunError: there is none; the message for a pretrained model says how to use that.
    """
    folder = RunFolder(path)
    if folder.record_file.is_file():
        return RunFolder.open(path)
    if (folder.path / "config.json").is_file():
        raise RunError(_explained(folder.path))
    if not folder.path.exists():
        _refuse_base(str(path))
    hints = []
    if _could_be_published(str(path)):
        from weitiao.engine.endpoint import endpoint_shown  # with all that fetches models
        from weitiao.engine.published import published_run
        from weitiao.engine.refusals import Refused

        try:
            return published_run(str(path), offline=offline)
        except Refused as refused:
            if refused.cause:
                message = _("Nor is there a run of that name on {hub}: {cause}.")
                hints.append(message.format(hub=endpoint_shown(), cause=refused.cause))
    try:
        return RunFolder.open(path)
    except RunError as error:
        hints.append(_("For a pretrained model say what it is to do, for example: --task {task}").format(task="fill-mask"))
        raise RunError(" ".join([str(error), *hints]) if not folder.path.exists() else str(error)) from error


def offline_tasks() -> list[str]:
    """Names of the tasks that a packaged base, an encoder without a head, does as it is."""
    return fitting_tasks({"architectures": ["BertModel"]})


def _refuse_base(name: str) -> None:
    """Raises RunError for the name of a packaged base, which is a model and no run."""
    from weitiao.engine import offline_base  # with what reads model folders

    if not offline_base.is_offline(name):
        return
    message = _(
        "{name} is a packaged base model and no run: it has no head. As it is it does {tasks}; add --task {task}. For anything else train "
        "it and give the run: weitiao train DATA --model {name} --out runs/mine"
    )
    does = offline_tasks()
    raise RunError(message.format(name=name, tasks=_(", ").join(does), task=does[0]))


def _could_be_published(name: str) -> bool:
    """Whether a name could be of a run on a hub: OWNER/NAME, where no folder OWNER is here, for then a path is meant."""
    path = Path(name)
    return "/" in name and is_hub_name(name) and not path.exists() and not path.parent.is_dir()


def fitting_tasks(config: Mapping[str, Any]) -> list[str]:
    """Names of the tasks that a model with this config was trained for.

    >>> config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "bad", "1": "good"}}
    >>> "text-classification" in fitting_tasks(config), "question-answering" in fitting_tasks(config)
    (True, False)
    """
    return [name for name, task in tasks.all_tasks().items() if _can(task, config)]


def tasks_of(choice: "Choice") -> list[str]:
    """Names of the tasks that an entry of the table is for: what it can do as it is, and what it can be trained to do.

    >>> from weitiao.engine.base_models import DECODERS
    >>> tasks_of(DECODERS[0])
    ['text-generation']
    """
    fits = {name: task for name, task in tasks.all_tasks().items() if _speaks_for(task, choice)}
    config = {
        "architectures": [choice.architecture],
        "is_encoder_decoder": choice.kind == "encoder-decoder",
        "id2label": {str(at): label for at, label in enumerate(choice.labels)},
    }
    ready = [name for name in fitting_tasks(config) if name in fits]
    if choice.labels:
        return ready
    return [name for name, task in fits.items() if name in ready or can_learn(task, choice)]


def classes_of(task: Task) -> tuple[str, ...]:
    """The Auto classes of a task's head, as far as they are known before any data is read; () for a task that is not trained."""
    return task.head({}).classes if task.trainable else ()


def _can(task: Task, config: Mapping[str, Any]) -> bool:
    """Whether a model with this config has the head that the task needs."""
    try:
        spec = task.spec_from(config, _some_settings(task))
        classes = task.head(spec).classes
        wanted = task.model_config(spec).get("num_labels")
    except WeitiaoError:
        return False
    if kind_of(classes) != kind_of_config(config):
        return False
    labels = len(config.get("id2label") or ())
    # A classifier can stand in for another head, but only with as many outputs.
    classes = classes[:1] if wanted and labels and wanted != labels else classes
    return any(made_for(str(architecture), classes) for architecture in config.get("architectures") or ())


def can_learn(task: Task, choice: "Choice") -> bool:
    """Whether an entry of the table is of the kind that a task can be trained on."""
    return task.trainable and kind_of(classes_of(task)) == choice.kind and _speaks_for(task, choice)


def _speaks_for(task: Task, choice: "Choice") -> bool:
    """Whether a task wants what an entry writes: a model that turns one language into another is of use to nobody else."""
    return task.translates or not choice.writes


def _some_settings(task: Task) -> Any:
    """A task's own settings with something in every list: a list of labels to choose from may not be empty, whatever they are."""
    kind = tasks.settings_of(task)
    lists = [field.name for field in dataclasses.fields(kind) if field.default == () and not field.metadata["column"]]
    return kind(**dict.fromkeys(lists, ("a", "b")))


def _explained(path: Path) -> str:
    """What to do with a model's folder."""
    from weitiao.engine.pretrained import read_config  # with all that fetches models

    run = path.parent
    if RunFolder(run).record_file.is_file():
        return _("{path} is the model inside a run. Give the run: {run}").format(path=path, run=run)
    config = read_config(path)
    fitting = fitting_tasks(config)
    if fitting:
        message = _("{path} is a pretrained model and no run, so say what it is to do. It fits: {tasks}. Add, for example: --task {task}")
        return message.format(path=path, tasks=_(", ").join(fitting), task=fitting[0])
    message = _(
        "{path} is a pretrained model ({architecture}) and no run. Add --task and one of {tasks}; where its head was not trained for "
        "any, fine-tune it first: weitiao train DATA --model {path}"
    )
    architecture = _(", ").join(map(str, config.get("architectures") or [config.get("model_type") or "?"]))
    return message.format(path=path, architecture=architecture, tasks=_(", ").join(tasks.all_tasks()))
