"""The peer: PEFT's LoRA on a decoder with Hugging Face's Trainer, as PEFT's guide has it: the base in bf16, adapters on all linear layers,
padding to the longest row of each batch. Rows that do not fit on the card together are accumulated.

python benchmarks/peers/hf_lora_lm.py MODEL_FOLDER TRAIN.jsonl [--batch-size 32] [--at-once 16] ...   prints one line of JSON
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("train", help="a JSONL file of {text}")
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--at-once", type=int, default=16, help="rows that fit on the card together")
parser.add_argument("--lr", type=float, default=5e-4)
parser.add_argument("--max-length", type=int, default=1024)
parser.add_argument("--seed", type=int, default=42)
parser.add_argument("--cpu", action="store_true", help="to see that it runs")
options = parser.parse_args()
set_seed(options.seed)
tokenizer = AutoTokenizer.from_pretrained(options.model)
texts = [json.loads(line)["text"] for line in Path(options.train).read_text(encoding="utf-8").splitlines()]
rows = [{"input_ids": ids} for ids in tokenizer(texts, truncation=True, max_length=options.max_length)["input_ids"]]
model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32 if options.cpu else torch.bfloat16)
lora = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear")
model = get_peft_model(model, lora)
model.config.use_cache = False


class FirstStep(TrainerCallback):
    """When the first step had ended, all of it computed."""

    ended = at = 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: object) -> None:
        """Note the time once."""
        if not self.ended:
            if not options.cpu:
                torch.cuda.synchronize()
            self.ended, self.at = time.perf_counter(), time.time()


with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=options.at_once,
        gradient_accumulation_steps=options.batch_size // options.at_once,
        learning_rate=options.lr,
        num_train_epochs=1,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        optim="adamw_torch_fused",
        seed=options.seed,
        bf16=not options.cpu,
        use_cpu=options.cpu,
    )
    watch = FirstStep()
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collator, callbacks=[watch])
    trainer.train()
    if not options.cpu:
        torch.cuda.synchronize()
    after = time.perf_counter() - watch.ended
memory = 0 if options.cpu else torch.cuda.max_memory_allocated()
print(json.dumps({"after_first_s": round(after, 3), "first_step_at": watch.at, "gpu_mb": round(memory / 2**20)}))
