"""The peer: transformers' own pipeline, one text after another or in batches, as its guide has it.

python benchmarks/peers/hf_pipeline.py MODEL_FOLDER TEXTS.json [--batch-size 32] [--max-length 128]   prints one line of JSON
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from transformers import pipeline

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("texts")
parser.add_argument("--batch-size", type=int, default=1)
parser.add_argument("--max-length", type=int, default=128)
options = parser.parse_args()

texts = json.loads(Path(options.texts).read_text(encoding="utf-8"))
classify = pipeline("text-classification", model=options.model, device=-1)
cut = {"truncation": True, "max_length": options.max_length}
classify(texts[:32], batch_size=options.batch_size, **cut)
began = time.perf_counter()
answers = classify(texts, batch_size=options.batch_size, **cut)
seconds = time.perf_counter() - began
labels, scores = [answer["label"] for answer in answers], [answer["score"] for answer in answers]
print(json.dumps({"seconds": seconds, "labels": labels, "scores": scores}))
