"""One model hub, through huggingface_hub: what a repository holds, and its files. Every wait is bounded.

It knows nothing of local folders, of what a model needs, or of what to try instead: a failure is a ``Refused`` with its cause in words.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from weitiao.engine.model_folder import file_sha256
from weitiao.engine.refusals import CONNECT_SECONDS, ask, because, in_background, kinds_of
from weitiao.errors import ModelError, ResourceError, without_credentials
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.runs import write_text

OFFICIAL = "https://huggingface.co"
TRIES = 3  # of a file whose connection is reset; huggingface_hub itself resumes one that merely ends early


@dataclass(frozen=True)
class RemoteFile:
    """A file in a repository: its path there, its size, and its sha256 where the hub states one ("" for small text files)."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Repository:
    """A model repository at one commit. ``revision`` is what was asked for, "" for the default branch."""

    name: str
    endpoint: str
    revision: str
    commit: str
    files: tuple[RemoteFile, ...]


def endpoint_in_force() -> str:
    """The hub to ask: HF_ENDPOINT, else the official one. Read anew each time, unlike huggingface_hub's own constant."""
    return (os.environ.get("HF_ENDPOINT") or OFFICIAL).rstrip("/")


def endpoint_shown() -> str:
    """The same for people: without the name or password that it may carry."""
    return without_credentials(endpoint_in_force())


def offline_asked() -> bool:
    """Whether the environment forbids the network, in the variables that everyone uses."""
    return any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))


def describe(name: str, *, revision: str = "", dataset: bool = False) -> Repository:
    """Ask the hub in force what the repository ``name`` holds, within a few seconds. Raises Refused with the cause."""
    from huggingface_hub import HfApi

    endpoint = endpoint_in_force()
    api = HfApi(endpoint=endpoint, library_name="weitiao")
    question = api.dataset_info if dataset else api.model_info

    def answer() -> Repository:
        info: Any = question(name, revision=revision or None, timeout=CONNECT_SECONDS, files_metadata=True)
        files = tuple(RemoteFile(f.rfilename, f.size or 0, f.lfs.sha256 if f.lfs else "") for f in info.siblings or [])
        return Repository(name, endpoint, revision, str(info.sha), files)

    with on_our_terms(endpoint):
        repository: Repository = ask(endpoint, answer)
    return repository


def download(repository: Repository, names: list[str], *, observer: Observer = SILENT) -> Path:
    """Fetch files into the Hugging Face cache, where every other tool finds them too, and return their folder.

    Files that are there already are not fetched again. ``complete`` is called by whoever has all they need.

    Raises:
        Refused: the network gave way.
        ModelError: a file is not what the hub says it is (its sha256); it is removed.
        ResourceError: no room, or a cache that cannot be written.
    """
    from huggingface_hub import constants

    wanted = {file.path: file for file in repository.files if file.path in names}
    cache = Path(constants.HF_HUB_CACHE)
    folder = storage_folder(repository.name) / "snapshots" / repository.commit
    fresh = [name for name in names if not (folder / name).is_file()]
    needed, free = sum(wanted[name].bytes for name in fresh), _free_bytes(cache)
    if needed > free:
        message = _("{name} needs {needed} MB and {cache} has {free} MB free. Free some, or set HF_HOME to a folder on a larger disk.")
        raise ResourceError(message.format(name=repository.name, needed=needed // 10**6 + 1, cache=cache, free=free // 10**6))
    if fresh:
        meter = _Meter()
        with on_our_terms(repository.endpoint), _cache_errors(cache):
            watched(lambda: _fetch(repository, fresh, cache, meter), meter, needed, observer)
    for name in fresh:
        _check_hash(folder / name, wanted[name], repository)
    return folder


def _check_hash(file: Path, announced: RemoteFile, repository: Repository) -> None:
    """huggingface_hub compares sizes only: a mirror or a proxy could hand out anything of the right length."""
    if not announced.sha256 or file_sha256(file) == announced.sha256:
        return
    found = file_sha256(file)
    file.resolve().unlink(missing_ok=True)
    file.unlink(missing_ok=True)
    message = _(
        "{file} of {name} came from {endpoint} with the wrong checksum: sha256 {found}, where {expected} was announced. It was removed. "
        "Try again; if it happens again, do not trust that endpoint and choose another HF_ENDPOINT."
    )
    details = {"file": announced.path, "name": repository.name, "endpoint": repository.endpoint}
    raise ModelError(message.format(**details, found=found[:12], expected=announced.sha256[:12]))


def complete(repository: Repository) -> None:
    """Note in the cache that this commit is what the revision means: only now is it found again without a network."""
    if repository.revision != repository.commit:
        ref = storage_folder(repository.name) / "refs" / (repository.revision or "main")
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_text(ref, repository.commit)


def storage_folder(name: str) -> Path:
    """The folder of a model repository in the Hugging Face cache."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"


class _Meter:
    """Stands where huggingface_hub expects a tqdm class, and as the bar made of it: counts bytes, and can stop the download."""

    def __init__(self) -> None:
        self.finished, self.current, self.total, self.n = 0, 0.0, 0, 0
        self.stopped = False

    def __call__(self, **_settings: Any) -> "_Meter":
        return self

    def __enter__(self) -> "_Meter":
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def update(self, count: float | None = 1) -> None:
        if self.stopped:
            raise InterruptedError
        self.current += count or 0

    def update_transfer(self, count: float | None = 1) -> None:
        """Bytes on the wire; those written to disk are the ones counted."""

    def set_postfix_str(self, *_text: Any, **_settings: Any) -> None:
        """Speed, for a bar."""

    set_transfer_postfix_str = set_description_str = set_postfix_str

    def close(self) -> None:
        """Nothing is drawn, nothing to close."""


def _fetch(repository: Repository, names: list[str], cache: Path, meter: _Meter) -> None:
    """Download one file after the other; runs in its own thread."""
    from huggingface_hub import hf_hub_download

    for name in names:
        for attempt in range(TRIES):
            meter.current = 0
            try:
                hf_hub_download(  # type: ignore[call-overload]
                    repository.name,
                    name,
                    revision=repository.commit,
                    endpoint=repository.endpoint,
                    cache_dir=cache,
                    etag_timeout=CONNECT_SECONDS,
                    library_name="weitiao",
                    tqdm_class=meter,
                )
                break
            except Exception as error:
                if attempt == TRIES - 1 or "TransportError" not in kinds_of(error):
                    raise
        meter.finished += int(meter.current)
        meter.current = 0


class Meter(Protocol):
    """Counts the bytes of work that runs in another thread, and stops it."""

    finished: int
    stopped: bool

    @property
    def current(self) -> float:
        """Bytes beside those of what is finished."""


def watched(work: Callable[[], object], meter: Meter, total: int, observer: Observer, stage: str = "fetch") -> None:
    """``work`` in a thread, its meter shown from this one: an observer is called from one thread only, and Ctrl-C ends it at once."""
    thread, outcome = in_background(work)
    try:
        while not outcome:
            thread.join(0.1)
            observer.progress(stage, min(total, meter.finished + int(meter.current)), total, {})
    except BaseException:
        meter.stopped = True
        thread.join(2)
        raise
    if outcome[0][1]:
        raise outcome[0][1]


@contextlib.contextmanager
def on_our_terms(endpoint: str) -> Iterator[None]:
    """huggingface_hub without telemetry and chatter; and, at a mirror, without Xet, whose servers a mirror does not stand for."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging as chatter

    before = constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET, chatter.get_verbosity()
    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET or endpoint != OFFICIAL
    chatter.set_verbosity_error()
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET = before[:2]
        chatter.set_verbosity(before[2])


@contextlib.contextmanager
def _cache_errors(cache: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            message = _("{cache} cannot be written: {error}. Free some space, or set HF_HOME to a folder that you may write to.")
            raise ResourceError(message.format(cache=cache, error=error.strerror)) from error
        raise because(error) from error


def _free_bytes(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
