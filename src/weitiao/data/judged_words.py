"""Which window of a long text judges which word: the one in which it has most text around it. Knows offsets, no tokenizer and no model."""

from collections.abc import Sequence

from weitiao.data.words import Word, words_of

Window = tuple[Sequence[tuple[int, int]], Sequence[int | None]]  # offsets and word numbers of its tokens


def judged_words(text: str, windows: Sequence[Window], stride: int) -> list[list[Word]]:
    """The words that each window judges; every word of the text is judged once, by its first token.

    >>> offsets = [(0, 1), (2, 3), (4, 5), (6, 7)]
    >>> [[word.start for word in own] for own in judged_words("a b c d", [(offsets[:3], [0, 1, 2]), (offsets[1:], [1, 2, 3])], 2)]
    [[0, 2], [4, 6]]

    Args:
        windows: in the text's order; special tokens have no word number.
        stride: tokens that a window shares with the one before it.

    Returns:
        A list for each window; a word's ``token`` counts in its window.
    """
    if len(windows) == 1:
        return [words_of(text, *windows[0])]
    offsets: list[tuple[int, int]] = []
    numbers: list[int | None] = []
    reaches: list[tuple[int, int, int]] = []  # of each window: first and past token in the text, and the place of the first in the window
    for own_offsets, own_numbers in windows:
        inside = [at for at, number in enumerate(own_numbers) if number is not None]
        shared = stride if reaches else 0
        reaches.append((len(offsets) - shared, len(offsets) - shared + len(inside), inside[0]))
        offsets += [own_offsets[at] for at in inside[shared:]]
        numbers += [own_numbers[at] for at in inside[shared:]]
    judged: list[list[Word]] = [[] for _window in windows]
    window = 0
    for word in words_of(text, offsets, numbers):
        while window + 1 < len(windows) and word.token - reaches[window + 1][0] > reaches[window][1] - 1 - word.token:
            window += 1
        first, _past, begin = reaches[window]
        judged[window].append(word._replace(token=begin + word.token - first))
    return judged
