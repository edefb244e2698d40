"""``weitiao demo``: a run, an export or a pretrained model as a page in the browser. The work is ``deploy.demo``'s."""

import logging
import sys
from functools import partial
from typing import TYPE_CHECKING

from weitiao.cli.screen import Screen
from weitiao.cli.subject import Subject
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.model import Model


def demo(screen: Screen, subject: Subject, host: str, port: int, *, share: bool) -> None:
    """Show the page until told to stop.

    Raises:
        UsageError: gradio is not installed, or the port is in use.
        NetworkError: no public address could be had.
    """
    from weitiao.deploy.demo.running import serve

    _log_to_stderr()
    started = partial(_started, screen, subject)
    serve(partial(_load, screen, subject), host, port, flags=subject.flags, share=share, started=started, warn=screen.warn)


def _load(screen: Screen, subject: Subject) -> "Model":
    from weitiao.cli.progress import LOADING, working

    with working(screen, first=_(LOADING)) as (api, observer):
        model: Model = api.load(subject.name, **subject.loading)
        model.ready(1, observer)
    return model


def _started(screen: Screen, subject: Subject, url: str, public: str) -> None:
    """Say where it is: on standard output, since whoever started it waits for that."""
    address = public or url
    text = _("The page is at {url}: {model}").format(model=subject.name, url=address)
    screen.result({"url": url, "public_url": public or None, "model": subject.name}, text, bare=address)
    sys.stdout.flush()
    screen.note(_("Open it in a browser. Ctrl-C stops it."))
    screen.next(("weitiao", "serve", subject.name, *subject.flags))


def _log_to_stderr() -> None:
    """What failed, on standard error."""
    log = logging.getLogger("weitiao.demo")
    log.handlers, log.propagate = [logging.StreamHandler(sys.stderr)], False
