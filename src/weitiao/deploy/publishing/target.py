"""Where something is published to, and with whose token: judged before any socket is opened. It uploads nothing.

A mirror that is set for downloads (HF_ENDPOINT) is never asked for anything here, so that it never sees a token: things go to the official
hub, or to the endpoint that was named for this very upload.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from weitiao.deploy.publishing.terms import asking_only
from weitiao.engine.endpoint import OFFICIAL, offline_asked
from weitiao.errors import UsageError, without_credentials
from weitiao.messages import _

Kind = Literal["space", "model"]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LONGEST_NAME = 96
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Target:
    """A repository on a hub.

    Attributes:
        repo: OWNER/NAME.
        kind: of repository.
        endpoint: the hub.
        token: never printed, and never written to a file.
    """

    repo: str
    kind: Kind
    endpoint: str
    token: str = field(repr=False)

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.repo.partition("/")[0]

    @property
    def address(self) -> str:
        """Where people open it."""
        return address_of(self.repo, self.kind, self.endpoint)


def target_of(repo: str, kind: Kind, *, endpoint: str = "", offline: bool = False) -> Target:
    """The repository that a name means.

    Args:
        repo: OWNER/NAME.
        endpoint: the hub; "" for the official one. HF_ENDPOINT is not read.
        offline: as ``--offline``; HF_HUB_OFFLINE=1 means the same.

    Raises:
        UsageError: no name of a repository, no address of a hub, no network allowed, or no token.
    """
    check_name(repo)
    hub = _hub(endpoint)
    if offline or offline_asked():
        message = _(
            "Publishing {repo} needs the network, and --offline (or HF_HUB_OFFLINE) forbids it. Leave it out, or unset the variable."
        )
        raise UsageError(message.format(repo=repo))
    return Target(repo, kind, hub, _token())


def address_of(repo: str, kind: Kind, endpoint: str = "") -> str:
    """Where people open a repository.

    >>> address_of("ann/tweets", "space"), address_of("ann/tweets", "model", "http://127.0.0.1:8000/")
    ('https://huggingface.co/spaces/ann/tweets', 'http://127.0.0.1:8000/ann/tweets')
    """
    return without_credentials(f"{(endpoint or OFFICIAL).rstrip('/')}/{'spaces/' if kind == 'space' else ''}{repo}")


def check_name(repo: str) -> None:
    """Insist on OWNER/NAME as the hub allows it.

    >>> check_name("ann/tweets-2")

    Raises:
        UsageError: says what is allowed.
    """
    parts = repo.split("/")
    whole = len(parts) == 2 and all(_PART.fullmatch(part) for part in parts)
    if not whole or len(repo) > LONGEST_NAME or "--" in repo or ".." in repo or repo.endswith((".git", ".ipynb")):
        message = _(
            '"{repo}" is no name of a repository. It is OWNER/NAME, such as ann/reviews: your name on the hub (or that of an organisation) '
            "and a name, of English letters, digits, dots, dashes and underscores, at most {most} characters in all; nothing begins or "
            "ends with a dot or a dash, and none stands twice."
        )
        raise UsageError(message.format(repo=repo, most=LONGEST_NAME))


def files_in(folder: Path, token: str) -> dict[str, Path]:
    """The files of a folder by their paths in it, what tools leave behind left out.

    Raises:
        UsageError: there are none; a link that leads out of the folder; or a file that holds the token.
    """
    root = folder.resolve()
    files = {}
    for file in sorted(root.rglob("*")):
        inside = file.relative_to(root)
        if not file.is_file() or {".git", "__pycache__", ".cache"} & set(inside.parts) or file.name == ".DS_Store":
            continue
        if not file.resolve().is_relative_to(root):
            message = _("{file} is a link that leads out of {folder}, so it is not published. Put the file itself there, or remove it.")
            raise UsageError(message.format(file=inside.as_posix(), folder=folder))
        if _holds(file, token.encode()):
            message = _("{file} in {folder} holds your token. Nothing was published: take it out of that file, and make a new token.")
            raise UsageError(message.format(file=inside.as_posix(), folder=folder))
        files[inside.as_posix()] = file
    if not files:
        raise UsageError(_("There is nothing to publish in {folder}.").format(folder=folder))
    return files


def _hub(endpoint: str) -> str:
    """The address of the hub, without a slash at its end."""
    hub = endpoint.strip().rstrip("/") or OFFICIAL
    parts = urlsplit(hub)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        message = _("--endpoint is {value}, which is no address of a hub. It begins with https://, such as {official}.")
        raise UsageError(message.format(value=endpoint, official=OFFICIAL))
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        message = _("--endpoint is {value}: over http anybody on the way could read your token. Give an address that begins with https://.")
        raise UsageError(message.format(value=endpoint))
    return hub


def _token() -> str:
    """The token of the environment (HF_TOKEN), else of the hub's own login."""
    from huggingface_hub import get_token

    with asking_only(OFFICIAL):  # a login that runs out is renewed there, and not at a mirror
        try:
            token = get_token()
        except Exception as error:
            message = _("The hub's login could not be used: {reason}. Log in anew: hf auth login --force")
            raise UsageError(message.format(reason=" ".join(str(error).split())[:300].rstrip("."))) from error
    if not token:
        message = _(
            "Publishing needs a token of the hub that may write, and there is none. Make one at {page}, then type: hf auth login (or set "
            "HF_TOKEN to it)."
        )
        raise UsageError(message.format(page=f"{OFFICIAL}/settings/tokens"))
    return token


def _holds(file: Path, wanted: bytes) -> bool:
    """Whether the bytes stand in a file, which may be large."""
    with file.open("rb") as opened:
        kept = b""
        while piece := opened.read(_READ_BYTES):
            if wanted in kept + piece:
                return True
            kept = piece[-len(wanted) :]
    return False
