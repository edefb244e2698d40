"""Does keeping what frozen layers give cost quality? LoRA on the top quarter of the layers with it and without, over several seeds.

    python benchmarks/quality_gate.py DATA_FOLDER [--label target] [--seeds 1 2 3 4 5] [--rows 1500] [--epochs 3]

What is kept is computed without dropout, so this speed-up alone is not the same mathematics: the others are, and tests hold them to it.
The gate: of the accuracy on the validation and test rows together, a mean over the seeds, no more than 0.3 points may be lost. Prints a
line a seed, the means and, last, JSON.
"""

import argparse
import csv
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from measuring import record
from weitiao import tasks
from weitiao.engine.frozen_layers import FrozenLayers
from weitiao.engine.session import Session
from weitiao.observer import SILENT
from weitiao.runs import RunFolder

GATE = 0.003  # accuracy
KEEPING = FrozenLayers.of


def main() -> None:
    """Train every seed both ways and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with train.csv, val.csv, test.csv")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    train = _rows(options.data / "train.csv")[: options.rows]
    held = [row for name in ("val", "test") for row in _rows(options.data / f"{name}.csv")]
    found: dict[str, list[dict[str, float]]] = {"kept": [], "ordinary": []}
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "train.csv"
        with source.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [options.text, options.label], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(train)
        for seed in options.seeds:
            for way, results in found.items():
                results.append(_trained(source, seed, way, options, held, Path(scratch) / f"{way}-{seed}"))
            print(f"seed {seed}: " + ", ".join(f"{way} {results[-1]['accuracy']:.4f}" for way, results in found.items()), flush=True)
    means = {way: mean(one["accuracy"] for one in results) for way, results in found.items()}
    apart = means["kept"] - means["ordinary"]
    spread = stdev(one["accuracy"] for one in found["ordinary"]) if len(options.seeds) > 1 else 0.0
    print(f"mean: kept {means['kept']:.4f}, ordinary {means['ordinary']:.4f} (between seeds: {spread:.4f}); {100 * apart:+.2f} points")
    print("the gate is passed" if apart >= -GATE else f"the gate is NOT passed: no more than {100 * GATE:.1f} points may be lost")
    print(record({"means": means, "runs": found}))


def _trained(source: Path, seed: int, way: str, options: argparse.Namespace, held: list[dict[str, Any]], out: Path) -> dict[str, float]:
    """Accuracy on the held-out rows, and seconds of the training."""
    FrozenLayers.of = KEEPING if way == "kept" else classmethod(lambda cls, *given: (None, "switched off"))  # type: ignore[assignment, method-assign]
    settings = {"text": options.text, "label": options.label, "model": "offline", "batch_size": 32, "max_length": 128, "valid": 0}
    settings |= {"method": "lora", "lora_layers": "top-25%", "lr": 5e-4, "epochs": options.epochs, "seed": seed}
    out.mkdir()
    session = Session(tasks.recipe({"data": str(source), **settings}), SILENT, RunFolder(out))
    progress = session.trainer.train()
    session.loaded.answer_in_full()
    answers = session.predictor().predict([{"text": row[options.text]} for row in held])
    right = sum(str(answer["label"]) == row[options.label] for answer, row in zip(answers, held, strict=True))
    session.close()
    return {"accuracy": right / len(held), "seconds": round(progress.seconds + progress.prepared, 1)}


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
