"""What ``--model auto`` means: a small table of base models, by language and machine, each with its reason.

Every entry has safetensors, an open licence and an architecture that transformers knows without remote code. The table is knowledge, not a
promise: what a hub really holds is checked when it is fetched, and the next entry is tried where the first cannot be had.
"""

import os
from dataclasses import dataclass

from weitiao.messages import N_

# AdamW in fp32 keeps weights, gradients and two moments; the rest is Python, torch and a batch's activations.
TRAINING_BYTES_A_PARAMETER = 16
WORKING_BYTES = 1_500_000_000


@dataclass(frozen=True)
class Choice:
    """A base model that ``auto`` may take.

    Attributes:
        id: its name on the hub.
        language: "en", "zh" or "other" (many languages).
        parameters: how many.
        license: SPDX id.
        bytes: what a run downloads.
        gpu: meant for a machine with a GPU.
        reason: an English sentence, marked for translation.
    """

    id: str
    language: str
    parameters: int
    license: str
    bytes: int
    gpu: bool
    reason: str

    @property
    def training_bytes(self) -> int:
        """Memory that full fine-tuning takes, about."""
        return self.parameters * TRAINING_BYTES_A_PARAMETER + WORKING_BYTES


TABLE = (
    Choice(
        "sentence-transformers/all-MiniLM-L6-v2",
        "en",
        22_700_000,
        "Apache-2.0",
        92_000_000,
        False,
        N_("a small English encoder that trains in minutes on a CPU; the packaged offline base has the same weights"),
    ),
    Choice(
        "distilbert/distilbert-base-uncased",
        "en",
        67_000_000,
        "Apache-2.0",
        269_000_000,
        False,
        N_("an English encoder of half BERT's depth: slower on a CPU than the smallest, often a little better"),
    ),
    Choice(
        "FacebookAI/roberta-base",
        "en",
        125_000_000,
        "MIT",
        502_000_000,
        True,
        N_("a strong and forgiving English encoder for a machine with a GPU"),
    ),
    Choice(
        "answerdotai/ModernBERT-base",
        "en",
        149_000_000,
        "Apache-2.0",
        601_000_000,
        True,
        N_("a recent English encoder that reads up to 8192 tokens, for a machine with a GPU"),
    ),
    Choice(
        "BAAI/bge-small-zh-v1.5",
        "zh",
        24_000_000,
        "MIT",
        96_500_000,
        False,
        N_("a small Chinese encoder that trains in minutes on a CPU"),
    ),
    Choice(
        "google-bert/bert-base-chinese",
        "zh",
        102_000_000,
        "Apache-2.0",
        412_500_000,
        True,
        N_("the standard Chinese BERT, for a machine with a GPU or for patience"),
    ),
    Choice(
        "intfloat/multilingual-e5-small",
        "other",
        118_000_000,
        "MIT",
        493_000_000,
        False,
        N_("a small encoder for about a hundred languages; most of its size is vocabulary"),
    ),
    Choice(
        "FacebookAI/xlm-roberta-base",
        "other",
        278_000_000,
        "MIT",
        1_130_000_000,
        True,
        N_("the standard encoder for a hundred languages, for a machine with a GPU"),
    ),
)


def choose(language: str, memory_bytes: int, gpu: bool) -> list[Choice]:
    """The entries for a language and a machine, the preferred one first; those that would not fit are left out.

    Args:
        language: a tag such as "en", "zh", "zh-Hans" or "de".
        memory_bytes: of the device that trains.
        gpu: whether that is a GPU.

    >>> [choice.id for choice in choose("zh", 8 << 30, gpu=False)]
    ['BAAI/bge-small-zh-v1.5', 'google-bert/bert-base-chinese']
    >>> choose("en", 16 << 30, gpu=True)[0].id, choose("de", 3 << 30, gpu=False)[0].id
    ('FacebookAI/roberta-base', 'intfloat/multilingual-e5-small')
    """
    short = language.lower().replace("_", "-").split("-")[0]
    entries = [choice for choice in TABLE if choice.language == (short if short in ("en", "zh") else "other")]
    # The table goes from small to large: on a GPU its own class comes first, on a CPU the smallest.
    entries.sort(key=lambda choice: choice.gpu != gpu)
    # The smallest stays in any case: it is better to try than to have nothing.
    return [choice for choice in entries if choice.training_bytes <= memory_bytes] or [min(entries, key=lambda choice: choice.parameters)]


def machine_memory() -> int:
    """Main memory in bytes; 8 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30
