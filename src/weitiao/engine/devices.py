"""The machine under the training: threads, device, number format, memory, and a record of all of it. It knows no model."""

import contextlib
import ctypes
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from weitiao.config import TrainingSettings
from weitiao.engine import container_limits
from weitiao.errors import ResourceError, UsageError
from weitiao.messages import _

RECORDED_PACKAGES = ("weitiao", "torch", "transformers", "accelerate", "tokenizers", "safetensors", "numpy", "pyarrow", "scikit-learn")


@dataclass(frozen=True)
class Machine:
    """What a run computes on.

    Attributes:
        device: "cpu", "cuda" or "mps".
        precision: "fp32", "bf16" or "fp16": the forward pass; weights and optimizer stay in fp32.
        threads: CPU threads of torch.
    """

    device: str
    precision: str
    threads: int


def require_torch() -> None:
    """Make ready for torch's first import, and raise UsageError with the install command where the ``train`` extra is missing.

    OpenMP's threads spin while they wait for each other: 300,000 turns in GNU's. On a machine that does anything else beside, the thread
    that was sent away keeps the others spinning. Beside one busy process training ran here at 11 rows/s with 100,000 turns, at 30 with
    10,000 and at 41 with none; alone, the least count costs some of the speed. OpenMP reads this once, when torch is loaded, and a
    person's own setting wins.
    """
    missing = [name for name in ("torch", "transformers", "accelerate") if not _installed(name)]
    if missing:
        message = _('This needs {packages}, which are not installed. Type: pip install "weitiao[train]"')
        raise UsageError(message.format(packages=_(", ").join(missing)))
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def keep_freed_memory() -> None:
    """Ask glibc to keep what is freed for the next step, instead of giving it back to the system.

    A step frees and takes the same large blocks again, the gradient of the embedding table first of all. Fresh from the system, every page
    of them is cleared on first touch: a seventh of a step's time here. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return
    trim_threshold, mmap_max = -1, -4  # names of malloc.h: M_TRIM_THRESHOLD, M_MMAP_MAX
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)


def give_back_freed_memory() -> None:
    """Give the system what is freed but kept. Batches of ever other shapes leave gaps that nothing fits into: without this now and then, a
    training on long texts grew to twice what it needs.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def machine_for(settings: TrainingSettings) -> Machine:
    """The device, precision and threads that the settings ask for, on this machine; torch's threads are set.

    Raises:
        ResourceError: a device that is not there, or a number format that it cannot compute.
        UsageError: several processes were launched.
    """
    import torch

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Every process would train the whole run and write over the others' files.
        message = _("weitiao trains in one process so far, and {count} were launched. Start it without torchrun or accelerate launch.")
        raise UsageError(message.format(count=os.environ["WORLD_SIZE"]))
    there = available_devices()
    device = there[0] if settings.device == "auto" else settings.device
    if device not in there:
        message = _('--device {device} is not available here; there is: {devices}. "weitiao doctor" says why.')
        raise ResourceError(message.format(device=device, devices=_(", ").join(there)))
    bf16 = device == "cuda" and torch.cuda.is_bf16_supported()
    precision = settings.precision
    if precision == "auto":
        precision = "bf16" if bf16 else "fp16" if device == "cuda" else "fp32"
    if (precision == "fp16" and device != "cuda") or (precision == "bf16" and device == "cuda" and not bf16):
        message = _("--precision {precision} cannot be trained on {device}. Use --precision auto.").format(
            precision=precision, device=device
        )
        raise ResourceError(message)
    threads = settings.threads or physical_cores()
    torch.set_num_threads(threads)
    return Machine(device, precision, threads)


def available_devices() -> list[str]:
    """The devices torch can use here, fastest first."""
    import torch

    devices = ["cuda"] if torch.cuda.is_available() else []
    return [*devices, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def physical_cores() -> int:
    """Cores this process may use; two hardware threads of one core count once, since matrix products gain nothing from the second. Who sets
    OMP_NUM_THREADS has said how many.
    """
    import psutil

    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if said.isdigit() and int(said):
        return int(said)

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed, container_limits.cores() or allowed))


def memory_in_use(device: str) -> int:
    """Bytes this process holds now: on the GPU for "cuda", else resident in main memory."""
    if device == "cuda":
        import torch

        return int(torch.cuda.memory_allocated())
    import psutil

    return int(psutil.Process().memory_info().rss)


def free_memory(device: str) -> int:
    """Bytes that can still be had: on the GPU for "cuda", else in main memory."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    available, left = int(psutil.virtual_memory().available), container_limits.memory_left()
    return available if left is None else min(available, left)


def peak_memory(device: str) -> int:
    """Most bytes this process has held so far: on the GPU for "cuda", else resident in main memory."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def seed_generators(*numbers: int) -> None:
    """Make every random number that torch draws from here on depend on ``numbers`` alone, such as (seed, epoch, step)."""
    import torch

    torch.manual_seed(derived_seed(*numbers))


def derived_seed(*numbers: int) -> int:
    """One well-mixed 63-bit seed from several numbers, the same on every platform.

    >>> derived_seed(42, 0, 1) != derived_seed(42, 1, 0)
    True
    """
    import numpy as np

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def environment(machine: Machine) -> dict[str, Any]:
    """What is needed to repeat and compare a run: versions, processor, memory, threads, git commit. JSON-ready, without paths."""
    from importlib import metadata

    import psutil

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _processor(),
        "gpu": _gpu(machine.device),
        "threads": machine.threads,
        "memory_bytes": int(psutil.virtual_memory().total),
        "git_commit": _git_commit(),
        "packages": {name: metadata.version(name) for name in RECORDED_PACKAGES if _installed(name)},
    }


def _installed(name: str) -> bool:
    from importlib import metadata

    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _gpu(device: str) -> str | None:
    if device != "cuda":
        return None
    import torch

    return str(torch.cuda.get_device_name())


def _git_commit() -> str | None:
    try:
        result = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None
