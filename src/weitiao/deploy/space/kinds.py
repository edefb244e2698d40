"""The kinds of Spaces. A table: a new kind is one entry here, and a package with ``folder`` and ``trial``.

Each package's ``folder`` has ``refusal(task, record) -> str``, "" where a run can become one, else why not; where its kind looks,
``hindrance(run) -> str``, the same by what stands in the run's folder; where its hub lends it graphics cards, ``unlent(run, task) -> str``,
why none would be used; and ``write(name, place, *, observer, trust_task, offline)``, which
fills an empty folder and gives a dict. Its ``trial`` has ``try_out(place, name, *, trust_task) -> dict``, which raises GateError where what
stands in the folder does not answer as the run does, and may have ``require()``, which raises MissingPackage where this machine lacks what
``try_out`` needs. They are imported when they are used: each needs packages of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from weitiao.config import nearest
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

HUGGINGFACE, MODELSCOPE = "huggingface", "modelscope"
TARGETS = (HUGGINGFACE, MODELSCOPE)


@dataclass(frozen=True)
class Kind:
    """One entry.

    Attributes:
        name: what hubs call it, and ``weitiao space --sdk``.
        package: where its ``folder`` and its ``trial`` are.
        metadata: what its README tells the hub of every one of its kind.
        targets: the hubs that have it, as far as is known here.
        free: whether an account that pays nothing may open one on Hugging Face.
        lends: whether that hub lends it graphics cards (ZeroGPU).
        looks: whether a look into the run's folder may tell more than its record.
        writes_by: what its ``write`` takes beside.
        tries_by: what its ``try_out`` takes beside.
    """

    name: str
    package: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] = (HUGGINGFACE,)
    free: bool = False
    lends: bool = False
    looks: bool = False
    writes_by: tuple[str, ...] = ()
    tries_by: tuple[str, ...] = ()

    def refusal(self, task: Task, record: Mapping[str, Any], run: RunFolder | None = None) -> str:
        """Why a run cannot become one, as far as its record says, or its folder, where that is given; "" where it can."""
        folder = import_module(f"{self.package}.folder")
        reason = str(folder.refusal(task, record))
        return str(folder.hindrance(run)) if not reason and run is not None and self.looks else reason

    def unlent(self, task: Task, run: RunFolder) -> str:
        """Why a graphics card that is lent would be of no use to a run, as far as its folder says; "" where it may be."""
        return str(import_module(f"{self.package}.folder").unlent(run, task)) if self.lends else ""

    def write(self, name: str | Path, place: Path, *, observer: Observer, trust_task: bool, offline: bool, **how: Any) -> dict[str, Any]:
        """Fill an empty folder; what is to be known of it."""
        ways: dict[str, Any] = {"observer": observer, "trust_task": trust_task, "offline": offline}
        ways |= {key: value for key, value in how.items() if key in self.writes_by}
        return dict(import_module(f"{self.package}.folder").write(name, place, **ways))

    def require_trial(self) -> None:
        """Insist that it can be tried out on this machine. Raises MissingPackage."""
        require = getattr(import_module(f"{self.package}.trial"), "require", None)
        if require is not None:
            require()

    def try_out(self, place: Path, name: str | Path, *, trust_task: bool = False, **how: Any) -> dict[str, Any]:
        """Start what stands in the folder and ask it. Raises GateError where it does not answer as the run of that name does."""
        ways = {key: value for key, value in how.items() if key in self.tries_by}
        return dict(import_module(f"{self.package}.trial").try_out(place, name, trust_task=trust_task, **ways))


_PROCESS = ("observer", "make", "beside")
# The first that a run can become is taken where none is named.
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "static",
            "weitiao.deploy.space.static",
            {"app_file": "index.html"},
            free=True,
            looks=True,
            writes_by=("title", "rows"),
            tries_by=("observer",),
        ),
        Kind(
            "gradio",
            "weitiao.deploy.space.gradio",
            {"app_file": "app.py"},
            targets=TARGETS,
            lends=True,
            writes_by=("target", "zero_gpu", "rows"),
            tries_by=_PROCESS,
        ),
        Kind("docker", "weitiao.deploy.space.docker", {"app_port": 8000, "base_path": "/docs"}, writes_by=("rows",), tries_by=_PROCESS),
    )
}


def named(name: str) -> Kind:
    """The kind of that name. Raises UsageError, with the nearest known one, where there is none."""
    if name not in KINDS:
        message = _('There is no kind of Space "{name}"; there are: {kinds}.').format(name=name, kinds=_(", ").join(KINDS))
        raise UsageError(message + nearest(name, list(KINDS)))
    return KINDS[name]


def check_target(name: str) -> None:
    """Raises UsageError, with the nearest known one, for a hub that there is not."""
    if name not in TARGETS:
        message = _('There is no hub "{name}" here; there are: {targets}.').format(name=name, targets=_(", ").join(TARGETS))
        raise UsageError(message + nearest(name, list(TARGETS)))


def possible(
    sdk: str, target: str, task: Task, record: Mapping[str, Any], *, zero_gpu: bool = False, run: RunFolder | None = None
) -> tuple[list[Kind], str]:
    """The kinds that a run can become as far as its record says, or its folder, where that is given: the one that was named,
    else all of them, the first of the table first; and why it is not an earlier one.

    Raises:
        UsageError: there is no such kind, not on that hub, or this run cannot become one.
    """
    check_target(target)
    if sdk:
        kind = named(sdk)
        if target not in kind.targets:
            fit = [one.name for one in KINDS.values() if target in one.targets]
            message = _("For {target} there is no {kind} folder here; there is: --sdk {fit}.")
            raise UsageError(message.format(target=target, kind=kind.name, fit=_(", ").join(fit)))
        if zero_gpu and not kind.lends:
            raise UsageError(_("ZeroGPU lends graphics cards to gradio alone. Leave out --zero-gpu, or take --sdk gradio."))
        if reason := kind.refusal(task, record, run):
            raise UsageError(_("This run does not become a {kind} Space: {reason}").format(kind=kind.name, reason=reason))
        return _worth_a_card([kind], task, run if zero_gpu else None), ""
    offered = [kind for kind in KINDS.values() if target in kind.targets and (kind.lends or not zero_gpu)]
    refused = {kind.name: kind.refusal(task, record, run) for kind in offered}
    why = " ".join(unfit(name, reason) for name, reason in refused.items() if reason)
    if all(refused.values()):
        raise UsageError(_("This run becomes no Space. {reason}").format(reason=why))
    return _worth_a_card([kind for kind in offered if not refused[kind.name]], task, run if zero_gpu else None), why


def _worth_a_card(kinds: list[Kind], task: Task, run: RunFolder | None) -> list[Kind]:
    """The kinds, where the first of them would use a graphics card that is lent for this run. Raises UsageError where it would not."""
    if run is not None and (reason := kinds[0].unlent(task, run)):
        raise UsageError(reason)
    return kinds


def unfit(kind: str, reason: object) -> str:
    """What is said of a kind that a run does not become."""
    return _("It does not become a {kind} Space: {reason}").format(kind=kind, reason=reason)
