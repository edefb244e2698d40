"""How long it takes to read and check many short rows, and how much memory: 1,000,000 of them in under 120 s and 2 GiB.

    python benchmarks/check_rows.py                 # 10,000, 100,000 and 1,000,000 rows
    python benchmarks/check_rows.py --rows 1000000

The rows are made here, from a seed: a text of some 40 characters in English or Chinese and one of five labels; 1 row in 100 repeats an
earlier text. Each size is measured in a process of its own, so that the peak is its own. As a scale, pandas does the part of the work that
it knows: read_csv and drop_duplicates. It knows nothing of the project but the two calls it times.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from measuring import record

LABELS = ("refund", "delivery", "account", "praise", "other")
ENGLISH = (
    "the parcel arrived late broken again my order was never delivered please cancel it refund money account password login cannot reset "
    "screen quality good bad price size colour wrong item return label courier phone nobody answers yesterday today week since Monday "
    "waiting thank you great service quick friendly staff would buy more recommend charged twice card invoice address change size fits"
)
CHINESE = (
    "的一是不了在有我这他们中来上大为和国地到以说时要就出会可也你对生能"
    "快递包裹退款订单账号密码登录客服态度很好差价格颜色尺码收到没有坏联系电话"
)


def make(path: Path, rows: int, seed: int = 0) -> None:
    """Writes a CSV of ``rows`` short texts with labels, 1% of them repeated."""
    random = np.random.default_rng(seed)
    chinese, english = np.array(list(CHINESE)), ENGLISH.split()
    made: list[str] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        for number in range(rows):
            if made and random.random() < 0.01:
                text = made[int(random.integers(len(made)))]
            elif random.random() < 0.5:
                text = " ".join(random.choice(english, int(random.integers(4, 11))).tolist()) + f" #{number % 9973}"
            else:
                text = "".join(random.choice(chinese, int(random.integers(15, 50))).tolist())
            if len(made) < 100_000:
                made.append(text)
            writer.writerow([number, text, LABELS[int(random.integers(len(LABELS)))]])


def ours(path: str) -> dict[str, Any]:
    """Reads and checks the file as ``weitiao check`` does, without a tokenizer."""
    from weitiao import tasks
    from weitiao.data import checking, loading

    recipe = tasks.recipe({"data": path, "task": "text-classification"})
    schema = tasks.get(recipe.model.task).schema(recipe.task)
    began = time.perf_counter()
    loaded = loading.load(path, recipe.data, schema)
    read = time.perf_counter()
    found = checking.check(loaded.splits, labels=sorted(LABELS), ledger=loaded.ledger)
    ended = time.perf_counter()
    counts = {finding["code"]: finding["count"] for finding in found["findings"]}
    searched = found["near_duplicates_searched"]
    return {
        "read_s": read - began,
        "check_s": ended - read,
        "seconds": ended - began,
        "findings": counts,
        "near_duplicates_searched": searched,
    }


def pandas(path: str) -> dict[str, Any]:
    """The peer: read the file and drop repeated texts."""
    import pandas as pd

    began = time.perf_counter()
    kept = len(pd.read_csv(path).drop_duplicates("text"))
    return {"seconds": time.perf_counter() - began, "kept": kept}


def measured(method: str, path: Path) -> dict[str, Any]:
    """One method in a fresh process: what it reports, and the process's peak memory in MiB."""
    command = [sys.executable, __file__, "--measure", method, str(path)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def main() -> None:
    """Makes the files, measures, prints a table and, last, one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--measure", nargs=2, metavar=("METHOD", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        method, file = arguments.measure
        result = {"weitiao": ours, "pandas": pandas}[method](file)
        # Kilobytes on Linux, bytes on macOS.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        print(json.dumps({**result, "peak_mib": round(peak)}))
        return
    results = []
    print("     rows  file MB   read s  check s  total s    rows/s  peak MiB  pandas s  peak MiB")
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            path = Path(folder) / f"{rows}.csv"
            make(path, rows)
            own, peer = measured("weitiao", path), measured("pandas", path)
            results.append({"rows": rows, "bytes": path.stat().st_size, "weitiao": own, "pandas": peer})
            print(
                f"{rows:>9,}  {path.stat().st_size / 1e6:>7.1f}  {own['read_s']:>7.2f}  {own['check_s']:>7.2f}  {own['seconds']:>7.2f}  "
                f"{rows / own['seconds']:>8,.0f}  {own['peak_mib']:>8,}  {peer['seconds']:>8.2f}  {peer['peak_mib']:>8,}",
                flush=True,
            )
            path.unlink()
    print(record(results))


if __name__ == "__main__":
    main()
