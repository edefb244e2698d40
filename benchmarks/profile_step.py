"""Where the time of an optimizer step goes, by kind of work, and how near the matrix products come to what this machine can do.

    python benchmarks/profile_step.py [TRAIN.csv] [--steps 12] [--settings text=text label=target max_length=128 method=lora]

Without TRAIN.csv the bundled sample is used. The steps are those of `weitiao train` with the packaged base, batches of 32 and full
fine-tuning; --settings changes them, by the names that weitiao.train takes. Prints a table and, last, one line of JSON.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.profiler import ProfilerActivity, profile

from measuring import record

BATCH = 32  # rows a step
# Operators by the kind of work; the first kind with a word that the operator's name holds.
KINDS = {
    "matrix products": ("aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm", "aten::linear", "aten::matmul"),
    "optimizer": ("fused_adam", "_foreach"),
    "clipping": ("norm_except", "linalg_vector_norm", "clip"),
    "layer norms": ("layer_norm", "rms_norm"),
    "activations": ("gelu", "silu", "relu", "tanh", "sigmoid"),
    "softmax": ("softmax",),
    "dropout masks": ("random_", "bernoulli", "aten::ge", "native_dropout", "_Dropout", "_Dropped"),
    "gathering and copies": ("index", "copy_", "cat", "gather", "embedding", "clone", "contiguous", "zero", "fill"),
    "sums": ("aten::sum", "aten::mean"),
    "element by element": ("aten::add", "aten::mul", "aten::div", "aten::sub", "addcmul", "aten::pow"),
}


def main() -> None:
    """Profile some steps and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="training file")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--settings", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    settings = {name: yaml.safe_load(value) for name, value in (word.split("=", 1) for word in options.settings)}
    with tempfile.TemporaryDirectory() as scratch:
        trainer = _trainer(options.data, settings, Path(scratch))
    batches = [trainer.job.examples[at : at + BATCH] for at in range(0, len(trainer.job.examples) - BATCH + 1, BATCH)]
    steps = [batches[number % len(batches)] for number in range(options.steps)]
    trainer.job.loaded.network.train()
    for rows in steps[:2]:  # the first passes warm up allocators and kernels
        trainer._step(rows)
    began = time.perf_counter()
    for rows in steps:
        trainer._step(rows)
    seconds = (time.perf_counter() - began) / len(steps)
    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as profiled:
        for rows in steps:
            trainer._step(rows)
    kinds: dict[str, float] = defaultdict(float)
    unnamed: dict[str, float] = {}
    events: Any = profiled.key_averages()
    for event in events:
        kind = next((kind for kind, words in KINDS.items() if any(word in event.key for word in words)), None)
        kinds[kind or "other"] += event.self_cpu_time_total
        if kind is None:
            unnamed[event.key] = event.self_cpu_time_total
    whole = sum(kinds.values())
    work = sum(event.flops for event in events) / len(steps)
    rate, best = work / seconds, products_per_second()
    tokens = sum(sum(map(trainer.job.objective.cost, rows)) for rows in steps) / len(steps)
    print(f"{'kind of work':24}{'share':>8}{'ms a step':>12}")
    for kind, microseconds in sorted(kinds.items(), key=lambda pair: -pair[1]):
        print(f"{kind:24}{microseconds / whole:8.1%}{microseconds / 1e3 / len(steps):12.1f}")
    largest = sorted(unnamed, key=lambda name: -unnamed[name])[:5]
    print("largest of other: " + ", ".join(f"{name} {unnamed[name] / whole:.1%}" for name in largest))
    print(f"{seconds * 1000:.0f} ms a step of {tokens:.0f} real tokens: {tokens / seconds:.0f} tokens/s, {BATCH / seconds:.1f} rows/s")
    print(f"{rate / 1e9:.0f} GFLOP/s of {best / 1e9:.0f} that matrix products alone reach here: {rate / best:.0%}")
    figures = {"seconds": seconds, "tokens": tokens, "flops": work, "rate": rate, "best": best}
    print(record({**figures, "shares": {kind: value / whole for kind, value in kinds.items()}}))


def products_per_second(tokens: int = 1024, width: int = 384, wide: int = 1536) -> float:
    """Floating-point operations a second of this machine's matrix products, of the shapes of a small encoder: the best of some tries."""
    x, w = torch.randn(tokens, width), torch.randn(wide, width)
    best = float("inf")
    for _try in range(20):
        began = time.perf_counter()
        for _repeat in range(5):
            torch.nn.functional.linear(x, w)
        best = min(best, (time.perf_counter() - began) / 5)
    return 2 * tokens * width * wide / best


def _trainer(data: str | None, settings: dict[str, Any], scratch: Path) -> Any:
    """The loop of ``weitiao train`` with these settings, before its first step."""
    from weitiao import sample, tasks
    from weitiao.engine.session import Session
    from weitiao.observer import SILENT
    from weitiao.runs import RunFolder

    if data is None:
        data = str(sample.path("en"))
    recipe = tasks.recipe({"data": data, "model": "offline", "batch_size": BATCH, **settings})
    return Session(recipe, SILENT, RunFolder(scratch / "run")).trainer


if __name__ == "__main__":
    main()
