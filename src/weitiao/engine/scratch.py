"""A folder for files that belong to no run yet. It goes with the process that made it; where that was killed, the next one that makes such
a folder takes it away. It knows files and locks, and nothing of what is put there.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".held"


class Scratch:
    """A new folder. It is locked while this process lives, and a lock goes with its process, however that ends.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     scratch = Scratch("words-", Path(place))
    ...     again = Scratch("words-", Path(place))  # the first is held, so it stays
    ...     len(list(Path(place).iterdir()))
    ...     again.close(), scratch.close()
    ...     list(Path(place).iterdir())
    2
    (None, None)
    []

    Attributes:
        path: the folder, until it is moved or closed.

    Args:
        prefix: its name begins with this, and so do those of the folders that killed processes left, which are removed.
        place: where it is made.
        searched: further places where those may be.
    """

    def __init__(self, prefix: str, place: Path, searched: tuple[Path, ...] = ()) -> None:
        for one in {place.absolute(), *(other.absolute() for other in searched)}:
            _sweep(prefix, one)
        self._kept = False
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            self._lock = FileLock(self.path / LOCK)
            # A file system without locks: nobody else gets this one either, so it is never taken for one left behind.
            with suppress(OSError, NotImplementedError):
                self._lock.acquire()
            if self.path.is_dir():
                return
            self._lock.release()  # somebody took it for left behind in the moment before it was locked

    def moved(self, target: Path) -> None:
        """Give the folder another name, under which it stays."""
        self._unlock()
        shutil.move(self.path, target)
        self._kept = True

    def close(self) -> None:
        """Remove the folder, unless it was moved."""
        if not self._kept:
            self._unlock()
            shutil.rmtree(self.path, ignore_errors=True)

    def _unlock(self) -> None:
        # Where a file in use can be removed it goes first: without it nobody takes the folder for left behind, locked or not.
        with suppress(OSError):
            (self.path / LOCK).unlink(missing_ok=True)
        self._lock.release()
        (self.path / LOCK).unlink(missing_ok=True)


def _sweep(prefix: str, place: Path) -> None:
    """Remove the folders of processes that are no more."""
    with suppress(OSError):  # what cannot be read or removed is somebody else's
        for left in place.glob(f"{prefix}*"):
            if left.is_symlink() or not (left / LOCK).is_file() or not _ours(left):
                continue
            lock = FileLock(left / LOCK)
            try:
                lock.acquire(blocking=False)
            except (Timeout, OSError, NotImplementedError):
                continue
            shutil.rmtree(left, ignore_errors=True)
            lock.release()
            shutil.rmtree(left, ignore_errors=True)  # what of it could not be removed while it was in use


def _ours(folder: Path) -> bool:
    """Whether a folder is of the user that runs this: nothing is opened in another's."""
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()
