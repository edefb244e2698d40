"""Blocks of a token file as training rows. It knows features and no model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from weitiao.engine.pretraining.token_files import TokenFile
from weitiao.processing import Features


class Blocks(Sequence[Sequence[Features]]):
    """The blocks of a token file, each one example of one features, read when it is asked for.

    Args:
        folder: of the token file.
        never: ids that are never hidden: special tokens, unknown ones.
        words: whether words are numbered; the ids themselves are what is learned where not.
    """

    def __init__(self, folder: Path, never: Sequence[int] = (), *, words: bool = True) -> None:
        self.file, self.never, self.words = TokenFile(folder), np.array(sorted(never), dtype=np.int64), words

    def __len__(self) -> int:
        return len(self.file)

    @overload
    def __getitem__(self, number: int) -> list[Features]: ...
    @overload
    def __getitem__(self, number: slice) -> list[list[Features]]: ...
    def __getitem__(self, number: int | slice) -> Any:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if number >= len(self):
            raise IndexError(number)
        ids, places, goes_on = self.file.block(number)
        inputs: dict[str, Any] = {"input_ids": ids, "position_ids": places}
        if not self.words:
            alone: dict[str, Any] = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
            return [Features(alone, target=ids)]
        # The first of a piece that was torn in a word goes on with nothing.
        numbers: Any = np.where(np.isin(ids, self.never), -1, np.cumsum(~goes_on))
        return [Features(inputs, words=numbers)]
