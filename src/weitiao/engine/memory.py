"""How much memory a model takes, reckoned from its number of parameters: to hold its weights, and to train it each way.

Plain arithmetic; it knows no file, no device and no torch. What a training really takes depends on the batch and the length of the texts
too: its plan measures that (``weitiao train --dry-run``).
"""

from dataclasses import dataclass

from weitiao.config import AdapterSettings

# AdamW in fp32 keeps weights, gradients and two moments, four bytes each.
TRAINING_BYTES_A_PARAMETER = 16
FROZEN_BYTES_A_PARAMETER = 4  # fp32, as a training keeps its weights
# bitsandbytes: half a byte a weight, and an fp32 scale for every 64 of them.
FOUR_BIT_BYTES_A_PARAMETER = 0.5 + 4 / 64
# Python, torch and the activations of an ordinary batch.
WORKING_BYTES = 1_500_000_000
# Most that weights laid out for the processor may take beside the weights: of a larger model somebody may miss it.
LAID_OUT_BYTES = 512 * 2**20
LORA_RANK = AdapterSettings().lora_rank
LORA_SHARE = 0.01  # of all parameters, about, at that rank: for a model whose layers are not known


@dataclass(frozen=True)
class Sizes:
    """A model's parameters by how they are kept.

    Attributes:
        all: every one.
        linear: those of matrices inside the layers, which quantisation shrinks and LoRA stands beside.
        adapter: how many LoRA would add and train.
    """

    all: int
    linear: int
    adapter: int


def to_load(sizes: Sizes) -> dict[str, int]:
    """Bytes of the weights alone, by number format.

    fp32 takes 4 bytes a parameter and fp16 (or bf16) 2. int8 and 4-bit shrink only the matrices inside the layers, to 1 and to 0.5625;
    embeddings, norms and head stay at 2.

    >>> to_load(Sizes(all=110_000_000, linear=85_000_000, adapter=0))
    {'fp32': 440000000, 'fp16': 220000000, 'int8': 135000000, '4-bit': 97812500}
    """
    rest = sizes.all - sizes.linear
    return {
        "fp32": 4 * sizes.all,
        "fp16": 2 * sizes.all,
        "int8": sizes.linear + 2 * rest,
        "4-bit": round(FOUR_BIT_BYTES_A_PARAMETER * sizes.linear) + 2 * rest,
    }


def to_train(sizes: Sizes) -> dict[str, int]:
    """Bytes that fine-tuning takes, about, by method.

    full: 16 bytes a parameter. lora: 4 bytes a frozen parameter, and 16 for each of the adapter's. qlora: the same with 0.5625 bytes for
    the matrices inside the layers. Each with 1.5 GB for the program and a batch's activations.

    >>> to_train(Sizes(all=110_000_000, linear=85_000_000, adapter=1_300_000))
    {'full': 3260000000, 'lora': 1960800000, 'qlora': 1668612500}
    """
    trained = TRAINING_BYTES_A_PARAMETER * sizes.adapter + WORKING_BYTES
    rest = FROZEN_BYTES_A_PARAMETER * (sizes.all - sizes.linear)
    return {
        "full": TRAINING_BYTES_A_PARAMETER * sizes.all + WORKING_BYTES,
        "lora": FROZEN_BYTES_A_PARAMETER * sizes.all + trained,
        "qlora": round(FOUR_BIT_BYTES_A_PARAMETER * sizes.linear) + rest + trained,
    }


def roughly_to_train(parameters: int, method: str = "full") -> int:
    """The same for a model of which only the number of parameters is known.

    Args:
        method: "full", "lora", "qlora" or "head"; of the last two only the frozen weights in fp32 are sure, so they count as "lora".

    >>> roughly_to_train(100_000_000), roughly_to_train(100_000_000, "lora")
    (3100000000, 1916000000)
    """
    sizes = to_train(Sizes(parameters, 0, round(LORA_SHARE * parameters)))
    return sizes["full" if method == "full" else "lora"]
