"""huggingface_hub as it is used for publishing: which hub it asks, how long it waits, and that it draws nothing. It sends nothing."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from weitiao.engine.endpoint import on_our_terms

# Seconds to connect, for an answer, for a piece to be taken, for a connection to be free. huggingface_hub itself would wait for ever.
WAITS = (10.0, 180.0, 120.0, 30.0)


@contextlib.contextmanager
def asking_only(endpoint: str) -> Iterator[None]:
    """huggingface_hub asks this endpoint, whatever HF_ENDPOINT says, and waits a bounded time.

    Files go the way of Git LFS, not of Xet: its bytes can be counted, its refusals told apart, and all of it is one commit, where
    huggingface_hub makes several of a folder that goes the way of Xet.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import _http, are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, set_client_factory

    asked, drawn, factory = constants.ENDPOINT, not are_progress_bars_disabled(), _http._GLOBAL_CLIENT_FACTORY

    def patient() -> Any:
        client = factory()
        client.timeout = WAITS
        return client

    with on_our_terms(endpoint), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constants.ENDPOINT, constants.HF_HUB_DISABLE_XET = endpoint, True
        disable_progress_bars()
        set_client_factory(patient)
        try:
            yield
        finally:
            constants.ENDPOINT = asked
            set_client_factory(factory)
            if drawn:
                enable_progress_bars()
