"""A trained tokenizer as a folder that ``transformers.AutoTokenizer`` loads. It knows file names and roles, and needs no transformers."""

import json
from pathlib import Path
from typing import Any

from weitiao.engine.architectures import SENTINELS, Tokens
from weitiao.engine.tokenizer_figures import FILE
from weitiao.errors import RunError
from weitiao.messages import _
from weitiao.runs import write_text


def check_free(path: Path) -> None:
    """Raises RunError where something stands at ``path``."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(_("{path} exists already, and nothing is overwritten. Choose another --out, or remove it first.").format(path=path))


def write_tokenizer(place: Path, tokenizer: Any, tokens: Tokens, *, max_length: int) -> None:
    """Write tokenizer.json and its configs into a folder that is there.

    Args:
        max_length: longest text in tokens of the models it is for.
    """
    roles = {f"{role}_token": token for role, token in tokens.special.items()}
    other = [*tokens.more, *SENTINELS[: tokens.sentinels]]
    more = {"additional_special_tokens": other} if other else {}
    config = {
        # The class that takes tokenizer.json as it is, by a name that every version of transformers knows.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", *(["token_type_ids"] if tokens.types else []), "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **roles,
        **more,
    }
    write_text(place / FILE, tokenizer.to_str(pretty=True))
    write_text(place / "tokenizer_config.json", json.dumps(config, ensure_ascii=False, indent=2) + "\n")
    write_text(place / "special_tokens_map.json", json.dumps({**roles, **more}, ensure_ascii=False, indent=2) + "\n")
