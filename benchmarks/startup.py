"""One answer from a cold start: `weitiao predict RUN TEXT` beside the shortest torch script, and from the run's export beside the shortest
script with onnxruntime and tokenizers; in turn, each in its own process.

    python benchmarks/startup.py [RUN] [--rounds 5]

Without RUN a small run of the bundled sample is trained first; it is exported either way. Prints seconds and peak memory, the medians'
ratios and, last, JSON.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from measuring import record, timed
from predict import small_run

HERE = Path(__file__).parent
TEXT = "I was charged twice for the same pair of headphones."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", help="a finished run of text-classification")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(options.run) if options.run else small_run(Path(scratch))
        export, python = Path(scratch) / "export", sys.executable
        subprocess.run([python, "-m", "weitiao", "export", str(run), "--to", "onnx", "--out", str(export), "--quiet"], check=True)
        commands = {
            "weitiao predict": [python, "-m", "weitiao", "predict", str(run), TEXT],
            "bare torch script": [python, str(HERE / "peers" / "bare.py"), str(run / "model"), TEXT],
            "weitiao predict, export": [python, "-m", "weitiao", "predict", str(export), TEXT],
            "bare onnxruntime script": [python, str(HERE / "peers" / "bare_onnx.py"), str(export), TEXT],
        }
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for number in range(options.rounds + 1):
            for name, command in commands.items():
                seconds, peak, _answer = timed(command)
                if number:  # the first round reads files that the others find in memory
                    rounds[name].append((seconds, peak))
    print(f"{'':24}{'s, median':>12}{'least':>8}{'most':>8}{'peak MB':>10}")
    for name, found in rounds.items():
        seconds = [one for one, _peak in found]
        print(f"{name:24}{median(seconds):12.2f}{min(seconds):8.2f}{max(seconds):8.2f}{max(peak for _seconds, peak in found):10.0f}")
    ratio = {}
    for name, ours, theirs in (("run", *list(rounds.values())[:2]), ("export", *list(rounds.values())[2:])):
        ratios = [mine / other for (mine, _), (other, _) in zip(ours, theirs, strict=True)]
        print(f"weitiao / bare, {name}: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        ratio[name] = median(ratios)
    print(record({"rounds": rounds, "ratio": ratio}))


if __name__ == "__main__":
    main()
