"""The peer: sentence-transformers' own encode, as its guide has it.

python benchmarks/peers/sentence_transformers_encode.py MODEL_FOLDER TEXTS.json [--batch-size 32]   prints one line of JSON
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from sentence_transformers import SentenceTransformer

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("texts")
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--max-length", type=int, default=256)
options = parser.parse_args()

texts = json.loads(Path(options.texts).read_text(encoding="utf-8"))
model = SentenceTransformer(options.model, device="cpu")
model.max_seq_length = options.max_length
model.encode(texts[:32], batch_size=options.batch_size)
began = time.perf_counter()
vectors = model.encode(texts, batch_size=options.batch_size)
print(json.dumps({"seconds": time.perf_counter() - began, "vectors": vectors.round(6).tolist()}))
