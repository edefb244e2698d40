"""What a pretraining cannot do, said before its corpus is read: that may take hours. It knows settings, configs and tokenizers; no weights
and no text.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

from weitiao.config import Recipe
from weitiao.engine.pretraining.objectives import Kind, kind_for
from weitiao.errors import UsageError
from weitiao.messages import _


def check_used(recipe: Recipe) -> None:
    """Insist that a size of the vocabulary is given only where a tokenizer is trained. Raises UsageError."""
    task = recipe.task
    if (task.config and not task.tokenizer) or task.vocab_size == _default(task, "vocab_size"):
        return
    owner = "--tokenizer" if task.tokenizer else recipe.model.model
    message = _(
        "--vocab-size {count} would change nothing: it is for a tokenizer that is trained here, and {owner} has its own. Leave it out."
    )
    raise UsageError(message.format(count=task.vocab_size, owner=owner))


def check_honoured(kind: Kind, recipe: Recipe) -> None:
    """Raises UsageError for a setting that was changed and that the objective does not listen to."""
    for name in ("mask_share", "generator_width"):
        value = getattr(recipe.task, name)
        if name not in kind.honours and value != _default(recipe.task, name):
            message = _("--{flag} {value} would change nothing: --objective {objective} has no use for it. Leave it out.")
            raise UsageError(message.format(flag=name.replace("_", "-"), value=value, objective=kind.name))


def check_model(kind: Kind, folder: Path, tokenizer: Any, recipe: Recipe, name: str) -> None:
    """Insist that a model can learn what it is to learn, from blocks of the size that is asked for.

    Args:
        folder: with its config.json; weights need not be there.
        tokenizer: of transformers.
        name: what messages call the model.

    Raises:
        ModelError: it has no such head, or its tokenizer lacks what the objective needs.
        UsageError: the blocks are longer than what it reads.
    """
    from transformers import AutoConfig

    from weitiao.engine import models

    trusted = bool(recipe.model.trust_remote_code)
    with models.quiet(), models.model_errors(folder):
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=trusted, local_files_only=True)
    own = kind_for("auto", folder, trust_remote_code=trusted)
    advice = _("Begin with another model: --config {example}, or --from one of that kind.").format(example=kind.example)
    if own is not kind:
        advice = _("This model was made for --objective {own}. {others}").format(own=own.name, others=advice)
    models.class_for(folder, kind.classes, trust_remote_code=trusted, advice=advice)
    kind.check(config.model_type, tokenizer)
    limit, size = models.limit_of(config, tokenizer), recipe.task.block_size
    if limit and limit < size:
        message = _("--block-size {size} is more than {model} reads: at most {limit} tokens.")
        raise UsageError(message.format(size=size, model=name, limit=limit))


def _default(settings: Any, name: str) -> Any:
    return next(field.default for field in fields(settings) if field.name == name)
