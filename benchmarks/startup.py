"""One answer from a cold start: `weitiao predict RUN TEXT` beside the shortest torch script, in turn, each in its own process.

    python benchmarks/startup.py [RUN] [--rounds 5]

Without RUN a small run of the bundled sample is trained first. Prints seconds and peak memory, the medians' ratio and, last, JSON.
"""

import argparse
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
        commands = {
            "weitiao predict": [sys.executable, "-m", "weitiao", "predict", str(run), TEXT],
            "bare torch script": [sys.executable, str(HERE / "peers" / "bare.py"), str(run / "model"), TEXT],
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
    ratios = [ours / theirs for (ours, _), (theirs, _) in zip(*rounds.values(), strict=True)]
    print(f"weitiao / bare: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(record({"rounds": rounds, "ratio": median(ratios)}))


if __name__ == "__main__":
    main()
