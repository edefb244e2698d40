"""Tells a run from a pretrained model, and which tasks a model can do as it is: from its config alone, without weights or torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao import tasks
from weitiao.engine.pretrained import read_config
from weitiao.errors import RunError, WeitiaoError
from weitiao.messages import _
from weitiao.runs import RunFolder

# What a config's architecture ends with for an Auto class, where that is not the class's own name without "AutoModel".
ENDINGS = {
    "AutoModel": ("Model",),
    "AutoModelForCausalLM": ("ForCausalLM", "LMHeadModel"),
    "AutoModelForMaskedLM": ("ForMaskedLM", "ForPreTraining", "WithLMHeadModel"),
    "AutoModelForSeq2SeqLM": ("ForConditionalGeneration", "MarianMTModel"),
}


def open_run(path: str | Path) -> RunFolder:
    """A run's folder. Raises RunError where there is none; one for a pretrained model says how to use that."""
    folder = RunFolder(path)
    if folder.record_file.is_file():
        return RunFolder.open(path)
    if (folder.path / "config.json").is_file():
        raise RunError(_explained(folder.path))
    try:
        return RunFolder.open(path)
    except RunError as error:
        hint = _("For a pretrained model say what it is to do, for example: --task {task}").format(task="fill-mask")
        raise RunError(f"{error} {hint}" if not folder.path.exists() else str(error)) from error


def fitting_tasks(config: Mapping[str, Any]) -> list[str]:
    """Names of the tasks that a model with this config was trained for.

    >>> config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "bad", "1": "good"}}
    >>> "text-classification" in fitting_tasks(config), "question-answering" in fitting_tasks(config)
    (True, False)
    """
    architectures = [str(name) for name in config.get("architectures") or ()]
    fitting = []
    for name, task in tasks.all_tasks().items():
        try:
            classes = task.head(task.spec_from(config, tasks.settings_of(task)())).classes
        except WeitiaoError:
            continue
        if any(_made_for(architecture, wanted) for architecture in architectures for wanted in classes):
            fitting.append(name)
    return fitting


def _made_for(architecture: str, wanted: str) -> bool:
    if wanted == "AutoModel" and "LMHead" in architecture:
        return False
    return architecture.endswith(ENDINGS.get(wanted, (wanted.removeprefix("AutoModel"),)))


def _explained(path: Path) -> str:
    """What to do with a model's folder."""
    run = path.parent
    if RunFolder(run).record_file.is_file():
        return _("{path} is the model inside a run. Give the run: {run}").format(path=path, run=run)
    config = read_config(path)
    fitting = fitting_tasks(config)
    if fitting:
        message = _("{path} is a pretrained model and no run, so say what it is to do. It fits: {tasks}. Add, for example: --task {task}")
        return message.format(path=path, tasks=", ".join(fitting), task=fitting[0])
    message = _(
        "{path} is a pretrained model ({architecture}) and no run. Add --task and one of {tasks}; where its head was not trained for "
        "any, fine-tune it first: weitiao train DATA --model {path}"
    )
    architecture = ", ".join(map(str, config.get("architectures") or [config.get("model_type") or "?"]))
    return message.format(path=path, architecture=architecture, tasks=", ".join(tasks.all_tasks()))
