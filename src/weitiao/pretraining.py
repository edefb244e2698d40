"""The public Python interface of pretraining: a corpus becomes a model, or changes one. It knows settings and runs."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.api import Run
from weitiao.config import Recipe
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.pretraining_settings import PretrainingSettings
from weitiao.progress import default_observer
from weitiao.running import carry_out, prepared

if TYPE_CHECKING:
    from weitiao.engine.pretraining.session import PretrainingSession


def pretrain(
    *corpus: str | Path, observer: Observer | None = None, quiet: bool = False, command: Sequence[str] = (), **settings: Any
) -> Run:
    """Train a model on running text, and write the run: a blank one (``config="bert:mini"``), or one that goes on (``model="offline"``).

        run = weitiao.pretrain("corpus.txt", config="electra:mini", epochs=10)
        weitiao.train("reviews.csv", model=run.path / "model")

    Args:
        corpus: files and folders of text.
        observer, quiet, command: see ``train``.
        settings: fields of ``PretrainingSettings``, ``TrainingSettings``, ``ModelSettings`` and ``OutputSettings``.

    Returns:
        The finished run; ``resume`` goes on with one that was cut off.

    Raises:
        WeitiaoError: by kind, see ``errors``. Nothing is left behind by what fails before the first step.
        KeyboardInterrupt: interrupted; the state was saved.
    """
    observer = default_observer(observer, quiet=quiet)
    with _planned(corpus, settings, observer) as (session, _plan):
        carry_out(session, session.folder, observer, command)
        return Run(session.folder)


def plan_pretraining(*corpus: str | Path, observer: Observer | None = None, **settings: Any) -> dict[str, Any]:
    """Everything ``pretrain`` does before its first step: corpus, model, steps, estimated time and memory. Nothing is kept."""
    with _planned(corpus, settings, default_observer(observer, quiet=True)) as (_session, plan):
        return plan


def recipe_of(corpus: Sequence[str | Path], settings: Mapping[str, Any]) -> Recipe:
    """All settings of a pretraining. Raises UsageError where there is no corpus, or a setting is unknown or impossible."""
    recipe = Recipe.of({**settings, "corpus": [str(one) for one in corpus]}, PretrainingSettings)
    if not recipe.task.corpus:
        raise UsageError(_("Which corpus? Name files or folders of text: weitiao pretrain corpus.txt --config bert:mini"))
    if recipe.training.method != "full":
        message = _("--method {method}: pretraining changes every weight. Leave it out.")
        raise UsageError(message.format(method=recipe.training.method))
    return recipe


def _planned(
    corpus: Sequence[str | Path], settings: Mapping[str, Any], observer: Observer
) -> AbstractContextManager[tuple["PretrainingSession", dict[str, Any]]]:
    """See ``running.prepared``."""
    from weitiao.engine.pretraining.session import PretrainingSession

    recipe = recipe_of(corpus, settings)
    return prepared(recipe, f"{Path(recipe.task.corpus[0]).name.split('.')[0]}-pretrained", PretrainingSession, observer)
