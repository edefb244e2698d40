"""The run: trains with the task of data.py and the network of model.py, shows the figures, and asks the model a few things.

    python main.py                      # the bundled sample, the offline base: a minute or two on a laptop
    python main.py --data reviews.csv --model google-bert/bert-base-uncased

The same from the command line: weitiao train sample:en --task data.py --model offline --epochs 4 --lr 1e-4 --batch-size 16
"""

import argparse
from pathlib import Path

import weitiao

TASK = Path(__file__).with_name("data.py")
ASKED = ("I was charged twice for order 4711.", "The courier never came.", "The app closes when I open it.")


def main(arguments: list[str] | None = None) -> weitiao.Run:
    """Train, tell, and give back the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="sample:en")
    parser.add_argument("--model", default="offline")
    parser.add_argument("--out", default="runs/custom")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args(arguments)

    settings = {"epochs": options.epochs, "lr": options.lr, "batch_size": options.batch_size}
    run = weitiao.train(options.data, task=str(TASK), model=options.model, out=options.out, overwrite=True, **settings)

    for name, value in run.metrics.items():
        print(f"{name:20} {value:8.3f}")
    print(run.record["evaluation"]["verdict"]["text"])
    for text, prediction in zip(ASKED, run.predict(list(ASKED)), strict=True):
        print(f"{prediction['label']:12} {prediction['score']:.2f}  {text}")
    print(f'\nThe run: {run.path}. Use it: weitiao predict {run.path} "{ASKED[0]}"')
    return run


if __name__ == "__main__":
    main()
