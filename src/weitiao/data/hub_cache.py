"""Where weitiao keeps what was fetched from a hub: paths only. It knows nothing of networks, formats or models.

$WEITIAO_HOME (or ~/.cache/weitiao)/
  models/OWNER/NAME/            an unpacked bundle's model folder
  datasets/OWNER/NAME/SPLIT.parquet   a fetched data set, found again as ``hub:OWNER/NAME``
"""

import os
import re
from pathlib import Path

# Letters and digits of any script, so that a local folder's own name can be kept too; never a separator, never a leading dot.
_PART = re.compile(r"\w[\w.@=+ -]*")
_HUB_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def cache_home() -> Path:
    """Our own cache folder; nothing is created."""
    home = os.environ.get("WEITIAO_HOME")
    return Path(home).expanduser() if home else Path.home() / ".cache" / "weitiao"


def is_hub_name(name: str) -> bool:
    """Whether a hub could have a repository of this name: NAME or OWNER/NAME.

    >>> [is_hub_name(name) for name in ("bert-base-uncased", "hfl/rbt3", "a/b/c", "../x", "./x", "文件夹")]
    [True, True, False, False, False, False]
    """
    parts = name.split("/")
    whole = len(parts) <= 2 and len(name) <= 96 and ".." not in name and "--" not in name
    return whole and all(_HUB_PART.fullmatch(part) is not None for part in parts)


def model_folder(name: str) -> Path:
    """Where the model ``name`` stands in our own cache, whether or not it is there. Raises ValueError for a name that is a path."""
    return cache_home() / "models" / _relative(name)


def dataset_folder(name: str) -> Path:
    """Where a data set stands in our own cache: OWNER/NAME, OWNER/NAME/CONFIG, each with @REVISION or without; ``hub:`` may lead.

    Raises ValueError for a name that is a path.

    >>> dataset_folder("hub:owner/reviews@refs/convert/parquet").name
    'reviews@refs--convert--parquet'
    """
    plain, at, revision = name.removeprefix("hub:").partition("@")
    return cache_home() / "datasets" / _relative(plain + at + revision.replace("/", "--"))


def cached_splits(name: str) -> dict[str, Path]:
    """The Parquet file of each fetched split of a data set, by split; {} where it was never fetched.

    >>> cached_splits("hub:nobody/nothing")
    {}
    """
    try:
        folder = dataset_folder(name)
    except ValueError:
        return {}
    # The folder of NAME may also hold those of its configurations: only files count.
    return {file.stem: file for file in sorted(folder.glob("*.parquet")) if file.is_file()}


def _relative(name: str) -> Path:
    parts = name.split("/")
    if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts) or ".." in name:
        raise ValueError(name)
    return Path(*parts)
