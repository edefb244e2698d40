"""Every trainable task on real data: train, predict, report, and the headline figure beside the best simple baseline's.

    python benchmarks/every_task.py DATA_FOLDER                    # all, an hour or two on two cores
    python benchmarks/every_task.py DATA_FOLDER --only sts ner     # some
    python benchmarks/every_task.py DATA_FOLDER --short            # one epoch of few rows each: that it runs, not how good it is

DATA_FOLDER holds public data sets, cut small, in folders of the names in ``CASES``: STS-B, WNUT-17, MSRA, GoEmotions, XQuAD, CMRC, CSL,
Multi30k, Alpaca's instructions, WikiText. A folder that is missing is named and left out. Cases whose name ends in "-by-heart" train on
rows that they are then asked about: they show that a blank model of that architecture learns what it is given. Prints a table; --json
FILE writes the figures.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """One training.

    Attributes:
        data: training file, below the data folder.
        task: its name.
        flags: of ``weitiao train``; a word that begins with "@" is a file below the data folder.
        asked: what ``weitiao predict`` is given: texts and flags.
        rows: train on so many rows only, and be judged on the same.
        goal: the least that the headline figure should reach, where one was set.
    """

    data: str
    task: str
    flags: str
    asked: tuple[str, ...]
    rows: int = 0
    goal: float | None = None


SHORT, QUESTIONS = 200, 5  # rows of the short form, and questions about a paragraph
HELD_OUT = "--valid 0.1 --test"
BLANK = "--batch-size 16 --lr 1e-3 --warmup 0.05 --max-grad-norm 1"
HEART = f"{BLANK} --epochs 60"
CASES = {
    "sts": Case(
        "sts_pairs_en/train.jsonl",
        "regression",
        # Nothing held out: with a few epochs and a falling learning rate the last one is the best, and every pair counts.
        "--valid 0 --test @sts_pairs_en/val.jsonl --model offline --epochs 3 --lr 5e-5 --batch-size 32 --text sentence1,sentence2 "
        "--label score",
        ("A plane is taking off.", "--pair", "An air plane is taking off."),
        goal=0.85,
    ),
    "ner": Case(
        "ner_en/train.conll",
        "token-classification",
        f"{HELD_OUT} @ner_en/val.conll --model offline --epochs 3 --lr 1e-4 --batch-size 16",
        ("I saw Obama in New York.",),
        goal=0.53,
    ),
    "emotions": Case(
        "emotions_multilabel_en/train.jsonl",
        "text-classification",
        f"{HELD_OUT} @emotions_multilabel_en/val.jsonl --model offline --epochs 10 --lr 1e-4 --batch-size 32 --label labels --patience 2",
        ("Thank you so much, that made my day!",),
    ),
    "qa-en": Case(
        "qa_en/train.json",
        "question-answering",
        f"{HELD_OUT} @qa_en/val.json --model offline --epochs 4 --lr 1e-4 --batch-size 16 --max-length 256",
        ("Who wrote it?", "--context", "The book was written by Ada in 1843."),
    ),
    "similar": Case(
        "sts_pairs_en/train.jsonl",
        "feature-extraction",
        f"{HELD_OUT} @sts_pairs_en/val.jsonl --model offline --epochs 1 --lr 2e-5 --batch-size 32",
        ("A plane is taking off.",),
    ),
    "keywords-zh": Case(
        "keywords_zh/train.jsonl",
        "keyword-extraction",
        f"{HELD_OUT} @keywords_zh/val.jsonl --model offline --epochs 1 --lr 5e-5 --batch-size 16 --max-length 128",
        ("采用修正的参数建立了飞行器姿态控制系统的数学模型。",),
    ),
    "topics-zh": Case(
        "news_topics_zh/train.jsonl",
        "text-classification",
        f"{HELD_OUT} @news_topics_zh/val.jsonl --model offline --epochs 5 --lr 1e-4 --batch-size 32",
        ("孩子跟谁睡，就是谁的孩子",),
    ),
    "ner-zh": Case(
        "ner_zh/train.jsonl",
        "token-classification",
        f"{HELD_OUT} @ner_zh/val.jsonl --model blank:bert --epochs 3 --lr 5e-4 --batch-size 32 --max-length 128",
        ("他住在上海。",),
    ),
    "mask-zh": Case(
        "text_zh/wiki_paragraphs.txt",
        "fill-mask",
        f"--valid 0.1 --test 0.1 --model blank:bert --epochs 2 {BLANK} --max-length 128",
        ("北京是中国的[MASK]都。",),
    ),
    "text-en": Case(
        "text_en/wikitext2_valid.txt",
        "text-generation",
        f"--valid 0.1 --test 0.1 --model blank:gpt2 --epochs 2 {BLANK} --max-length 256 --max-new-tokens 20",
        ("The game was",),
    ),
    "summaries-zh": Case(
        "summaries_zh/train.jsonl",
        "summarization",
        f"{HELD_OUT} @summaries_zh/val.jsonl --model blank:bart --epochs 8 {BLANK} --max-length 256 --max-new-tokens 40",
        ("采用修正的参数建立了飞行器姿态控制系统的数学模型。",),
    ),
    "classical-zh": Case(
        "translation_classical_modern_zh/train.jsonl",
        "translation",
        f"{HELD_OUT} @translation_classical_modern_zh/val.jsonl --model blank:t5 --epochs 4 {BLANK} --max-length 64 --max-new-tokens 60",
        ("常有消渴疾。",),
    ),
    **{
        f"{family}-by-heart": Case(
            "translation_en_de/train.jsonl",
            "translation",
            f"--model blank:{family} {HEART} --max-length 64 --max-new-tokens 60 --source-lang en --target-lang de",
            ("Two young, White males are outside near many bushes.",),
            rows=200,
            goal=90,
        )
        for family in ("t5", "mt5", "bart", "mbart", "marian")
    },
    **{
        f"{family}-by-heart": Case(
            "instructions_zh/train.json",
            "text-generation",
            f"--model blank:{family} {HEART} --max-length 256 --max-new-tokens 200",
            ("识别并解释给定列表中的两个科学理论：细胞理论和日心说。",),
            rows=100,
        )
        for family in ("llama", "qwen3", "gpt2")
    },
    "chat-en": Case(
        "instructions_en/train.json",
        "text-generation",
        f"--model blank:llama --epochs 3 {BLANK} --max-length 256 --max-new-tokens 60",
        ("Describe a process of making crepes.",),
    ),
}


def main() -> None:
    """Run the cases and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--short", action="store_true", help="one epoch of few rows each")
    parser.add_argument("--out", type=Path, help="keep the runs in this folder")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch) / "runs"
        print(
            f"{'case':22}{'task':24}{'rows':>7}  {'headline':>28}  {'baseline':>28}  {'goal':>6}{'train s':>9}{'rows/s':>8}{'peak MB':>9}"
        )
        for name in options.only:
            case = CASES[name]
            if not (options.data / case.data).is_file():
                print(f"{name:22}{case.data} is not there")
                continue
            results[name] = found = run(name, case, options.data, out, Path(scratch), short=options.short)
            print(
                f"{name:22}{case.task:24}{found['rows']:>7}  {_figure(found):>28}  {_figure(found['baseline']):>28}  {case.goal or '':>6}"
                f"{found['train_s']:>9.0f}{found['rows_per_s']:>8.1f}{found['peak_mb']:>9.0f}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2, ensure_ascii=False), encoding="utf-8")


def run(name: str, case: Case, data: Path, out: Path, scratch: Path, *, short: bool = False) -> dict[str, Any]:
    """Train, predict, and read what the run says."""
    place, source = out / name, data / case.data
    files = {word: data / word[1:] for word in case.flags.split() if word.startswith("@")}
    if short:
        source = _first_rows(source, SHORT, scratch)
        files = {word: _first_rows(file, SHORT // 4, scratch) for word, file in files.items()}
    flags = [str(files.get(word, word)) for word in case.flags.split()]
    if case.rows:
        source = _first_rows(source, min(case.rows, SHORT) if short else case.rows, scratch)
        flags += ["--valid", str(source), "--test", str(source)]
    if short:
        flags += ["--epochs", "1"]
    shutil.rmtree(place, ignore_errors=True)
    began = time.perf_counter()
    _weitiao("train", str(source), "--task", case.task, *flags, "--out", str(place), "--quiet")
    seconds = time.perf_counter() - began
    answers = json.loads(_weitiao("predict", str(place), *case.asked, "--json"))
    record = json.loads((place / "run.json").read_text(encoding="utf-8"))
    evaluation, training = record["evaluation"], record["training"]
    headline = evaluation["headline"]
    simple = {method: scores["metrics"].get(headline) for method, scores in evaluation.get("baselines", {}).items()}
    better = min if headline in ("loss", "perplexity") else max
    best = better((method for method, value in simple.items() if value is not None), key=lambda method: simple[method], default=None)
    return {
        "rows": record["data"]["splits"]["train"]["rows"],
        "headline": headline,
        "value": evaluation["metrics"][headline],
        "metrics": evaluation["metrics"],
        "baseline": {"headline": best, "value": simple[best]} if best else None,
        "train_s": training["seconds"],
        "whole_s": seconds,
        "rows_per_s": training["train_rows_per_s"],
        "peak_mb": training["peak_memory_bytes"] / 2**20,
        "answer": answers,
        "report_bytes": (place / "report.html").stat().st_size,
    }


def _weitiao(*words: str) -> str:
    result = subprocess.run([sys.executable, "-m", "weitiao", *words], capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"weitiao {' '.join(words)}\n{result.stderr[-2000:]}")
    return result.stdout


def _first_rows(source: Path, rows: int, scratch: Path) -> Path:
    """A copy of the first rows of a file: lines, sentences between blank lines, records, or paragraphs of SQuAD."""
    text = source.read_text(encoding="utf-8")
    place = scratch / f"{source.parent.name}-{source.stem}-{rows}{source.suffix}"
    if source.suffix == ".json":
        records = json.loads(text)
        if isinstance(records, dict):
            paragraphs = [paragraph for article in records["data"] for paragraph in article["paragraphs"]]
            kept: Any = {"data": [{"title": "", "paragraphs": paragraphs[: -(-rows // QUESTIONS)]}]}
        else:
            kept = records[:rows]
        place.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    else:
        between = "\n\n" if source.suffix == ".conll" else "\n"
        place.write_text(between.join(text.strip("\n").split(between)[:rows]) + "\n", encoding="utf-8")
    return place


def _figure(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{found['headline']} {found['value']:.3f}"


if __name__ == "__main__":
    main()
