"""A folder on this machine alone, for as long as it is tried: plain files with the headers that they need, and what a page sends back. It
knows no model and no browser.
"""

import mimetypes
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".gz": "application/gzip", ".html": "text/html"}
LARGEST = 1 << 30  # bytes that a page may send back


class Served:
    """A folder that is served.

    Attributes:
        url: of its root, with a slash at its end.
        heard: (path, content) of what was sent to it.
        sent: bytes of every file that was fetched, by its path.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.sent: dict[str, int] = {}


@contextmanager
def served(folders: Mapping[str, Path], contents: Mapping[str, bytes] = {}, headers: Mapping[str, str] = {}) -> Iterator[Served]:
    """Folders by the path that they are served under ("/", "/.trial/"), and contents by theirs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            content = contents.get(path)
            if content is None:
                file = _file(folders, path)
                content = None if file is None else file.read_bytes()
            self._answer(404 if content is None else 200, content or b"", path)
            if content is not None:
                told.sent[path] = told.sent.get(path, 0) + len(content)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > LARGEST:
                self._answer(413, b"", "")
                return
            told.heard.put((self.path, self.rfile.read(length)))
            self._answer(200, b"", "")

        def _answer(self, status: int, content: bytes, path: str) -> None:
            self.send_response(status)
            suffix = Path(path).suffix if not path.endswith("/") else ".html"
            kind = KINDS.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
            lines: dict[str, Any] = {"Content-Type": kind, "Content-Length": len(content), "Cache-Control": "no-cache", **headers}
            for name, value in lines.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: Any) -> None:
            """Nothing."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    told = Served(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(ThreadingHTTPServer):
    """Says nothing of browsers that go away in the middle of a request: each does when it is closed."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _file(folders: Mapping[str, Path], path: str) -> Path | None:
    """The file that a path means: of the longest prefix, and inside its folder."""
    prefix = max((one for one in folders if path.startswith(one)), key=len, default=None)
    if prefix is None:
        return None
    folder = folders[prefix].resolve()
    file = (folder / path[len(prefix) :]).resolve()
    file = file / "index.html" if file.is_dir() else file
    return file if file.is_file() and file.is_relative_to(folder) else None
