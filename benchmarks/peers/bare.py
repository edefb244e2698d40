"""The peer: the shortest script that answers with torch and transformers, imports and loading included.

python benchmarks/peers/bare.py MODEL_FOLDER TEXT   prints the label
"""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
with torch.inference_mode():
    logits = model(**tokenizer(sys.argv[2], return_tensors="pt")).logits  # (1, labels)
print(model.config.id2label[int(logits.argmax())])
