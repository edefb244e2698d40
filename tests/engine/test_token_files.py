"""Token files are whole on the disk before they are called so, and what is not whole is a RunError."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weitiao.engine.pretraining.token_files import TokenFile, TokenWriter
from weitiao.errors import RunError


def written(folder: Path, *, through: bool = False, documents: int = 20) -> Path:
    writer = TokenWriter(folder, 500, 32, ([1], [2]), through=through)
    for number in range(documents):
        writer.add(np.arange(10 + number) + 5)
    writer.close()
    return folder


def cut(name: str, size: int) -> Callable[[Path], object]:
    return lambda folder: os.truncate(folder / name, size)


def swapped(folder: Path) -> None:
    (folder / "pieces.npy").write_bytes((written(folder.parent / "other", documents=3) / "pieces.npy").read_bytes())


@pytest.mark.parametrize(
    "damage",
    [
        cut("tokens.bin", 100),
        cut("tokens.bin", 0),
        cut("about.json", 9),
        cut("blocks.npy", 140),
        cut("pieces.npy", 0),
        lambda folder: (folder / "about.json").unlink(),
        lambda folder: (folder / "about.json").write_text(json.dumps({"tokens": 10})),
        lambda folder: (folder / "about.json").write_text("[]"),
        swapped,
    ],
)
def test_what_is_damaged_is_named(damage: Callable[[Path], object], tmp_path: Path) -> None:
    folder = written(tmp_path / "tokens")
    assert len(TokenFile(folder)) > 1
    damage(folder)
    with pytest.raises(RunError, match=r"damaged or cut off \(.+\), so it cannot go on.*--overwrite"):
        TokenFile(folder)


@pytest.mark.parametrize("through", [False, True])
def test_files_are_synced_before_they_are_called_whole(through: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int, bool]] = []
    honest = os.fsync

    def noted(descriptor: int) -> None:
        about = os.fstat(descriptor)
        synced.append((about.st_ino, about.st_size, (tmp_path / "tokens" / "about.json").exists()))
        honest(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    folder = written(tmp_path / "tokens", through=through)
    for name in ("tokens.bin", "pieces.npy", "blocks.npy"):
        about = (folder / name).stat()
        assert (about.st_ino, about.st_size, False) in synced
    assert len(TokenFile(folder)) > 1
