"""A clean terminal and no talk behind the user's back: what other packages print or send is turned off for this process, from the command
line only. As a library weitiao leaves all of this to its host. A variable that the user has set wins.
"""

import os
import sys
import warnings

from weitiao.cli import line_breaks

ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_SYMLINKS_WARNING": "1",
    "HF_HUB_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    # Said either way, tokenizers no longer warn at a fork; "true" keeps them on all cores.
    "TOKENIZERS_PARALLELISM": "true",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "WANDB_SILENT": "true",
}


def settle(*, debug: bool) -> None:
    """Set the surroundings of this process, before anything heavy is imported. ``debug`` lets warnings through."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    line_breaks.settle()
    if not debug and not sys.warnoptions:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot say a character shows a question mark; it is no reason to stop.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
