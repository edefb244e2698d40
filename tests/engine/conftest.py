"""Caches of their own, a hub of their own, and a guard against any network, for the tests that find and fetch models."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.hub_stand_in import NAME, HubStandIn, Repository, hub_stand_in, model_files


@pytest.fixture
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty caches, no token, no memory of earlier failures, an empty folder to stand in."""
    from huggingface_hub import constants

    from weitiao.engine import modelscope_hub, refusals

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setenv("WEITIAO_HOME", str(tmp_path / "home"))
    for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(refusals, "_silent", {})
    monkeypatch.setattr(modelscope_hub, "installed", lambda: False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """A hub with one good model, which HF_ENDPOINT points to."""
    with hub_stand_in() as running:
        running.repositories[NAME] = Repository(model_files())
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture
def no_socket_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and any use of the network fails the test from there on."""

    def guard() -> None:
        def refuse(*_arguments: object, **_settings: object) -> None:
            raise AssertionError("a socket was opened")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)

    return guard


@pytest.fixture
def no_socket(no_socket_after: Callable[[], None]) -> None:
    """Any use of the network fails the test."""
    no_socket_after()
