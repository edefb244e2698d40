"""How large a plain install of weitiao is: python tools/core_install.py

It makes a fresh environment in a temporary folder, installs this repository without extras and with the versions of constraints.txt, and
prints what each package takes on the disk, pip and setuptools left out, which were there before. It fails where torch came along, or where
all of it is more than 250 MB. It needs a package index, so CI has a test of what is declared instead (tests/deploy/test_core_install.py).
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
LARGEST = 250_000_000  # bytes
THERE_BEFORE = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")


def main() -> int:
    """Install and measure; the exit code."""
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(scratch, with_pip=True)
        (packages,) = Path(scratch).glob("lib/python3*/site-packages")
        pip = [str(Path(scratch) / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), str(ROOT)], check=True)
        sizes = {one.name: on_disk(one) for one in packages.iterdir() if not one.name.startswith(THERE_BEFORE)}
    total = sum(sizes.values())
    for name, size in sorted(sizes.items(), key=lambda pair: -pair[1])[:15]:
        print(f"{size / 1e6:8.1f} MB  {name}")
    print(f"{total / 1e6:8.1f} MB  in all, at most {LARGEST / 1e6:.0f}")
    return int(total > LARGEST or "torch" in sizes)


def on_disk(place: Path) -> int:
    """Bytes that a file, or a folder with all that is in it, takes on the disk: whole blocks, as ``du`` counts."""
    return sum(one.lstat().st_blocks * 512 for one in (place, *place.rglob("*")))


if __name__ == "__main__":
    sys.exit(main())
