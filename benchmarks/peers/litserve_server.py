"""The peer: LitServe with its dynamic batching, as its guide has it: a batch is padded and goes through the model in one pass.

python benchmarks/peers/litserve_server.py MODEL_FOLDER PORT [--max-length 512] [--batch 32] [--wait 0.01]
"""

import argparse
import os

os.environ["HF_HUB_OFFLINE"] = "1"

import litserve
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


class Classifier(litserve.LitAPI):
    def __init__(self, model: str, longest: int, **batching: float) -> None:
        super().__init__(**batching)
        self.folder, self.longest = model, longest

    def setup(self, device: str) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(self.folder).eval()

    def decode_request(self, request: dict[str, str]) -> str:
        return request["text"]

    def predict(self, texts: list[str]) -> list[dict[str, object]]:
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=self.longest, return_tensors="pt")
        with torch.inference_mode():
            scores, labels = self.model(**batch).logits.softmax(-1).max(-1)
        names = self.model.config.id2label
        return [{"label": names[label], "score": score} for label, score in zip(labels.tolist(), scores.tolist(), strict=True)]

    def encode_response(self, output: dict[str, object]) -> dict[str, object]:
        return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("port", type=int)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--wait", type=float, default=0.01)
    options = parser.parse_args()
    api = Classifier(options.model, options.max_length, max_batch_size=options.batch, batch_timeout=options.wait)
    litserve.LitServer(api, accelerator="cpu", timeout=120).run(port=options.port, generate_client_file=False, log_level="warning")
