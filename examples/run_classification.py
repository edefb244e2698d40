"""Hugging Face's example script of this name, thin, over weitiao: the same flags, the same output files, so that a tutorial's command works
as it is printed. README.md beside it says what is different.

    python run_classification.py --model_name_or_path offline --train_file sample:en --do_train --do_eval --output_dir /tmp/out

It knows flags and files; data, model, training and figures are weitiao's.
"""

import argparse
import difflib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import weitiao
from weitiao import metrics
from weitiao.data import reading, writing
from weitiao.data.ledger import Ledger
from weitiao.engine import devices
from weitiao.observer import Observer

# Flags of the original that change nothing here, and why.
NO_EFFECT = {
    "per_device_eval_batch_size": "answers do not depend on it",
    "pad_to_max_length": "padding is taken out",
    "overwrite_cache": "nothing is cached",
    "preprocessing_num_workers": "texts are read as they are needed",
    "dataloader_num_workers": "texts are read as they are needed",
    "use_fast_tokenizer": "the fast tokenizer is used where there is one",
    "ignore_mismatched_sizes": "a head of another shape is always replaced",
    "eval_strategy": "the validation rows are judged after every epoch",
    "evaluation_strategy": "the validation rows are judged after every epoch",
    "save_strategy": "the best epoch is kept",
    "save_steps": "the best epoch is kept",
    "save_total_limit": "the best epoch is kept",
    "logging_steps": "every step is in log.jsonl",
    "logging_strategy": "every step is in log.jsonl",
    "logging_dir": "every step is in log.jsonl",
    "report_to": "use weitiao train --track",
}
# What the metrics of the library ``evaluate`` are called in weitiao.
METRICS = {"matthews_correlation": "mcc", "pearsonr": "pearson", "spearmanr": "spearman", "r_squared": "r2"}


def main(arguments: list[str] | None = None) -> int:
    """Do what the flags say; the exit code."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        with tempfile.TemporaryDirectory() as place:
            work(options, Path(place))
    except weitiao.WeitiaoError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:  # the output folder cannot be written
        print(f"Error: {error}", file=sys.stderr)
        return weitiao.ResourceError.exit_code
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The flags, with the original's defaults. Raises UsageError for one that nobody knows, naming the nearest."""
    parser = argparse.ArgumentParser("run_classification.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    texts: dict[str, str | None] = {"text_column_delimiter": " ", "lr_scheduler_type": "linear", "model_revision": ""}
    texts |= dict.fromkeys(("train_file", "validation_file", "test_file", "text_column_names", "label_column_name", "metric_name"))
    numbers: dict[str, float | None] = {"learning_rate": 5e-5, "weight_decay": 0.0, "warmup_ratio": 0.0, "max_grad_norm": 1.0}
    numbers |= {"num_train_epochs": 3.0, "label_smoothing_factor": 0.0}
    counts: dict[str, int | None] = {"max_seq_length": 128, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1}
    counts |= {"seed": 42, "shuffle_seed": 42, "max_train_samples": None, "max_eval_samples": None, "max_predict_samples": None}
    switches = ("do_train", "do_eval", "do_predict", "do_regression", "shuffle_train_dataset", "overwrite_output_dir")
    switches += ("fp16", "bf16", "use_cpu", "no_cuda", "gradient_checkpointing")
    parser.add_argument("--model_name_or_path", required=True)
    parser.add_argument("--output_dir", required=True)
    for kind, group in ((str, texts), (float, numbers), (int, counts)):
        for name, default in group.items():
            parser.add_argument(f"--{name}", type=kind, default=default)
    for name in switches:
        # As HfArgumentParser: --do_train, or --do_train True.
        parser.add_argument(f"--{name}", type=lambda text: text.lower() in ("true", "1", "yes"), nargs="?", const=True, default=False)
    for name, reason in NO_EFFECT.items():
        parser.add_argument(f"--{name}", nargs="?", const="", help=f"no effect: {reason}")
    options, unknown = parser.parse_known_args(arguments)
    flags = [word for word in unknown if word.startswith("--")]
    if unknown:
        named = (flags or unknown)[0].split("=")[0]
        near = difflib.get_close_matches(named, [name for action in parser._actions for name in action.option_strings], n=1)
        raise weitiao.UsageError(f"There is no flag {named}." + (f" Did you mean {near[0]}?" if near else " See --help."))
    for name, reason in NO_EFFECT.items():
        if getattr(options, name) is not None:
            print(f"--{name} has no effect here: {reason}.", file=sys.stderr)
    if options.do_train and not options.train_file:
        raise weitiao.UsageError("--do_train needs --train_file FILE.")
    if options.do_predict and not options.test_file:
        raise weitiao.UsageError("--do_predict needs --test_file FILE.")
    if options.do_eval and not options.do_train and not options.validation_file:
        raise weitiao.UsageError("--do_eval needs --validation_file FILE where nothing is trained.")
    if options.num_train_epochs != int(options.num_train_epochs):
        raise weitiao.UsageError(f"--num_train_epochs {options.num_train_epochs}: weitiao trains whole epochs.")
    if options.metric_name:
        options.metric_name = metric_called(options.metric_name)
        known = known_figures(options.do_regression)
        if options.metric_name not in known:
            raise no_figure(options.metric_name, known)
    options.model_revision = "" if options.model_revision == "main" else options.model_revision
    return options


def work(options: argparse.Namespace, place: Path) -> None:
    """Train, evaluate and predict, whichever was asked for."""
    task = "regression" if options.do_regression else "text-classification"
    metric = options.metric_name or ("mse" if options.do_regression else "accuracy")
    output = Path(options.output_dir)
    files = {
        "train": rows_of(
            options.train_file, options.max_train_samples, place, options.shuffle_seed if options.shuffle_train_dataset else None
        ),
        "validation": rows_of(options.validation_file, options.max_eval_samples, place),
        "test": rows_of(options.test_file, options.max_predict_samples, place),
    }
    if options.do_train:
        model = train(options, task, files["train"], files["validation"])
        report("train", train_figures(model.record), output)
        for file in (model.path / "model").iterdir():
            also_at(file, output / file.name)  # where whoever comes from the original looks for them
        evaluation = model.record["evaluation"]
    else:
        model, evaluation = finished(options, task), None
    output.mkdir(parents=True, exist_ok=True)
    if options.do_eval:
        began = time.perf_counter()
        if evaluation is None:
            evaluation = model.evaluate(files["validation"], observer=Teller(), **columns(options))
            seconds = time.perf_counter() - began
        else:
            seconds = evaluation["rows"] / model.record["prediction"]["rows_per_s"]
        epochs = {"epoch": float(model.record["training"]["epochs"])} if options.do_train else {}
        report("eval", epochs | eval_figures(evaluation, metric, seconds), output)
    if options.do_predict:
        predict(model, files["test"], columns(options), output / "predict_results.txt")


def finished(options: argparse.Namespace, task: str) -> Any:
    """A model that is used without training: a run, or one from elsewhere. Raises UsageError for a flag that it has no use for."""
    name, revision = options.model_name_or_path, options.model_revision
    devices.require_torch()
    fastest = devices.available_devices()[0]
    if (options.use_cpu or options.no_cuda) and fastest != "cpu":
        flag = "--use_cpu" if options.use_cpu else "--no_cuda"
        hidden = ". Hide the card instead: CUDA_VISIBLE_DEVICES= python run_classification.py ..." if fastest == "cuda" else "."
        raise weitiao.UsageError(f"{flag} needs --do_train: a model that is only used runs on {fastest} here{hidden}")
    if not (Path(name) / "run.json").is_file():
        return weitiao.load(name, task=task, max_length=options.max_seq_length, **({"revision": revision} if revision else {}))
    if revision:
        raise weitiao.UsageError(f"--model_revision {revision}: {name} is a finished run, which has one model. Leave the flag out.")
    return weitiao.load(name)


def train(options: argparse.Namespace, task: str, source: str, validation: str) -> "weitiao.Run":
    """The training as weitiao has it: its run lies in the output folder."""
    base = Path(options.model_name_or_path)
    return weitiao.train(
        source,
        observer=Teller(),
        task=task,
        model=str(base / "model" if (base / "run.json").is_file() else base if base.exists() else options.model_name_or_path),
        revision=options.model_revision,
        valid=validation or ("0.1" if options.do_eval else "0"),
        test="0",
        **columns(options),
        max_length=options.max_seq_length,
        epochs=int(options.num_train_epochs),
        batch_size=options.per_device_train_batch_size * options.gradient_accumulation_steps,
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        warmup=options.warmup_ratio,
        schedule=options.lr_scheduler_type,
        max_grad_norm=options.max_grad_norm,
        label_smoothing=options.label_smoothing_factor,
        seed=options.seed,
        precision="fp16" if options.fp16 else "bf16" if options.bf16 else "fp32",
        device="cpu" if options.use_cpu or options.no_cuda else "auto",
        gradient_checkpointing=options.gradient_checkpointing,
        out=options.output_dir,
        overwrite=options.overwrite_output_dir,
    )


def columns(options: argparse.Namespace) -> dict[str, Any]:
    """Which columns are which, as weitiao's settings."""
    # A shell passes "\\n" as two characters, and nobody means those.
    settings: dict[str, Any] = {"text_separator": options.text_column_delimiter.replace("\\n", "\n").replace("\\t", "\t")}
    named = {"text": options.text_column_names, "label": options.label_column_name}
    return settings | {name: value for name, value in named.items() if value}


def metric_called(given: str) -> str:
    """The metric's name; of a path into a copy of the library ``evaluate`` the last part. That code is not run: the figures are weitiao's.

    >>> metric_called("f1"), metric_called("/data/evaluate/metrics/accuracy"), metric_called("metrics/accuracy/accuracy.py")
    ('f1', 'accuracy', 'accuracy')
    """
    name = Path(given.replace("\\", "/")).stem
    if name != given:
        print(f'--metric_name {given} is not run: weitiao\'s own "{name}" is used.', file=sys.stderr)
    return name


def figures_of(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """All figures of an evaluation, by weitiao's names and by those of the library ``evaluate``."""
    figures = dict(evaluation["metrics"])
    if "rmse" in figures:
        figures |= {"mse": figures["rmse"] ** 2, "loss": figures["rmse"] ** 2}
    if "subset_accuracy" in figures:  # several labels a text
        figures |= {"accuracy": figures["subset_accuracy"], "f1": figures["f1_micro"]}
    elif evaluation.get("per_class"):
        # As scikit-learn by default: of two labels, the second; of more, the mean.
        classes = evaluation["per_class"]
        judged = classes[1:2] if len(classes) == 2 else classes
        figures |= {name: sum(row[name] for row in judged) / len(judged) for name in ("precision", "recall", "f1")}
    return figures | {theirs: figures[ours] for theirs, ours in METRICS.items() if ours in figures}


def known_figures(regression: bool) -> set[str]:
    """What can be asked for; one label a text or several is only known once the data has been read, so it is the figures of either."""
    if regression:
        return set(figures_of(metrics.regression_scores([0.0, 1.0], [0.0, 1.0])))
    shares = {"a": 0.75, "b": 0.25}
    single = metrics.classification_scores(["a", "b"], [{"label": "a", "score": 0.75, "probabilities": shares}] * 2, ["a", "b"])
    several = metrics.multi_label_scores([["a"], ["b"]], [{"labels": ["a"], "probabilities": shares}] * 2, ["a", "b"])
    return {*figures_of(single), *figures_of(several)}


def no_figure(metric: str, known: Iterable[str]) -> weitiao.UsageError:
    """What to say of a metric that there is not."""
    return weitiao.UsageError(f"--metric_name {metric} is not among the figures of this task: {', '.join(sorted(known))}.")


def eval_figures(evaluation: Mapping[str, Any], metric: str, seconds: float) -> dict[str, float]:
    """The figures that the original prints."""
    known, rows = figures_of(evaluation), evaluation["rows"]
    if metric not in known:
        raise no_figure(metric, known)
    loss = known.get("log_loss", known.get("loss"))
    figures = {f"eval_{metric}": known[metric], **({"eval_loss": loss} if loss is not None else {})}
    return {**figures, "eval_runtime": seconds, "eval_samples": rows, "eval_samples_per_second": rows / max(seconds, 1e-9)}


def train_figures(record: Mapping[str, Any]) -> dict[str, float]:
    """Loss, time and speed of a training."""
    training = record["training"]
    losses = [epoch["train_loss"] for epoch in training["history"]]
    return {
        "epoch": float(training["epochs"]),
        "train_loss": sum(losses) / max(1, len(losses)),
        "train_runtime": training["seconds"],
        "train_samples": record["data"]["splits"]["train"]["rows"],
        "train_samples_per_second": training["train_rows_per_s"],
    }


def report(split: str, figures: Mapping[str, float], output: Path) -> None:
    """Print the figures as the original does, and write them into SPLIT_results.json and all_results.json."""
    shown = {name: clock(value) if name.endswith("runtime") else f"{round(value, 4)}" for name, value in sorted(figures.items())}
    wide, high = max(map(len, shown)), max(map(len, shown.values()))
    print(f"***** {split} metrics *****")
    for name, value in shown.items():
        print(f"  {name:<{wide}} = {value:>{high}}")
    output.mkdir(parents=True, exist_ok=True)
    every = output / "all_results.json"
    before = json.loads(every.read_text(encoding="utf-8")) if every.is_file() else {}
    for file, values in ((output / f"{split}_results.json", figures), (every, {**before, **figures})):
        file.write_text(json.dumps(values, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def clock(seconds: float) -> str:
    """Seconds as hours, minutes and seconds.

    >>> clock(75.5)
    '0:01:15.50'
    """
    return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02}:{seconds % 60:05.2f}"


def predict(model: Any, source: str, settings: Mapping[str, Any], out: Path) -> None:
    """Write the answer for every row, one a line."""
    with out.open("w", encoding="utf-8") as file:
        file.write("index\tprediction\n")
        index = 0
        for batch in model.predict_rows(source, **{name: value for name, value in settings.items() if name != "label"}):
            for row in batch:
                answer = next(iter(row.answer.values())) if row.answered else ""
                file.write(f"{index}\t{answer:3.3f}\n" if isinstance(answer, float) else f"{index}\t{answer}\n")
                index += 1
    print(f"{index} predictions: {out}", file=sys.stderr)


def rows_of(source: str | None, most: int | None, place: Path, seed: int | None = None) -> str:
    """A data file, or a copy with the first rows of it, in another order where there is a seed; "" for none.

    weitiao draws the order of every epoch itself, so an order only matters for which rows are the first.
    """
    if source is None or most is None:
        return source or ""
    table = reading.read(source, ledger=Ledger())
    copy = place / f"{len(list(place.iterdir()))}-{Path(source).stem.replace(':', '-')}.jsonl"
    with writing.writer(copy, ".jsonl") as written:
        written.write(list(table.take(chosen(range(len(table)), most, seed))))
    return str(copy)


def chosen(rows: Iterable[Any], most: int, seed: int | None) -> list[Any]:
    """The first rows, of a shuffled list where there is a seed."""
    rows = list(rows)
    if seed is not None:
        random.Random(seed).shuffle(rows)
    return rows[:most]


def also_at(file: Path, place: Path) -> None:
    """The same file at another place too, without a second copy where the disk allows it."""
    if file.is_dir() or place.exists():
        return
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


class Teller(Observer):
    """Tells on standard error how the work stands."""

    def note(self, text: str) -> None:
        """A decision that was made."""
        print(text, file=sys.stderr)

    def warn(self, text: str) -> None:
        """Something to know."""
        print(f"Note: {text}", file=sys.stderr)

    def evaluated(self, evaluation: Mapping[str, Any]) -> None:
        """The figures after an epoch."""
        if "epoch" in evaluation:
            figures = ", ".join(f"{name} {value:.4f}" for name, value in list(evaluation["metrics"].items())[:3])
            print(f"Epoch {evaluation['epoch']}: loss {evaluation['train_loss']:.4f}, {figures}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
