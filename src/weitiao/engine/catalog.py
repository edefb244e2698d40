"""What ``--model auto`` means: which models of the table a job, a language and a machine ask for, the preferred one first.

It knows the table and the kinds of model that heads stand on. It fetches nothing: ``hub`` tries one entry after the other.
"""

import os
from collections.abc import Sequence

from weitiao.engine import memory
from weitiao.engine.base_models import MANY, TABLE, Choice
from weitiao.engine.heads import kind_of, made_for

__all__ = ["TABLE", "Choice", "choose", "free_to_take", "machine_memory", "rank", "speaks", "training_bytes"]


def choose(
    language: str,
    memory_bytes: int,
    gpu: bool,
    *,
    classes: Sequence[str] = (),
    writes: str = "",
    method: str = "full",
) -> list[Choice]:
    """The entries that ``auto`` may take, the preferred one first; those that would not fit are left out.

    Args:
        language: a tag such as "en", "zh", "zh-Hans" or "de".
        memory_bytes: of the device that trains.
        gpu: whether that is a GPU.
        classes: transformers Auto classes of the task's head; an encoder where there are none.
        writes: the language that is to be written, where the task writes.
        method: of fine-tuning.

    Returns:
        At least one entry wherever the table has one for the kind and the languages: the smallest, where none fits.

    >>> [choice.id for choice in choose("zh", 8 << 30, gpu=False)][:2]
    ['BAAI/bge-small-zh-v1.5', 'google-bert/bert-base-chinese']
    >>> choose("en", 16 << 30, gpu=True)[0].id, choose("de", 3 << 30, gpu=False)[0].id
    ('FacebookAI/roberta-base', 'intfloat/multilingual-e5-small')
    >>> choose("zh", 16 << 30, gpu=False, classes=["AutoModelForCausalLM"])[0].id
    'Qwen/Qwen2.5-0.5B-Instruct'
    """
    kind = kind_of(classes)
    entries = [choice for choice in TABLE if choice.kind == kind and free_to_take(choice) and speaks(choice, language, writes)]
    entries.sort(key=lambda choice: rank(choice, language, gpu, classes))
    fitting = [choice for choice in entries if training_bytes(choice, method) <= memory_bytes]
    # It is better to try than to have nothing.
    return fitting or sorted(entries, key=lambda choice: choice.parameters)[:1]


def rank(choice: Choice, language: str, gpu: bool, classes: Sequence[str]) -> tuple[int, ...]:
    """What a list of entries is sorted by, the preferred first.

    Weights that were trained for this very head win (a masked language model's words, sentence vectors, spans of answers); then the
    models of one language over those of many; then, on a GPU, the models meant for one and the larger of the others, and on a CPU the
    others in the table's order.
    """
    size = -choice.parameters if gpu and not choice.gpu else 0
    return not made_for(choice.architecture, classes), _short(language) not in choice.languages, choice.gpu != gpu, size


def training_bytes(choice: Choice, method: str = "full") -> int:
    """Memory that fine-tuning an entry takes, about."""
    return memory.roughly_to_train(choice.parameters, method)


def speaks(choice: Choice, language: str, writes: str = "") -> bool:
    """Whether an entry reads a language, and writes the other where one is given.

    >>> from weitiao.engine.base_models import TABLE
    >>> marian = next(choice for choice in TABLE if choice.id == "Helsinki-NLP/opus-mt-zh-en")
    >>> speaks(marian, "zh-Hans", "en"), speaks(marian, "zh", "zh"), speaks(marian, "en")
    (True, False, False)
    """

    def knows(code: str) -> bool:
        return MANY in choice.languages or code in choice.languages

    written = _short(writes)
    return knows(_short(language)) and (not written or (written == choice.writes if choice.writes else knows(written)))


def machine_memory() -> int:
    """Main memory in bytes; 8 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def free_to_take(choice: Choice) -> bool:
    """Whether it can be fetched and trained unasked: open, in safetensors, and without a head that training would throw away."""
    return choice.auto and bool(choice.license) and not (choice.pickle or choice.gated or choice.labels)


def _short(language: str) -> str:
    return language.lower().replace("_", "-").split("-")[0]
