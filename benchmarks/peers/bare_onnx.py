"""The peer: the shortest script that answers from an export with onnxruntime, tokenizers and numpy, imports and loading included.

python benchmarks/peers/bare_onnx.py EXPORT TEXT   prints the label
"""

import json
import sys

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

folder = f"{sys.argv[1]}/model"
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
encoded = tokenizer.encode(sys.argv[2])
given = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
(logits, *_others) = session.run(None, {one.name: np.array([given[one.name]]) for one in session.get_inputs()})  # (1, labels)
with open(f"{folder}/config.json", encoding="utf-8") as file:
    print(json.load(file)["id2label"][str(int(logits.argmax()))])
