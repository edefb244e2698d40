"""From a run to a Space that people can open: the folder is written, tried out, and only then sent. Where it is to go is judged before
anything is written; how it gets there is ``deploy.publishing``'s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.config import nearest
from weitiao.deploy.space.folder import write_space
from weitiao.deploy.space.kinds import HUGGINGFACE, KINDS
from weitiao.errors import GateError, UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer

ZERO = "zero-a10g"  # what the hub calls a graphics card that it lends
Send = Callable[..., str]


@dataclass(frozen=True)
class Sending:
    """Where a Space goes.

    Attributes:
        repo: OWNER/NAME on the hub; "" for nowhere.
        private: nobody else may see it.
        hardware: what it runs on, by the hub's name; "" for what costs nothing, if anything does.
        endpoint: the hub's address; "" for the official one.
        offline: no network may be used.
    """

    repo: str = ""
    private: bool = False
    hardware: str = ""
    endpoint: str = ""
    offline: bool = False

    def check(self, target: str) -> None:
        """Raises UsageError for a name that the hub would not take, hardware that it has not, no token, or what means nothing here."""
        if not self.repo:
            given = {"--private": self.private, "--hardware": self.hardware, "--endpoint": self.endpoint}
            if stray := [flag for flag, value in given.items() if value]:
                raise UsageError(
                    _("{flags} says how a Space is published, so it needs --push OWNER/NAME.").format(flags=_(", ").join(stray))
                )
            return
        if target != HUGGINGFACE:
            message = _("--push goes to Hugging Face's hub. Upload the folder on {target}'s own pages, and leave out --push.")
            raise UsageError(message.format(target=target))
        from weitiao.deploy.publishing.target import target_of

        if self.hardware:
            check_hardware(self.hardware)
        target_of(self.repo, "space", endpoint=self.endpoint, offline=self.offline)


NOWHERE = Sending()


def check_hardware(name: str) -> None:
    """Raises UsageError, with the nearest, for hardware that the hub has not."""
    from huggingface_hub import SpaceHardware

    known = [str(one.value) for one in SpaceHardware]
    if name not in known:
        message = _('The hub has no hardware "{name}".').format(name=name) + nearest(name, known)
        raise UsageError(message + " " + _("There are: {names}.").format(names=_(", ").join(known)))


def publish_space(
    name: str | Path,
    out: str | Path,
    *,
    sending: Sending = NOWHERE,
    tried: bool = False,
    sdk: str = "",
    target: str = HUGGINGFACE,
    zero_gpu: bool = False,
    observer: Observer = SILENT,
    trust_task: bool = False,
    how: dict[str, Any] | None = None,
    send: Send | None = None,
    **ways: Any,
) -> dict[str, Any]:
    """Write a run as a Space, try it out, and send it.

    Args:
        name, out, sdk, target, zero_gpu, observer, trust_task, ways: see ``folder.write_space``.
        sending: where it goes. What is sent is tried out first, always.
        tried: try it out although it goes nowhere.
        how: what the kind's trial is told beside.
        send: sends a folder and gives its address; None for ``publishing.upload.upload``.

    Returns:
        What a ``folder.Space`` is about, "tried": what the trial found, and "address".

    Raises:
        UsageError: it cannot go there.
        GateError: it does not answer as the run does. Nothing is sent, and the folder stays to be looked at.
        WeitiaoError: as ``write_space`` and the upload raise.
    """
    sending.check(target)
    tried = tried or bool(sending.repo)
    ways |= {"private": sending.private, "sdk": sdk, "target": target, "zero_gpu": zero_gpu, "tried": tried, "sent": bool(sending.repo)}
    written = write_space(name, out, observer=observer, trust_task=trust_task, **ways)
    made, place = written.about, Path(out)
    kind = KINDS[made["sdk"]]
    if tried:
        try:
            made["tried"] = kind.try_out(place, name, observer=observer, trust_task=trust_task, beside=written.beside, **(how or {}))
        except GateError as error:
            unsent = " " + _("Nothing was sent; what was written is in {out}.").format(out=out)
            raise GateError(error.message + unsent) from error
    if sending.repo:
        if not kind.free:
            observer.note(
                _("Since summer 2026 a new {kind} Space needs a plan that is paid for; a static one costs nothing.").format(kind=kind.name)
            )
        made["address"] = (send or _upload())(
            place,
            sending.repo,
            kind="space",
            sdk=kind.name,
            private=sending.private,
            hardware=sending.hardware or (ZERO if zero_gpu else ""),
            endpoint=sending.endpoint,
            observer=observer,
        )
    return made


def _upload() -> Send:
    from weitiao.deploy.publishing.upload import upload

    return upload
