"""What only pretraining asks for: the corpus, the objective, the blank model, how long; and which settings of all trainings it goes by. It
knows nothing of texts or models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from weitiao.config import MASK_SHARE, OutputSettings, TaskSettings, TrainingSettings, setting
from weitiao.messages import N_

OBJECTIVES = ("mlm", "rtd", "clm", "denoising")
MEASURED = ("mlm", "clm")  # those that a figure on any text judges; a generator or drawn spans belong to the others' training
BORROWED = ("revision", "offline", "trust_remote_code", "encoding", "max_bad_rows")  # of other groups than training and output
UNUSED = ("method", "class_weights", "label_smoothing", "patience")  # of the training's


@dataclass(frozen=True)
class PretrainingSettings(TaskSettings):
    """A pretraining, beside the training's own settings."""

    corpus: tuple[str, ...] = setting((), N_("Files and folders of text."), hidden=True)
    config: str = setting("", N_("A blank model: ARCHITECTURE:SIZE such as bert:mini or electra:6x384, or a config.json."))
    tokenizer: str = setting("", N_("Folder of the blank model's tokenizer (trained on the corpus by default)."))
    vocab_size: int = setting(16_000, N_("Entries of a tokenizer that is trained here."), low=300, high=1_000_000)
    add_tokens: str = setting(
        "", N_("--from: words that become tokens of their own: a number, of the most frequent that are broken up, or a file of them.")
    )
    objective: str = setting(
        "auto",
        N_(
            "What is learned: mlm hidden words, rtd which words a generator replaced (ELECTRA), clm the next token, denoising hidden "
            "spans (T5); auto = what the architecture was made for."
        ),
        choices=("auto", *OBJECTIVES),
    )
    block_size: int = setting(256, N_("Tokens of a block; a step sees --batch-size of them."), low=16, high=1_000_000)
    mask_share: float = setting(MASK_SHARE, N_("Share of the words that are hidden."), low=0.01, high=0.9)
    generator_width: float = setting(0.25, N_("rtd: width of the generator, as a share of the model's."), low=0.05, high=1.0)
    text_column: str = setting("", N_("Column of the texts in tables (text, or the only one there is); several, as a,b, are joined."))
    document: str = setting("line", N_("What of a text file is one document."), choices=("line", "paragraph", "file"))
    raw: bool = setting(False, N_("Take the corpus as it is: leave in repeats, near-repeats, and lines that are mostly markup."))
    held_out: float = setting(0.01, N_("Share of the documents that is held out, to be measured on."), low=0.0, high=0.5)
    max_steps: int = setting(0, N_("Stop after so many steps (0 = when the epochs are over)."), low=0)
    max_minutes: float = setting(
        0.0, N_("Stop after so many minutes of training steps; the learning rate falls with the time (0 = never)."), low=0.0, high=1e6
    )
    eval_every: int = setting(0, N_("Steps between evaluations, each with a checkpoint (0 = after every epoch)."), low=0)


def in_force(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a pretraining run's settings that it went by, so none of a labelled file, a task or an adapter.

    >>> in_force({"task": "text-classification", "model": "auto", "config": "bert:mini", "test": "0.1", "lora_rank": 8, "epochs": 3})
    {'config': 'bert:mini', 'epochs': 3}
    """
    groups = (PretrainingSettings, TrainingSettings, OutputSettings)
    known = {"model", *BORROWED, *(one.name for group in groups for one in fields(group))} - set(UNUSED)
    others = ("model", "revision", "add_tokens") if settings.get("config") else ("config", "tokenizer", "vocab_size")
    return {name: value for name, value in settings.items() if name in known and name not in others}
