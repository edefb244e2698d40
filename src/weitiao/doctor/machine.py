"""The machine: processor, memory, disk, caches, NVIDIA cards, and what torch makes of them. It never imports torch in this process."""

import csv
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from weitiao.engine import container_limits

# One question to torch in a process of its own: a broken build may crash, and its import takes seconds.
ASK_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
mps = getattr(torch.backends, "mps", None)
print(json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda, "hip": getattr(torch.version, "hip", None),
    "cuda_available": cuda, "devices": torch.cuda.device_count() if cuda else 0, "bf16": cuda and torch.cuda.is_bf16_supported(),
    "architectures": torch.cuda.get_arch_list() if cuda else [], "mps_available": bool(mps and mps.is_available()),
    "threads": torch.get_num_threads(),
}))
"""


def facts() -> dict[str, Any]:
    """Everything but torch. Sizes in bytes."""
    here = Path.cwd()
    return {
        "platform": platform.platform(),
        "system": platform.system(),
        "cpu": {"model": _cpu_model(), "cores": physical_cores(), "threads": len(_usable_threads())},
        "memory_bytes": _memory_bytes(),
        "disk": {"path": str(here), "free_bytes": shutil.disk_usage(here).free},
        "caches": caches(),
        "nvidia": nvidia(),
    }


def torch_facts(seconds: float = 120.0) -> dict[str, Any]:
    """What torch says of itself, or {"version": None, "error": why}; error is '' where it is simply not installed."""
    from weitiao.doctor.packages import installed

    if installed("torch") is None:
        return {"version": None, "error": ""}
    try:
        answer = subprocess.run([sys.executable, "-c", ASK_TORCH], capture_output=True, text=True, timeout=seconds)
        return dict(json.loads(answer.stdout.strip().splitlines()[-1])) | {"error": ""}
    except subprocess.TimeoutExpired:
        error = f"no answer within {seconds:g} s"
    except (OSError, ValueError, IndexError):
        last = answer.stderr.strip().splitlines()[-1:] or [f"exit code {answer.returncode}"]
        error = last[0][:300]
    return {"version": None, "error": error}


def nvidia() -> dict[str, Any]:
    """{"cards": [{"name", "memory_bytes", "driver", "capability"}], "driver_cuda": "12.8", "on_bus", "error"}.

    ``on_bus``: a card is seen even without a driver. ``error``: why nvidia-smi, which is there, does not work.
    """
    found: dict[str, Any] = {"cards": [], "driver_cuda": None, "on_bus": _on_bus(), "error": ""}
    program = shutil.which("nvidia-smi")
    if program is None:
        return found
    fields = "name,memory.total,driver_version,compute_cap"
    listing = _output([program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"])
    if listing[0] != 0:  # drivers before 2021 do not know compute_cap
        listing = _output([program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"])
    if listing[0] != 0:
        return found | {"error": " ".join(listing[1].split())[:300]}
    return found | {"cards": read_cards(listing[1]), "driver_cuda": read_driver_cuda(_output([program])[1])}


def read_cards(listing: str) -> list[dict[str, Any]]:
    """The cards in nvidia-smi's CSV.

    >>> read_cards("NVIDIA GeForce RTX 3060, 12288, 550.54.14, 8.6")[0]["memory_bytes"] // 2**30
    12
    """
    cards = []
    for row in csv.reader(listing.strip().splitlines(), skipinitialspace=True):
        name, memory, driver, capability = [*row, "", "", ""][:4]
        size = int(float(memory)) * 2**20 if re.fullmatch(r"[\d.]+", memory) else None
        cards.append({"name": name, "memory_bytes": size, "driver": driver, "capability": capability or None})
    return cards


def read_driver_cuda(banner: str) -> str | None:
    """The highest CUDA version that the driver runs, from nvidia-smi's own table.

    >>> read_driver_cuda("| NVIDIA-SMI 550.54.14   Driver Version: 550.54.14   CUDA Version: 12.4  |")
    '12.4'
    """
    match = re.search(r"CUDA(?: UMD)? Version\s*:\s*(\d+\.\d+)", banner)
    return match[1] if match else None


def caches() -> list[dict[str, Any]]:
    """Folders where models and data sets are kept between runs, and how much they hold."""
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface")
    places = {
        "Hugging Face": Path(os.environ.get("HF_HUB_CACHE") or home / "hub"),
        "datasets": Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets"),
        "ModelScope": Path(os.environ.get("MODELSCOPE_CACHE") or Path.home() / ".cache" / "modelscope"),
    }
    return [{"name": name, "path": str(path), "bytes": _size(path)} for name, path in places.items() if path.is_dir()]


def physical_cores() -> int | None:
    """Cores, not counting a core's second thread; None where the system does not say."""
    if platform.system() == "Darwin":
        said = _output(["sysctl", "-n", "hw.physicalcpu"])[1].strip()
        return int(said) if said.isdigit() else None
    siblings = set()
    for thread in _usable_threads():
        file = Path(f"/sys/devices/system/cpu/cpu{thread}/topology/thread_siblings_list")
        if not file.is_file():
            return None
        siblings.add(file.read_text().strip())
    return len(siblings) or None


def _usable_threads() -> list[int]:
    # A container or taskset may leave this process fewer than the machine has.
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def _cpu_model() -> str:
    if platform.system() == "Darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"])[1].strip()
    file = Path("/proc/cpuinfo")
    text = file.read_text(errors="replace") if file.is_file() else ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    """Memory that this process may use: the machine's, or less where a container is given less."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    allowed = container_limits.memory()
    return total if allowed is None else min(total, allowed)


def _on_bus() -> bool:
    """Whether an NVIDIA display controller sits on the PCI bus, driver or not (Linux only)."""
    for device in Path("/sys/bus/pci/devices").glob("*"):
        try:
            if (device / "vendor").read_text().strip() == "0x10de" and (device / "class").read_text().startswith("0x03"):
                return True
        except OSError:
            continue
    return False


def _size(folder: Path) -> int:
    # lstat: the hub's cache links its snapshots to its blobs, and each blob counts once.
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def _output(command: list[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout or done.stderr
