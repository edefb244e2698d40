"""Fine-tuning on an NVIDIA GPU beside Hugging Face's Trainer, in bf16, in turn, each a process.

    python benchmarks/gpu.py encoder DATA_FOLDER [--label target] [--model offline] [--rounds 3] [--rows 4000]
    python benchmarks/gpu.py decoder TEXTS.jsonl [--rounds 3] [--rows 640] [--tokenizer FOLDER]

encoder: full fine-tuning for classification, the peer with dynamic padding; DATA_FOLDER holds train.csv, val.csv and test.csv. decoder:
LoRA of rank 8 on all layers of a model shaped like Llama 3.2 1B, made here from its config with random weights; the peer is Trainer
with PEFT, padding to the longest of 16 rows and accumulating to 32. TEXTS.jsonl holds {"text"}.

Printed are real tokens a second from the second step on, the time from the start of the process to the end of the first step, and, for the
decoder, the share of the card's rate of bf16 products measured in the same run: 4 operations a parameter and token, what goes forward
and back through a frozen base (attention's own products are not counted). --cpu with --tiny shows that the benchmark runs, and no more.
"""

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from measuring import record

HERE = Path(__file__).parent
BATCH = 32
# Llama 3.2 1B, by its published config.
SHAPE = {
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 8192,
    "vocab_size": 128_256,
    "rope_theta": 500_000.0,
}
TINY = {**SHAPE, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16}
TINY |= {"intermediate_size": 128, "vocab_size": 30_522}
PEAK = """
import time, torch
a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
for number in range(23):
    if number == 3:
        torch.cuda.synchronize()
        began = time.perf_counter()
    a @ b
torch.cuda.synchronize()
print(20 * 2 * 8192**3 / (time.perf_counter() - began), torch.cuda.get_device_name(), sep=",")
"""


def main() -> None:
    """Run every contestant so many rounds, in turn, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("encoder", "decoder"))
    parser.add_argument("data")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--model", default="offline", help="encoder: the base")
    parser.add_argument("--tokenizer", default="offline", help="decoder: a model whose tokenizer it takes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="decoder: two small layers")
    parser.add_argument("--json", help="where to write the figures")
    options = parser.parse_args()
    peak, card = (0.0, platform.processor()) if options.cpu else _peak()
    with tempfile.TemporaryDirectory() as scratch:
        contestants = (_encoder if options.what == "encoder" else _decoder)(options, Path(scratch))
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants["runs"]}
        for number in range(options.rounds):
            for name, (command, log) in contestants["runs"].items():
                results[name].append(_timed(command, log))
                print(f"round {number + 1}  {name}: {results[name][-1]}", file=sys.stderr, flush=True)
    _print(results, contestants["tokens"], contestants["operations"], peak, card)
    if options.json:
        Path(options.json).write_text(record({"card": card, "peak": peak, **contestants, "contestants": results}), encoding="utf-8")


def _peak() -> tuple[float, str]:
    """(operations a second of bf16 products, the card's name)."""
    done = subprocess.run([sys.executable, "-c", PEAK], check=True, capture_output=True, text=True)
    rate, card = done.stdout.strip().split(",", 1)
    return float(rate), card


def _encoder(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    from weitiao.engine.hub import resolve

    with (Path(options.data) / "train.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))[: options.rows + 1]
    with (scratch / "train.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    test, base = Path(options.data) / "test.csv", resolve(options.model).path
    at = rows[0].index(options.text)
    ours = ["train", str(scratch / "train.csv"), "--test", str(test), "--text", options.text, "--label", options.label]
    ours += ["--max-length", "128", "--epochs", "1", "--valid", "0"]
    theirs = [str(HERE / "peers" / "hf_trainer.py"), str(base), str(scratch / "train.csv"), str(test), options.text, options.label]
    theirs += ["--epochs", "1", *([] if options.cpu else ["--gpu"])]
    runs = {"weitiao": _weitiao(ours, base, options, scratch), "Trainer, dynamic padding": ([sys.executable, *theirs], None)}
    return {"runs": runs, "tokens": _tokens(base, [row[at] for row in rows[1:]], 128), "operations": 0}


def _decoder(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    from weitiao.engine.hub import resolve

    base = scratch / "model"
    parameters = _made(base, resolve(options.tokenizer).path, TINY if options.tiny else SHAPE, options.cpu)
    lines = Path(options.data).read_text(encoding="utf-8").splitlines()[: options.rows]
    (scratch / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ours = ["train", str(scratch / "train.jsonl"), "--task", "text-generation", "--method", "lora", "--lora-dropout", "0"]
    ours += ["--max-length", "1024", "--epochs", "1", "--valid", "0"]
    theirs = [str(HERE / "peers" / "hf_lora_lm.py"), str(base), str(scratch / "train.jsonl"), *(["--cpu"] if options.cpu else [])]
    runs = {"weitiao": _weitiao(ours, base, options, scratch), "Trainer + PEFT": ([sys.executable, *theirs], None)}
    return {"runs": runs, "tokens": _tokens(base, [json.loads(line)["text"] for line in lines], 1024), "operations": 4 * parameters}


def _weitiao(arguments: list[str], base: Path, options: argparse.Namespace, scratch: Path) -> tuple[list[str], Path]:
    out = scratch / "run"
    command = [sys.executable, "-m", "weitiao", *arguments, "--model", str(base), "--batch-size", str(BATCH), "--quiet", "--overwrite"]
    return [*command, "--device", "cpu" if options.cpu else "cuda", "--out", str(out)], out / "log.jsonl"


def _made(folder: Path, tokenizer: Path, shape: dict[str, Any], cpu: bool) -> int:
    """Make a decoder of random weights, in a process of its own that gives the card back. Returns its number of parameters."""
    script = (
        "import json, sys, torch; from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM\n"
        "config = LlamaConfig(**json.loads(sys.argv[3]), max_position_embeddings=2048, tie_word_embeddings=True)\n"
        "with torch.device(sys.argv[4]): model = LlamaForCausalLM(config).bfloat16()\n"
        "model.save_pretrained(sys.argv[1]); AutoTokenizer.from_pretrained(sys.argv[2]).save_pretrained(sys.argv[1])\n"
        "print(sum(p.numel() for p in model.parameters()))"
    )
    command = [sys.executable, "-c", script, str(folder), str(tokenizer), json.dumps(shape), "cpu" if cpu else "cuda"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def _tokens(base: Path, texts: list[str], longest: int) -> int:
    """Real tokens of an epoch after its first batch, as near as the mean batch says."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    whole = sum(min(longest, len(one.ids)) for one in tokenizer.encode_batch(texts))
    return round(whole * (1 - BATCH / len(texts)))


def _timed(command: list[str], log: Path | None) -> dict[str, Any]:
    """Seconds after the first step, and up to its end; ours from the run's log, which gets a line a step."""
    if log is not None:
        log.unlink(missing_ok=True)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began, first = time.time(), None
        process = subprocess.Popen(command, stdout=output, stderr=errors, text=True, env=environment)
        while process.poll() is None:
            if log is not None and first is None and log.is_file() and log.stat().st_size:
                first = time.time()
            time.sleep(0.02)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)}\n{errors.read()[-3000:]}")
        if log is None:
            figures: dict[str, Any] = json.loads(output.read().strip().splitlines()[-1])
            figures["first_step_s"] = round(figures.pop("first_step_at") - began, 1)
            return figures
    assert first is not None
    steps = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if "tokens_per_s" in line]
    record = json.loads((log.parent / "run.json").read_text(encoding="utf-8"))
    figures = {"after_first_s": round(steps[-1]["seconds"] - steps[0]["seconds"], 3), "first_step_s": round(first - began, 1)}
    return figures | {"accuracy": (record.get("evaluation") or {}).get("metrics", {}).get("accuracy")}


def _print(results: dict[str, list[dict[str, Any]]], tokens: int, operations: int, peak: float, card: str) -> None:
    print(f"{card}, {peak / 1e12:.0f} TFLOP/s in bf16 products" if peak else card)
    print(f"{'':26}{'tokens/s':>10}{'first step s':>14}{'accuracy':>10}{'of the rate':>13}{'ours faster by (median, range)':>34}")
    ours = results["weitiao"]
    for name, rounds in results.items():
        speeds = [tokens / one["after_first_s"] for one in rounds]
        ratios = [b["after_first_s"] / a["after_first_s"] for a, b in zip(ours, rounds, strict=True)]
        accuracy = rounds[0].get("accuracy")
        share = f"{median(speeds) * operations / peak:.1%}" if operations and peak else ""
        ratio = "" if name == "weitiao" else f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        first = median(one["first_step_s"] for one in rounds)
        said = "" if accuracy is None else f"{accuracy:.4f}"
        print(f"{name:26}{median(speeds):>10,.0f}{first:>14.1f}{said:>10}{share:>13}{ratio:>34}")


if __name__ == "__main__":
    main()
