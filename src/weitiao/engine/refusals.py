"""Why something could not be had from a network, in plain words, and never waiting longer than was said. It knows no hub by name."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from weitiao.messages import _

CONNECT_SECONDS = 5.0
# A name look-up or a host with many addresses waits longer than one connection may: this bounds the whole first question.
ANSWER_SECONDS = 7.0
REMEMBER_SECONDS = 60.0
_silent: dict[str, tuple[float, str]] = {}  # place -> until when it is not asked again, and why

Kind = Literal["unreachable", "forbidden", "missing", "failed"]
Outcome = list[tuple[Any, BaseException | None]]


class Refused(Exception):
    """What was asked for could not be had here. Never leaves the engine.

    Attributes:
        kind: "unreachable" (no answer), "forbidden" (private, gated or no login), "missing" (no such name), "failed" (anything else).
        cause: a translated phrase.
    """

    def __init__(self, kind: Kind, cause: str) -> None:
        super().__init__(cause)
        self.kind, self.cause = kind, cause


def ask(place: str, call: Callable[[], Any]) -> Any:
    """``call()``, a first question to ``place``, within ``ANSWER_SECONDS``; who could not be reached is not asked again for a minute.

    Raises:
        Refused: with the cause.
    """
    until, cause = _silent.get(place, (0.0, ""))
    if time.monotonic() < until:
        raise Refused("unreachable", cause)
    try:
        return within(ANSWER_SECONDS, call)
    except Exception as error:
        refused = because(error)
        if refused.kind == "unreachable":
            _silent[place] = (time.monotonic() + REMEMBER_SECONDS, refused.cause)
        raise refused from error


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """``call()``, given up after ``seconds``: nothing else bounds a name look-up. Raises Refused, or what the call raises.

    >>> within(5, lambda: 1 + 1)
    2
    """
    thread, outcome = in_background(call)
    thread.join(seconds)
    if not outcome:
        raise no_answer(seconds)
    value, error = outcome[0]
    if error:
        raise error
    return value


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, Outcome]:
    """``call()`` in a thread that never keeps the program alive, and the list that its (value, error) will stand in."""
    outcome: Outcome = []

    def record() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=record, daemon=True)
    thread.start()
    return thread, outcome


def no_answer(seconds: float) -> Refused:
    """The refusal of one who keeps silent."""
    return Refused("unreachable", _("no answer within {seconds} seconds").format(seconds=round(seconds)))


def kinds_of(error: BaseException) -> set[str]:
    """The class names of an error, its causes and all their bases.

    By name, so that the HTTP library underneath (httpx or httpx2, by the version of huggingface_hub) need not be known here.

    >>> sorted(kinds_of(TimeoutError()) - {"object", "BaseException"})
    ['Exception', 'OSError', 'TimeoutError']
    """
    return {kind.__name__ for link in chain_of(error) for kind in type(link).__mro__}


def because(error: BaseException) -> Refused:
    """Any failure of a conversation with a hub, as a Refused with its cause in plain words.

    >>> because(ConnectionRefusedError(111, "Connection refused")).cause
    'connection refused'
    """
    chain, kinds = chain_of(error), kinds_of(error)
    for link in chain:
        if isinstance(link, Refused):
            return link
    if "OfflineModeIsEnabled" in kinds:
        return Refused("unreachable", _("HF_HUB_OFFLINE forbids the network"))
    if "GatedRepoError" in kinds:
        return Refused("forbidden", _("it is gated: its conditions have to be accepted first"))
    if "RevisionNotFoundError" in kinds:
        return Refused("missing", _("there is no such revision (404)"))
    for link in chain:
        status = getattr(getattr(link, "response", None), "status_code", None) or getattr(link, "code", None)
        if isinstance(status, int) and status >= 400:
            return _by_status(status)
    if any(isinstance(link, socket.gaierror) for link in chain):
        return Refused("unreachable", _("its name could not be looked up (DNS)"))
    if "ConnectionRefusedError" in kinds:
        return Refused("unreachable", _("connection refused"))
    if kinds & {"TimeoutException", "TimeoutError"}:
        return no_answer(CONNECT_SECONDS)
    text = " ".join(str(error).split())[:200] or type(error).__name__
    if "ProxyError" in kinds:
        return Refused("unreachable", _("the proxy failed: {reason}").format(reason=text))
    if any(isinstance(link, ssl.SSLError) for link in chain):
        return Refused("unreachable", _("no secure connection: {reason}").format(reason=text))
    if kinds & {"TransportError", "ConnectionError", "URLError"}:
        return Refused("unreachable", _("the connection failed: {reason}").format(reason=text))
    if kinds & {"ValueError", "KeyError", "TypeError", "AttributeError"} and "OSError" not in kinds:
        return Refused("failed", _("what answers there is not a model hub"))
    return Refused("failed", text)


def _by_status(status: int) -> Refused:
    known: dict[int, tuple[Kind, str]] = {
        401: ("forbidden", _("no public repository of that name: it does not exist, or is private (401)")),
        403: ("forbidden", _("access was refused (403)")),
        404: ("missing", _("there is no repository of that name (404)")),
        429: ("failed", _("too many requests; wait a little (429)")),
    }
    return Refused(*known.get(status, ("failed", _("it answers with an error ({status})").format(status=status))))


def chain_of(error: BaseException) -> list[BaseException]:
    """An error and what it came from, each once."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain
