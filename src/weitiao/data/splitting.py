"""Seeded, stratified train / validation / test splits. It knows labels as opaque values and no file.

The same seed gives the same split on every machine: the order comes from uniform draws, which numpy keeps stable, and every tie is broken
by position. Rows with the same text stay on one side, because a test row that was also trained on measures nothing.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from weitiao.data.records import Records
from weitiao.errors import DataError
from weitiao.messages import _


def split(
    records: Records,
    shares: Mapping[str, float],
    labels: Sequence[str] | None = None,
    seed: int = 42,
    groups: np.ndarray | None = None,
) -> dict[str, Records]:
    """Cuts shares off the records; the rest is "train". Rows keep their order.

    >>> records = Records({"text": list("abcdefghij"), "label": ["0", "1"] * 5}, np.arange(10))
    >>> {name: len(part) for name, part in split(records, {"validation": 0.2, "test": 0.2}, records.columns["label"], 1).items()}
    {'train': 6, 'validation': 2, 'test': 2}

    Args:
        records: what to split.
        shares: name of a split -> its share of the rows, 0 < share < 1, less than 1 together.
        labels: (records,) classes whose shares are kept in every split; every class keeps at least one training row, and a class with
            one row stays in train. None for a plain random split.
        seed: of the draw.
        groups: (records,) rows of one group go to the same split (``text_keys``: the same text).

    Raises:
        DataError: there are too few rows to fill every split.
    """
    total = len(records)
    classes = [0] * total if labels is None else [*labels]
    numbers = {label: i for i, label in enumerate(dict.fromkeys(classes))}
    needed = len(shares) + len(numbers)
    wanted = {name: max(1, round(share * total)) for name, share in shares.items()}
    if total < needed or sum(wanted.values()) > total - len(numbers):
        message = _("{file} has {rows} usable rows; at least {needed} are needed to hold out {names} and train on every class.")
        message += " " + _("Add rows, or give files of their own with --valid and --test (--test 0 for none).")
        held = _(", ").join(f"{name} ({share:g})" for name, share in shares.items())
        fewest = _fewest(len(numbers), shares)
        raise DataError(message.format(file=records.source, rows=total, needed=fewest, names=held), file=records.source)
    class_of = np.array([numbers[label] for label in classes])
    group_of, sizes, group_class, order = _groups(class_of, groups, seed)
    room = _quotas(np.bincount(group_class, weights=sizes, minlength=len(numbers)).astype(np.int64), wanted)
    names = [*shares, "train"]
    destination = np.full(len(sizes), len(shares), dtype=np.int8)
    for group, of_class, size in zip(order.tolist(), group_class[order].tolist(), sizes[order].tolist(), strict=True):
        # A group that fits nowhere trains: that keeps the held-out splits' sizes and moves only repeated texts.
        for number in range(len(shares)):
            if room[number][of_class] >= size:
                room[number][of_class] -= size
                destination[group] = number
                break
    # The same text under two labels can take a small class along: such a class comes back.
    for absent in set(numbers.values()) - set(class_of[destination[group_of] == len(shares)].tolist()):
        destination[group_of[class_of == absent]] = len(shares)
    row_destination = destination[group_of]  # (records,)
    chosen = {name: np.flatnonzero(row_destination == names.index(name)) for name in ("train", *shares)}
    lacking = [name for name in chosen if not len(chosen[name])]
    if lacking:
        message = _("{file}: no rows are left for {name}, because nearly all rows hold the same few texts.")
        message += " " + _("Remove the repeated ones with --drop-duplicates, or give files of their own with --valid and --test.")
        raise DataError(message.format(file=records.source, name=lacking[0]), file=records.source)
    return {name: records.select(indices) for name, indices in chosen.items()}


def _groups(classes: np.ndarray, groups: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Groups of rows: each row's group (records,), then size, class and a random order of them, (groups,) each.

    A group belongs to the class of its first row.
    """
    if groups is None:
        group_of = first = np.arange(len(classes))
    else:
        _keys, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
        group_of = group_of.reshape(-1)
    # Drawn by row, so that the order does not depend on the keys' values.
    draws = np.random.default_rng(seed).random(len(classes))[first]
    return group_of, np.bincount(group_of), classes[first], np.lexsort((first, draws))


def _quotas(sizes: np.ndarray, wanted: Mapping[str, int]) -> list[list[int]]:
    """How many rows of each class go to each split: in proportion, the remainders to the largest fractions.

    Every class keeps a training row, and the splits get exactly the rows that are wanted if the classes can give them.
    """
    left = np.maximum(sizes - 1, 0)
    quotas = []
    for rows in wanted.values():
        exact = sizes * (rows / int(sizes.sum()))
        given = np.minimum(np.floor(exact).astype(np.int64), left)
        # Stable, so that equal remainders go by the order in which classes first occur.
        by_remainder = np.argsort(given - exact, kind="stable")
        while given.sum() < rows and (given < left).any():
            for number in by_remainder:
                if given[number] < left[number] and given.sum() < rows:
                    given[number] += 1
        left = left - given
        quotas.append(given.tolist())
    return quotas


def _fewest(classes: int, shares: Mapping[str, float]) -> int:
    """The smallest number of rows that can be split."""
    rows = classes + len(shares)
    while sum(max(1, round(share * rows)) for share in shares.values()) > rows - classes:
        rows += 1
    return rows
