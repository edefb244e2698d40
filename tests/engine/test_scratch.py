"""Folders that go with their process: a living one's stays, what a killed one left is removed by the next."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from weitiao.engine.scratch import LOCK, Scratch

HOLDER = """
import sys
from pathlib import Path
from weitiao.engine.scratch import Scratch

scratch = Scratch("tokens-", Path(sys.argv[1]))
(scratch.path / "tokens.bin").write_bytes(b"0" * 1000)
print(scratch.path, flush=True)
sys.stdin.read()
"""


def folders(place: Path) -> set[str]:
    return {one.name for one in place.iterdir()}


def test_a_living_process_keeps_its_folder_and_a_killed_one_does_not(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        held = Path(child.stdout.readline().strip())
        Scratch("tokens-", tmp_path).close()
        assert folders(tmp_path) == {held.name}
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert (held / "tokens.bin").is_file()  # nobody had the time to
    Scratch("other-", tmp_path).close()
    assert held.is_dir()
    (tmp_path / "runs").mkdir()
    Scratch("tokens-", tmp_path / "runs", (tmp_path,)).close()
    assert not held.exists()


def test_what_is_moved_stays(tmp_path: Path) -> None:
    scratch = Scratch("tokens-", tmp_path)
    (scratch.path / "a").touch()
    scratch.moved(tmp_path / "kept")
    scratch.close()
    Scratch("tokens-", tmp_path).close()
    assert folders(tmp_path) == {"kept"}
    assert folders(tmp_path / "kept") == {"a"}


def test_nothing_else_is_taken_away(tmp_path: Path) -> None:
    """Neither a folder that never was one of these, nor what a link of that name leads to."""
    (tmp_path / "tokens-mine").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    (tmp_path / "tokens-link").symlink_to(elsewhere)
    Scratch("tokens-", tmp_path).close()
    assert folders(tmp_path) == {"tokens-mine", "tokens-link", "elsewhere"}
    assert (elsewhere / LOCK).is_file()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="users have no numbers here")
def test_another_users_folder_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "tokens-theirs"
    left.mkdir()
    (left / LOCK).touch()
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    Scratch("tokens-", tmp_path).close()
    assert left.is_dir()
