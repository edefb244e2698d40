"""What every benchmark here shares: processes that are timed, and a record of the machine beside the figures."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from typing import Any

PACKAGES = ("torch", "transformers", "accelerate", "peft", "tokenizers", "numpy")


def timed(command: list[str]) -> tuple[float, float, str]:
    """(wall seconds, peak MB, standard output) of a process."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, text=True)
        _pid, status, usage = os.wait4(process.pid, 0)  # this child's own peak, not the largest so far
        seconds = time.perf_counter() - began
        output.seek(0)
        errors.seek(0)
        if status:
            sys.exit(f"{' '.join(command)}\n{errors.read()[-2000:]}")
        return round(seconds, 2), round(usage.ru_maxrss / 1024), output.read()


def machine() -> dict[str, Any]:
    """Processor, cores, load of the last minute, Python and versions: figures of another machine are other figures."""
    import weitiao

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "weitiao": weitiao.__version__,
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def record(results: Any) -> str:
    """One line of JSON: the figures and the machine."""
    return json.dumps({"machine": machine(), "results": results}, default=str)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
