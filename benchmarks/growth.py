"""How training grows: with the length of the texts, and with the layers. Seconds a step and peak memory, each point in its own process.

    python benchmarks/growth.py [--lengths 16 32 64 128 256 512] [--layers 2 4 8] [--width 256] [--batch-size 16] [--steps 6]

A BERT of random weights learns from random words, so that every text is exactly as long as it should be. The last two columns tell by what
factor a step's time and the size grew since the row before: where growth is linear they are equal. (How reading, checking and predicting
grow with the rows: check_rows.py, and predict.py --through.)
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

from measuring import record, timed

Place = tuple[int, int]  # tokens a row, layers
WORDS = [f"word{number}" for number in range(500)]


def main() -> None:
    """Measure every point and print two tables and, last, one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512])
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--point", type=int, nargs=2, metavar=("LENGTH", "LAYERS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        print(json.dumps(point(*options.point, options)))
        return
    results = {}
    known: dict[Place, dict[str, float]] = {}
    results["length"] = table("tokens a row", options.lengths, [(length, options.layers[0]) for length in options.lengths], options, known)
    middle = options.lengths[len(options.lengths) // 2]
    results["layers"] = table("layers", options.layers, [(middle, layers) for layers in options.layers], options, known)
    print(record(results))


def table(
    what: str, sizes: list[int], points: list[Place], options: argparse.Namespace, known: dict[Place, dict[str, float]]
) -> list[dict[str, Any]]:
    """One table: a point a row. What was measured is ``known`` to the next."""
    print(f"{what:>14}{'s a step':>10}{'tokens/s':>10}{'peak MB':>9}{'grew by':>9}{'size by':>9}")
    found: list[dict[str, Any]] = []
    for size, place in zip(sizes, points, strict=True):
        if place not in known:
            same = [
                word for name in ("width", "batch_size", "steps") for word in (f"--{name.replace('_', '-')}", str(getattr(options, name)))
            ]
            _seconds, _peak, output = timed([sys.executable, __file__, "--point", *map(str, place), *same])
            known[place] = json.loads(output.strip().splitlines()[-1])
        found.append({"size": size, **known[place]})
        grew = f"{found[-1]['seconds'] / found[-2]['seconds']:9.2f}{size / found[-2]['size']:9.2f}" if len(found) > 1 else ""
        print(f"{size:14}{found[-1]['seconds']:10.3f}{found[-1]['tokens_per_s']:10.0f}{found[-1]['peak_mb']:9.0f}{grew}", flush=True)
    return found


def point(length: int, layers: int, options: argparse.Namespace) -> dict[str, float]:
    """Some steps on texts of one length through so many layers, in this process."""
    import numpy as np
    from transformers import BertConfig, BertModel, BertTokenizerFast

    from weitiao import tasks
    from weitiao.engine.session import Session
    from weitiao.observer import SILENT
    from weitiao.runs import RunFolder

    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "base"
        base.mkdir()
        (base / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]), encoding="utf-8")
        BertTokenizerFast(str(base / "vocab.txt")).save_pretrained(str(base))
        heads, width = options.width // 32, options.width
        sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4 * width}
        BertModel(BertConfig(vocab_size=len(WORDS) + 5, **sizes)).save_pretrained(str(base))
        rows = [
            {"text": " ".join(draw.choice(WORDS, length - 2)), "label": ("a", "b")[row % 2]}  # two places are the special tokens'
            for row in range(options.batch_size * 2)
        ]
        data = Path(scratch) / "rows.jsonl"
        data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        settings = {"model": str(base), "batch_size": options.batch_size, "max_length": length, "valid": "0", "test": "0"}
        recipe = tasks.recipe({"data": str(data), **settings})
        trainer = Session(recipe, SILENT, RunFolder(Path(scratch) / "run")).trainer
        trainer.job.loaded.network.train()
        batch = list(trainer.job.examples[: options.batch_size])
        seconds = []
        for number in range(options.steps + 2):
            began = time.perf_counter()
            trainer._step(batch)
            if number > 1:  # the first passes warm up allocators and kernels
                seconds.append(time.perf_counter() - began)
        tokens = sum(map(trainer.job.objective.cost, batch))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": median(seconds), "tokens_per_s": tokens / median(seconds), "peak_mb": round(peak)}


if __name__ == "__main__":
    main()
