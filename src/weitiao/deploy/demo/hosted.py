"""The page in a container of somebody else's, such as a hub's: started by gradio itself, at the address that the platform says.

A platform hooks itself into gradio's ``launch`` (it lends graphics cards there), so here it is gradio that serves; ``running`` is for pages
on a machine of one's own.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.middleware import Middleware

from weitiao.deploy.demo.manner import Manner
from weitiao.deploy.demo.page import Page
from weitiao.deploy.demo.running import WAITING, Guarded, appearance, own_files

if TYPE_CHECKING:
    from weitiao.model import Model

HOST, PORT = "0.0.0.0", 7860  # where platforms look, if they say nothing


def show(model: "Model", told: str | Path, *, whole_files: bool = True) -> None:
    """Show a model's page until the process is stopped.

    Args:
        model: what answers; its weights are read before the page opens.
        told: the Space's own file, see ``Manner.told_in``.
        whole_files: whether visitors may have files answered.

    Raises:
        RunError: the file cannot be read.
    """
    manner = Manner.told_in(Path(told), whole_files=whole_files)
    model.predictor()
    with own_files():  # before there are widgets: each remembers where uploads go
        page = Page(model, manner=manner)
        launch(page, os.environ.get("GRADIO_SERVER_NAME") or HOST, int(os.environ.get("GRADIO_SERVER_PORT") or PORT))


def launch(page: Page, host: str, port: int) -> None:
    """Let gradio serve a page, guarded and dressed as everywhere."""
    page.blocks.queue(default_concurrency_limit=1, api_open=False, max_size=WAITING)
    guarded: dict[str, Any] = {"middleware": [Middleware(Guarded)], "docs_url": None, "redoc_url": None, "openapi_url": None}
    page.blocks.space_id = None  # else gradio's script puts a header of the hub's on the page, with fonts from elsewhere
    page.blocks.has_launched = True  # as in ``running.application``
    page.blocks.launch(server_name=host, server_port=port, share=False, app_kwargs=guarded, **appearance(page))
