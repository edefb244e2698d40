"""Which packages are installed, and which extra of weitiao brings those that are not. Reads metadata only; imports none of them."""

import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import weitiao

# The import name of a package where it is not its name on the index with underscores.
IMPORT_NAMES = {"scikit-learn": "sklearn", "pillow": "PIL", "pyyaml": "yaml"}
# Extras people ask for; "all" is the sum of the others and "dev" is for us.
NOT_SHOWN = ("all", "dev")


def facts() -> dict[str, Any]:
    """Versions of Python, weitiao and every package it may use, and the state of each extra."""
    needed = _needed()
    names = sorted({requirement["name"] for extra, group in needed.items() if extra not in NOT_SHOWN for requirement in group})
    return {
        "weitiao": weitiao.__version__,
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation(), "executable": sys.executable},
        "packages": {name: installed(name) for name in names},
        "outdated": [r | {"installed": installed(r["name"])} for group in needed.values() for r in group if _too_old(r)],
        "extras": {
            extra: {"missing": [r["name"] for r in group if installed(r["name"]) is None]}
            for extra, group in needed.items()
            if extra and extra not in NOT_SHOWN
        },
    }


def installed(name: str) -> str | None:
    """The installed version of a package, or None.

    >>> installed("no-such-package-anywhere") is None
    True
    """
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def extra_of(module: str) -> str:
    """The extra that brings an importable module with the least beside it, or '' where none does.

    >>> extra_of("sklearn"), extra_of("torch"), extra_of("numpy")
    ('baselines', 'train', '')
    """
    found = {extra: group for extra, group in _needed().items() if any(_import_name(r["name"]) == module for r in group)}
    return min((extra for extra in found if extra and extra not in NOT_SHOWN), key=lambda extra: len(found[extra]), default="")


def offline_bases() -> list[dict[str, Any]]:
    """Of each packaged base model, whether it is here and its weights are the official ones."""
    from weitiao.engine.offline_base import BASES
    from weitiao.errors import ModelError

    found = []
    for base in BASES:
        about = {"name": base.title, "language": base.language, "requirement": base.requirement, "installed": base.installed()}
        try:
            found.append({**about, "checksum_ok": True, "path": str(base.folder())})
        except ModelError:
            found.append({**about, "checksum_ok": False, "path": None})
    return found


@cache
def _needed() -> dict[str, list[dict[str, str]]]:
    """Extra ('' for the core) -> its requirements: {"name", "specifier"}."""
    from packaging.requirements import Requirement

    needed: dict[str, list[dict[str, str]]] = {"": []}
    try:
        lines = requires("weitiao") or []
    except PackageNotFoundError:  # run from its source
        lines = []
    for line in lines:
        requirement = Requirement(line)
        extra = str(requirement.marker).partition("extra ==")[2].strip(" '\"") if requirement.marker else ""
        if requirement.name != "weitiao":
            needed.setdefault(extra, []).append({"name": requirement.name, "specifier": str(requirement.specifier)})
    return needed


def _too_old(requirement: dict[str, str]) -> bool:
    from packaging.specifiers import SpecifierSet

    present = installed(requirement["name"])
    return present is not None and not SpecifierSet(requirement["specifier"]).contains(present, prereleases=True)


def _import_name(name: str) -> str:
    return IMPORT_NAMES.get(name.lower(), name.replace("-", "_"))
