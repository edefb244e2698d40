"""The peer: Hugging Face's Trainer as its own guide recommends it: dynamic padding, fused AdamW, group-by-length on request, bf16 on a GPU;
with PEFT's LoRA on the linear layers, on all or on the top share of the layers, or with the base frozen. Or, with --literal, as tutorials
for text classification have it: every row padded to --max-length, and AdamW that is not fused; for speed, so that nothing is evaluated.

python benchmarks/peers/hf_trainer.py MODEL_FOLDER TRAIN.csv TEST.csv TEXT LABEL [--group | --literal] ...   prints one line of JSON
"""

import argparse
import json
import math
import os
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import pandas as pd
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

parser = argparse.ArgumentParser()
for name in ("model", "train", "test", "text", "label"):
    parser.add_argument(name)
parser.add_argument("--group", action="store_true", help="rows of like length share a batch")
parser.add_argument("--literal", action="store_true", help='padding="max_length", plain AdamW, no evaluation')
parser.add_argument("--rows", type=int)
parser.add_argument("--epochs", type=float, default=3)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--lr", type=float, default=5e-5)
parser.add_argument("--max-length", type=int, default=128)
parser.add_argument("--seed", type=int, default=42)
parser.add_argument("--method", choices=("full", "lora", "head"), default="full")
parser.add_argument("--top", type=float, default=1.0, help="LoRA: share of the layers, from the top")
parser.add_argument("--gpu", action="store_true")
options = parser.parse_args()

tokenizer = AutoTokenizer.from_pretrained(options.model)
set_seed(options.seed)
tables = {name: pd.read_csv(path) for name, path in (("train", options.train), ("test", options.test))}
labels = sorted(tables["train"][options.label].unique().tolist())
tables["train"] = tables["train"][: options.rows]
model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=len(labels))
if options.method == "lora":
    from peft import LoraConfig, get_peft_model

    layers = model.config.num_hidden_layers
    adapted = list(range(layers - math.ceil(layers * options.top), layers))
    lora = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05, "target_modules": ["query", "key", "value", "dense"]}
    excluded = ".*pooler.*"  # the linear layers of the blocks alone
    model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", layers_to_transform=adapted, exclude_modules=excluded, **lora))
elif options.method == "head":
    model.base_model.requires_grad_(False)

padded = {"padding": "max_length"} if options.literal else {}


def tokenized(table: pd.DataFrame) -> list[dict[str, object]]:
    """Token ids, padded later and only to the longest of each batch; padded here and to the full length where told so."""
    ids = tokenizer(table[options.text].tolist(), truncation=True, max_length=options.max_length, **padded)
    return [
        {name: values[row] for name, values in ids.items()} | {"labels": labels.index(label)}
        for row, label in enumerate(table[options.label])
    ]


class FirstStep(TrainerCallback):
    """When the first step had ended, all of it computed."""

    ended = at = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: object) -> None:
        """Note the time once."""
        if not self.ended:
            if options.gpu:
                torch.cuda.synchronize()
            self.ended, self.at = time.perf_counter(), time.time()


with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=options.lr,
        num_train_epochs=options.epochs,
        report_to=[],
        save_strategy="no",
        use_cpu=not options.gpu,
        bf16=options.gpu,
        disable_tqdm=True,
        optim="adamw_torch" if options.literal else "adamw_torch_fused",
        seed=options.seed,
        train_sampling_strategy="group_by_length" if options.group else "random",
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=tokenized(tables["train"]),
        eval_dataset=tokenized(tables["test"]),
        processing_class=tokenizer,
        compute_metrics=lambda e: {"accuracy": float((e.predictions.argmax(-1) == e.label_ids).mean())},
    )
    watch = FirstStep()
    trainer.add_callback(watch)
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    rows_per_s = len(tables["train"]) * options.epochs / seconds
    figures = {
        "train_s": round(seconds, 2),
        "after_first_s": round(time.perf_counter() - watch.ended, 3),
        "rows_per_s": round(rows_per_s, 2),
    }
    accuracy = None if options.literal else trainer.evaluate()["eval_accuracy"]
    print(json.dumps({**figures, "first_step_at": watch.at, "accuracy": accuracy}))
