"""Every setting, once: its name, type, unit, bounds and help. The command line, the YAML file, the Python call and run.json are all
made from these declarations; to add a flag, add a field. Settings hold no runtime state and know nothing of data or models.
"""

import dataclasses
import difflib
import json
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from weitiao.errors import UsageError
from weitiao.messages import N_, _
from weitiao.other_tools import ours
from weitiao.task_files import is_task_file

MASK_SHARE = 0.15  # of the words that are hidden, so that they are found again (Devlin et al., 2019); of T5's tokens as many


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    short: str = "",
    hidden: bool = False,
    column: bool = False,
    or_zero: bool = False,
) -> Any:
    """A settings field: its default, its help (marked for translation), bounds or choices, a short flag, whether it names columns, and
    whether 0 is allowed below its bounds.
    """
    about = {"help": help, "low": low, "high": high, "choices": choices, "short": short, "hidden": hidden, "column": column}
    about["or_zero"] = or_zero
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class DataSettings:
    """Where the examples are and how they are read."""

    valid: str = setting("0.1", N_("Validation data: a file, or the share of the rows to hold out (0.1 = 10%)."))
    test: str = setting("0.1", N_("Test data: a file, or the share of the rows to hold out (0 = none)."))
    text_separator: str = setting("", N_("What joins several text columns (a line break; two are a pair where the task reads pairs)."))
    encoding: str = setting("", N_("Encoding of the file (recognised by itself: UTF-8, UTF-16, GB18030)."))
    delimiter: str = setting("", N_("Delimiter of the CSV file (recognised by itself)."))
    max_bad_rows: int = setting(0, N_("How many unreadable rows may be left out; each is listed in the ledger."), low=0)
    drop_duplicates: bool = setting(False, N_("Remove exact duplicates and training rows that also stand in validation or test."))


@dataclass(frozen=True)
class ModelSettings:
    """Which pretrained model, and how much of a text it sees."""

    task: str = setting("text-classification", N_("What to learn: a task, or a task file of your own (.py)."))
    model: str = setting(
        "auto", N_("Base model: a folder, a hub id, offline (packaged), auto (chosen by language and machine) or blank:ARCHITECTURE.")
    )
    revision: str = setting("", N_("Branch, tag or commit of the base model on the hub."))
    max_length: int = setting(
        0,
        N_("Longest text in tokens; the rest is cut off and counted (0 = what the task is used with)."),
        low=4,
        high=1_000_000,
        or_zero=True,
    )
    offline: bool = setting(False, N_("Open no socket: use only what is on this machine."))
    trust_remote_code: str = setting("", N_("Run the code of this one repository (its hub id). Read it first."))


@dataclass(frozen=True)
class TrainingSettings:
    """The optimisation. Every field says its unit."""

    method: str = setting(
        "full",
        N_(
            "How to fine-tune: full trains every weight; lora small matrices beside them; qlora the same on a base of 4 or 8 bits; head "
            "the new head alone."
        ),
        choices=("full", "lora", "qlora", "head"),
    )
    epochs: int = setting(3, N_("Passes over the training rows."), low=1, high=10_000)
    batch_size: int = setting(32, N_("Rows an optimizer step."), low=1, high=100_000)
    lr: float = setting(
        0.0,
        N_("Peak learning rate (0 = what suits: full 5e-5, zh-mini 2e-4, lora and qlora 5e-4, head 1e-3, a blank model 1e-3)."),
        low=1e-9,
        high=10.0,
        or_zero=True,
    )
    weight_decay: float = setting(0.01, N_("Weight decay; biases and norms are left out."), low=0.0, high=1.0)
    warmup: float = setting(0.06, N_("Share of the steps over which the learning rate rises."), low=0.0, high=1.0)
    schedule: str = setting("linear", N_("How the learning rate falls after it."), choices=("linear", "cosine", "constant"))
    max_grad_norm: float = setting(1.0, N_("Gradients are clipped to this norm (0 = never)."), low=0.0, high=1e6)
    label_smoothing: float = setting(0.0, N_("Probability mass spread over the other labels."), low=0.0, high=0.9)
    class_weights: str = setting("none", N_("Weigh rare classes up in the loss."), choices=("none", "balanced"))
    patience: int = setting(0, N_("Stop after this many evaluations without a better one (0 = never)."), low=0)
    seed: int = setting(42, N_("Seed of the split, the order, the new head and dropout."), low=0, high=2**32 - 1)
    precision: str = setting("auto", N_("Number format of the forward pass."), choices=("auto", "fp32", "bf16", "fp16"))
    device: str = setting("auto", N_("Where to compute."), choices=("auto", "cpu", "cuda", "mps"))
    gradient_checkpointing: bool = setting(False, N_("Trade time for memory: recompute activations in the backward pass."))
    token_budget: int = setting(
        0, N_("Most tokens in one micro-batch (0 = the whole batch, lowered by itself when memory runs out)."), low=0
    )
    threads: int = setting(0, N_("CPU threads (0 = one a physical core)."), low=0, high=1024)
    save_every: int = setting(0, N_("Steps between checkpoints (0 = after every epoch)."), low=0)
    track: str = setting("", N_("Also log to an experiment tracker that Accelerate knows (tensorboard, wandb, ...)."))

    @property
    def peak_lr(self) -> float:
        """The peak learning rate in force: the one that was set, or what suits the method."""
        return self.lr or LEARNING_RATES[self.method]


ADAPTED = ("lora", "qlora")  # methods that put matrices beside the base's weights
# Fewer weights that start further from where they should be take larger steps: Hu et al. (2022) train LoRA at 5e-4.
LEARNING_RATES = {"full": 5e-5, "lora": 5e-4, "qlora": 5e-4, "head": 1e-3}
BLANK_LEARNING_RATE = 1e-3  # random weights have all of their way to go


@dataclass(frozen=True)
class AdapterSettings:
    """What ``--method lora`` and ``qlora`` put beside the base's weights (Hu et al., 2022; Dettmers et al., 2023)."""

    lora_rank: int = setting(8, N_("LoRA: rank of the matrices."), low=1, high=4096)
    lora_alpha: float = setting(16.0, N_("LoRA: their product is scaled by this over the rank."), low=0.01, high=100_000)
    lora_dropout: float = setting(0.05, N_("LoRA: dropout before the matrices."), low=0.0, high=0.9)
    lora_layers: str = setting(
        "all",
        N_("LoRA: which of the layers get them; the top ones train faster, since the others run once a row where memory allows."),
        choices=("all", "top-75%", "top-50%", "top-25%"),
    )
    quant_bits: str = setting("4", N_("QLoRA: bits of each weight of the frozen base."), choices=("4", "8"))

    @property
    def share(self) -> float:
        """Share of the layers that get matrices, from the top."""
        return 1.0 if self.lora_layers == "all" else int(self.lora_layers.removeprefix("top-").removesuffix("%")) / 100


@dataclass(frozen=True)
class OutputSettings:
    """Where the run goes."""

    out: str = setting("", N_("Folder of the run (runs/NAME by default)."), short="-o")
    overwrite: bool = setting(False, N_("Replace the run that stands there."))


GROUPS: dict[str, type] = {
    "data": DataSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
    "adapter": AdapterSettings,
    "output": OutputSettings,
}


@dataclass(frozen=True)
class TaskSettings:
    """What only one task asks for: its columns and its options. Every task has its own, made from its declaration (``tasks.recipe``)."""


@dataclass(frozen=True)
class Recipe:
    """All settings of a training run, in their groups; flat in files and on the command line.

    >>> Recipe.of({"epochs": 2}).training.epochs
    2
    >>> Recipe.of({"epohcs": 2})
    Traceback (most recent call last):
    weitiao.errors.UsageError: There is no setting "epohcs". Did you mean "epochs"?
    """

    source: str = ""
    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    task: Any = field(default_factory=TaskSettings)

    @classmethod
    def of(cls, values: Mapping[str, Any], task: type = TaskSettings) -> "Recipe":
        """A recipe from flat names; the training data's own name is ``data``. Unknown names and impossible values raise UsageError.

        Args:
            values: settings by name.
            task: the task's own settings, a frozen dataclass of ``setting`` fields.
        """
        kinds = {**GROUPS, "task": task}
        known = setting_fields(task)
        for name in values:
            if name != "data" and name not in known:
                raise UsageError(_('There is no setting "{name}".').format(name=name) + _meant(name, [*known, "data"]))
        groups = {
            group: kind(**{f.name: _checked(f, values[f.name], get_type_hints(kind)[f.name]) for f in fields(kind) if f.name in values})
            for group, kind in kinds.items()
        }
        return cls(source=str(values.get("data") or ""), **groups)

    def flat(self) -> dict[str, Any]:
        """Flat, JSON-ready and complete: ``Recipe.of(recipe.flat(), type(recipe.task)) == recipe``."""
        flat: dict[str, Any] = {"data": self.source}
        for group in (*GROUPS, "task"):
            flat |= {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(getattr(self, group)).items()}
        return flat


@dataclass(frozen=True)
class ServerSettings:
    """How a server runs, see ``deploy.server``. They are of no training, so no recipe holds them."""

    host: str = setting("127.0.0.1", N_("Address to listen on (127.0.0.1 = this machine alone; 0.0.0.0 = every network it is in)."))
    port: int = setting(8000, N_("Port to listen on (8000; 0 = any that is free)."), low=0, high=65535)
    api_key_env: str = setting("", N_("Name of the environment variable that holds the key which requests must bring."))
    workers: int = setting(
        0, N_("Processes that hold the models and share the cores (0 = up to 4, as cores and memory allow; 1 on a GPU)."), low=0, high=256
    )
    queue: int = setting(512, N_("Records that may wait; more are answered with 429 at once (512)."), low=1, high=1_000_000)
    timeout: float = setting(30.0, N_("Seconds within which a request is answered, or answered with 504 (30)."), low=0.01, high=86_400.0)
    max_body: int = setting(2 * 2**20, N_("Bytes of a request; larger ones are answered with 413 (2097152)."), low=1024, high=2**30)
    log_texts: bool = setting(False, N_("Write what is asked into the log. Without it no text of a request is."))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "ServerSettings":
        """The settings with the given values. Raises UsageError for an unknown name or an impossible value."""
        return cls(**_judged(cls, values))


@dataclass(frozen=True)
class TokenizerSettings:
    """How a tokenizer is trained, see ``tokenizing``. They are of no training of a model, so no recipe holds them."""

    kind: str = setting(
        "auto",
        N_(
            "How it spells: wordpiece as BERT, byte-bpe as RoBERTa, bpe as Llama 2, unigram as T5, char one character each; auto = as the "
            "family does, wordpiece without one."
        ),
        choices=("auto", "wordpiece", "bpe", "byte-bpe", "unigram", "char"),
    )
    family: str = setting(
        "auto",
        N_(
            "For which models: bert, modernbert, roberta, gpt2, llama, qwen, t5, ...: it has their special tokens where they put them; "
            "auto = the ones named beside the kind."
        ),
    )
    vocab_size: int = setting(16_000, N_("Most entries of the vocabulary (16000)."), low=10, high=10_000_000)
    lowercase: bool = setting(False, N_("No capitals and no accents (wordpiece and char)."))
    coverage: float = setting(
        0.9995,
        N_("Share of all characters of the text that the vocabulary spells (0.9995); the rarest are unknown, or spelled in bytes."),
        low=0.5,
        high=1.0,
    )
    model_max_length: int = setting(512, N_("Longest text in tokens of the models it is for (512)."), low=4, high=10_000_000)
    text_column: str = setting("", N_("Column of the texts in tables (text, or the only one there is); several, as a,b, are joined."))
    document: str = setting(
        "line",
        N_("What of a text file is one document (line): a line, a paragraph between empty lines, or the whole file."),
        choices=("line", "paragraph", "file"),
    )
    raw: bool = setting(False, N_("Take the corpus as it is: leave in repeats, near-repeats, and lines that are mostly markup."))
    characters: int = setting(
        0,
        N_(
            "Train on so many characters at most, taken evenly from the corpus (0 = of bpe and byte-bpe 5 million, of unigram 2, else all)."
        ),
        low=0,
    )
    held_out: float = setting(0.05, N_("Share of the documents that only the report is measured on (0.05)."), low=0.0, high=0.9)
    encoding: str = setting("", N_("Encoding of the file (recognised by itself: UTF-8, UTF-16, GB18030)."))
    max_bad_rows: int = setting(0, N_("How many unreadable rows may be left out; each is listed in the ledger."), low=0)
    seed: int = setting(42, N_("Seed of the share that is held out."), low=0, high=2**32 - 1)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "TokenizerSettings":
        """The settings with the given values. Raises UsageError for an unknown name or an impossible value."""
        return cls(**_judged(cls, values))


def _judged(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    known, hints = {f.name: f for f in fields(kind)}, get_type_hints(kind)
    for name in values:
        if name not in known:
            raise UsageError(_('There is no setting "{name}".').format(name=name) + nearest(name, list(known)))
    return {name: _checked(known[name], value, hints[name]) for name, value in values.items()}


def setting_fields(task: type = TaskSettings) -> dict[str, "dataclasses.Field[Any]"]:
    """Every setting by its flat name, those of a task included."""
    return {f.name: f for kind in (*GROUPS.values(), task) for f in fields(kind)}


def _meant(name: str, known: list[str]) -> str:
    """What follows an unknown setting: ours, where another tool's is given, else the nearest."""
    word = ours(name)
    return " " + _('Did you mean "{name}"?').format(name=word) if word in known else nearest(name, known)


def nearest(name: str, known: list[str]) -> str:
    """' Did you mean "epochs"?', or '' when nothing is near: what follows an unknown name in a message."""
    folded = {k.lower(): k for k in known}
    near = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    return " " + _('Did you mean "{name}"?').format(name=folded[near[0]]) if near else ""


def read_config(path: str | Path) -> dict[str, Any]:
    """Flat settings from a YAML file, or from the run.json of an earlier run (its ``settings``)."""
    import yaml

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(_("The config file {path} cannot be read: {error}.").format(path=path, error=error)) from error
    try:
        # JSON first: YAML 1.1 would read run.json's 5e-05 as a word.
        values = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text) or {}
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError(_("The config file {path} is not valid: {error}.").format(path=path, error=error)) from error
    if isinstance(values, dict) and isinstance(values.get("settings"), dict):
        values = values["settings"]
        if is_task_file(str(values.get("task"))):  # a run keeps its task file beside its record
            values = {**values, "task": str(path.parent / values["task"])}
    if not isinstance(values, dict):
        raise UsageError(_("The config file {path} must hold names and values, such as «epochs: 3».").format(path=path))
    return {str(k).replace("-", "_"): v for k, v in values.items()}


def _checked(field_: "dataclasses.Field[Any]", value: Any, hint: Any) -> Any:
    """``value`` as the field's type and within its bounds, or a UsageError that names both."""
    flag = "--" + field_.name.replace("_", "-")
    kind = get_args(hint)[0] if isinstance(hint, types.UnionType) else get_origin(hint) or hint
    try:
        converted = _converted(value, kind)
    except (TypeError, ValueError) as error:
        kinds = {int: _("a whole number"), float: _("a number"), bool: _("true or false"), str: _("a text"), tuple: _("a list")}
        message = _("{flag} is {value!r}; it must be {kind}.").format(flag=flag, value=value, kind=kinds[kind])
        raise UsageError(message) from error
    low, high, choices = field_.metadata["low"], field_.metadata["high"], field_.metadata["choices"]
    if choices and converted not in choices:
        message = _("{flag} is {value!r}; it must be one of {choices}.").format(flag=flag, value=value, choices=_(", ").join(choices))
        raise UsageError(message + nearest(str(value), list(choices)))
    if field_.metadata["or_zero"] and converted == 0:
        return converted
    if (low is not None and converted < low) or (high is not None and converted > high):
        bounds = _("at least {low}").format(low=low) if high is None else _("between {low} and {high}").format(low=low, high=high)
        if field_.metadata["or_zero"]:
            bounds = _("0, or {bounds}").format(bounds=bounds)
        message = _("{flag} is {value}; it must be {bounds}. The default is {default}.")
        raise UsageError(message.format(flag=flag, value=value, bounds=bounds, default=field_.default))
    return converted


def _converted(value: Any, kind: type) -> Any:
    if kind is tuple:
        parts = value.split(",") if isinstance(value, str) else list(value)
        return tuple(str(part).strip() for part in parts if str(part).strip())
    if kind is bool:
        if isinstance(value, bool):
            return value
        return {"true": True, "false": False}[str(value).lower()] if str(value).lower() in ("true", "false") else _refuse(value)
    if isinstance(value, bool) or (kind is int and isinstance(value, float) and value != int(value)):
        return _refuse(value)
    if kind is str:
        return str(value) if isinstance(value, (str, int, float)) else _refuse(value)
    number = kind(value)
    return number if math.isfinite(number) else _refuse(value)


def _refuse(value: Any) -> Any:
    raise ValueError(value)
