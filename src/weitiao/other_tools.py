"""What other tools call our settings: on the command line, in a config file, as an argument in Python. Knows words, nothing else."""

# As transformers' example scripts and TrainingArguments have them.
WORDS = {
    "learning_rate": "lr",
    "num_train_epochs": "epochs",
    "num_epochs": "epochs",
    "per_device_train_batch_size": "batch_size",
    "per_gpu_train_batch_size": "batch_size",
    "train_batch_size": "batch_size",
    "output_dir": "out",
    "model_name_or_path": "model",
    "model_name": "model",
    "base_model": "model",
    "train_file": "data",
    "validation_file": "valid",
    "test_file": "test",
    "max_seq_length": "max_length",
    "max_seq_len": "max_length",
    "warmup_ratio": "warmup",
    "lr_scheduler_type": "schedule",
    "overwrite_output_dir": "overwrite",
    "text_column_name": "text",
    "label_column_name": "label",
    "early_stopping_patience": "patience",
    "save_steps": "save_every",
    "report_to": "track",
    "lora_r": "lora_rank",
}


def ours(name: str) -> str:
    """Our name for another tool's setting, however it was spelt; "" where there is none.

    >>> ours("--learning-rate"), ours("num_train_epochs"), ours("train_file"), ours("colour")
    ('lr', 'epochs', 'data', '')
    """
    return WORDS.get(name.lstrip("-").replace("-", "_").lower(), "")
