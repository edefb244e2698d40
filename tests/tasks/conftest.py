"""Fixtures of the contract tests."""

from pathlib import Path

import pytest

from tests.tasks.contract import Blanks


@pytest.fixture(scope="module")
def blanks(tmp_path_factory: pytest.TempPathFactory) -> Blanks:
    return Blanks(tmp_path_factory.mktemp("blanks"))


@pytest.fixture(scope="module")
def saved() -> list[Path]:
    """Folders that the last test reads in another process: starting one for each would take an hour."""
    return []
