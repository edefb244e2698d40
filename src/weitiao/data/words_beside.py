"""Where words go on in many texts, found by processes beside this one: jieba's words cost more than all the rest of reading a corpus.

It knows texts and processes. The other side of the pipe is this module too: ``serve``.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.data.whole_words import going_on, has_chinese
from weitiao.errors import ResourceError
from weitiao.messages import _

WORTHWHILE = "jieba"  # the segmenter that is slow enough
# -P: else Python looks for modules in the user's folder first, where a numpy.py may lie. The package is this one, wherever it was found.
_OTHER_SIDE = f"""
import sys
sys.path.insert(0, sys.argv[1])
import weitiao
del sys.path[0]
from {__name__} import serve
serve(sys.argv[2])
"""


class WordsBeside:
    """Finds words by so many processes; texts go to them and come back in batches. Made by ``words_beside``."""

    def __init__(self, segmenter: str, processes: int) -> None:
        self.segmenter, self.processes = segmenter, processes if segmenter == WORTHWHILE else 0
        self.own = threading.local()
        self.started: list[subprocess.Popen[bytes]] = []
        self.pool = ThreadPoolExecutor(max(1, self.processes))
        self.here = ThreadPoolExecutor(1)  # for what no process need be asked: more threads would wait for each other

    def ask(self, texts: Sequence[str]) -> "Future[list[np.ndarray]]":
        """What ``going_on`` gives for each text, later. Texts without Chinese are not worth a process."""
        if self.processes and any(map(has_chinese, texts)):
            return self.pool.submit(self._asked, texts)
        return self.here.submit(self._here, texts)

    def _here(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [going_on(text, self.segmenter) for text in texts]

    def _asked(self, texts: Sequence[str]) -> list[np.ndarray]:
        if not hasattr(self.own, "process"):  # one for each thread
            asked = [sys.executable, "-P", "-c", _OTHER_SIDE, str(Path(__file__).parents[2]), self.segmenter]
            self.own.process = subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.started.append(self.own.process)
        process: Any = self.own.process
        try:
            process.stdin.write(json.dumps(list(texts)).encode() + b"\n")
            process.stdin.flush()
            size = int.from_bytes(process.stdout.read(8), "big")
            bits = process.stdout.read(size)
        except OSError as error:
            raise _gone() from error
        lengths = [len(text) + 1 for text in texts]
        if len(bits) * 8 < sum(lengths):
            raise _gone()
        flags = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=sum(lengths)).astype(bool)
        return np.split(flags, np.cumsum(lengths)[:-1])

    def close(self) -> None:
        """Let the processes end."""
        self.here.shutdown(cancel_futures=True)
        self.pool.shutdown(cancel_futures=True)
        for process in self.started:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()


def _gone() -> ResourceError:
    return ResourceError(_("A process that looks for words ended before its time. Is there memory left? Try again with fewer --threads."))


@contextmanager
def words_beside(segmenter: str, processes: int = 0) -> Iterator[WordsBeside]:
    """A finder of words while the block runs.

    Args:
        segmenter: see ``whole_words``.
        processes: how many; 0 takes one a core.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    finder = WordsBeside(segmenter, processes or cores)
    try:
        yield finder
    finally:
        finder.close()


def serve(segmenter: str) -> None:
    """Answer on standard output what comes on standard input, until it ends."""
    # Ctrl-C goes to every process of a terminal; this one ends when its pipe does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        found = [going_on(text, segmenter) for text in json.loads(line)]
        bits = np.packbits(np.concatenate(found)).tobytes()
        sys.stdout.buffer.write(len(bits).to_bytes(8, "big") + bits)
        sys.stdout.buffer.flush()
