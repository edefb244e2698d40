"""What leaving out embedding rows that no text touches saves: steps over a table of 250,000 words, as multilingual models have.

    python benchmarks/large_vocabulary.py [TRAIN.csv] [--words 250000] [--steps 10] [--rounds 3] [--settings text=text label=target]

A BERT of random weights with the packaged base's tokenizer and shape, its table made larger. Contestants, in turn, each in its own process:
the compact vocabulary, as it is trained; the whole table with the gradients that are kept from step to step; and torch's own way, a
gradient as large as the table at every step. Prints seconds a step and peak memory and, last, one line of JSON.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from measuring import record, timed

WAYS = {"compact": "compact vocabulary", "kept": "whole table, kept gradients", "plain": "whole table, torch's own way"}


def main() -> None:
    """Measure every contestant and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?")
    parser.add_argument("--words", type=int, default=250_000)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(steps(options)))
        return
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _round in range(options.rounds):
        for way, results in found.items():
            _seconds, _peak, output = timed([sys.executable, __file__, *sys.argv[1:], "--way", way])
            results.append(json.loads(output.strip().splitlines()[-1]))
    print(f"{'':32}{'s a step':>10}{'peak MB':>9}{'of the step time of torch (median, range)':>44}")
    for way, results in found.items():
        shares = [own["seconds"] / plain["seconds"] for own, plain in zip(results, found["plain"], strict=True)]
        share = f"{median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})" if way != "plain" else ""
        seconds, peak = (median(one[key] for one in results) for key in ("seconds", "peak_mb"))
        print(f"{WAYS[way]:32}{seconds:10.3f}{peak:9.0f}{share:>44}")
    print(record({"words": options.words, "contestants": found}))


def steps(options: argparse.Namespace) -> dict[str, float]:
    """Some steps one way, in this process."""
    from torch import nn
    from transformers import AutoTokenizer, BertConfig, BertModel

    from weitiao import sample, tasks
    from weitiao.engine import embeddings, training
    from weitiao.engine.hub import resolve
    from weitiao.engine.session import Session
    from weitiao.observer import SILENT
    from weitiao.runs import RunFolder

    if options.way != "compact":
        training.Trainer._compact_vocabulary = lambda self: None  # type: ignore[method-assign]
    if options.way == "plain":
        training.KeptGradients = lambda network: embeddings.KeptGradients(nn.Module())  # type: ignore[assignment, misc]
    source = resolve("offline").path
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "base"
        BertModel(BertConfig.from_pretrained(str(source), vocab_size=options.words)).save_pretrained(str(base))
        AutoTokenizer.from_pretrained(str(source)).save_pretrained(str(base))
        settings = {name: yaml.safe_load(value) for name, value in (word.split("=", 1) for word in options.settings)}
        recipe = tasks.recipe({"data": options.data or str(sample.path("en")), "model": str(base), "batch_size": 32, **settings})
        trainer = Session(recipe, SILENT, RunFolder(Path(scratch) / "run")).trainer
    trainer.job.loaded.network.train()
    examples = trainer.job.examples
    seconds = []
    for number in range(options.steps + 2):
        at = number * 32 % max(1, len(examples) - 32)
        began = time.perf_counter()
        trainer._step(list(examples[at : at + 32])).item()
        if number > 1:  # the first passes warm up allocators and kernels
            seconds.append(time.perf_counter() - began)
    return {"seconds": median(seconds), "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}


if __name__ == "__main__":
    main()
