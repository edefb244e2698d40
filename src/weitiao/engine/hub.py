"""Finds a base model: local folder, local cache, hub or mirror, ModelScope and, for ``auto`` only, the packaged offline base.

It decides where to look and what to say when nothing is there. It does not know how a hub is spoken to (``endpoint``), what makes a folder
whole (``model_folder``), or how weights are loaded (``models``). A model that was named is never replaced by another.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from weitiao.config import nearest
from weitiao.data.hub_cache import is_hub_name, model_folder
from weitiao.engine import catalog, endpoint, modelscope_hub, offline_base
from weitiao.engine.architectures import refuse_blank
from weitiao.engine.base_of_run import handed_on, named_again
from weitiao.engine.bundles import check_ending, pack, unpack
from weitiao.engine.heads import kind_of
from weitiao.engine.manifest import recorded
from weitiao.engine.model_folder import (
    check_code_there,
    check_names,
    check_own_code,
    check_remote_code,
    license_of,
    needed_files,
    verify_folder,
    weights_sha256,
)
from weitiao.engine.refusals import Refused
from weitiao.engine.unreachable import MIRROR, Attempt, NotHad, pickle_hint, without_network
from weitiao.errors import ModelError, UsageError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.quantities import some

__all__ = ["BaseModel", "fetch", "resolve", "unpack", "verify_folder"]

Source = Literal["folder", "cache", "hub", "modelscope", "offline", "blank"]
_COMMIT = re.compile(r"[0-9a-f]{40}")
SHOWN = 3  # entries of the table that a message names


@dataclass(frozen=True)
class BaseModel:
    """A base model that is here, whole and checked.

    Attributes:
        id: its hub id, that of a packaged base ("offline:all-MiniLM-L6-v2"), or a local folder's name (never a path of this machine).
        source: where it came from this time.
        path: the local folder.
        revision: the commit, where known.
        sha256: of its weight file; see ``model_folder.weights_sha256`` for a model in parts.
        license: as its card declares it, "" where it does not.
        why: a translated phrase.
        made_from: what a folder's model was made from, where it is the model of a run that knew it: an ``id``.
    """

    id: str
    source: Source
    path: Path
    revision: str
    sha256: str
    license: str
    why: str
    made_from: str = ""

    def record(self) -> dict[str, str]:
        """What run.json says of it, so that it can be found again."""
        values = {name: str(getattr(self, name)) for name in ("id", "source", "revision", "sha256", "license")}
        values |= {"made_from": self.made_from} if self.made_from else {}
        return values | ({"folder": str(self.path.resolve())} if self.source == "folder" else {})


def resolve(
    name: str,
    *,
    revision: str = "",
    offline: bool = False,
    language: str = "en",
    writes: str = "",
    classes: Sequence[str] = (),
    method: str = "full",
    trust_remote_code: str = "",
    memory_bytes: int | None = None,
    gpu: bool = False,
    replaceable: bool = True,
    observer: Observer = SILENT,
) -> BaseModel:
    """Find the base model ``name`` and, where need be, fetch it.

    Args:
        name: a folder, a hub id, "offline" or "auto".
        revision: branch, tag or commit on the hub.
        offline: open no socket; HF_HUB_OFFLINE=1 means the same.
        language: of the texts, for "auto" and for a word of warning: "en", "zh", ...; "" where nobody asks.
        writes: the language that the task writes, for "auto"; "" where it writes none.
        classes: transformers Auto classes of the task's head, for "auto": they say which kind of model is needed.
        method: of fine-tuning, for "auto": it says how much memory a model takes.
        trust_remote_code: the one repository (or folder) whose Python code may run.
        memory_bytes, gpu: the device that trains, for "auto"; this machine's main memory by default.
        replaceable: whether a model that needs no network would do as well, so that a failure may name one.
        observer: hears notes, warnings and the "fetch" progress in bytes.

    Raises:
        ModelError: what was found cannot be used; or a path where no folder is.
        NetworkError: a named model cannot be had; lists what was tried.
        ResourceError: no room for it.
        UsageError: a revision where there are none; a blank model, which only a training makes.
    """
    if not name.strip():  # to Python "" is the folder that one is in
        raise ModelError(_("--model is empty. Name a folder, a hub id, offline or auto."))
    refuse_blank(name)
    offline = offline or endpoint.offline_asked()
    _check_revision(name, revision)
    if offline_base.is_offline(name):
        return _packaged(name, language, observer)
    try:
        if name == "auto":
            memory = catalog.machine_memory() if memory_bytes is None else memory_bytes
            choices = catalog.choose(language, memory, gpu, classes=classes, writes=writes, method=method)
            return _automatic(choices, offline, language, observer)
        return _named(name, revision, offline, trust_remote_code, observer)
    except NotHad as failure:
        failure.kind = kind_of(classes) if replaceable else None
        raise failure.error() from failure


def found_again(
    base: Mapping[str, Any], named: str, *, offline: bool = False, trust_remote_code: str = "", observer: Observer = SILENT
) -> BaseModel:
    """The base model that a run was made from, for whoever needs it again: to go on, to put its adapter on, to export.

    Args:
        base: run.json's record of it, see ``BaseModel.record``.
        named: what was typed for ``--model`` then.
        trust_remote_code: see ``resolve``.

    Raises:
        ModelError: it is not there any more, or has changed.
        NetworkError: it cannot be had.
    """
    try:
        again = named_again(base, named)
        asked = {"offline": offline, "trust_remote_code": trust_remote_code, "observer": observer}
        # Whether it suits the texts was said when it was chosen.
        found = resolve(again["model"], revision=again["revision"], language="", replaceable=False, **asked)  # type: ignore[arg-type]
    except ModelError as error:
        message = _("This run still needs the base model that it was made from, {id}: {problem}")
        raise ModelError(message.format(id=base["id"], problem=error)) from error
    if found.sha256 != base["sha256"]:
        message = _(
            "The base model {id} is not the one that this run was made from: the sha256 of its weights is {found}, and was {expected}. Put "
            "the old one back, or train anew."
        )
        raise ModelError(message.format(id=base["id"], found=found.sha256[:12], expected=base["sha256"][:12]))
    return found


def fetch(
    name: str, *, revision: str = "", bundle: Path | None = None, language: str = "en", offline: bool = False, observer: Observer = SILENT
) -> dict[str, Any]:
    """Get what a run will need, so that it needs no network; with ``bundle``, also pack it into one file for another machine.

    Args:
        name: a model as in ``resolve``, or hub:NAME for a data set.
        revision: branch, tag or commit.
        bundle: a .zip or .tar to write.
        language: for "auto".
        offline: only from what is here already.
        observer: hears notes and the "fetch" progress in bytes.

    Returns:
        {"id", "kind", "source", "path", "bytes", "bundle"}; ``bundle`` is None where none was asked for.

    Raises:
        As ``resolve``, and UsageError for a bundle of another ending.
    """
    if bundle is not None:
        check_ending(bundle)  # before hours of downloading, not after
    if name.startswith("hub:"):
        from weitiao.engine.hub_datasets import fetch_dataset

        return fetch_dataset(name, revision=revision, bundle=bundle, offline=offline or endpoint.offline_asked(), observer=observer)
    model = resolve(name, revision=revision, offline=offline, language=language, replaceable=False, observer=observer)
    names = needed_files(file.relative_to(model.path).as_posix() for file in model.path.rglob("*") if file.is_file())
    if bundle is not None:
        about = {"kind": "model", "id": model.id, "revision": revision, "commit": model.revision, "license": model.license}
        pack(model.path, names, bundle, observer=observer, **about)
    size = sum((model.path / file).stat().st_size for file in names)
    where = str(bundle) if bundle is not None else None
    return {"id": model.id, "kind": "model", "source": model.source, "path": str(model.path), "bytes": size, "bundle": where}


def on_this_machine(name: str, revision: str = "") -> Path | None:
    """The folder in which a model of a hub, fetched or unpacked, stands on this machine, whole or not; None where there is none."""
    return next((place for place, _commit in _cached(name, revision)), None)


def _named(name: str, revision: str, offline: bool, trusted: str, observer: Observer) -> BaseModel:
    """Folder, cache, hub, ModelScope, in this order. Raises NotHad with all that was tried."""
    folder = _folder(name)
    if folder is not None:
        own = folder.resolve().name
        verify_folder(folder, where=_('The folder "{path}"').format(path=name))
        check_own_code(folder, name, trusted)
        found = _base(own, "folder", folder, "", _("the folder you named"))
        known = handed_on(folder)
        if not known:
            return found
        return replace(found, id=known["name"], license=found.license or known["license"], made_from=known["made_from"])
    _refuse_paths(name)
    attempts = [Attempt(_("a folder of that name"), "missing", _("not there"))]
    for place, commit in _cached(name, revision):
        try:
            verify_folder(place, where=name)
        except ModelError as error:
            # Half a download, or another program's choice of files: the hub may have the rest.
            attempts.append(Attempt(_("the local cache"), "failed", error.message.rstrip(".")))
            continue
        check_remote_code(place, name, trusted)
        try:
            check_code_there(place, name)
        except ModelError as error:
            attempts.append(Attempt(_("the local cache"), "failed", error.message.rstrip(".")))
            continue
        return _base(name, "cache", place, commit, _("in the local cache of this machine"))
    if len(attempts) == 1:
        attempts.append(Attempt(_("the local cache"), "missing", _("not there")))
    if offline:
        raise NotHad(name, attempts, offline=True)
    hub = endpoint.endpoint_shown()
    try:
        return _from_hub(name, revision, trusted, observer)
    except Refused as refused:
        attempts.append(Attempt(hub, refused.kind, refused.cause, hub))
    if not modelscope_hub.installed():
        attempts.append(Attempt("ModelScope", "missing", _("its package is not installed")))
        raise NotHad(name, attempts)
    try:
        return _from_modelscope(name, revision, trusted, observer)
    except Refused as refused:
        attempts.append(Attempt("ModelScope", refused.kind, refused.cause))
    raise NotHad(name, attempts)


def _from_hub(name: str, revision: str, trusted: str, observer: Observer) -> BaseModel:
    """From the endpoint in force; what the repository holds is judged before anything large is fetched. Raises Refused."""
    if not is_hub_name(name):
        raise Refused("missing", _("no hub has names like that"))
    repository = endpoint.describe(name, revision=revision)
    every = [file.path for file in repository.files]
    check_names([path for path in every if "/" not in path or path.startswith("onnx/")], name, hint=pickle_hint(name, repository.endpoint))
    names = needed_files(every, code=trusted == name)
    size = sum(file.bytes for file in repository.files if file.path in names)
    details = {"name": name, "endpoint": repository.endpoint, "size": f"{size / 1e6:.0f}"}
    observer.note(_("Fetching {name} from {endpoint}: {size} MB.").format(**details))
    small = [path for path in names if not path.endswith(".safetensors")]
    check_remote_code(endpoint.download(repository, small), name, trusted)
    place = endpoint.download(repository, names, observer=observer)
    verify_folder(place, where=name)
    check_code_there(place, name)
    endpoint.complete(repository)
    return _base(name, "hub", place, repository.commit, _("fetched from {endpoint}").format(**details))


def _from_modelscope(name: str, revision: str, trusted: str, observer: Observer) -> BaseModel:
    """From ModelScope. Raises Refused."""
    observer.note(_("Asking ModelScope for {name}.").format(name=name))
    place = modelscope_hub.fetch(name, revision=revision, observer=observer)
    verify_folder(place, where=name)
    check_remote_code(place, name, trusted)
    check_code_there(place, name)
    return _base(name, "modelscope", place, revision, _("fetched from ModelScope"))


def _cached(name: str, revision: str) -> Iterator[tuple[Path, str]]:
    """Where a fetched or unpacked model of this name stands on this machine, with its commit. Opens no socket."""
    try:
        own = model_folder(name)
    except ValueError:
        return
    if own.is_dir() and (record := recorded(own)) and (not revision or revision in (record.revision, record.commit)):
        yield own, record.commit
    if not is_hub_name(name):
        return
    storage = endpoint.storage_folder(name)
    ref = storage / "refs" / (revision or "main")
    commit = revision if _COMMIT.fullmatch(revision) else ref.read_text(encoding="utf-8").strip() if ref.is_file() else ""
    if commit and (storage / "snapshots" / commit).is_dir():
        yield storage / "snapshots" / commit, commit
    if modelscope_hub.installed() and (place := modelscope_hub.cached(name, revision=revision)):
        yield place, revision


def _automatic(choices: list[catalog.Choice], offline: bool, language: str, observer: Observer) -> BaseModel:
    """The first entry of the table that can be had, else the packaged base, with a line that says so."""
    causes: list[str] = []
    failure: NotHad | None = None
    for choice in choices:
        try:
            found = _named(choice.id, "", offline, "", observer)
        except NotHad as not_had:
            failure = failure or not_had
            causes.append(not_had.causes())
        except ModelError as error:
            causes.append(error.message.rstrip("."))
        else:
            why = _("{reason}; {source}").format(reason=_(choice.reason), source=found.why)
            return replace(found, license=found.license or choice.license, why=why)
    names = some((choice.id for choice in choices), SHOWN)
    told = {"names": names, "causes": _("; ").join(dict.fromkeys(causes))}
    if failure is not None:
        failure.table = names
    if choices[0].kind != "encoder":
        if failure is not None:
            raise failure
        message = _("No base model of the table could be used ({names}: {causes}). {help}")
        raise ModelError(message.format(**told, help=without_network(choices[0].kind)))
    message = _("No base model of the table could be had ({names}: {causes}); the packaged base {base} is taken instead.")
    observer.note(message.format(**told, base=offline_base.meant(offline_base.OFFLINE, language).title))
    try:
        return _packaged(offline_base.OFFLINE, language, observer)
    except ModelError as error:
        if failure is None:
            raise
        failure.attempts.append(Attempt(_("the packaged base"), "missing", error.message.rstrip(".")))
        raise failure from error


def _packaged(name: str, language: str, observer: Observer) -> BaseModel:
    base = offline_base.meant(name, language)
    folder = base.folder()
    if language and not language.lower().startswith(base.language):
        message = _(
            "The packaged base {base} knows another language than that of the texts ({language}): expect weak results. A base for them "
            'needs a hub once: set HF_ENDPOINT to a mirror ({mirror}), or on a machine with a network type "weitiao fetch {name} --bundle '
            'base.zip" and here "weitiao fetch --unpack base.zip", then --model {name}.'
        )
        better = catalog.choose(language, catalog.machine_memory(), gpu=False)[0].id
        observer.warn(message.format(base=base.title, language=language, mirror=MIRROR, name=better))
    return BaseModel(base.id, "offline", folder, "", base.sha256, base.license, _("the packaged base, checksum verified"))


def _base(name: str, source: Source, place: Path, commit: str, why: str) -> BaseModel:
    return BaseModel(name, source, place, commit, weights_sha256(place), license_of(place), why)


def _folder(name: str) -> Path | None:
    """The local folder that ``name`` means, None where it means none."""
    if name == "auto" or offline_base.is_offline(name):
        return None
    path = Path(name).expanduser()
    if path.is_file():
        message = _("--model {name} is a file. Name the folder that it stands in: --model {folder}")
        raise ModelError(message.format(name=name, folder=path.parent))
    return path if path.is_dir() else None


def _refuse_paths(name: str) -> None:
    """A name that can only be a path is never asked of a hub: nobody wants their folder names sent out."""
    path = Path(name).expanduser()
    if name.startswith((".", "~")) or path.is_absolute() or "\\" in name or name.count("/") > 1 or name.endswith("/"):
        siblings = [entry.name for entry in path.parent.iterdir() if entry.is_dir()] if path.parent.is_dir() else []
        message = _("--model {name} is a path, and there is no folder. Check it, or name a hub id (OWNER/NAME), offline or auto.")
        raise ModelError(message.format(name=name) + nearest(path.name, siblings))


def _check_revision(name: str, revision: str) -> None:
    if revision and (name in ("auto", "offline") or _folder(name) is not None):
        message = _("--revision {revision} is for a model of a hub, and --model is {name}. Leave it out, or name a hub id.")
        raise UsageError(message.format(revision=revision, name=name))
    if revision and not all(part.strip(".") for part in revision.split("/")):
        raise UsageError(_("--revision {revision} is no branch, tag or commit. An example: --revision main").format(revision=revision))
