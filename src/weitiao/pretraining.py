"""The public Python interface of pretraining: a corpus becomes a model, or changes one.

    run = weitiao.pretrain("corpus.txt", config="bert:mini", epochs=3)

It knows settings and runs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weitiao import __version__
from weitiao.api import Run, _finish, _now
from weitiao.config import Recipe
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.pretraining_settings import PretrainingSettings
from weitiao.progress import default_observer
from weitiao.runs import RunFolder


def pretrain(
    *corpus: str | Path, observer: Observer | None = None, quiet: bool = False, command: Sequence[str] = (), **settings: Any
) -> Run:
    """Train a model on running text."""
    from weitiao.engine.pretraining.session import PretrainingSession

    observer = default_observer(observer, quiet=quiet)
    recipe = Recipe.of({**settings, "corpus": [str(one) for one in corpus]}, PretrainingSettings)
    if not recipe.task.corpus:
        raise UsageError(_("Which corpus? Name files or folders of text: weitiao pretrain corpus.txt --config bert:mini"))
    folder = RunFolder(recipe.output.out or "runs/pretrained")
    folder.check_free(overwrite=recipe.output.overwrite)
    session = PretrainingSession(recipe, observer, folder)
    try:
        observer.planned(session.plan())
        folder.create(overwrite=recipe.output.overwrite)
        session.begin({"weitiao": __version__, "name": folder.path.name, "started": _now(), "command": list(command or sys.argv)})
        return _finish(session, folder, observer)
    finally:
        session.close()
