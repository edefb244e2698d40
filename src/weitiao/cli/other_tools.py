"""What other tools call our flags. Knows words, no verb."""

# As transformers' example scripts and TrainingArguments have them.
WORDS = {
    "--learning-rate": "--lr",
    "--num-train-epochs": "--epochs",
    "--num-epochs": "--epochs",
    "--per-device-train-batch-size": "--batch-size",
    "--per-gpu-train-batch-size": "--batch-size",
    "--train-batch-size": "--batch-size",
    "--output-dir": "--out",
    "--model-name-or-path": "--model",
    "--model-name": "--model",
    "--base-model": "--model",
    "--train-file": "DATA",
    "--validation-file": "--valid",
    "--test-file": "--test",
    "--max-seq-length": "--max-length",
    "--max-seq-len": "--max-length",
    "--warmup-ratio": "--warmup",
    "--lr-scheduler-type": "--schedule",
    "--overwrite-output-dir": "--overwrite",
    "--text-column-name": "--text",
    "--label-column-name": "--label",
    "--early-stopping-patience": "--patience",
    "--save-steps": "--save-every",
    "--report-to": "--track",
    "--lora-r": "--lora-rank",
}


def ours(flag: str) -> str:
    """Our word for another tool's flag; "" where there is none.

    >>> ours("--learning_rate"), ours("--num-train-epochs"), ours("--colour")
    ('--lr', '--epochs', '')
    """
    return WORDS.get(flag.replace("_", "-").lower(), "")
