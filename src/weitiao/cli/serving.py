"""``weitiao serve``: runs under names, a key from the environment, and the words before and after. The work is ``deploy.server``'s."""

import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import asking
from weitiao.cli.screen import Screen, to_json
from weitiao.cli.subject import subject_of
from weitiao.config import ServerSettings
from weitiao.errors import UsageError
from weitiao.messages import _, language, set_language

if TYPE_CHECKING:
    from weitiao.deploy.server.served import Served
    from weitiao.engine.prediction import Predictor
    from weitiao.model import Model

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def serve(
    screen: Screen, runs: Sequence[str], use_as: str | None, settings: ServerSettings, given: Mapping[str, Any], *, trust_task: bool = False
) -> None:
    """Serve until told to stop.

    Args:
        runs: folders of runs, each maybe with its name before it: NAME=RUN; with ``use_as`` one pretrained model.
        settings: of the server.
        given: settings of the models, as text.

    Raises:
        UsageError: a name twice or unfit for an address; no such environment variable; two models where one was to be used as it came.
    """
    places = named(runs)
    if use_as is not None and len(places) > 1:
        raise UsageError(_("With --task one pretrained model is served at a time."))
    subjects = {name: subject_of(place, use_as, given, trust_task=trust_task) for name, place in places.items()}
    keys = _keys(settings.api_key_env)
    from weitiao.cli.progress import LOADING, working
    from weitiao.deploy.server.running import serve as run_server
    from weitiao.deploy.server.served import Served

    loading = next(iter(subjects.values())).loading
    with working(screen, first=_(LOADING)) as (api, _observer):
        models = {name: api.load(subject.name, **subject.loading) for name, subject in subjects.items()}
    served = {name: Served(name, model.task, model.spec, _about(model), getattr(model, "record", None)) for name, model in models.items()}
    _log_to_stderr(screen)
    load = partial(load_models, places, loading, language())
    run_server(served, load, settings, keys, started=partial(_started, screen, served, bool(keys)), warn=screen.warn)


def named(runs: Sequence[str]) -> dict[str, str]:
    """The name that each run is served under -> its place: NAME=RUN, or the name of its folder.

    >>> named(["runs/tone", "b=runs/topic"])
    {'tone': 'runs/tone', 'b': 'runs/topic'}
    """
    places: dict[str, str] = {}
    for word in runs:
        name, equals, place = word.partition("=")
        if not equals or Path(word).exists():
            name, place = Path(os.path.abspath(word)).name, word
        if not NAME.fullmatch(name):
            message = _('"{name}" cannot stand in an address: letters, digits, ".", "_" and "-". Name it: weitiao serve NAME={place}')
            raise UsageError(message.format(name=name, place=place))
        if name in places:
            message = _("Two of the runs are called {name}; name one of them otherwise: weitiao serve {name}=RUN other={place}")
            raise UsageError(message.format(name=name, place=place))
        places[name] = place
    return places


def load_models(places: Mapping[str, str], loading: Mapping[str, Any], spoken: str) -> "Mapping[str, Predictor]":
    """Every model, with its weights: what a worker process calls."""
    from weitiao import api
    from weitiao.cli.surroundings import settle

    settle(debug=False)
    set_language(spoken)
    if len(places) == 1:
        ((name, place),) = places.items()
        return {name: api.load(place, **loading).predictor()}
    return {name: run.predictor() for name, run in api.load(dict(places), **loading).items()}


def _keys(variable: str) -> tuple[str, ...]:
    """The keys that an environment variable holds, one or several with commas between them; none where no variable was named."""
    if not variable:
        return ()
    keys = tuple(key.strip() for key in os.environ.get(variable, "").split(",") if key.strip())
    if not keys:
        message = _("The environment variable {variable} holds no key. Set it first: export {variable}=KEY")
        raise UsageError(message.format(variable=variable))
    return keys


def _about(model: "Model") -> dict[str, Any]:
    """What a run says of itself to strangers: its base and its figures."""
    record = getattr(model, "record", None) or {}
    evaluation = record.get("evaluation") or {}
    about = {"base_model": (record.get("base_model") or {}).get("id"), "metrics": evaluation.get("metrics")}
    return {name: value for name, value in about.items() if value}


def _started(screen: Screen, served: Mapping[str, "Served"], locked: bool, url: str) -> None:
    """Say where it is: on standard output, since whoever started it waits for that."""
    screen.result(
        {"url": url, "models": list(served)}, _("Serving at {url}: {models}").format(models=_(", ").join(served), url=url), bare=url
    )
    sys.stdout.flush()
    screen.note(_("What it can do: {url}/docs. Ctrl-C stops it.").format(url=url))
    from weitiao.deploy.demo.examples import language_of
    from weitiao.deploy.server.schemas import example_record

    first = next(iter(served.values()))
    example = example_record(first.task, first.spec, language_of(first.record or {}))
    body = to_json({field.name: example[field.name] for field in asking.needed(first.task, first.spec)})
    if len(body) < 400:
        key = ("-H", "Authorization: Bearer KEY") if locked else ()
        screen.next(("curl", f"{url}/predict", "-H", "Content-Type: application/json", *key, "-d", body))


def _log_to_stderr(screen: Screen) -> None:
    """One line a request on standard error; with ``--quiet`` only what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("weitiao.serve")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.WARNING if screen.quiet else logging.INFO)
