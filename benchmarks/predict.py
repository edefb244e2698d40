"""Prediction beside transformers' pipeline: the same model and texts, one by one and in batches of 32, in turn, each in its own process.

    python benchmarks/predict.py RUN TEXTS.csv [--text text] [--rounds 5] [--rows 1000]
    python benchmarks/predict.py RUN --through 10000 100000 1000000

The first form prints rows per second and in how many rows the labels are equal. The second sends so many made-up rows through
`weitiao predict --file` and prints each process's time and peak memory, which must not grow with the rows. Without TEXTS.csv the first
form takes the bundled sample; without RUN both take a small run of it, trained here: that shows that they run, not who is faster.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from check_rows import make
from finetune import timed

HERE = Path(__file__).parent
PEERS = {"pipeline, one by one": 1, "pipeline, batches of 32": 32}


def main() -> None:
    """Measure what was asked for; print a table and, last, one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="a finished run of text-classification")
    parser.add_argument("texts", nargs="?", help="a CSV file")
    parser.add_argument("--text", default="text", help="its column")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1000, help="how many of its rows")
    parser.add_argument("--through", type=int, nargs="*", help="rows to send through weitiao predict --file")
    parser.add_argument("--measure", nargs=2, metavar=("RUN", "TEXTS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        ours(*options.measure)
        return
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(options.run) if options.run else small_run(Path(scratch))
        results = through(run, options.through, Path(scratch)) if options.through else beside(run, options, Path(scratch))
    print(json.dumps(results))


def ours(run: str, texts: str) -> None:
    """One round of weitiao, in this process."""
    import weitiao

    records = json.loads(Path(texts).read_text(encoding="utf-8"))
    loaded = weitiao.load(run)
    loaded.predict(records[:32])
    began = time.perf_counter()
    answers = loaded.predict(records)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "labels": [str(one["label"]) for one in answers], "scores": [one["score"] for one in answers]}))


def beside(run: Path, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Every contestant, so many rounds, in turn."""
    from weitiao import sample

    source = Path(options.texts) if options.texts else sample.path("en")
    with source.open(encoding="utf-8-sig", newline="") as file:
        texts = [row[options.text] for row in csv.DictReader(file)][: options.rows]
    kept = scratch / "texts.json"
    kept.write_text(json.dumps(texts), encoding="utf-8")
    length = json.loads((run / "run.json").read_text(encoding="utf-8"))["training"]["max_length"]
    commands = {"weitiao": [sys.executable, __file__, "--measure", str(run), str(kept)]}
    for name, size in PEERS.items():
        script = [sys.executable, str(HERE / "peers" / "hf_pipeline.py"), str(run / "model"), str(kept)]
        commands[name] = [*script, "--batch-size", str(size), "--max-length", str(length)]
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    for number in range(options.rounds):
        for name, command in commands.items():
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rounds[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
            print(f"round {number + 1}  {name}: {len(texts) / rounds[name][-1]['seconds']:.1f} rows/s", file=sys.stderr, flush=True)
    print(f"{'':26}{'rows/s':>8}{'ours faster by (median, range)':>34}{'equal labels':>14}{'largest score difference':>26}")
    mine, figures = rounds["weitiao"], {}
    for name, theirs in rounds.items():
        ratios = [b["seconds"] / a["seconds"] for a, b in zip(mine, theirs, strict=True)]
        same = [a == b for a, b in zip(mine[0]["labels"], theirs[0]["labels"], strict=True)]
        difference = max(abs(a - b) for a, b, equal in zip(mine[0]["scores"], theirs[0]["scores"], same, strict=True) if equal)
        speed = len(texts) / median(one["seconds"] for one in theirs)
        ratio = "" if name == "weitiao" else f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{name:26}{speed:8.1f}{ratio:>34}{sum(same):>8} of {len(same)}{difference:>20.1e}")
        figures[name] = {"rows_per_s": speed, "ratios": ratios, "equal_labels": sum(same), "score_difference": difference}
    return {"rows": len(texts), "contestants": figures}


def through(run: Path, sizes: list[int], scratch: Path) -> list[dict[str, float]]:
    """Time and peak memory of ``weitiao predict`` over files of growing size."""
    results = []
    print("     rows        s    rows/s   peak MB")
    for rows in sizes:
        source, target = scratch / "rows.csv", scratch / "answers.csv"
        make(source, rows)
        command = [sys.executable, "-m", "weitiao", "predict", str(run), "--file", str(source), "--text", "text", "--out", str(target)]
        seconds, peak, _output = timed([*command, "--quiet"])
        with target.open(encoding="utf-8", newline="") as file:
            answered = sum(1 for _row in csv.DictReader(file))
        if answered != rows:
            sys.exit(f"{answered} of {rows} rows were answered")
        results.append({"rows": rows, "seconds": seconds, "peak_mb": peak})
        print(f"{rows:>9,}{seconds:>9.1f}{rows / seconds:>10,.0f}{peak:>10,.0f}", flush=True)
        target.unlink()
    return results


def small_run(scratch: Path) -> Path:
    """One epoch of the packaged base on the bundled sample."""
    from weitiao import sample

    out = scratch / "run"
    command = [sys.executable, "-m", "weitiao", "train", str(sample.path("en")), "--model", "offline", "--epochs", "1", "--out", str(out)]
    subprocess.run([*command, "--max-length", "64", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return out


if __name__ == "__main__":
    main()
