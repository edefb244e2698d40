"""weitiao 微调: from a file of examples to a working language model.

    import weitiao
    run = weitiao.train("reviews.csv", text="text", label="label")
    run.predict(["what a lovely day"])
    run = weitiao.load("runs/reviews")

Importing this package imports neither torch nor transformers, sets up no logging and opens no socket: names are loaded when used.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "GateError",
    "ModelError",
    "NetworkError",
    "ResourceError",
    "Run",
    "RunError",
    "UsageError",
    "WeitiaoError",
    "__version__",
    "check",
    "load",
    "pretrain",
    "resume",
    "train",
    "train_tokenizer",
]

if TYPE_CHECKING:
    from weitiao.api import Run, check, load, resume, train
    from weitiao.errors import DataError, GateError, ModelError, NetworkError, ResourceError, RunError, UsageError, WeitiaoError
    from weitiao.pretraining import pretrain
    from weitiao.tokenizing import train_tokenizer


def __getattr__(name: str) -> Any:
    if name.startswith("__") or name not in __all__:
        raise AttributeError(f"module 'weitiao' has no attribute {name!r}")
    from importlib import import_module

    module = "errors" if name.endswith("Error") else {"pretrain": "pretraining", "train_tokenizer": "tokenizing"}.get(name, "api")
    return getattr(import_module(f"weitiao.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
