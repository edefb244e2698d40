"""BLEU and chrF of a whole test set as sacreBLEU computes them, with its signatures: figures that may be put beside a paper's.

Intervals come from resampling each row's own counts, so the corpus figure is computed anew for every resample.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.metrics.resampling import interval, resamples

# Scripts without spaces have no words to count; sacreBLEU's own tokeniser for Chinese also keeps Latin words whole.
_TOKENISERS = {"zh": "zh", **dict.fromkeys(("ja", "th", "lo", "km", "my", "bo"), "char")}


def tokeniser_for(language: str) -> str:
    """sacreBLEU's tokeniser for an ISO 639-1 language.

    >>> tokeniser_for("zh"), tokeniser_for("de"), tokeniser_for("ja")
    ('zh', '13a', 'char')
    """
    return _TOKENISERS.get(language, "13a")


def translation_scores(predictions: Sequence[str], references: Sequence[str], *, tokeniser: str = "13a") -> dict[str, Any]:
    """Corpus BLEU and chrF, each from 0 to 100.

    >>> scores = translation_scores(["The cat is on the mat."], ["The cat is on the mat."])
    >>> round(scores["metrics"]["bleu"], 6), scores["signature"].split("|")[1]
    (100.0, 'nrefs:1')

    Args:
        predictions, references: one text a row, at least one row; an empty prediction counts with all its missing words.
        tokeniser: sacreBLEU's, for BLEU: "13a", "zh", "char". chrF needs none.

    Returns:
        {"metrics", "intervals", "draws", "signature"}.

    Raises:
        UsageError: sacreBLEU is not installed.
    """
    draws, values, signatures = {}, {}, []
    for name, metric in _metrics(tokeniser).items():
        whole = metric.corpus_score(list(predictions), [list(references)])
        values[name] = float(whole.score)
        signatures.append(f"{whole.name}|{metric.get_signature()}")
        counts = np.asarray(metric._extract_corpus_statistics(list(predictions), [list(references)]), dtype=np.int64)  # (rows, counts)
        draws[name] = [float(metric._compute_score_from_stats(sums).score) for sums in _resampled_sums(counts)]
    return {
        "metrics": values,
        "intervals": {name: interval(drawn) for name, drawn in draws.items()},
        "draws": draws,
        "signature": " ".join(signatures),
    }


def sentence_chrf(predictions: Sequence[str], references: Sequence[str]) -> list[float]:
    """chrF of each row, 0 to 100: BLEU says little about a single sentence."""
    metric = _metrics("13a")["chrf"]
    return [float(metric.sentence_score(answer, [right]).score) for answer, right in zip(predictions, references, strict=True)]


def require_sacrebleu() -> None:
    """Raises UsageError where sacreBLEU is not installed."""
    _metrics("13a")


def _resampled_sums(counts: np.ndarray) -> list[list[int]]:
    """Each resample's sums of the rows' (rows, counts)."""
    rows = len(counts)
    sums: list[list[int]] = []
    for chunk in resamples(rows):  # (resamples, rows)
        times = np.stack([np.bincount(drawn, minlength=rows) for drawn in chunk])  # how often each row was drawn
        sums += (times @ counts).tolist()
    return sums


def _metrics(tokeniser: str) -> dict[str, Any]:
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise UsageError(_("BLEU needs sacreBLEU. Install it: pip install 'weitiao[text]'")) from error
    # ``force``: no advice on standard error about texts that look tokenised.
    return {"bleu": BLEU(tokenize=tokeniser, force=True), "chrf": CHRF()}
