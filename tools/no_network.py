"""Runs a command with no network but the loopback, in a network namespace of its own: python tools/no_network.py COMMAND ...

Where the system does not allow that (macOS, some containers), it says so on one line and runs the command as it is. It knows nothing of
what it runs.
"""

import os
import shutil
import socket
import struct
import subprocess
import sys

# As root the first is enough; anyone else needs a user namespace as well.
WAYS = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])
INSIDE = "--inside"
# Inside nobody may know that there is no network: what reaches out must fail, and be seen.
OFFLINE_SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


def outside(command: list[str]) -> None:
    """Start ourselves again in the first namespace that can be had, or run the command as it is."""
    if sys.platform == "linux" and shutil.which("unshare"):
        for way in WAYS:
            if subprocess.run([*way, "true"], capture_output=True).returncode == 0:
                os.execvp(way[0], [*way, sys.executable, __file__, INSIDE, *command])
    print("no_network: this system does not let us cut the network off (unshare --net); running with it.", file=sys.stderr, flush=True)
    run(command)


def inside(command: list[str]) -> None:
    """Bring the loopback up (it starts down, and servers under test need it), make sure that nothing else is there, run the command."""
    import fcntl  # not on Windows

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    names = [name for _, name in socket.if_nameindex()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # 192.0.2.1 is reserved for documentation; connecting a datagram socket sends nothing, it only asks for a route.
        if probe.connect_ex(("192.0.2.1", 9)) == 0:
            sys.exit(f"no_network: the namespace still has a route out, over one of {names}.")
    print("no_network: the network is cut off; only the loopback works.", file=sys.stderr, flush=True)
    run(command)


def run(command: list[str]) -> None:
    """Become the command."""
    for switch in OFFLINE_SWITCHES:
        os.environ.pop(switch, None)
    os.execvp(command[0], command)


if __name__ == "__main__":
    if sys.argv[1:2] == [INSIDE]:
        inside(sys.argv[2:])
    else:
        outside(sys.argv[1:])
