"""A model folder in use, without a training: a pretrained model as it came, or one under a task's head. It loads at the first answer."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from weitiao.config import Recipe, TrainingSettings
from weitiao.engine import hub
from weitiao.engine.architectures import PREFIX, refuse_blank
from weitiao.engine.heads import BLANKS, kind_of, kind_of_config
from weitiao.engine.model_folder import few
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.tasks.base import Spec, Task

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor


class AsItCame(NamedTuple):
    """A pretrained model that nobody here has trained, in the words of whoever wants it.

    Attributes:
        model, task: as they were named.
        can_learn: whether it is of the kind that the task is trained on.
        blank: the blank model of that kind, where the model is the packaged base; "" for others, whose owners have a network.
    """

    model: str
    task: str
    can_learn: bool = True
    blank: str = ""

    @property
    def advice(self) -> str:
        """What to do where it has not learned the task."""
        message = _("Fine-tune it first: weitiao train DATA --task {task} --model {model}; or choose a model that was trained for it.")
        if not self.can_learn:
            message = _("Choose a model of another kind, which can: weitiao models --task {task}")
        if not self.can_learn and self.blank:
            message = _(
                "None is packaged that can. Choose one from weitiao models --task {task}, or, without a network, train one from nothing "
                "and use the run: weitiao train DATA --task {task} --model {blank}"
            )
        return message.format(**self._asdict())


def pretrained(task: Task, recipe: Recipe) -> "tuple[Spec, Callable[[Spec], Predictor]]":
    """A pretrained model under a task: its spec, and what loads it.

    Raises:
        ModelError: it has not learned the task, as far as its config says.
        UsageError: the task's own settings lack something; or the model is yet to be made.
    """
    from weitiao.engine.fitting import offline_tasks  # it reads configs with this module

    settings = recipe.model
    refuse_blank(settings.model, settings.task)
    base = hub.resolve(
        settings.model,
        revision=settings.revision,
        offline=settings.offline,
        trust_remote_code=settings.trust_remote_code,
        replaceable=task.name in offline_tasks(),
    )
    config = read_config(base.path)
    kind = kind_of(task.head({}).classes) if task.trainable and not task.origin else "encoder"
    # Other heads than an encoder's each need a kind of their own.
    can_learn = kind in ("encoder", kind_of_config(config))
    as_it_came = AsItCame(settings.model, settings.task, can_learn, PREFIX + BLANKS[kind] if base.source == "offline" else "")
    try:
        spec = task.spec_from(config, recipe.task)
    except ModelError as error:
        raise ModelError(f"{settings.model}: {error.message} {as_it_came.advice}") from error

    def load(spec: Spec) -> "Predictor":
        return load_predictor(
            task,
            spec,
            base.path,
            task.model_config(spec),
            settings.max_length or task.max_length,
            as_it_came=as_it_came,
            trust_remote_code=bool(settings.trust_remote_code),
        )

    return spec, load


def read_config(folder: Path) -> dict[str, Any]:
    """A model folder's config.json, with what beside it says how sentence vectors are made: "sentence_modules", the names of the steps;
    "sentence_pooling", the settings of the one that pools; "sentence_length" in tokens. Raises ModelError for files that cannot be read.
    """
    config: dict[str, Any] = _read_json(folder / "config.json")
    modules = _read_json(folder / "modules.json") if (folder / "modules.json").is_file() else []
    names = {str(module["type"]).rpartition(".")[2]: str(module["path"]) for module in modules}
    pooling = folder / names.get("Pooling", "1_Pooling") / "config.json"
    if names:
        config["sentence_modules"] = list(names)
    if pooling.is_file():
        config["sentence_pooling"] = _read_json(pooling)
    settings = folder / "sentence_bert_config.json"
    length = _read_json(settings).get("max_seq_length") if settings.is_file() else None
    return {**config, "sentence_length": length} if length else config


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = _("{folder} has no readable {file}: it is not a transformers model.")
        raise ModelError(message.format(folder=file.parent.name, file=file.name)) from error


def load_predictor(
    task: Task,
    spec: Spec,
    folder: Path,
    config: Mapping[str, Any],
    max_length: int,
    *,
    as_it_came: AsItCame | None = None,
    trust_remote_code: bool = False,
    bits: int = 0,
    adapter: Path | None = None,
    merged: bool = False,
    dequantised: bool = False,
    packed: bool = True,
    shared: dict[str, Any] | None = None,
) -> "Predictor":
    """A model folder under a task's head, ready to predict.

    Args:
        bits, adapter, packed, shared: see ``models.load_model``.
        merged: make one plain model of base and adapter.
        dequantised: turn quantised weights back into ordinary ones, as merging does, and leave the adapter beside them.
        as_it_came: for a pretrained model, which may have another head; None for what was trained here. Weights that would start at random
            are refused either way, since answers would mean nothing.

    Raises:
        ModelError: it has no such head, lacks weights, or cannot be read.
    """
    from weitiao.engine.devices import machine_for, require_torch

    require_torch()
    from weitiao.engine.adapters import merge_adapter
    from weitiao.engine.laid_out import MULTIPLE, lay_out
    from weitiao.engine.models import load_model
    from weitiao.engine.prediction import predictor_for
    from weitiao.engine.quantising import DEVICES

    machine = machine_for(TrainingSettings(precision="fp32"))
    if bits and machine.device not in DEVICES:
        # What was trained in few bits on the CPU of an Apple machine is used there as well.
        machine = machine_for(TrainingSettings(precision="fp32", device="cpu"))
    head = task.head(spec)
    loaded = load_model(
        folder,
        head.classes,
        config,
        machine,
        trust_remote_code=trust_remote_code,
        bits=bits,
        whole=dequantised or merged,
        packed=packed,
        adapter=adapter,
        shared=shared,
        advice=as_it_came.advice if as_it_came else "",
    )
    if adapter and merged:
        merge_adapter(loaded)
    if as_it_came and loaded.fresh_head:
        message = _("{model} was not trained for {task}: its head ({name}) would start at random.")
        message = message.format(model=as_it_came.model, task=task.name, name=loaded.fresh_head[0])
        raise ModelError(f"{message} {as_it_came.advice}")
    missing = [name for name in loaded.fresh if "position_ids" not in name]
    if missing and not as_it_came:
        message = _("{folder} does not hold what was trained: {names} would start at random. Copy the whole run again, or train anew.")
        raise ModelError(message.format(folder=folder, names=few(missing)))
    spec = task.fit(spec, loaded.processor)
    if lay_out(loaded.network) and loaded.packing:  # once base and adapter are one
        loaded.packing.multiple = MULTIPLE
    return predictor_for(task, spec, loaded, min(max_length, loaded.limit or max_length))
