"""A Space's folder as a whole: what its kind writes, and around that what every Space has: a README for its hub, a licence, what git is
told of large files, and what the Space says of itself. It knows the kinds by their table alone, and sends nothing anywhere.
"""

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao import __version__, tasks
from weitiao.deploy.container.pinned import ourselves
from weitiao.deploy.container.wheel import licenses
from weitiao.deploy.space import metadata, studio
from weitiao.deploy.space.asked import TOLD, said_of_itself
from weitiao.deploy.space.kinds import HUGGINGFACE, MODELSCOPE, Kind, possible, unfit
from weitiao.deploy.space.large_files import attributes
from weitiao.deploy.space.shown import ROWS, SOURCES, check_source, published_rows
from weitiao.deploy.space.shown import told as told_of_rows
from weitiao.errors import ModelError, RunError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import RunFolder, atomic

SOURCE = "examples_of"  # in what a Space says of itself: one of ``shown.SOURCES``
TITLED = "titled"  # in the same place: what it was asked to be called


@dataclass(frozen=True)
class Space:
    """A Space that was written.

    Attributes:
        about: {"out", "sdk", "target", "title", "form": of the run in it, "files", "bytes", "examples": how many can be asked with one
            click, "examples_of": "rows" or "task", "published_rows": which of them are rows of the data, see ``shown``, "why": this kind
            was taken where none was named}, and what the kind found.
        beside: what it can be asked beside, [{"record", "answer", "place"}] of rows that are not in it.
    """

    about: dict[str, Any]
    beside: list[dict[str, Any]]


def write_space(
    name: str | Path,
    out: str | Path,
    *,
    sdk: str = "",
    target: str = HUGGINGFACE,
    zero_gpu: bool = False,
    title: str = "",
    examples: str = "",
    private: bool = False,
    overwrite: bool = False,
    tried: bool = False,
    sent: bool = False,
    observer: Observer = SILENT,
    trust_task: bool = False,
    offline: bool = False,
) -> Space:
    """Write a finished run as a Space: everything that a hub needs to build and start it, and nothing that is private.

    Args:
        name: a finished run, or an export.
        out: a folder that is not there yet, or an earlier Space with ``overwrite``.
        sdk: the kind, see ``kinds.KINDS``; "" for the first that the run can become.
        target: the hub: "huggingface" or "modelscope".
        zero_gpu: for a graphics card that the hub lends while a question is answered.
        title: what the page is called; "" for what the Space that is replaced was to be called, else for the run's name.
        examples: what can be asked with one click: "rows" that the run was tested on, where it kept some; or the example of its "task", so
            that nothing in the folder is a row of the data; "" for what the Space that is replaced has, else for "rows".
        private: only some people will see it, which is said of its rows.
        tried: it will be tried out, so what that needs must be on this machine.
        sent: it will go to a hub, where an earlier one may stand.
        trust_task: the run's own task file may run, here and in the Space.
        offline: open no socket for an adapter's base.

    Raises:
        UsageError: there is no such kind, hub or source of examples, or this run cannot become one.
        RunError: the run is not finished, or ``out`` is taken, or lies in the run.
        ModelError, GateError: what is in the folder does not answer, or not as the run does; nothing is left behind.
        MissingPackage: what it is written with, or tried with, is not installed.
    """
    check_source(examples or ROWS)
    place = RunFolder(out)
    source = RunFolder.open(name)
    record = source.record()
    if record.get("status") != "finished":
        raise RunError(_("{path} is not finished. Go on with: weitiao train --resume {path}").format(path=name))
    task = tasks.of_run(record, source.task, trust_task=trust_task)
    kinds, why = possible(sdk, target, task, record, zero_gpu=zero_gpu, run=source)  # before minutes are spent
    if any(place.path.resolve().is_relative_to(part.resolve()) for part in (source.model, source.task)):
        raise RunError(_("{out} lies in the folder that is put into it. Choose another --out.").format(out=out))
    place.check_free(overwrite=overwrite, mark=TOLD)
    replaced = (place.path / TOLD).is_file()
    earlier = said_of_itself(place.path) if replaced else {}
    examples = examples or _kept(
        earlier, SOURCE, _("The examples are chosen as in the Space that stands there: --examples {value}"), observer
    )
    examples = examples if examples in SOURCES else ROWS
    title = title or _kept(earlier, TITLED, _("It is called what the Space that stands there is called: --title {value}"), observer)
    called = metadata.title_of(title, record, place.path.name)
    if why:
        observer.note(why)
    with atomic(place.path) as temporary:
        how = {"observer": observer, "trust_task": trust_task, "offline": offline, "target": target, "zero_gpu": zero_gpu}
        how |= {"title": called if title else "", "rows": examples == ROWS}
        kind, found, reasons = _written(kinds, name, temporary, how, tried=tried)
        why = " ".join(filter(None, (why, *reasons)))
        shown, beside = found.pop("examples", []), found.pop("beside", [])
        answers = [{"record": one["record"], "answer": one["answer"]} for one in shown if "answer" in one]
        told: dict[str, Any] = {
            "weitiao": __version__,
            "kind": kind.name,
            "target": target,
            "title": called,
            SOURCE: examples,
            TITLED: title,
        }
        told |= {"drawn": bool(found.pop("drawn", False)), "examples": answers}
        (temporary / TOLD).write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        for file, content in licenses(ourselves()).items():
            (temporary / file).write_bytes(content)
        said, commands, more = found.pop("told", []), found.pop("commands", []), {**kind.metadata, **found.pop("metadata", {})}
        if headers := found.pop("headers", None):
            more["custom_headers"] = headers
        if target == MODELSCOPE:
            head = studio.front_matter(called, task, record)
            (temporary / "ms_deploy.json").write_text(studio.deployment(), encoding="utf-8")
        else:
            head = metadata.front_matter(called, kind.name, task, record, more)
        text = metadata.body(called, task, record, told=said, commands=commands)
        (temporary / "README.md").write_text(f"{head}\n{text}", encoding="utf-8")
        (temporary / ".gitattributes").write_text(attributes(temporary), encoding="utf-8")
        files = [file for file in temporary.rglob("*") if file.is_file()]
        counted = {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}
    rows = published_rows(shown, task)
    for line in told_of_rows(rows, len(shown), private=private, earlier=replaced or sent):
        observer.note(line)
    about = {"out": str(out), "sdk": kind.name, "target": target, "title": called, "free": kind.free, "why": why}
    return Space({**found, **about, "examples": len(shown), SOURCE: examples, "published_rows": rows, **counted}, beside)


def _kept(earlier: Mapping[str, Any], name: str, message: str, observer: Observer) -> str:
    """What was asked for the Space that is replaced, which is told; "" where nothing was."""
    value = str(earlier.get(name) or "")
    if value:
        observer.note(message.format(value=shlex.quote(value)))
    return value


def _written(
    kinds: list[Kind], name: str | Path, place: Path, how: dict[str, Any], *, tried: bool
) -> tuple[Kind, dict[str, Any], list[str]]:
    """The first of the kinds that can be written, what it found, and why it was no earlier one: some of it shows in the weights alone."""
    reasons: list[str] = []
    for kind in kinds:
        if tried:
            kind.require_trial()  # before minutes are spent on what could not be tried
        place.mkdir(parents=True)
        try:
            return kind, kind.write(name, place, **how), reasons
        except ModelError as error:
            if kind is kinds[-1]:
                raise
            reasons.append(unfit(kind.name, error))
            how["observer"].note(reasons[-1])
            shutil.rmtree(place)
    raise AssertionError
