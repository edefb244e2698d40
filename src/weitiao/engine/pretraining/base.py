"""The model that a pretraining begins with: a blank one, made for this run, or one that has learned something already."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from weitiao.config import Recipe, TokenizerSettings
from weitiao.engine import blank, hub
from weitiao.engine.architectures import PREFIX, Architecture, Size, architecture, size_named
from weitiao.engine.model_folder import weights_sha256
from weitiao.engine.tokenizer_of_corpus import of_corpus
from weitiao.errors import ModelError, UsageError
from weitiao.messages import _
from weitiao.observer import Observer

NONE = "auto"  # the model setting where no model was named
DEFAULT_SIZE = "mini"
WITH_SENTINELS = ("t5", "mt5")
SENTINELS = tuple(f"<extra_id_{number}>" for number in range(100))  # of T5's, in the place of what is to be written


def base_for(recipe: Recipe, texts: Callable[[], Iterable[str]], observer: Observer) -> hub.BaseModel:
    """The model that a recipe names.

    Args:
        texts: gives the corpus, for a tokenizer of its own.

    Raises:
        UsageError: both a blank model and another are named, or none.
        ModelError, NetworkError: the model or the tokenizer cannot be had.
    """
    named, config = recipe.model.model, recipe.task.config
    if (named != NONE) == bool(config):
        message = _(
            "Say what to begin with, and only one: --from MODEL to go on with a model, or --config ARCHITECTURE:SIZE such as bert:mini."
        )
        raise UsageError(message)
    if config and recipe.task.add_tokens:
        raise UsageError(_("--add-tokens is for a model that is there (--from). A blank one gets its words by --vocab-size."))
    if config:
        return _blank(recipe, config, texts, observer)
    if recipe.task.tokenizer:
        message = _("--{flag} is for a blank model; {model} brings its own. Leave it out.")
        raise UsageError(message.format(flag="tokenizer", model=named))
    settings = recipe.model
    return hub.resolve(
        named,
        revision=settings.revision,
        offline=settings.offline,
        trust_remote_code=settings.trust_remote_code,
        replaceable=False,
        observer=observer,
    )


def _blank(recipe: Recipe, config: str, texts: Callable[[], Iterable[str]], observer: Observer) -> hub.BaseModel:
    """A blank model in a folder that goes when the process ends."""
    from weitiao.engine.models import load_tokenizer

    place = Path(tempfile.mkdtemp(prefix="weitiao-blank-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    given, seed = recipe.task.tokenizer, recipe.training.seed
    if given and not Path(given).is_dir():
        raise ModelError(
            _("--tokenizer {folder}: there is no such folder. Make one with: weitiao tokenizer CORPUS --out {folder}").format(folder=given)
        )
    tokenizer: Any = load_tokenizer(Path(given)) if given else None
    if config.endswith(".json") or Path(config).is_dir():
        _by_config(place, config, tokenizer, seed)
    else:
        family, _colon, size_name = config.partition(":")
        chosen, size = architecture(family.removeprefix(PREFIX)), size_named(size_name or DEFAULT_SIZE)
        size = _resized(size, recipe)
        if tokenizer is None:
            tokenizer = _own_tokenizer(recipe, chosen, texts(), size, observer)
        if chosen.model_type in WITH_SENTINELS:
            tokenizer.add_tokens(list(SENTINELS), special_tokens=True)  # those that are there already stay as they are
        blank.write_around(place, chosen, tokenizer, seed=seed, size=size)
    return kept_blank(place, config)


def kept_blank(place: Path, config: str) -> hub.BaseModel:
    """The blank model in a folder.

    Args:
        config: by which it was made; of a file its name.
    """
    named = Path(config).name if config.endswith(".json") or Path(config).is_dir() else config
    return hub.BaseModel(
        PREFIX + named.removeprefix(PREFIX), "blank", place, "", weights_sha256(place), "", _("a blank model with random weights")
    )


def _own_tokenizer(recipe: Recipe, chosen: Architecture, texts: Iterable[str], size: Size, observer: Observer) -> Any:
    """A tokenizer trained on the corpus without what is held out. Raises UsageError where the vocabulary has no room for the characters."""
    tokens = replace(chosen.tokens, sentinels=len(SENTINELS)) if chosen.model_type in WITH_SENTINELS else chosen.tokens
    settings = {"vocab_size": size.vocabulary, "held_out": recipe.task.held_out, "seed": recipe.training.seed}
    made = of_corpus(texts, tokens, TokenizerSettings.of(settings), observer)
    return blank.wrapped(chosen, made.tokenizer, size)


def _resized(size: Size, recipe: Recipe) -> Size:
    """The size with the vocabulary and the positions that the settings ask for."""
    return replace(size, vocabulary=recipe.task.vocab_size, positions=max(size.positions, recipe.task.block_size))


def _by_config(place: Path, config: str, tokenizer: Any, seed: int) -> None:
    import transformers

    if tokenizer is None:
        raise UsageError(
            _("--config {config} needs a --tokenizer beside it. Make one with: weitiao tokenizer CORPUS --out DIR").format(config=config)
        )
    try:
        values = transformers.AutoConfig.from_pretrained(config, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(_("--config {config} cannot be read: {error}").format(config=config, error=error)) from error
    values.vocab_size = len(tokenizer)
    for role in ("pad", "bos", "eos"):
        number = getattr(tokenizer, f"{role}_token_id", None)
        if number is not None:
            setattr(values, f"{role}_token_id", number)
    try:
        blank.write_weights(place, values, tokenizer, seed)
    except (ValueError, KeyError, ImportError, RuntimeError, AttributeError, TypeError) as error:  # as its values are
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise ModelError(
            _("--config {config} describes no model that can be made: {error}.").format(config=config, error=reason)
        ) from error
