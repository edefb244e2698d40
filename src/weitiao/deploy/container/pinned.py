"""Which packages an installation needs, followed through what they say of themselves, and their versions here. It installs nothing."""

from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from weitiao.errors import MissingPackage, UsageError
from weitiao.messages import _

OURSELVES = "weitiao"
# What a container of ours is; the machine that writes the folder may be another.
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
NO_GPU = ("nvidia-", "cuda-", "triton")  # packages that only torch's builds for graphics cards bring


def closure(requirements: Iterable[str], system: Mapping[str, str] | None = None, without: Collection[str] = ()) -> dict[str, Distribution]:
    """Every distribution that requirements bring, by its normalised name.

    Args:
        system: markers of another system than this one; what only that one needs and nobody has here is left out.
        without: normalised names of what is not followed, since somebody else brings it.

    Raises:
        PackageNotFoundError: a requirement, or what weitiao itself asks for, is not installed; without ``system``, anything is not.

    >>> sorted({"jinja2", "markupsafe"} - closure(["Jinja2>=3"]).keys())
    []
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(Requirement(one), True) for one in requirements]
    while waiting:
        one, asked = waiting.pop()
        name = canonicalize_name(one.name)
        if name in without or (name, frozenset(one.extras)) in seen:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            if asked or system is None:
                raise
            continue
        seen.add((name, frozenset(one.extras)))
        needs = [need for need in map(Requirement, found[name].requires or ()) if _applies(need, one.extras, system or {})]
        waiting += [(need, name == OURSELVES) for need in needs]
    return found


def pinned(requirements: Iterable[str], without: Collection[str] = ()) -> list[str]:
    """Lines of a requirements file for Linux without a graphics card: everything that requirements bring, as it is installed here, but
    weitiao itself.

    Args:
        without: normalised names of what is left out with all that it brings, since somebody else installs it.

    Raises:
        MissingPackage: one of the requirements is not installed here, so nobody knows which version works.
    """
    try:
        brought = closure(requirements, LINUX, without)
    except PackageNotFoundError as error:
        text = _("The container needs {package}, which is not installed here, so no version of it is known to work. Type: {command}")
        raise MissingPackage(text.format(package=error.name, command='pip install "weitiao[serve]"')) from error
    names = sorted(name for name in brought if name != OURSELVES and not name.startswith(NO_GPU))
    return [f"{name}=={brought[name].version.partition('+')[0]}" for name in names]


def ourselves() -> Distribution:
    """What is installed as weitiao. Raises UsageError where it runs from its source alone."""
    try:
        return distribution(OURSELVES)
    except PackageNotFoundError as error:
        raise UsageError(_("weitiao runs from its source and is not installed. Type in its folder: pip install -e .")) from error


def extra(name: str) -> set[str]:
    """Normalised names of what an extra of ours asks for."""
    needs = map(Requirement, ourselves().requires or ())
    return {canonicalize_name(one.name) for one in needs if one.marker is not None and one.marker.evaluate({"extra": name})}


def extras() -> set[str]:
    """Normalised names of all packages that any of our extras asks for."""
    needs = map(Requirement, ourselves().requires or ())
    return {canonicalize_name(one.name) for one in needs if one.marker is not None}


def _applies(need: Requirement, wanted: Iterable[str], system: Mapping[str, str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({**system, "extra": name}) for name in ("", *wanted))
