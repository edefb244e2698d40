"""What to say when a named model cannot be had: every attempt with its cause, and the exact next command. It tries nothing itself."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from weitiao.config import nearest
from weitiao.engine import heads
from weitiao.engine.catalog import TABLE
from weitiao.engine.endpoint import OFFICIAL
from weitiao.engine.model_folder import convert_hint
from weitiao.engine.refusals import Kind
from weitiao.errors import NetworkError
from weitiao.messages import _

MIRROR = "https://hf-mirror.com"


@dataclass(frozen=True)
class Attempt:
    """One place that was tried: its name for people, what kind of failure, and the cause as a translated phrase.

    ``hub`` is the address where it is a model hub, "" for a place on this machine.
    """

    where: str
    kind: Kind
    cause: str
    hub: str = ""


class NotHad(Exception):
    """Every place was tried for ``name``, in vain. Never leaves the engine: it ends as a NetworkError or with another entry of ``auto``.

    ``kind`` is the kind of model that was wanted, None where only this one will do; ``table`` names the entries that ``auto`` tried,
    ``name`` being the first of them.
    """

    kind: heads.Kind | None = "encoder"
    table: str = ""

    def __init__(self, name: str, attempts: Sequence[Attempt], *, offline: bool = False) -> None:
        super().__init__(name)
        self.name, self.attempts, self.offline = name, list(attempts), offline

    def causes(self) -> str:
        """The network's part of it in one phrase; the cache's where no network was asked."""
        told = [attempt for attempt in self.attempts if attempt.hub] or self.attempts[-1:]
        return _("; ").join(attempt.where + _(": ") + attempt.cause for attempt in told)

    def error(self, *, dataset: bool = False) -> NetworkError:
        """The error for people, with what to type next."""
        tried = _("; ").join(attempt.where + _(": ") + attempt.cause for attempt in self.attempts)
        if dataset:
            said = _("The data set {name} could not be had. Tried: {tried}.")
        elif self.table:
            said = _("None of the base models that the table has for this could be had: {table}. Tried for {name}: {tried}.")
        else:
            said = _("The model {name} could not be had, and no other is taken in its place. Tried: {tried}.")
        told = said.format(name=self.name, tried=tried, table=self.table)
        return NetworkError(" ".join([told, *next_steps(self, dataset=dataset)]))


def next_steps(failure: NotHad, *, dataset: bool = False) -> list[str]:
    """Sentences that say what to type, the likeliest cure first."""
    name, steps = failure.name, []
    kinds = {attempt.kind for attempt in failure.attempts if attempt.hub}
    hub = next((attempt.hub for attempt in failure.attempts if attempt.hub), OFFICIAL)
    if failure.offline:
        steps.append(_("To let it be fetched, leave out --offline and unset HF_HUB_OFFLINE."))
    # The official hub says 401 for a misspelt name too, to whoever is not logged in.
    if kinds & {"missing", "forbidden"}:
        known = [] if dataset else [choice.id for choice in TABLE]
        steps.append(_("Check the name at {hub}.").format(hub=f"{hub}/{'datasets' if dataset else 'models'}") + nearest(name, known))
    if "forbidden" in kinds:
        page = f"{hub}/datasets/{name}" if dataset else f"{hub}/{name}"
        steps.append(_('If it is private or gated: accept its conditions at {page}, then type "hf auth login".').format(page=page))
    if "unreachable" in kinds and hub != OFFICIAL:
        steps.append(_('HF_ENDPOINT is {hub}; for the official hub type "{command}".').format(hub=hub, command=_unset("HF_ENDPOINT")))
    elif "unreachable" in kinds:
        steps.append(_('Behind a firewall, a mirror may help: type "{command}".').format(command=_export("HF_ENDPOINT", MIRROR)))
    if failure.offline or kinds & {"unreachable", "failed"}:
        bundle = name.rsplit("/", 1)[-1] + ".zip"
        carry = _('Or on a machine with a network: "weitiao fetch {what} --bundle {bundle}", and here: "weitiao fetch --unpack {bundle}".')
        steps.append(carry.format(what=f"hub:{name}" if dataset else name, bundle=bundle))
    if not dataset and failure.kind is not None:
        steps.append(without_network(failure.kind))
    return steps


def without_network(kind: heads.Kind) -> str:
    """What to take where no model of a kind can be reached: the packaged base, or one that starts blank."""
    if kind == "encoder":
        return _("Or without any network: --model offline.")
    message = _(
        "This task needs {kind}, and the packaged base is an encoder, which cannot do that. Without any network a small one can start from "
        "random weights: --model blank:{name}."
    )
    kinds = {"decoder": _("a decoder"), "encoder-decoder": _("an encoder-decoder"), "dual": _("a dual encoder")}
    return message.format(kind=kinds[kind], name=heads.BLANKS[kind])


def pickle_hint(name: str, hub: str) -> str:
    """What to do about a repository that holds its weights only as pickle."""
    hint = _(
        'See whether {page} has a pull request "Adding safetensors variant of this model", and take it with --revision refs/pr/NUMBER; '
        "https://huggingface.co/spaces/safetensors/convert opens one. Or fetch the folder yourself and name it as --model."
    )
    return hint.format(page=f"{hub}/{name}/discussions") + " " + convert_hint()


def _export(variable: str, value: str) -> str:
    return f"set {variable}={value}" if os.name == "nt" else f"export {variable}={value}"


def _unset(variable: str) -> str:
    return f"set {variable}=" if os.name == "nt" else f"unset {variable}"
