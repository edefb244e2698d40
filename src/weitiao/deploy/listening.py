"""A socket to listen on, had before anything slow is done; and its address as people type it. It knows nothing of what is served."""

import errno
import socket
import sys

from weitiao.errors import UsageError
from weitiao.messages import _

CONNECTIONS = 2000  # open at a time
LOOPBACK = ("127.0.0.1", "::1", "localhost")
TRIES = 100  # ports after one in use that are looked at


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that a port in use is known before any model is loaded.

    Raises:
        UsageError: no such host on this machine, or a port that is taken or may not be used.
    """
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With its protocol named: only then does asyncio send small answers without waiting for the one before to be acknowledged (40 ms).
        bound = socket.socket(family, kind, protocol)
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(CONNECTIONS)
    except (OSError, OverflowError, UnicodeError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            text = _(
                "Port {port} of {host} is in use by another program. Choose another one: --port {next}, or --port 0 for any that is free."
            )
            raise UsageError(text.format(host=host, port=port, next=_next_free(host, port))) from error
        text = _("The server cannot listen on {host}, port {port}: {reason}. Choose others with --host and --port.")
        raise UsageError(text.format(host=host, port=port, reason=getattr(error, "strerror", None) or str(error))) from error
    return bound


def reached_at(bound: socket.socket) -> tuple[str, int]:
    """Host and port under which a program of this machine reaches a socket that listens, also where it listens on every address."""
    host, port = bound.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def url_of(bound: socket.socket) -> str:
    """What a client types."""
    host, port = reached_at(bound)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _next_free(host: str, port: int) -> int:
    """The first port behind one in use that can be listened on; 0, any that is free, where there is none nearby."""
    for candidate in range(port + 1, min(port + TRIES, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            return candidate
    return 0
