"""The model that a pretraining begins with: a blank one, made for this run, or one that has learned something already."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from weitiao import trust
from weitiao.config import Recipe, TokenizerSettings
from weitiao.engine import blank, hub, offline_base
from weitiao.engine.architectures import PREFIX, SENTINELS, WITH_SENTINELS, Architecture, Size, architecture, size_named
from weitiao.engine.model_folder import check_own_code, file_sha256, remote_code, weights_sha256
from weitiao.engine.tokenizer_of_corpus import of_corpus
from weitiao.errors import ModelError, RunError, UsageError
from weitiao.messages import _
from weitiao.observer import Observer

NONE = "auto"  # the model setting where no model was named
DEFAULT_SIZE = "mini"
CONFIG = "config.json"


def base_for(
    recipe: Recipe,
    texts: Callable[[], Iterable[str]],
    place: Path,
    observer: Observer,
    *,
    language: Callable[[], str] = lambda: "",
) -> hub.BaseModel:
    """The model that a recipe names.

    Args:
        texts: gives the corpus, for a tokenizer of its own.
        place: the folder that a blank model is written to.
        language: tells that of the corpus, "" where nobody knows; asked only where it decides which packaged base is taken.

    Raises:
        UsageError: both a blank model and another are named, or none.
        ModelError, NetworkError: the model or the tokenizer cannot be had.
    """
    named, config = recipe.model.model, recipe.task.config
    check_named(recipe)
    if config:
        return _blank(recipe, config, texts, place, observer)
    if recipe.task.tokenizer:
        message = _("--{flag} is for a blank model; {model} brings its own. Leave it out.")
        raise UsageError(message.format(flag="tokenizer", model=named))
    settings = recipe.model
    found = hub.resolve(
        named,
        revision=settings.revision,
        offline=settings.offline,
        language=language() if offline_base.is_offline(named) else "",
        trust_remote_code=settings.trust_remote_code,
        replaceable=False,
        observer=observer,
    )
    observer.note(_("Base model: {id}: {why}").format(id=found.id, why=found.why))
    return found


def check_named(recipe: Recipe) -> None:
    """Insist that either a model or a blank one is named. Raises UsageError."""
    config = recipe.task.config
    if (recipe.model.model != NONE) == bool(config):
        message = _(
            "Say what to begin with, and only one: --from MODEL to go on with a model, or --config ARCHITECTURE:SIZE such as bert:mini."
        )
        raise UsageError(message)
    if config and recipe.task.add_tokens:
        raise UsageError(_("--add-tokens is for a model that is there (--from). A blank one gets its words by --vocab-size."))


def sketched(recipe: Recipe, place: Path) -> Any:
    """Write what is known of a blank model before its tokenizer has read the corpus: the config, without weights.

    Returns:
        A transformers tokenizer of the special tokens alone; None where the model's tokenizer is there already.

    Raises:
        UsageError: there is no such architecture or size.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    if not recipe.task.config or recipe.task.tokenizer or _is_file(recipe.task.config):
        return None
    chosen, size = _chosen(recipe)
    special = dict.fromkeys(chosen.tokens.special.values())
    tokenizer = blank.wrapped(chosen, Tokenizer(WordLevel(dict(zip(special, range(len(special)), strict=True)))), size)
    _with_sentinels(tokenizer, chosen)
    blank.config_around(chosen, tokenizer, size).save_pretrained(place)
    return tokenizer


def _chosen(recipe: Recipe) -> tuple[Architecture, Size]:
    """The architecture and the size that --config names."""
    family, _colon, name = recipe.task.config.partition(":")
    return architecture(family.removeprefix(PREFIX)), _resized(size_named(name or DEFAULT_SIZE), recipe)


def _with_sentinels(tokenizer: Any, chosen: Architecture) -> None:
    """Give a tokenizer T5's sentinels where the architecture has them; those that are there already stay as they are."""
    if chosen.model_type in WITH_SENTINELS:
        tokenizer.add_tokens(list(SENTINELS), special_tokens=True)


def _blank(recipe: Recipe, config: str, texts: Callable[[], Iterable[str]], place: Path, observer: Observer) -> hub.BaseModel:
    """A blank model, written to a folder."""
    from weitiao.engine.models import load_tokenizer

    given, seed, trusted = recipe.task.tokenizer, recipe.training.seed, recipe.model.trust_remote_code
    if given and not Path(given).is_dir():
        raise ModelError(
            _("--tokenizer {folder}: there is no such folder. Make one with: weitiao tokenizer CORPUS --out {folder}").format(folder=given)
        )
    tokenizer: Any = load_tokenizer(Path(given), trust_remote_code=check_own_code(Path(given), given, trusted)) if given else None
    if _is_file(config):
        _by_config(place, config, tokenizer, seed, trusted)
    else:
        chosen, size = _chosen(recipe)
        if tokenizer is None:
            tokenizer = _own_tokenizer(recipe, chosen, texts(), size, place.parent, observer)
        _with_sentinels(tokenizer, chosen)
        blank.write_around(place, chosen, tokenizer, seed=seed, size=size)
    return kept_blank(place, config)


def kept_blank(place: Path, config: str) -> hub.BaseModel:
    """The blank model in a folder.

    Args:
        config: by which it was made; of a file its name.
    """
    named = Path(config).name if _is_file(config) else config
    return hub.BaseModel(
        PREFIX + named.removeprefix(PREFIX), "blank", place, "", weights_sha256(place), "", _("a blank model with random weights")
    )


def code_of(place: Path) -> dict[str, str]:
    """The Python files of a blank model's folder, each with its sha256: code that runs when the model is loaded."""
    return {file.relative_to(place).as_posix(): file_sha256(file) for file in sorted(place.rglob("*.py"))}


def check_code_known(place: Path) -> None:
    """Insist that the code in a run's blank model was let run on this machine before, and that it asks for no other. Raises RunError: a run
    may be anybody's.
    """
    if others := set(remote_code(place, place.name)) - {place.name}:
        message = _("This run's model asks for Python code outside its folder: {places}. Such code does not run by resuming.")
        raise RunError(message.format(places=_(", ").join(sorted(others))))
    sums = code_of(place)
    if strange := trust.unknown(sums):
        message = _(
            "This run brings Python code of its model, {file} (sha256 {digest}), which was never let run on this machine. It would run "
            "with all your rights. Read it; if you trust it, add --trust-task (in Python: trust_task=True)."
        )
        raise RunError(message.format(file=place / strange[0], digest=sums[strange[0]]))


def _own_tokenizer(recipe: Recipe, chosen: Architecture, texts: Iterable[str], size: Size, beside: Path, observer: Observer) -> Any:
    """A tokenizer trained on the corpus without what is held out. Raises UsageError where the vocabulary has no room for the characters."""
    settings = {"vocab_size": size.vocabulary, "held_out": recipe.task.held_out, "seed": recipe.training.seed}
    made = of_corpus(texts, chosen.corpus_tokens, TokenizerSettings.of(settings), observer, place=beside)
    return blank.wrapped(chosen, made.tokenizer, size)


def _resized(size: Size, recipe: Recipe) -> Size:
    """The size with the vocabulary and the positions that the settings ask for."""
    return replace(size, vocabulary=recipe.task.vocab_size, positions=max(size.positions, recipe.task.block_size))


def _is_file(config: str) -> bool:
    """Whether --config names a config.json, or the folder of one, and no architecture."""
    return config.endswith(".json") or Path(config).is_dir()


def _by_config(place: Path, config: str, tokenizer: Any, seed: int, trusted: str) -> None:
    """Write the blank model that a config describes. Its Python code, if it needs any, runs where ``trusted`` names its folder."""
    if tokenizer is None:
        raise UsageError(
            _("--config {config} needs a --tokenizer beside it. Make one with: weitiao tokenizer CORPUS --out DIR").format(config=config)
        )
    folder = Path(config).parent if config.endswith(".json") else Path(config)
    alone = config.endswith(".json") and Path(config).name != CONFIG  # transformers looks for code beside a config.json alone
    code = folder if not alone and check_own_code(folder, str(folder), trusted) else None
    values = _read(str(code) if code else config, config, trusted=code is not None)
    values.vocab_size = len(tokenizer)
    for role in ("pad", "bos", "eos"):
        number = getattr(tokenizer, f"{role}_token_id", None)
        if number is not None:
            setattr(values, f"{role}_token_id", number)
    try:
        blank.write_weights(place, values, tokenizer, seed, code=code)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, AttributeError, TypeError) as error:  # as its values and code are
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise ModelError(
            _("--config {config} describes no model that can be made: {error}.").format(config=config, error=reason)
        ) from error


def _read(place: str, config: str, *, trusted: bool) -> Any:
    """A transformers config. Raises ModelError where it cannot be read."""
    import transformers

    try:
        return transformers.AutoConfig.from_pretrained(place, trust_remote_code=trusted, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        if not trusted and Path(place).is_file() and "auto_map" in Path(place).read_text(encoding="utf-8", errors="replace"):
            reason = _("it asks to run Python code of its own; name it config.json, beside that code, and type --trust-remote-code FOLDER")
        raise ModelError(_("--config {config} cannot be read: {error}.").format(config=config, error=reason)) from error
