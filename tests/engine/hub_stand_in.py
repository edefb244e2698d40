"""A model hub on 127.0.0.1, in a thread: as much of the hub's HTTP API as huggingface_hub needs to list and fetch a repository; what it
needs to publish one stands in ``hub_uploads``.

It can also misbehave as real ones do: break a connection half-way, hand out other bytes than it announced, demand a login, or answer
with something that is no hub at all.
"""

import hashlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.listening import Listener
from weitiao.engine import offline_base

from .hub_uploads import LARGE, Uploads, git_id, tags_of, unchunked

NAME = "somebody/tiny-bert"  # the model that a stand-in of the fixtures holds


@dataclass
class Repository:
    """One repository and how it behaves.

    Attributes:
        files: path -> content.
        commits: revision -> commit; the default branch is "main".
        status: 0, or the error that every question is answered with; ``code`` is its X-Error-Code.
        breaks: path -> after how many bytes its connection breaks, once.
        resets: path -> how many times its connection is reset rather than ended.
        forged: path -> what is sent in place of the announced content.
        private, sdk, hardware: as it was made; an sdk for a Space alone.
        history: (commit, its summary), oldest first, of what was published to it.
    """

    files: dict[str, bytes]
    commits: dict[str, str] = field(default_factory=lambda: {"main": "a" * 40})
    status: int = 0
    code: str = ""
    breaks: dict[str, int] = field(default_factory=dict)
    resets: dict[str, int] = field(default_factory=dict)
    forged: dict[str, bytes] = field(default_factory=dict)
    private: bool = False
    sdk: str = ""
    hardware: str = ""
    history: list[tuple[str, str]] = field(default_factory=list)


class HubStandIn:
    """A running stand-in: ``url``, the ``repositories`` by name (Spaces as "spaces/OWNER/NAME"), the ``requests`` it got as "METHOD path",
    and what it is asked to publish by, see ``hub_uploads``.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.landing_page = False  # answer everything as a hotel's network does
        self.uploads = Uploads()
        stand_in = self

        class Handler(_Handler):
            hub = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def downloads(self) -> list[str]:
        """The files that were asked for, in order."""
        return [
            request.split("/resolve/")[1].split("/", 1)[1]
            for request in self.requests
            if request.startswith("GET") and "/resolve/" in request
        ]


class _Handler(BaseHTTPRequestHandler):
    hub: HubStandIn
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_POST(self) -> None:
        self._take()

    def do_PUT(self) -> None:
        self._take()

    def _take(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requests.append(f"{self.command} {path}")
        self.hub.headers.append(dict(self.headers))
        fault, length = self.hub.uploads.fault(self.command, path), int(self.headers.get("Content-Length") or 0)
        if fault and fault.breaks == "half-way":
            self.rfile.read(length // 2)
            return self._reset()
        sent = self.rfile.read(length) if length else unchunked(self.rfile, self.headers)
        if fault and fault.status:
            return self._say(fault.status, {"error": fault.said}, fault.headers)
        answer = self.hub.uploads.answer(self.hub, self.command, path, sent, dict(self.headers))
        if fault and fault.breaks == "afterwards":  # it is done, and the answer is lost
            return self._reset()
        return self._say(answer.status, answer.body, answer.headers)

    def _say(self, status: int, said: object, headers: dict[str, str]) -> None:
        self._send(status, json.dumps(said).encode(), {"Content-Type": "application/json", **headers}, body=True)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() now sends a reset
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _answer(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requests.append(f"{self.command} {path}")
        self.hub.headers.append(dict(self.headers))
        if self.hub.landing_page:
            return self._send(200, b"<html>Please log in to the hotel network</html>", {"Content-Type": "text/html"}, body)
        if fault := self.hub.uploads.fault(self.command, path):
            return self._say(fault.status, {"error": fault.said}, fault.headers) if fault.status else self._reset()
        if path == "api/whoami-v2":
            answer = self.hub.uploads.answer(self.hub, self.command, path, b"", dict(self.headers))
            return self._say(answer.status, answer.body, answer.headers)
        if path.startswith(("api/models/", "api/datasets/", "api/spaces/")):
            name, _revision, revision = path.split("/", 2)[2].partition("/revision/")
            return self._describe(f"spaces/{name}" if path.startswith("api/spaces/") else name, revision or "main", body)
        name, _resolve, rest = path.partition("/resolve/")
        revision, _slash, file = rest.partition("/")
        return self._file(name.removeprefix("datasets/"), revision, file, body)

    def _repository(self, name: str, revision: str, body: bool) -> tuple[Repository, str] | None:
        repository = self.hub.repositories.get(name)
        if self.hub.uploads.strange(dict(self.headers)):
            self._send(401, b'{"error":"Invalid username or password."}', {}, body)
        elif repository is None or (repository.private and not self.hub.uploads.may_see(name, dict(self.headers))):
            self._send(404, b'{"error":"Repository not found"}', {"X-Error-Code": "RepoNotFound"}, body)
        elif repository.status:
            self._send(repository.status, b"{}", {"X-Error-Code": repository.code} if repository.code else {}, body)
        else:
            commit = revision if revision in repository.commits.values() else repository.commits.get(revision)
            if commit:
                return repository, commit
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body)
        return None

    def _describe(self, name: str, revision: str, body: bool) -> None:
        if found := self._repository(name, revision, body):
            repository, commit = found
            siblings = []
            for path, content in repository.files.items():
                entry: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": git_id(content)}
                if path.endswith(LARGE):
                    entry["lfs"] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 130}
                siblings.append(entry)
            answer: dict[str, object] = {
                "id": name.removeprefix("spaces/"),
                "modelId": name,
                "sha": commit,
                "siblings": siblings,
                "private": repository.private,
                "tags": tags_of(repository.files.get("README.md", b"")),
                "downloads": 0,
                "likes": 0,
            }
            self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, body)

    def _file(self, name: str, revision: str, path: str, body: bool) -> None:
        found = self._repository(name, revision, body)
        if not found:
            return
        repository, commit = found
        content = repository.files.get(path)
        if content is None:
            self._send(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, body)
            return
        etag = hashlib.sha256(content).hexdigest() if path.endswith(LARGE) else hashlib.sha1(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        content, status = repository.forged.get(path, content), 200
        if asked := self.headers.get("Range"):
            start = int(asked.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            content, status = content[start:], 206
        if body and repository.resets.get(path, 0) > 0:
            repository.resets[path] -= 1
            self._reset()
            return
        breaks = repository.breaks.pop(path, None) if body else None
        self._send(status, content, headers, body, stop_after=breaks)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool, stop_after: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:stop_after])
        if stop_after is not None:
            self.wfile.flush()
            self.close_connection = True


@contextmanager
def hub_stand_in() -> Iterator[HubStandIn]:
    """A stand-in that runs while the block does."""
    hub = HubStandIn()
    thread = threading.Thread(target=hub._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub._server.shutdown()
        hub._server.server_close()


def safetensors_bytes(values: list[float] | None = None) -> bytes:
    """A valid safetensors file with one small tensor, written without any library."""
    data = struct.pack(f"<{len(values or [1.0])}f", *(values or [1.0]))
    header = json.dumps({"weight": {"dtype": "F32", "shape": [len(values or [1.0])], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def model_files(**changes: bytes | None) -> dict[str, bytes]:
    """The files of a whole tiny model repository; a change by name ("config.json" -> bytes) replaces a file, None takes it away."""
    files: dict[str, bytes | None] = {
        "config.json": b'{"model_type": "bert", "architectures": ["BertModel"]}',
        "tokenizer.json": b'{"version": "1.0"}',
        "tokenizer_config.json": b"{}",
        "vocab.txt": b"[PAD]\n[UNK]\n",
        "model.safetensors": safetensors_bytes([float(i) for i in range(1000)]),
        "README.md": b"---\nlicense: apache-2.0\nlanguage: en\n---\n# A model\n",
        **changes,
    }
    return {path: content for path, content in files.items() if content is not None}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files by their paths in a folder, and return it."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


class Ear(Listener):
    """Remembers how far a download is too."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: list[tuple[int, int | None]] = []

    def progress(self, stage: str, done: int, total: int | None, figures: Any) -> None:
        assert stage in ("fetch", "upload")
        self.bytes.append((done, total))


def change_base(monkeypatch: pytest.MonkeyPatch, which: str, **changes: str) -> None:
    """Let a packaged base, MINILM or ZH_MINI, be found elsewhere or be another."""
    changed = replace(getattr(offline_base, which), **changes)
    monkeypatch.setattr(offline_base, which, changed)
    monkeypatch.setattr(offline_base, "BASES", tuple(changed if base.id == changed.id else base for base in offline_base.BASES))
