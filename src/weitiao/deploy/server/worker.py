"""One worker process: it loads the models and answers what it is sent, batch by batch, until it is told to stop.

Sent to it: ("batch", model, [Asked, ...]); ("stream", number, model, record, arguments, stops); ("cancel", number);
            ("stop",).
Sent back:  ("ready", {model: facts}) or ("unfit", message, exit code); ("batch", [Answer, ...], seconds); ("piece", number, text);
            ("end", number, how it ended); ("refused" or "failed", number, message).

It knows pipes and answerers, and no HTTP.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from weitiao.deploy.server.answering import Answer, Answerer, facts
from weitiao.errors import WeitiaoError

if TYPE_CHECKING:
    from weitiao.engine.prediction import Predictor

# By the names that models are served under; called inside a worker.
Loader = Callable[[], "Mapping[str, Predictor]"]


def work(pipe: Connection, load: Loader, threads: int, languages: Mapping[str, str]) -> None:
    """What a worker process runs, from its beginning to its end. ``languages``: of each model's texts, for its example."""
    # A Ctrl-C or a stop of the whole group is for the server to hear: what was accepted is still to be answered.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before anything that computes is imported
    with suppress(BrokenPipeError, ConnectionResetError):
        try:
            answerers = {name: Answerer(predictor) for name, predictor in load().items()}
            found = {name: facts(answerer, languages.get(name, "en")) for name, answerer in answerers.items()}
        except WeitiaoError as error:
            pipe.send(("unfit", error.message, error.exit_code))
            return
        pipe.send(("ready", found))
        Worker(pipe, answerers).run()


class Worker:
    """Answers what comes through a pipe. Batches one after the other in a thread of their own; each stream in one of its own, so that
    several are written side by side and a new one begins at once.
    """

    def __init__(self, pipe: Connection, answerers: Mapping[str, Answerer]) -> None:
        self._pipe, self._answerers = pipe, answerers
        self._sending = threading.Lock()
        self._batches: SimpleQueue[tuple[str, Sequence[Any]]] = SimpleQueue()
        self._cancelled: dict[int, threading.Event] = {}

    def run(self) -> None:
        """Until it is told to stop, or the other end is closed."""
        threading.Thread(target=self._answer, daemon=True).start()
        while True:
            try:
                kind, *content = self._pipe.recv()
            except (EOFError, OSError):  # the server is gone
                kind, content = "stop", []
            if kind == "stop":
                # Threads may be deep in a forward pass that nobody waits for.
                os._exit(0)
            if kind == "batch":
                self._batches.put((content[0], content[1]))
            elif kind == "stream":
                number = content[0]
                self._cancelled[number] = threading.Event()
                threading.Thread(target=self._stream, args=content, daemon=True).start()
            elif kind == "cancel" and content[0] in self._cancelled:
                self._cancelled[content[0]].set()

    def _answer(self) -> None:
        while True:
            model, asked = self._batches.get()
            began = time.perf_counter()
            try:
                answers = self._answerers[model].answer(asked)
            except Exception as error:  # a disk that is full, say
                answers = [Answer("failed", type(error).__name__)] * len(asked)
            self._send(("batch", answers, time.perf_counter() - began))

    def _stream(self, number: int, model: str, record: Mapping[str, Any], arguments: Mapping[str, Any], stops: Sequence[str]) -> None:
        unwanted = self._cancelled[number]
        try:
            with closing(self._answerers[model].stream(record, arguments, stops)) as pieces:
                for piece in pieces:
                    if unwanted.is_set():
                        break
                    self._send(("piece", number, piece) if isinstance(piece, str) else ("end", number, piece))
        except WeitiaoError as error:
            self._send(("refused" if error.exit_code in (2, 3) else "failed", number, error.message))
        except Exception as error:
            self._send(("failed", number, type(error).__name__))
        finally:
            del self._cancelled[number]

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._sending, suppress(OSError):
            self._pipe.send(message)
