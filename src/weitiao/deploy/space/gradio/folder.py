"""The folder of a gradio Space: the page's program, the run in the lightest form that it has, weitiao itself, and what is to be installed.

A hub builds such a Space by its requirements.txt alone: nothing else of the folder is there while packages are installed. So weitiao stands
in it unpacked, beside the program, where Python looks first. gradio, spaces and huggingface_hub come from the platform, by the versions
that the README names, and with them whatever only they bring.
"""

import sys
import zipfile
from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from weitiao import tasks
from weitiao.deploy.container.folder import TORCH_INDEX
from weitiao.deploy.container.pinned import closure, ourselves, pinned
from weitiao.deploy.container.wheel import write_wheel
from weitiao.deploy.lightest import MERGED, PACKAGE, form_of, further, put
from weitiao.deploy.public import publish
from weitiao.deploy.runtime import is_torch_free
from weitiao.deploy.space.kinds import MODELSCOPE
from weitiao.deploy.space.pairs import answered
from weitiao.errors import MissingPackage, UsageError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import RunFolder
from weitiao.tasks.base import Task

FILES = Path(__file__).parent / "files"
RUN = "run"
PLATFORM = ("gradio", "spaces", "huggingface-hub")  # what the platform installs
ZERO_PYTHON = "3.12.12"  # of the versions that ZeroGPU has, the one that weitiao runs on


def refusal(task: Task, record: Mapping[str, Any]) -> str:
    """Any run becomes one."""
    return ""


def unlent(run: RunFolder, task: Task) -> str:
    """Why nothing would use a graphics card that is lent, "" where something does: of a run the whole model goes along, with PyTorch."""
    return _unlent(run) if is_torch_free(run.record()) else ""


def _unlent(run: RunFolder) -> str:
    message = _(
        "{path} answers without PyTorch (as {form}), so there is nothing to put on a graphics card. Leave out --zero-gpu, or give the run "
        "that it was made from: of that the whole model is taken, with PyTorch."
    )
    return message.format(path=run.path, form=form_of(run) or MERGED)


def write(
    name: str | Path,
    place: Path,
    *,
    observer: Observer,
    trust_task: bool = False,
    offline: bool = False,
    target: str = "",
    zero_gpu: bool = False,
    rows: bool = True,
    **_how: Any,
) -> dict[str, Any]:
    """Fill a folder.

    Args:
        name: a finished run, or an export.
        place: an empty folder.
        target: the hub.
        zero_gpu: for a graphics card that the hub lends; of a run the whole model is taken then, with PyTorch.
        rows: whether rows of the run's data may be its examples.

    Returns:
        {"form", "torch", "packages": how many are pinned, "examples", "beside": see ``pairs.Answered``, "drawn", "metadata", "told",
        "commands"}, and what the export's gate found.

    Raises:
        MissingPackage: gradio is not installed here.
        UsageError: a graphics card was asked for and nothing in the folder would use it.
        ModelError, GateError: the run has no form that answers as it does.
    """
    from weitiao.deploy.export import export

    gradio = gradio_version()
    source = RunFolder.open(name)
    task = tasks.of_run(source.record(), source.task, trust_task=trust_task)
    inner = RunFolder(place / RUN)
    inside = partial(export, observer=observer, trust_task=trust_task, offline=offline)
    proof = put(source, task, inner, inside, observer, with_torch=zero_gpu)
    told = answered(source, inner, task, place, offline=offline, rows=rows, observer=observer)
    if zero_gpu and not told.used.torch:
        raise UsageError(_unlent(inner))
    publish(inner)
    examples, used = told.pairs, told.used
    unpack_weitiao(place)
    lines = requirements(further(used), cpu=not zero_gpu, gradio=gradio if target == MODELSCOPE else "")
    (place / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (place / "app.py").write_text(_program(gradio, zero=zero_gpu, own_task=bool(task.origin)), encoding="utf-8")
    python = ZERO_PYTHON if zero_gpu else "{}.{}".format(*sys.version_info)
    beside = "" if target == MODELSCOPE else f' "gradio=={gradio}"' + (" spaces" if zero_gpu else "")
    return {
        **proof,
        "form": form_of(inner),
        "torch": used.torch,
        "packages": sum("==" in line for line in lines),
        "examples": examples,
        "beside": told.beside,
        "drawn": bool(proof.get("drawn")),
        "metadata": {"sdk_version": gradio, "python_version": python, **({"suggested_hardware": "zero-a10g"} if zero_gpu else {})},
        "told": _told(target, zero=zero_gpu, torch=used.torch),
        "commands": [f"pip install -r requirements.txt{beside}", "python app.py"],
    }


def gradio_version() -> str:
    """The gradio that is installed here. Raises MissingPackage where none is."""
    try:
        return version("gradio")
    except PackageNotFoundError as error:
        message = _('A gradio Space is tested with the gradio that is installed here, and there is none. Type: pip install "weitiao[demo]"')
        raise MissingPackage(message) from error


def requirements(extra: list[str], *, cpu: bool = True, gradio: str = "") -> list[str]:
    """Lines of requirements.txt: what weitiao and the run need, as it is installed here. What only the platform's packages bring is left to
    it: it asks for them with more extras than are installed here, and some of these know other versions.

    Args:
        extra: packages that the run needs beside.
        cpu: take torch's build for processors, if torch is among them.
        gradio: its version where the platform may not have it; "" where the README names it.
    """
    own = {canonicalize_name(Requirement(need).name) for need in ourselves().requires or () if "extra ==" not in need}
    theirs = set(closure(name for name in PLATFORM if name != "spaces")) - own - set(extra)
    lines = [*pinned(["weitiao", *extra], theirs | set(PLATFORM)), *([f"gradio=={gradio}"] if gradio else [])]
    return [f"--extra-index-url {TORCH_INDEX}", *lines] if cpu and "torch" in extra else lines


def unpack_weitiao(place: Path) -> None:
    """weitiao as it is installed, in a folder where Python finds it."""
    wheel = write_wheel(PACKAGE, ourselves(), place)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    wheel.unlink()


def _program(gradio: str, *, zero: bool, own_task: bool) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    room = Environment(
        loader=FileSystemLoader(FILES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return room.get_template("app.py.j2").render(gradio=gradio, zero=zero, own_task=own_task)


def _told(target: str, *, zero: bool, torch: bool) -> list[str]:
    """What the README says of this kind."""
    told = [_("It needs PyTorch.") if torch else _("It starts without PyTorch, in seconds.")]
    if zero:
        told.append(
            _("Made for ZeroGPU: the hub lends a graphics card while a question is answered. This was written without one at hand.")
        )
    if target == MODELSCOPE:
        told.append(_("Made for a ModelScope studio, by what ModelScope documents; it was not run there."))
    return told
