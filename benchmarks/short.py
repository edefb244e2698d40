"""The short form of every benchmark that needs no data of one's own, one after the other: ``make bench``.

    python benchmarks/short.py
    python benchmarks/short.py --only predict startup

Each prints its own table; how long each took, and all together, stands at the end, with the processor's seconds beside: on a busy machine
the first grow, the second hardly. Figures of so few rows show that everything runs, and
no speed: those to quote are in RESULTS.md. One that fails does not keep the others from running.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PARTS = {
    "check_rows": "check_rows.py --rows 20000",
    "profile_step": "profile_step.py --steps 4",
    **{
        f"finetune-{method}": f"finetune.py --short --method {method} --json {{out}}/finetune-{method}.json"
        for method in ("full", "lora", "lora-top", "head")
    },
    "predict": "predict.py --rounds 1 --rows 200",
    "startup": "startup.py --rounds 1",
    "growth": "growth.py --lengths 16 64 --layers 2 4 --steps 3",
    "large_vocabulary": "large_vocabulary.py --rounds 1 --steps 3",
    "serve": "serve.py --rounds 1 --seconds 5",
}


class Part(NamedTuple):
    """What a benchmark took.

    Attributes:
        seconds: on the clock.
        processor: of all cores, for it and the processes that it started.
        code: its exit status.
    """

    seconds: float
    processor: float
    code: int = 0


def main() -> None:
    """Run the parts and print their times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="where figures are written")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Part] = {}
    for name in options.only:
        script, *arguments = PARTS[name].format(out=options.out).split(" ")
        print(f"== {name}", flush=True)
        parts[name] = run([sys.executable, str(HERE / script), *arguments])
    print("\n" + table(parts))
    if any(part.code for part in parts.values()):
        sys.exit(1)


def run(command: list[str]) -> Part:
    """Run a command to its end; what it prints is seen at once."""
    began, before = time.perf_counter(), os.times()
    code = subprocess.run(command, check=False).returncode
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return Part(time.perf_counter() - began, processor, code)


def table(parts: dict[str, Part]) -> str:
    """A line a part, and the total.

    >>> print(table({"startup": Part(61.4, 80.2), "growth": Part(5.0, 4.0, 1)}))
    part                seconds   of the processor
    startup                  61                 80
    growth                    5                  4   failed (exit 1)
    total                    66                 84   1.1 minutes
    """
    seconds, processor = (sum(part[at] for part in parts.values()) for at in (0, 1))
    told = {name: (*part[:2], f"failed (exit {part.code})" if part.code else "") for name, part in parts.items()}
    told["total"] = (seconds, processor, f"{seconds / 60:.1f} minutes")
    lines = [f"{name:18} {clock:8.0f} {cpu:18.0f}   {note}".rstrip() for name, (clock, cpu, note) in told.items()]
    return "\n".join([f"{'part':18} {'seconds':>8} {'of the processor':>18}", *lines])


if __name__ == "__main__":
    main()
