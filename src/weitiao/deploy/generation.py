"""How a model writes, in CTranslate2's words: arguments of transformers' ``generate`` become its options, or are refused by name where it
would write something else. It knows no model and no task.
"""

from collections.abc import Mapping
from typing import Any

from weitiao.errors import UsageError
from weitiao.messages import _

# What both libraries do alike, with what transformers does where nobody says anything.
ALIKE: dict[str, Any] = {
    "max_new_tokens": 20,
    "min_length": 0,
    "min_new_tokens": 0,
    "num_beams": 1,
    "length_penalty": 1.0,
    "early_stopping": False,
    "do_sample": False,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "eos_token_id": None,
}
# What CTranslate2 does not have, with the value that changes nothing in transformers either.
_LACKING: dict[str, Any] = {
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "encoder_repetition_penalty": 1.0,
    "encoder_no_repeat_ngram_size": 0,
    "diversity_penalty": 0.0,
    "num_beam_groups": 1,
    "num_return_sequences": 1,
    "guidance_scale": 1.0,
    "remove_invalid_values": False,
    "renormalize_logits": False,
    "token_healing": False,
}
# What decides nothing of what is written here: how it is computed and handed over, and what stands in the model's config as well.
_BESIDE = frozenset(
    {
        *("pad_token_id", "bos_token_id", "decoder_start_token_id", "max_length", "transformers_version", "use_cache"),
        *("cache_implementation", "cache_config", "max_cache_len", "output_attentions", "output_hidden_states", "output_scores"),
        *("output_logits", "return_dict_in_generate", "is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule"),
        *("assistant_confidence_threshold", "assistant_early_exit", "assistant_lookbehind", "target_lookbehind"),
        *("assistant_ensemble_weight", "speculation_type", "prompt_lookup_num_tokens", "max_matching_ngram_size", "compile_config"),
        *("disable_compile", "low_memory", "prefill_chunk_size", "use_mtp", "_from_model_config"),
    }
)


def habits(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a model's own generation config says how it writes, plain JSON.

    >>> habits({"pad_token_id": 0, "top_k": 20, "top_p": None, "typical_p": 1.0, "bad_words_ids": [[3]]})
    {'top_k': 20, 'bad_words_ids': [[3]]}
    """
    said = {name: value for name, value in config.items() if value is not None and name not in _BESIDE}
    return {name: value for name, value in said.items() if name not in _LACKING or value != _LACKING[name]}


def options(arguments: Mapping[str, Any], *, two_parts: bool) -> dict[str, Any]:
    """Options of CTranslate2 that write what transformers writes with these arguments of ``generate``; what is None was not said.

    >>> found = options({"max_new_tokens": 8, "num_beams": 4, "eos_token_id": 2}, two_parts=True)
    >>> found["beam_size"], found["longest"], found["end_token"], found["sampling_topk"]
    (4, 8, [2], 1)

    Args:
        two_parts: whether an encoder reads what the decoder's answer is about.

    Returns:
        Keyword arguments of ``translate_batch`` and ``generate_batch``; with "longest" and "shortest" in new tokens, which those two call
        differently.

    Raises:
        UsageError: names the argument that means something else there.
    """
    value = {**ALIKE, **{name: said for name, said in arguments.items() if said is not None}}
    other = [name for name in habits(value) if name not in ALIKE]
    if other:
        _refuse(other[0], value[other[0]])
    # Of a text that goes on, transformers counts what was read, too; of an answer it counts the token that it starts with.
    shortest = max(value["min_new_tokens"], value["min_length"] - 1 if two_parts else 0)
    if value["min_length"] and not two_parts:
        _refuse("min_length", value["min_length"])
    if value["num_beams"] > 1:
        # These change a token's chances before CTranslate2 compares beams, and after it in transformers.
        changed = {"do_sample": value["do_sample"], "min_new_tokens": shortest}
        changed |= {name: value[name] for name in ("repetition_penalty", "no_repeat_ngram_size") if value[name] != ALIKE[name]}
        for name, said in changed.items():
            if said:
                _refuse(name, said, beams=value["num_beams"])
        if value["early_stopping"] == "never":
            _refuse("early_stopping", "never")
    drawn = bool(value["do_sample"])
    ends = value["eos_token_id"]
    return {
        "beam_size": value["num_beams"],
        "length_penalty": value["length_penalty"],
        "repetition_penalty": value["repetition_penalty"],
        "no_repeat_ngram_size": value["no_repeat_ngram_size"],
        "sampling_topk": value["top_k"] if drawn else 1,
        "sampling_topp": value["top_p"] if drawn else 1.0,
        "sampling_temperature": value["temperature"] if drawn else 1.0,
        "end_token": [] if ends is None else sorted(ends) if isinstance(ends, (list, tuple, set)) else [ends],
        "longest": value["max_new_tokens"],
        "shortest": shortest,
    }


def _refuse(name: str, value: Any, *, beams: int = 0) -> None:
    if beams:
        message = _("CTranslate2 does not write as transformers does where {name} is {value} and answers are followed by {beams} beams.")
        raise UsageError(message.format(name=name, value=value, beams=beams))
    raise UsageError(_("CTranslate2 has nothing that writes as transformers does where {name} is {value}.").format(name=name, value=value))
