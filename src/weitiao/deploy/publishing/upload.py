"""A folder becomes what a repository of a hub holds: one commit, whole or not at all. It knows nothing of models or of pages.

What was published is asked for again and compared, so that nobody is told of files that the hub does not have.
"""

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from weitiao.deploy.publishing.refused import in_words, pause_before_next, status_of
from weitiao.deploy.publishing.target import Kind, Target, files_in, target_of
from weitiao.deploy.publishing.terms import asking_only
from weitiao.engine.endpoint import watched
from weitiao.errors import NetworkError, RunError, UsageError, WeitiaoError
from weitiao.messages import _
from weitiao.observer import SILENT, Observer
from weitiao.quantities import size, some

MADE_BY = "weitiao"  # the tag in the head of a README.md by which we know what may be replaced
PAUSES = (2.0, 5.0, 15.0)  # seconds between two tries of a question
# What an empty repository may hold: a new Space has a README.md of the hub's; that of a model, somebody wrote.
_THE_HUBS_OWN = {"space": (".gitattributes", "README.md"), "model": (".gitattributes",)}
_KEPT = (".gitattributes",)
_NAMED = 5  # files that a message names
T = TypeVar("T")


def upload(
    folder: Path,
    repo: str,
    *,
    kind: Kind,
    sdk: str = "",
    private: bool = False,
    hardware: str = "",
    endpoint: str = "",
    message: str = "",
    overwrite: bool = False,
    offline: bool = False,
    observer: Observer = SILENT,
) -> str:
    """Make a repository of a hub hold what a folder holds.

    One that is not there is made. One that weitiao has published before (its README.md has the tag "weitiao") or that is empty is changed;
    its history keeps what stood there. Any other is left alone, unless ``overwrite`` is set.

    Args:
        folder: its files; what tools leave behind (.git, __pycache__) is left out.
        repo: OWNER/NAME.
        kind: of repository.
        sdk: of a new Space: "static", "gradio" or "docker".
        private: of a new repository: only its owner sees it.
        hardware: of a Space, in the hub's words: "cpu-basic", "t4-small", ...; "" for what the hub gives by itself.
        endpoint: the hub; "" for the official one, whatever HF_ENDPOINT says.
        message: of the commit.
        offline: as ``--offline``.
        observer: hears the "upload" progress in bytes, and notes.

    Returns:
        The address where people open it.

    Raises:
        UsageError: an impossible name or address, no token, no network allowed; or the hub wants a paid plan.
        RunError: a repository of that name is there and is not ours.
        NetworkError: the hub refuses the token or the name, or gave way; the message says what stands there now.
        ModelError: the hub does not take what is in the folder.
    """
    target = target_of(repo, kind, endpoint=endpoint, offline=offline)
    files = files_in(folder, target.token)
    made = False
    with asking_only(target.endpoint):
        conversation = _Conversation(target, sdk, observer)
        there = conversation.look()
        if there is None:
            conversation.create(private, hardware)
            made, there = True, conversation.look()
        else:
            _check_ours(target, there, private, overwrite)
        if there is None:
            raise NetworkError(_("{repo} was made, and {address} does not show it. Type the command again later.").format(**_words(target)))
        try:
            conversation.commit(files, there, message or _("Published with weitiao"))
        except WeitiaoError:
            raise
        except Exception as error:
            raise in_words(error, target, sdk=sdk, left=_left(target, made)) from error
        if hardware and not made:
            conversation.ask_for(hardware)
    return target.address


class _Conversation:
    """What is asked of one repository, each question a few times where the network gives way."""

    def __init__(self, target: Target, sdk: str, observer: Observer) -> None:
        from huggingface_hub import HfApi

        self._target, self._sdk, self._observer = target, sdk, observer
        self._api = HfApi(endpoint=target.endpoint, token=target.token, library_name="weitiao")

    def look(self) -> Any:
        """What the hub says of the repository, its files included; None where there is none. Raises WeitiaoError."""
        return self._asked(self._info)

    def create(self, private: bool, hardware: str) -> None:
        """Make it. Raises WeitiaoError."""
        of_a_space: dict[str, Any] = {"space_sdk": self._sdk, "space_hardware": hardware or None} if self._target.kind == "space" else {}
        try:
            self._asked(
                lambda: self._api.create_repo(self._target.repo, repo_type=self._target.kind, private=private or None, **of_a_space),
                refusals=(409,),
            )
        except _Taken as taken:
            # Made by somebody else in this second, or by a try whose answer was lost.
            if self.look() is None:
                message = _("{address}: the hub says that the name is taken, and shows nothing there. Choose another name.")
                raise RunError(message.format(**_words(self._target))) from taken

    def commit(self, files: Mapping[str, Path], there: Any, message: str) -> None:
        """Let the repository hold these files and no others. Raises what huggingface_hub raises, or WeitiaoError."""
        from huggingface_hub import CommitOperationDelete

        meter = _Sent()
        additions = _additions(files, meter)
        held = [sibling.rfilename for sibling in there.siblings or []]
        gone = [name for name in held if name not in files and name not in _KEPT]
        total = sum(file.stat().st_size for file in files.values())
        words = {"count": len(files), "size": size(total), "address": self._target.address}
        self._observer.note(_("Sending {count} files ({size}) to {address}.").format(**words))
        where: dict[str, Any] = {"repo_id": self._target.repo, "repo_type": self._target.kind}
        # Large files first; huggingface_hub asks again by itself while they are sent.
        watched(
            lambda: self._api.preupload_lfs_files(additions=additions, free_memory=False, **where), meter, total, self._observer, "upload"
        )
        operations = [*additions, *(CommitOperationDelete(name) for name in gone)]
        head = there.sha

        def send() -> None:
            # Who has changed it since is not written over: the parent is named.
            self._api.create_commit(operations=operations, commit_message=message, parent_commit=head, **where)

        for pause in (*PAUSES, None):
            try:
                watched(send, meter, total, self._observer, "upload")
                break
            except Exception as error:
                wait = pause_before_next(error, pause or 0.0)
                if status_of(error) == 412:
                    raise self._overtaken() from error
                if wait is None:
                    raise
                time.sleep(wait)
                if self._taken_all_the_same(head, additions):
                    break
                if pause is None:
                    raise
        self._observer.progress("upload", total, total, {})
        self._check_held(additions)
        if gone:
            message = _("Taken away there, since they do not belong to it any more: {files}. The history keeps them.")
            self._observer.note(message.format(files=some(gone, _NAMED)))

    def ask_for(self, hardware: str) -> None:
        """Other hardware for a Space that was there before. It stands, whatever the hub says to that."""
        try:
            self._asked(lambda: self._api.request_space_hardware(self._target.repo, cast(Any, hardware)))
        except WeitiaoError as error:
            message = _("The Space is published; its hardware stays what it was: {problem}")
            self._observer.warn(message.format(problem=error))

    def _taken_all_the_same(self, head: str, additions: list[Any]) -> bool:
        """Whether only the hub's answer was lost, and not what was sent. Raises WeitiaoError where nobody knows, or others came first."""
        try:
            now = self.look()
        except WeitiaoError as error:
            message = _(
                "The connection was lost while {repo} was being published, and whether it was is not known. Look at {address}, or type the "
                "command again, which does no harm."
            )
            raise NetworkError(message.format(**_words(self._target))) from error
        if now is None or now.sha == head:
            return False
        if _differing(now, additions):
            raise self._overtaken()
        return True

    def _check_held(self, additions: list[Any]) -> None:
        """Insist that the hub holds what it was sent. Raises NetworkError."""
        try:
            now = self.look()
        except WeitiaoError as error:
            self._observer.warn(_("It is published; the hub did not say what it holds now: {problem}").format(problem=error))
            return
        missing = [one.path_in_repo for one in additions] if now is None else _differing(now, additions)
        if missing:
            message = _("{address} does not hold all that was sent: {files}. Type the command again.")
            raise NetworkError(message.format(files=some(missing, _NAMED), **_words(self._target)))

    def _info(self) -> Any:
        try:
            return self._api.repo_info(self._target.repo, repo_type=self._target.kind, files_metadata=True)
        except Exception as error:
            if status_of(error) == 404:
                return None
            raise

    def _asked(self, call: Callable[[], T], refusals: tuple[int, ...] = ()) -> T:
        """``call()``, again after a pause where that may help. Raises WeitiaoError, or ``_Taken`` for one of ``refusals``."""
        for pause in (*PAUSES, None):
            try:
                return call()
            except Exception as error:
                if status_of(error) in refusals:
                    raise _Taken from error
                wait = None if pause is None else pause_before_next(error, pause)
                if wait is None:
                    raise in_words(error, self._target, sdk=self._sdk) from error
                time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _overtaken(self) -> RunError:
        message = _("Somebody else has changed {repo} in the meantime; nothing of theirs was written over. Type the command again.")
        return RunError(message.format(**_words(self._target)))


class _Taken(Exception):
    """The hub says that there is one of that name."""


class _Sent:
    """Counts what has been read of each file to be sent, which may be several times, and can stop it. See ``endpoint.watched``."""

    def __init__(self) -> None:
        self.at: dict[str, int] = {}
        self.finished, self.stopped = 0, False

    @property
    def current(self) -> float:
        """Bytes, of all files."""
        return float(sum(self.at.values()))


def _additions(files: Mapping[str, Path], meter: _Sent) -> list[Any]:
    """The files as huggingface_hub wants them; what is read of them to be sent is counted."""
    from huggingface_hub import CommitOperationAdd

    class Counted(io.BufferedReader):
        """A file that tells how far it has been read."""

        name_there = ""

        def read(self, count: int | None = -1, /) -> bytes:
            if meter.stopped:
                raise InterruptedError
            data = super().read(count)
            meter.at[self.name_there] = self.tell()
            return data

    class Addition(CommitOperationAdd):
        """A file that is sent, with its bytes counted instead of drawn."""

        @contextmanager
        def as_file(self, with_tqdm: bool = False) -> Iterator[Any]:
            if not with_tqdm:
                with super().as_file() as file:
                    yield file
                return
            with Counted(io.FileIO(str(self.path_or_fileobj))) as file:
                file.name_there = self.path_in_repo
                yield file

    return [Addition(path_in_repo=name, path_or_fileobj=str(file)) for name, file in files.items()]


def _differing(info: Any, additions: list[Any]) -> list[str]:
    """The files that the repository does not hold as they were to be sent."""
    held = {sibling.rfilename: sibling for sibling in info.siblings or []}
    return [one.path_in_repo for one in additions if not _same(held.get(one.path_in_repo), one)]


def _same(sibling: Any, addition: Any) -> bool:
    if sibling is None or (sibling.size is not None and sibling.size != addition.upload_info.size):
        return False
    if sibling.lfs:
        return bool(sibling.lfs.sha256 == addition.upload_info.sha256.hex())
    if not sibling.blob_id:
        return True
    content = Path(str(addition.path_or_fileobj)).read_bytes()
    return bool(sibling.blob_id == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest())  # as Git names it


def _check_ours(target: Target, there: Any, private: bool, overwrite: bool) -> None:
    """Raises RunError for a repository that must not be replaced, UsageError for one that anybody can see and was to be private."""
    ours = MADE_BY in (there.tags or ())
    empty = {sibling.rfilename for sibling in there.siblings or []} <= set(_THE_HUBS_OWN[target.kind])
    if not (ours or empty or overwrite):
        message = _("{address} is there already and was not made by weitiao, so it is left alone. Choose another name.")
        # A Space is written with --overwrite where its folder stands there; nobody's repository is replaced by that.
        more = " " + _("Or let this take its place with --overwrite; its history keeps what it held.") if target.kind == "model" else ""
        raise RunError(message.format(**_words(target)) + more)
    if private and not there.private:
        message = _(
            "{address} is there already, and everybody can see it: --private is for a new one. Make it private at {address}/settings "
            "first, or leave out --private."
        )
        raise UsageError(message.format(**_words(target)))


def _left(target: Target, made: bool) -> str:
    """What stands there after a failure."""
    if made:
        return _("Nothing was published: {address} was made, and is empty.").format(**_words(target))
    return _("Nothing was published: {address} is as it was.").format(**_words(target))


def _words(target: Target) -> dict[str, str]:
    return {"repo": target.repo, "address": target.address}
