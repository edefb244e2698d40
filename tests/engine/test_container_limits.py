"""What a container may use, by the files of Linux's control groups."""

from pathlib import Path

import pytest

from weitiao.engine import container_limits, devices


def test_what_is_limited_and_what_is_not(tmp_path: Path) -> None:
    assert container_limits.memory_left(tmp_path) is None and container_limits.cores(tmp_path) is None
    write(tmp_path, "max\n", "1000\n", "max 100000\n")
    assert container_limits.memory_left(tmp_path) is None and container_limits.cores(tmp_path) is None
    write(tmp_path, "4096\n", "1024\n", "150000 100000\n")
    assert container_limits.memory_left(tmp_path) == 3072 and container_limits.cores(tmp_path) == 2
    write(tmp_path, "512\n", "1024\n", "50000 100000\n")  # over its limit, for a moment
    assert container_limits.memory_left(tmp_path) == 0 and container_limits.cores(tmp_path) == 1
    write(tmp_path, "", "what\n", "1 0\n")
    assert container_limits.memory_left(tmp_path) is None and container_limits.cores(tmp_path) is None


def test_the_machine_is_no_larger_than_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(container_limits, "memory_left", lambda: 12345)
    monkeypatch.setattr(container_limits, "cores", lambda: 1)
    assert devices.free_memory("cpu") == 12345 and devices.physical_cores() == 1


def write(place: Path, most: str, taken: str, processors: str) -> None:
    for name, text in (("memory.max", most), ("memory.current", taken), ("cpu.max", processors)):
        (place / name).write_text(text)
