"""A hub to publish to, and somebody who may."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import own_caches as own_caches
from tests.engine.hub_stand_in import HubStandIn, hub_stand_in
from tests.engine.hub_uploads import TOKEN


@pytest.fixture
def hub() -> Iterator[HubStandIn]:
    with hub_stand_in() as running:
        yield running


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, none of which is waited for."""
    waited: list[float] = []
    real = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: waited.append(seconds) or real(0.001))
    return waited


@pytest.fixture
def ann(own_caches: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ann's token in the environment, and no login of whoever runs the tests."""
    from huggingface_hub import constants

    monkeypatch.delenv("HF_OIDC_RESOURCE", raising=False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "login" / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "login" / "stored_tokens"))
