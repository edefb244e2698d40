"""What a hub's refusal means to whoever wanted to publish: which error it is, in which words, and whether to ask again. It asks nobody."""

from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from weitiao.deploy.publishing.target import Target
from weitiao.engine.endpoint import OFFICIAL
from weitiao.engine.refusals import because, chain_of, kinds_of
from weitiao.errors import ModelError, NetworkError, UsageError, WeitiaoError
from weitiao.messages import _

PASSING = (408, 429, 500, 502, 503, 504)  # statuses that may be others a little later
LONGEST_PAUSE = 60.0  # seconds that a hub may ask to wait; what asks for more is told instead
_TRANSPORT = {"TransportError", "TimeoutException", "TimeoutError", "ConnectionError"}


def status_of(error: BaseException) -> int:
    """The HTTP status that an error came with, its causes included; 0 where there was no answer."""
    for link in chain_of(error):
        status = getattr(getattr(link, "response", None), "status_code", 0)
        if isinstance(status, int) and status >= 400:
            return status
    return 0


def pause_before_next(error: BaseException, usual: float) -> float | None:
    """Seconds to wait before the same is asked again; None where asking again is no use."""
    status = status_of(error)
    if status and status not in PASSING:
        return None
    if not status:
        return usual if kinds_of(error) & _TRANSPORT else None
    asked = _retry_after(error)
    if asked is None:
        return usual
    return asked if asked <= LONGEST_PAUSE else None


def in_words(error: BaseException, target: Target, *, sdk: str = "", left: str = "") -> WeitiaoError:
    """The error for people.

    Args:
        error: what huggingface_hub raised.
        sdk: of a Space.
        left: a sentence about what stands there now; "" where nothing was begun.
    """
    status, said = status_of(error), _said(error, target.token)
    words = {"repo": target.repo, "owner": target.owner, "address": target.address, "hub": _hub_of(target), "said": said}
    if status == 401:
        message = _(
            "{hub} refuses the token{said}. Make one that may write at {page}, then type: hf auth login --force (HF_TOKEN, where it is "
            "set, comes before the login)."
        )
        return NetworkError(_joined(message.format(page=f"{_hub_of(target)}/settings/tokens", **words), left))
    if status == 402:
        return UsageError(_joined(_payment(sdk).format(**words), left))
    if status == 403:
        message = _(
            "{hub} does not let this token write to {repo}{said}. Publish under your own name or an organisation of yours instead of "
            '"{owner}", or make a token that may write there at {page}.'
        )
        return NetworkError(_joined(message.format(page=f"{_hub_of(target)}/settings/tokens", **words), left))
    if status == 429:
        message = _("{hub} takes no more requests for now (429){said}. Wait{seconds}, then type the command again.")
        asked = _retry_after(error)
        seconds = "" if asked is None else " " + _("{count} seconds").format(count=round(asked))
        return NetworkError(_joined(message.format(seconds=seconds, **words), left))
    if status == 413:
        return ModelError(_joined(_("{repo} is more than {hub} takes (413){said}.").format(**words), left))
    if status == 400 or (isinstance(error, ValueError) and not status):
        return ModelError(_joined(_("{hub} does not take the files{said}.").format(**words), left))
    cause = because(error).cause if not status else _("it answers with an error ({status})").format(status=status) + said
    message = _("{repo} was not published: {hub}: {cause}.")
    hint = "" if status and status not in PASSING else " " + _("Type the command again later.")
    return NetworkError(_joined(message.format(cause=_masked(cause, target.token).rstrip("."), **words) + hint, left))


def _payment(sdk: str) -> str:
    if sdk in ("gradio", "docker"):
        return _(
            "{hub} wants a paid plan for a new Space that computes (402){said}. A static Space is free, never sleeps and starts at once: "
            "type the command with --sdk static, or subscribe and type it again."
        )
    if sdk:
        return _(
            "{hub} wants a payment for this Space (402){said}. A static Space is free unless it is private or the account is in arrears: "
            "look at {hub}/settings/billing, or leave out --private and --hardware."
        )
    return _("{hub} wants a payment before it takes {repo} (402){said}: look at {hub}/settings/billing, or publish it without --private.")


def _joined(message: str, left: str) -> str:
    return f"{message} {left}" if left else message


def _hub_of(target: Target) -> str:
    return target.address.split("/" + ("spaces/" if target.kind == "space" else "") + target.repo)[0] or OFFICIAL


def _said(error: BaseException, token: str) -> str:
    """The hub's own words, in brackets; "" where it said nothing."""
    for link in chain_of(error):
        server = getattr(link, "server_message", None)
        if server:
            return " " + _('("{text}")').format(text=_masked(" ".join(str(server).split())[:300].rstrip("."), token))
    if isinstance(error, ValueError):
        return " " + _('("{text}")').format(text=_masked(" ".join(str(error).split())[:300].rstrip("."), token))
    return ""


def _masked(text: str, token: str) -> str:
    return text.replace(token, "***") if token else text


def _retry_after(error: BaseException) -> float | None:
    """The seconds that a hub asks to wait, by the header of that name."""
    for link in chain_of(error):
        headers: Any = getattr(getattr(link, "response", None), "headers", None)
        if headers is not None and (asked := headers.get("Retry-After")):
            try:
                return max(0.0, float(asked))
            except ValueError:
                try:
                    return max(0.0, parsedate_to_datetime(asked).timestamp() - time())
                except (TypeError, ValueError):
                    return None
    return None
