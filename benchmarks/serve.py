"""`weitiao serve` beside a plain FastAPI server and LitServe: the same model and the same mix of texts of 10 to 400 tokens, in turn.

    python benchmarks/serve.py [RUN] [--workers N] [--rounds 3] [--seconds 30] [--litserve PYTHON]
    python benchmarks/serve.py [RUN] --overload 60 --stop

The first form prints for each server what it answers a second with 64 requests at a time, and at 80% of that (each of its own) how long
short requests take; --litserve names a Python that has LitServe (pip install litserve), without it that peer is left out. The second loads
`weitiao serve` alone: at four times what it can do for so many seconds (what is answered, which statuses, how long /health takes, memory),
and with SIGTERM in the middle of it (--stop): nothing that was accepted may be lost. Without RUN a small one is trained here.
"""

import argparse
import asyncio
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from load import Connections, Seen, closed, open_, probed

HERE = Path(__file__).parent
LOAD = 0.8  # of what a server can do
SHORT = 20  # words
WORDS = (7, 300)  # of a text: about 10 to 400 tokens
AT_A_TIME = 64
WARM = 3.0  # seconds that do not count


def main() -> None:
    """Measure what was asked for; print a table and, last, one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="a finished run or an export of text-classification, with --max-length 512")
    parser.add_argument("--peer-model", help="the model folder that the peers serve (RUN/model)")
    parser.add_argument("--workers", type=int, default=0, help="as weitiao serve has it; 0 = its own choice")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--litserve", metavar="PYTHON")
    parser.add_argument("--overload", type=float, metavar="SECONDS")
    parser.add_argument("--stop", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(options.run) if options.run else small_run(Path(scratch))
        ours = [sys.executable, "-m", "weitiao", "serve", str(run), "--quiet", "--workers", str(options.workers), "--port"]
        results: dict[str, Any] = {}
        if options.overload:
            results["overload"] = asyncio.run(overload(ours, options.seconds, options.overload))
        if options.stop:
            results["stop"] = asyncio.run(stopped(ours))
        if not results:
            results = asyncio.run(beside(ours, Path(options.peer_model) if options.peer_model else run / "model", options))
    print(json.dumps(results))


async def beside(ours: list[str], model: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Every server, so many rounds, in turn."""
    commands = {"weitiao": ours, "plain": [sys.executable, str(HERE / "peers" / "plain_server.py"), str(model)]}
    if options.litserve:
        commands["LitServe"] = [options.litserve, str(HERE / "peers" / "litserve_server.py"), str(model)]
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for number in range(options.rounds):
        for name, command in commands.items():
            text = texts(number)
            async with served(command) as (port, _process):
                peak = await saturated(port, text, options.seconds)
                seen = Seen()
                await open_(port, text, LOAD * peak, options.seconds, seen, random.Random(number))
            found = {"a_second": peak, "short_p50": seen.share(0.5, SHORT)}
            found |= {"short_p99": seen.share(0.99, SHORT), "p99": seen.share(0.99)}
            figures[name].append(found)
            told = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
            print(f"round {number + 1}  {name}: {told}; {dict(seen.statuses)}", file=sys.stderr, flush=True)
    print(f"{'':12}{'answers/s':>10}{'ours/theirs':>12}{'short p50 s':>12}{'short p99 s':>12}{'ours/theirs':>12}{'p99 s':>8}")
    for name, rounds in figures.items():
        of = {key: median(one[key] for one in rounds) for key in rounds[0]}
        ratios = {key: median(a[key] / b[key] for a, b in zip(figures["weitiao"], rounds, strict=True)) for key in of}
        print(
            f"{name:12}{of['a_second']:>10.1f}{ratios['a_second']:>12.2f}{of['short_p50']:>12.3f}{of['short_p99']:>12.3f}"
            f"{ratios['short_p99']:>12.2f}{of['p99']:>8.3f}"
        )
    return figures


async def overload(ours: list[str], seconds: float, over: float) -> dict[str, Any]:
    """Four times what the server can do."""
    text = texts(0)
    async with served(ours) as (port, process):
        peak = await saturated(port, text, seconds)
        seen, health, began, before = Seen(), Seen(), time.perf_counter(), memory(process)
        probing = asyncio.create_task(probed(port, "/health", over, health))
        loading = asyncio.create_task(open_(port, text, 4 * peak, over, seen, random.Random(1)))
        await asyncio.sleep(over / 2)
        middle = memory(process)
        await asyncio.gather(probing, loading)
        after = memory(process)
        good = seen.rate(began + WARM, began + over)
    found = {
        "peak": peak,
        "goodput": good,
        "share": good / peak,
        "statuses": dict(seen.statuses),
        "health_p99_s": health.share(0.99),
        "health_statuses": dict(health.statuses),
        "memory_mb": [round(value / 2**20) for value in (before, middle, after)],
    }
    for key, value in found.items():
        print(f"{key:16}{value}")
    return found


async def stopped(ours: list[str]) -> dict[str, Any]:
    """SIGTERM while it works: what became of every request. Lost are those without an answer that were sent before; what comes later may
    find the door closed.
    """
    async with served(ours) as (port, process):
        seen = Seen()
        loading = asyncio.create_task(closed(port, texts(0), AT_A_TIME, 60, seen))
        await asyncio.sleep(5)
        began = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 120)
        took = time.perf_counter() - began
        await loading
    found = {"exit_code": code, "seconds": took, "statuses": dict(seen.statuses), "lost": sum(sent < began for sent in seen.lost)}
    for key, value in found.items():
        print(f"{key:16}{value}")
    return found


async def saturated(port: int, text: Any, seconds: float) -> float:
    """Answers a second with many requests at a time."""
    seen, began = Seen(), time.perf_counter()
    await closed(port, text, AT_A_TIME, WARM + seconds, seen)
    return seen.rate(began + WARM, began + WARM + seconds)


@asynccontextmanager
async def served(command: list[str]) -> AsyncIterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The port and the process of a server that answers; it is stopped in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        seen, end = Seen(), time.monotonic() + 180
        while await Connections(port).ask("/predict", "a lovely day", seen) != "200":
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"no answer from: {' '.join(command)}")
            await asyncio.sleep(0.5)
        yield port, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def memory(process: "subprocess.Popen[bytes]") -> int:
    """Bytes that a server and its workers hold."""
    whole = psutil.Process(process.pid)
    return sum(one.memory_info().rss for one in (whole, *whole.children(recursive=True)))


def texts(seed: int) -> Any:
    """A function that gives texts, as many short as long ones on a scale of ratios; the same for every server."""
    from weitiao import sample

    words = sample.path("en").read_text(encoding="utf-8").replace(",", " ").split()
    draw = random.Random(seed)

    def text() -> str:
        length = round(math.exp(draw.uniform(math.log(WORDS[0]), math.log(WORDS[1]))))
        begin = draw.randrange(len(words) - length)
        return " ".join(words[begin : begin + length])

    return text


def small_run(scratch: Path) -> Path:
    """One epoch of the packaged base on the bundled sample, which reads up to 512 tokens."""
    from weitiao import sample

    out = scratch / "run"
    command = [sys.executable, "-m", "weitiao", "train", str(sample.path("en")), "--model", "offline", "--epochs", "1", "--out", str(out)]
    subprocess.run([*command, "--max-length", "512", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return out


if __name__ == "__main__":
    main()
