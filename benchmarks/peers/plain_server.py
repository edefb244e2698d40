"""The peer: FastAPI and transformers' pipeline, as tutorials have it: one text a request, in FastAPI's threads.

python benchmarks/peers/plain_server.py MODEL_FOLDER PORT [--max-length 512]
"""

import argparse
import os

os.environ["HF_HUB_OFFLINE"] = "1"

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("port", type=int)
parser.add_argument("--max-length", type=int, default=512)
options = parser.parse_args()

classify = pipeline("text-classification", model=options.model, device=-1)
app = FastAPI()


class Asked(BaseModel):
    text: str


@app.post("/predict")
def predict(asked: Asked) -> dict[str, object]:
    return dict(classify(asked.text, truncation=True, max_length=options.max_length)[0])


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "alive"}


uvicorn.run(app, port=options.port, log_level="warning")
