"""Fine-tuning beside Hugging Face's Trainer, and PEFT: the same rows, base, batch size, epochs and threads, in turn, each a process.

python benchmarks/finetune.py DATA_FOLDER [--method full] [--label target] [--seeds 42 43 44] [--rows N] [--group-only] [--literal-rows N]
    [--short]

Methods: full; lora, on all layers; lora-top, on the top quarter of them; head, the new head alone. The peer trains the same weights.
--literal-rows adds the Trainer as tutorials write it: every row padded to 512 tokens, plain AdamW. That takes so long that it sees the
first N rows once, and is compared by rows a second; what it learns is not asked.

DATA_FOLDER holds train.csv, val.csv and test.csv. Without it, or with --short, a slice or the bundled sample is used: that shows that the
benchmark runs, not who is faster. Prints a table and writes JSON beside it (--json FILE).
"""

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path
from statistics import mean, median
from typing import Any

from measuring import record, timed

HERE = Path(__file__).parent
# What each contestant is told: flags of weitiao train, and of the peer.
METHODS = {
    "full": (["--lr", "5e-5"], ["--lr", "5e-5"]),
    "lora": (["--method", "lora", "--lr", "5e-4"], ["--method", "lora", "--lr", "5e-4"]),
    "lora-top": (["--method", "lora", "--lora-layers", "top-25%", "--lr", "5e-4"], ["--method", "lora", "--top", "0.25", "--lr", "5e-4"]),
    "head": (["--method", "head", "--lr", "1e-3"], ["--method", "head", "--lr", "1e-3"]),
}

LITERAL = "Trainer, padded to 512"


def main() -> None:
    """Run every seed with every contestant, interleaved, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="folder with train.csv, val.csv, test.csv")
    parser.add_argument("--method", choices=METHODS, default="full")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rows", type=int, help="train on the first so many rows only: for time, not for quality")
    parser.add_argument("--group-only", action="store_true", help="leave out the Trainer without group-by-length")
    parser.add_argument("--literal-rows", type=int, metavar="N", help="add the Trainer with every row padded to 512, on N rows")
    parser.add_argument("--short", action="store_true", help="one seed, one epoch, few rows")
    parser.add_argument("--json", help="where to write the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        whole = options.data and not options.short
        folder = (_first(options, Path(scratch)) if options.rows else Path(options.data)) if whole else _slice(options, Path(scratch))
        seeds, epochs = (options.seeds[:1], 1) if options.short else (options.seeds, options.epochs)
        contestants = {"weitiao": [], "Trainer, group-by-length": ["--group"], "Trainer, dynamic padding": []}
        if options.group_only:
            del contestants["Trainer, dynamic padding"]
        if options.literal_rows:
            contestants[LITERAL] = ["--literal", "--max-length", "512", "--epochs", "1", "--rows", str(options.literal_rows)]
        results: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
        for seed in seeds:
            for name, flags in contestants.items():
                run = _weitiao if name == "weitiao" else _trainer
                results[name].append(run(folder, options, seed, epochs, flags, Path(scratch)))
                print(f"seed {seed}  {name}: {results[name][-1]}", file=sys.stderr, flush=True)
    _print(results)
    if options.json:
        Path(options.json).write_text(record({"seeds": seeds, "contestants": results}), encoding="utf-8")


def _weitiao(folder: Path, options: argparse.Namespace, seed: int, epochs: int, flags: list[str], scratch: Path) -> dict[str, float]:
    out = scratch / f"run-{seed}"
    command = [sys.executable, "-m", "weitiao", "train", str(folder / "train.csv"), "--valid", str(folder / "val.csv")]
    command += ["--test", str(folder / "test.csv"), "--text", options.text, "--label", options.label, "--model", "offline"]
    command += ["--epochs", str(epochs), "--batch-size", "32", "--max-length", str(options.max_length), "--seed", str(seed)]
    command += ["--out", str(out), *METHODS[options.method][0]]
    whole, peak, _output = timed([*command, "--quiet", "--overwrite"])
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    training, evaluation = record["training"], record["evaluation"]
    figures = {"train_s": training["seconds"], "rows_per_s": training["train_rows_per_s"], "accuracy": evaluation["metrics"]["accuracy"]}
    return {**figures, "f1_macro": evaluation["metrics"]["f1_macro"], "whole_s": whole, "peak_mb": peak}


def _trainer(folder: Path, options: argparse.Namespace, seed: int, epochs: int, flags: list[str], scratch: Path) -> dict[str, float]:
    from weitiao.engine.hub import resolve

    command = [sys.executable, str(HERE / "peers" / "hf_trainer.py"), str(resolve("offline").path), str(folder / "train.csv")]
    command += [str(folder / "test.csv"), options.text, options.label, "--epochs", str(epochs), "--seed", str(seed)]
    whole, peak, output = timed([*command, "--max-length", str(options.max_length), *METHODS[options.method][1], *flags])
    figures: dict[str, float] = json.loads(output.strip().splitlines()[-1])
    return {**figures, "whole_s": whole, "peak_mb": peak}


def _first(options: argparse.Namespace, scratch: Path) -> Path:
    """A folder with the data's first training rows."""
    for name in ("train", "val", "test"):
        with (Path(options.data) / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        with (scratch / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows[: options.rows + 1] if name == "train" else rows)
    return scratch


def _slice(options: argparse.Namespace, scratch: Path) -> Path:
    """A folder of few rows: from the data that was named, else from the bundled sample."""
    from weitiao import sample

    if not options.data:
        options.text, options.label = "text", "label"
    for name, start, end in (("train", 0, 256), ("val", 256, 320), ("test", 320, 448)):
        source = Path(options.data) / f"{name}.csv" if options.data else sample.path("en")
        with source.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        body = (
            rows[1 : end - start + 1]
            if options.data
            else [rows[1 + at] for at in range(len(rows) - 1) if start <= (at * 7) % (len(rows) - 1) < end]
        )
        with (scratch / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([rows[0], *body])
    return scratch


def _print(results: dict[str, list[dict[str, Any]]]) -> None:
    ours = results["weitiao"]
    print(f"{'':28}{'accuracy':>10}{'rows/s':>10}{'train s':>10}{'whole s':>10}{'train time a row, ours/theirs (median, range)':>48}")
    for name, runs in results.items():
        # By rows, since one contestant may see fewer: for the others it is the ratio of their seconds.
        ratios = [theirs["rows_per_s"] / mine["rows_per_s"] for mine, theirs in zip(ours, runs, strict=True)]
        accuracy = "" if name == LITERAL else f"{mean(run['accuracy'] for run in runs):.4f}"
        figures = [median(run[key] for run in runs) for key in ("rows_per_s", "train_s", "whole_s")]
        ratio = "" if name == "weitiao" else f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        print(f"{name:28}{accuracy:>10}{figures[0]:10.2f}{figures[1]:10.1f}{figures[2]:10.1f}{ratio:>48}")


if __name__ == "__main__":
    main()
