"""Make zh-mini, the packaged Chinese base: texts, tokenizer, pretraining, wheel.

    python recipes/zh-mini/make.py DATA --out runs/zh-mini [--minutes 7.5] [--device cuda]
    python recipes/zh-mini/make.py DATA --out runs/zh-mini --pack packages      # the wheel of what was made before

DATA is the folder of data sets, see ``corpus.py`` for those that are read. On an H100 7.5 minutes of training see 413 million tokens; on a
CPU the same takes days, and --minutes says how long it may.
"""

import argparse
import json
import shutil
import tempfile
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

from corpus import HISTORIES, RUN, gather

import weitiao
from weitiao.deploy.container.wheel import write_wheel

HERE = Path(__file__).parent
PACKAGE, VERSION = "weitiao_zh_mini", "0.1.0"
VOCABULARY, POSITIONS = 8000, 512
SHAPE = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "intermediate_size": 1536,
    "max_position_embeddings": POSITIONS,
}
DROPOUT = ("hidden_dropout_prob", "attention_probs_dropout_prob")


def main() -> None:
    """Do what is not done yet, one step after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of data sets")
    parser.add_argument("--out", type=Path, default=Path("runs/zh-mini"), help="a folder for all that is made")
    parser.add_argument("--minutes", type=float, default=7.5, help="of training steps")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--pack", type=Path, help="write the wheel into this folder")
    options = parser.parse_args()
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    corpus, counts = out / "corpus.txt", out / "counts.json"
    if not counts.is_file():
        counts.write_text(json.dumps(gather(options.data, corpus), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if not (out / "tokenizer").is_dir():
        weitiao.train_tokenizer(corpus, out=out / "tokenizer", kind="wordpiece", vocab_size=VOCABULARY)
    if not (out / "run").is_dir():
        pretrain(out, corpus, options.minutes, options.device)
    if options.pack:
        print(pack(out, json.loads(counts.read_text(encoding="utf-8")), options.pack))


def pretrain(out: Path, corpus: Path, minutes: float, device: str) -> None:
    """Masked language modelling, hidden words whole. A pass reads every text but is never the last one: so few texts want no dropout."""
    import transformers

    blank = out / "blank"
    config = transformers.BertConfig(vocab_size=VOCABULARY, pad_token_id=0, **SHAPE, **dict.fromkeys(DROPOUT, 0.0))
    config.save_pretrained(blank)
    weitiao.pretrain(
        corpus,
        config=str(blank / "config.json"),
        tokenizer=str(out / "tokenizer"),
        objective="mlm",
        raw=True,  # cleaned when it was gathered, and what repeats does so on purpose
        held_out=0.005,
        block_size=POSITIONS,
        batch_size=64,
        lr=5e-4,
        epochs=1000,
        max_minutes=minutes,
        eval_every=5000,
        save_every=5000,
        device=device,
        out=str(out / "run"),
    )


def pack(out: Path, counts: dict[str, Any], place: Path) -> Path:
    """The wheel: weights in half precision, for whoever fine-tunes with the usual dropout, and the card."""
    from safetensors.torch import load_file, save_file

    with tempfile.TemporaryDirectory() as scratch:
        package, info = Path(scratch) / PACKAGE, Path(scratch) / f"{PACKAGE}-{VERSION}.dist-info"
        model = package / "model"
        shutil.copytree(out / "run" / "model", model)
        weights = model / "model.safetensors"
        save_file({name: values.half() for name, values in load_file(weights).items()}, weights, metadata={"format": "pt"})
        config = json.loads((model / "config.json").read_text(encoding="utf-8")) | dict.fromkeys(DROPOUT, 0.1)
        (model / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        record = json.loads((out / "run" / "run.json").read_text(encoding="utf-8"))
        (model / "README.md").write_text(card(record, counts), encoding="utf-8")
        (package / "__init__.py").write_text(
            '"""zh-mini, a small Chinese base model: the files in the folder model."""\n', encoding="utf-8"
        )
        info.mkdir()
        told = f"Metadata-Version: 2.1\nName: {PACKAGE.replace('_', '-')}\nVersion: {VERSION}\n"
        (info / "METADATA").write_text(told + "Summary: zh-mini, a small Chinese base model for weitiao\n", encoding="utf-8")
        return write_wheel(package, PathDistribution(info), place)


def card(record: dict[str, Any], counts: dict[str, Any]) -> str:
    """The model card."""
    trained = record["training"]
    different = {name: told["characters"] for name, told in counts.items()}
    read = {name: told["characters"] * told["times"] for name, told in counts.items()}  # in one pass
    held_out = trained["history"][-1]["validation"]
    rows = [
        f"| {name} | {told['documents']:,} | {told['characters']:,} | {told['times']} | {told.get('measured', 0)} |"
        for name, told in counts.items()
    ]
    return (
        (HERE / "card.md")
        .read_text(encoding="utf-8")
        .format(
            sources="\n".join(rows),
            run=RUN,
            different=different[HISTORIES] / sum(different.values()),
            read=read[HISTORIES] / sum(read.values()),
            parameters=trained["parameters"] / 1e6,
            tokens=trained["tokens"] / 1e6,
            steps=trained["steps"],
            minutes=trained["seconds"] / 60,
            passes=trained["epochs"],
            loss=held_out["loss"],
            perplexity=held_out["perplexity"],
            accuracy=held_out["masked_accuracy"],
            **SHAPE,
            vocabulary=VOCABULARY,
        )
    )


if __name__ == "__main__":
    main()
