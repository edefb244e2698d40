"""The arrays that ``decode`` sees, as plain facts: told apart by their names and shapes, so that any task's can be shown. Knows no task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.labels import softmax

Spell = Callable[[int], dict[str, Any]]  # what is said of a token id: how the vocabulary spells it, how it reads


def reading(arrays: Mapping[str, np.ndarray], squash: str, spell: Spell) -> dict[str, Any]:
    """One features' arrays as {"kind", ...}, everything plain.

    >>> reading({"logits": np.array([0.0, 0.0])}, "softmax", dict)
    {'kind': 'labels', 'logits': [0.0, 0.0], 'probabilities': [0.5, 0.5]}

    Args:
        squash: see ``objectives.Objective``.

    Returns:
        "labels": logits and probabilities, (labels,). "tokens": the same of every token, (length, labels). "span": start and end, each
        (length,). "masks": of each mask its likeliest tokens. "vector": its numbers and its length. "arrays": the shape and the first
        numbers of whatever else there is.
    """
    if "logits" in arrays and arrays["logits"].ndim in (1, 2):
        logits = arrays["logits"].astype(np.float64)
        kind = "labels" if logits.ndim == 1 else "tokens"
        return {"kind": kind, "logits": logits.tolist(), "probabilities": probabilities(logits, squash)}
    if {"start_logits", "end_logits"} <= arrays.keys():
        ends = {end: arrays[f"{end}_logits"].astype(np.float64) for end in ("start", "end")}
        facts = {f"{end}_logits": logits.tolist() for end, logits in ends.items()}
        return {"kind": "span", **facts, **{f"{end}_probabilities": softmax(logits).tolist() for end, logits in ends.items()}}
    if {"tokens", "log_probabilities"} <= arrays.keys():
        return {
            "kind": "masks",
            "masks": [_ranked(*mask, spell) for mask in zip(arrays["tokens"], arrays["log_probabilities"], strict=True)],
        }
    if "vector" in arrays:
        vector = arrays["vector"].astype(np.float64)
        return {"kind": "vector", "vector": vector.tolist(), "norm": float(np.linalg.norm(vector))}
    first = {name: {"shape": list(array.shape), "first": array.ravel()[:8].tolist()} for name, array in arrays.items()}
    return {"kind": "arrays", "arrays": first}


def probabilities(logits: np.ndarray, squash: str) -> list[Any] | None:
    """What logits say, None where they are no probabilities by themselves: a single one has nothing to be compared with."""
    if squash == "softmax" and logits.shape[-1] > 1:
        shares: list[Any] = softmax(logits).tolist()
        return shares
    if squash == "sigmoid":
        each: list[Any] = np.exp(-np.logaddexp(0.0, -logits)).tolist()
        return each
    return None


def over_rows(rows: Sequence[dict[str, Any]]) -> list[float]:
    """The softmax over the first logit of each of a record's rows, (rows,)."""
    shares: list[float] = softmax(np.array([row["logits"][0] for row in rows])).tolist()
    return shares


def cosines(rows: Sequence[dict[str, Any]]) -> list[float]:
    """(rows,) of each row's vector with the first one's; 0 for a vector of nothing."""
    vectors = np.array([row["vector"] for row in rows])  # (rows, width)
    norms = np.linalg.norm(vectors, axis=1)
    values: list[float] = (vectors @ vectors[0] / np.maximum(norms * norms[0], 1e-12)).tolist()
    return values


def candidates(logits: np.ndarray, chosen: Sequence[int], top: int, spell: Spell) -> list[dict[str, Any]]:
    """Of each new token: the ``top`` likeliest, likeliest first, and the one that was written with its rank from 1.

    Args:
        logits: (new tokens, vocabulary).
        chosen: the ids that were written.
    """
    steps = []
    for row, written in zip(logits.astype(np.float64), chosen, strict=True):
        shares = softmax(row)  # (vocabulary,)
        best = np.argpartition(-shares, min(top, len(shares)) - 1)[:top]
        order = best[np.argsort(-shares[best], kind="stable")]
        steps.append(
            {
                **_entry(int(written), float(shares[written]), spell),
                "rank": int((shares > shares[written]).sum()) + 1,
                "candidates": [_entry(int(number), float(shares[number]), spell) for number in order],
            }
        )
    return steps


def _ranked(numbers: np.ndarray, logarithms: np.ndarray, spell: Spell) -> list[dict[str, Any]]:
    shares = np.exp(logarithms.astype(np.float64))
    return [_entry(int(number), float(share), spell) for number, share in zip(numbers, shares, strict=True)]


def _entry(number: int, share: float, spell: Spell) -> dict[str, Any]:
    return {"id": number, **spell(number), "probability": share}
