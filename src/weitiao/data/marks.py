"""What is marked inside the texts (names, places), counted by kind. It knows rows and no task."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from weitiao.data.records import Records

MARKS = "marks"  # the field that holds the kinds of a text's marks, one entry a mark


def mark_counts(splits: Mapping[str, Records]) -> list[dict[str, Any]]:
    """How often each kind is marked in each split, by name; [] where nothing is marked.

    >>> import numpy as np
    >>> train = Records({"text": ["Ann met Bob.", "Rain."], "marks": [["person", "person"], []]}, np.arange(2))
    >>> mark_counts({"train": train})
    [{'label': 'person', 'train': 2}]
    """
    counts = {name: Counter(kind for kinds in records.columns.get(MARKS, ()) for kind in kinds) for name, records in splits.items()}
    kinds = sorted(set().union(*counts.values()))
    return [{"label": kind, **{name: counts[name][kind] for name in counts}} for kind in kinds]
