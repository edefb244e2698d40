"""Prediction beside transformers' pipeline and sentence-transformers: the same model and texts, in turn, each in its own process.

    python benchmarks/predict.py RUN TEXTS.csv [--text text] [--rounds 5] [--rows 1000]
    python benchmarks/predict.py --vectors [TEXTS.csv] [--peer-python st_venv/bin/python]
    python benchmarks/predict.py RUN --through 10000 100000 1000000

The first form takes weitiao in fp32 and in int8, and the pipeline one by one and in batches of 32: rows per second, how much faster weitiao
in fp32 is, and in how many rows the labels are equal to its own. The second form does the same with sentence vectors of the packaged base,
where sentence-transformers is installed, in this or in another Python. The third sends so many made-up rows through `weitiao predict
--file` and prints each process's time and peak memory, which must not grow with the rows. Without TEXTS.csv the bundled sample is taken;
without RUN a small run of it, trained here: that shows that they run, not who is faster.
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
from measuring import record, timed

HERE = Path(__file__).parent
PEERS = {"pipeline, one by one": 1, "pipeline, batches of 32": 32}
OURS, INT8, ENCODE = "weitiao", "weitiao, int8", "sentence-transformers"


def main() -> None:
    """Measure what was asked for; print a table and, last, one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="a finished run of text-classification")
    parser.add_argument("texts", nargs="?", help="a CSV file")
    parser.add_argument("--text", default="text", help="its column")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1000, help="how many of its rows")
    parser.add_argument("--through", type=int, nargs="*", help="rows to send through weitiao predict --file")
    parser.add_argument("--vectors", action="store_true", help="compare sentence vectors; what is named first is TEXTS.csv then")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python with sentence-transformers")
    parser.add_argument("--measure", nargs=3, metavar=("RUN", "TEXTS", "PRECISION"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        ours(*options.measure)
        return
    if options.vectors:
        options.run, options.texts = None, options.texts or options.run
        with tempfile.TemporaryDirectory() as scratch:
            print(record(vectors(options, Path(scratch))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(options.run) if options.run else small_run(Path(scratch))
        results = through(run, options.through, Path(scratch)) if options.through else beside(run, options, Path(scratch))
    print(record(results))


def ours(run: str, texts: str, precision: str) -> None:
    """One round of weitiao, in this process; "" stands for the packaged base and its vectors."""
    import weitiao

    records = json.loads(Path(texts).read_text(encoding="utf-8"))
    loaded = weitiao.load(run, precision=precision) if run else weitiao.load("offline", "feature-extraction")
    try:
        loaded.predict(records[:32])
    except (weitiao.GateError, weitiao.UsageError) as refusal:
        print(json.dumps({"refused": str(refusal)}))
        return
    began = time.perf_counter()
    answers = loaded.predict(records)
    seconds = time.perf_counter() - began
    if run:
        told = {"labels": [str(one["label"]) for one in answers], "scores": [one["score"] for one in answers]}
    else:
        told = {"vectors": [one["vector"] for one in answers]}
    print(json.dumps({"seconds": seconds, **told}))


def beside(run: Path, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Every contestant, so many rounds, in turn."""
    texts, kept = some_texts(options, scratch)
    length = json.loads((run / "run.json").read_text(encoding="utf-8"))["training"]["max_length"]
    commands = {
        OURS: [sys.executable, __file__, "--measure", str(run), str(kept), "fp32"],
        INT8: [sys.executable, __file__, "--measure", str(run), str(kept), "int8"],
    }
    for name, size in PEERS.items():
        script = [sys.executable, str(HERE / "peers" / "hf_pipeline.py"), str(run / "model"), str(kept)]
        commands[name] = [*script, "--batch-size", str(size), "--max-length", str(length)]
    rounds = in_turn(commands, options.rounds, len(texts))
    figures = {}
    print(f"{'':26}{'rows/s':>8}{'weitiao faster by (median, range)':>36}{'labels as weitiao':>20}{'largest score difference':>26}")
    mine = rounds[OURS]
    for name, theirs in rounds.items():
        speed, ratios, said = beside_ours(mine, theirs, len(texts))
        same = [a == b for a, b in zip(mine[0]["labels"], theirs[0]["labels"], strict=True)]
        difference = max(abs(a - b) for a, b, equal in zip(mine[0]["scores"], theirs[0]["scores"], same, strict=True) if equal)
        print(f"{name:26}{speed:8.1f}{'' if name == OURS else said:>36}{f'{sum(same)} of {len(same)}':>20}{difference:>26.1e}")
        figures[name] = {"rows_per_s": speed, "ratios": ratios, "equal_labels": sum(same), "score_difference": difference}
    if INT8 in rounds:
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(mine, rounds[INT8], strict=True)]
        print(f"int8 faster than fp32 by {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return {"rows": len(texts), "contestants": figures}


def vectors(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Sentence vectors of the packaged base: weitiao and sentence-transformers, so many rounds, in turn."""
    import numpy as np

    from weitiao.engine.offline_base import MINILM

    texts, kept = some_texts(options, scratch)
    commands = {OURS: [sys.executable, __file__, "--measure", "", str(kept), "fp32"]}
    if subprocess.run([options.peer_python, "-c", "import sentence_transformers"], capture_output=True, check=False).returncode:
        print("sentence-transformers is not installed, so that weitiao stands alone here; see --peer-python", file=sys.stderr)
    else:
        script = [options.peer_python, str(HERE / "peers" / "sentence_transformers_encode.py")]
        commands[ENCODE] = [*script, str(MINILM.folder()), str(kept)]
    rounds = in_turn(commands, options.rounds, len(texts))
    figures = {}
    print(f"{'':26}{'rows/s':>8}{'weitiao faster by (median, range)':>36}{'least cosine':>16}")
    mine = np.array(rounds[OURS][0]["vectors"])
    for name, theirs in rounds.items():
        speed, ratios, said = beside_ours(rounds[OURS], theirs, len(texts))
        other = np.array(theirs[0]["vectors"])
        cosine = float(((mine * other).sum(1) / np.linalg.norm(mine, axis=1) / np.linalg.norm(other, axis=1)).min())
        print(f"{name:26}{speed:8.1f}{'' if name == OURS else said:>36}{cosine:>16.6f}")
        figures[name] = {"rows_per_s": speed, "ratios": ratios, "least_cosine": cosine}
    return {"rows": len(texts), "contestants": figures}


def some_texts(options: argparse.Namespace, scratch: Path) -> tuple[list[str], Path]:
    """The texts, and the file in which every contestant finds them."""
    from weitiao import sample

    source = Path(options.texts) if options.texts else sample.path("en")
    with source.open(encoding="utf-8-sig", newline="") as file:
        texts = [row[options.text] for row in csv.DictReader(file)][: options.rows]
    kept = scratch / "texts.json"
    kept.write_text(json.dumps(texts), encoding="utf-8")
    return texts, kept


def in_turn(commands: dict[str, list[str]], rounds: int, rows: int) -> dict[str, list[dict[str, Any]]]:
    """What each contestant printed in each round; one that is refused is left out, and the reason is said."""
    done: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    for number in range(rounds):
        for name in list(done):
            ran = subprocess.run(commands[name], check=False, capture_output=True, text=True)
            if ran.returncode:
                sys.exit(f"{name} failed:\n{ran.stderr[-2000:]}")
            told = json.loads(ran.stdout.strip().splitlines()[-1])
            if "refused" in told:
                print(f"{name}: {told['refused']}", file=sys.stderr, flush=True)
                del done[name]
                continue
            done[name].append(told)
            print(f"round {number + 1}  {name}: {rows / told['seconds']:.1f} rows/s", file=sys.stderr, flush=True)
    return done


def beside_ours(mine: list[dict[str, Any]], theirs: list[dict[str, Any]], rows: int) -> tuple[float, list[float], str]:
    """Rows per second, their seconds over ours round by round, and these in words."""
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(mine, theirs, strict=True)]
    return rows / median(one["seconds"] for one in theirs), ratios, f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


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
