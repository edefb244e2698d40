"""What a workflow installs: weitiao and the packages that no index has, as wheels; what is installed beside them; and the versions of that
which are known to work. It knows no workflow, and installs nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from weitiao.deploy.container.pinned import ourselves, pinned
from weitiao.deploy.container.wheel import write_wheel
from weitiao.deploy.lightest import PACKAGE
from weitiao.deploy.space.static import runtime
from weitiao.engine import offline_base
from weitiao.errors import MissingPackage
from weitiao.messages import _
from weitiao.runs import write_text

REQUIREMENTS, CONSTRAINTS = "requirements.txt", "constraints.txt"
ALWAYS = ("train", "text", "zh", "export")
EXTRAS = {"static": ("space",), "gradio": ("demo",), "docker": ("serve",)}  # by the kind of the page


@dataclass(frozen=True)
class Packages:
    """What is installed.

    Attributes:
        extras: of weitiao.
        wheels: packages that are sent along, each with what is said of it; weitiao is the first.
        requirements: what an index has.
    """

    extras: tuple[str, ...]
    wheels: tuple[tuple[Path, Distribution], ...]
    requirements: tuple[str, ...] = ()

    def write(self, place: Path, prefix: str) -> None:
        """Write wheels, requirements and constraints in place of those that stand there.

        Args:
            place: the folder.
            prefix: its path from where pip is started.
        """
        for old in place.glob("*.whl"):
            old.unlink()
        first, *others = (f"./{prefix}/{write_wheel(package, said, place).name}" for package, said in self.wheels)
        lines = [f"{first}[{','.join(self.extras)}]", *others, *self.requirements]
        write_text(place / REQUIREMENTS, "\n".join(lines) + "\n")
        known: set[str] = set()
        for extra in self.extras:
            try:
                known |= set(pinned([f"weitiao[{extra}]"]))
            except MissingPackage:
                continue  # it is not installed here: the newest is taken there
        write_text(place / CONSTRAINTS, "\n".join(sorted(known)) + "\n")


def packages_of(sdk: str, record: Mapping[str, Any], data: str) -> Packages:
    """What trains a run again and makes a page of it.

    Args:
        sdk: the kind of the page.
        record: the run's.
        data: what is trained on.

    Raises:
        MissingPackage: a package that no index has is not installed here either.
        ModelError: it is damaged or not genuine.
    """
    extras = [*ALWAYS, *EXTRAS[sdk]]
    extras += ["quant"] if record["settings"].get("method") == "qlora" else []
    extras += ["hub-data"] if data.startswith("hub:") else []
    wheels, wanted = [(PACKAGE, ourselves())], []
    if "space" in extras:
        wheels.append((runtime.files().parent, _installed(runtime.REQUIREMENT, "space")))
    base = next((one for one in offline_base.BASES if one.id == record["base_model"]["id"]), None)
    if base is offline_base.ZH_MINI:
        wheels.append((base.folder().parent, _installed(base.requirement, "offline")))
    elif base is not None:
        wanted.append(base.requirement)
    return Packages(tuple(extras), tuple(wheels), tuple(wanted))


def _installed(requirement: str, extra: str) -> Distribution:
    name = requirement.partition("==")[0]
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        message = _('The workflow takes the package {package} along, and it is not installed here. Type: pip install "weitiao[{extra}]"')
        raise MissingPackage(message.format(package=name, extra=extra)) from error
