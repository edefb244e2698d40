"""Data sets of a hub, ``hub:NAME``, become tables by split, through the ``datasets`` package. It knows nothing of columns' meaning.

Labels that the data set stores as numbers with names (its ClassLabel feature) come out as the names, -1 as a blank. Code of a data set is
never run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from weitiao.data.arrow_package import require_arrow
from weitiao.data.hub_cache import cached_splits
from weitiao.data.table import TEXTS, Table
from weitiao.errors import DataError, NetworkError, UsageError
from weitiao.messages import _

PREFIX = "hub:"
PARQUET_COPY = "refs/convert/parquet"
ANSWER_SECONDS = 10.0  # that a hub has to answer in


@dataclass(frozen=True)
class HubName:
    """What stands behind ``hub:``.

    >>> HubName.parse("hub:owner/reviews/zh@v1.0")
    HubName(repository='owner/reviews', config='zh', revision='v1.0')
    """

    repository: str
    config: str = ""
    revision: str = ""

    @classmethod
    def parse(cls, source: str) -> "HubName":
        """From ``hub:NAME``, ``hub:OWNER/NAME``, ``hub:OWNER/NAME/CONFIG``, each with ``@REVISION`` or without. Raises UsageError."""
        name, _at, revision = source.removeprefix(PREFIX).partition("@")
        parts = name.split("/")
        if not all(parts) or len(parts) > 3 or ".." in parts or "\\" in name:
            message = _('"{source}" is no data set of a hub. Write hub:OWNER/NAME, or hub:OWNER/NAME/CONFIG where it has several.')
            raise UsageError(message.format(source=source))
        return cls("/".join(parts[:2]), "".join(parts[2:]), revision)

    def __str__(self) -> str:
        return PREFIX + self.repository + (f"/{self.config}" if self.config else "") + (f"@{self.revision}" if self.revision else "")


def hub_splits(source: str, *, offline: bool = False) -> dict[str, Table]:
    """All splits of ``hub:NAME`` by the data set's own names ("train", "test", ...), from our own cache or else the hub; rows are counted
    from 1.

    Raises:
        UsageError: ``datasets`` is not installed, or the name is none.
        NetworkError: the hub cannot be reached, or ``offline`` and it is not in the cache.
        DataError: there is no such data set, it needs code of its own, or it has several configurations and none was named.
    """
    name = HubName.parse(source)
    fetched = cached_splits(source)
    if fetched:
        require_arrow(source)
        from weitiao.data.arrow_tables import parquet_tables

        # Fetched ahead (weitiao fetch), as texts already; a network is not asked, so that a run can be repeated without one.
        return {split: Table.concat([*parquet_tables(path, source, 50_000)]) for split, path in fetched.items()}
    try:
        import datasets
    except ImportError as error:
        message = _('{source} needs the "datasets" package. Install it: pip install "weitiao[hub-data]"')
        raise UsageError(message.format(source=source)) from error
    silence = "" if offline else _silence(datasets.config.HF_ENDPOINT, name.repository)
    with _quiet(offline=offline or bool(silence)):
        try:
            # The prefix keeps a folder that happens to have this name from being read in its place.
            loaded = datasets.load_dataset(f"hf://datasets/{name.repository}", name.config or None, revision=name.revision or None)
        except Exception as error:  # datasets and what it stands on raise dozens of types
            raise _meaning(error, name, offline, silence) from error
    return {str(split): _table(data, source) for split, data in loaded.items()}


def _table(data: Any, source: str) -> Table:
    """One split's Arrow table, its class labels by name."""
    from weitiao.data.arrow_tables import arrow_tables

    arrow = data.data.table
    if data._indices is not None:
        arrow = data.flatten_indices().data.table
    table = Table.concat(
        list(arrow_tables(arrow.schema, lambda names=None: (arrow if names is None else arrow.select(names)).to_batches(), source))
    )
    columns = dict(table.columns)
    for column, feature in data.features.items():
        labels = getattr(feature, "names", None)
        if labels and column in columns:
            named = dict(zip(map(str, range(len(labels))), labels, strict=True))
            columns[column] = np.array([named.get(text or "") for text in table.texts(column)], dtype=TEXTS)
    return Table(columns, table.rows, source)


def _silence(endpoint: str, repository: str) -> str:
    """What keeps a hub from answering, "" if it answers anything at all: ``datasets`` would ask again and again for minutes."""
    from huggingface_hub import get_session

    try:
        get_session().get(f"{endpoint}/api/datasets/{repository}", timeout=ANSWER_SECONDS)
    except Exception as error:  # of whichever HTTP library this huggingface_hub stands on; a refusal by the hub is an answer, not an error
        return f"{type(error).__name__}: {error}"
    return ""


def _meaning(error: Exception, name: HubName, offline: bool, silence: str) -> Exception:
    """What one of the many errors means for the person who typed the name."""
    text = " ".join(str(error).split())
    kinds = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
    if "scripts are no longer supported" in text:
        copy = HubName(name.repository, name.config, PARQUET_COPY)
        message = _("{source} needs a loading script, which is code and is not run. Most have a Parquet copy: type {copy} in its place.")
        message += " " + _("Or download the Parquet files from its page and give their folder.")
        return DataError(message.format(source=name, copy=copy), file=str(name))
    if kinds & {"ConnectionError", "OfflineModeIsEnabled", "ConnectError", "TimeoutException", "LocalEntryNotFoundError"}:
        return _unreachable(name, offline, silence or text)
    if "DatasetNotFoundError" in kinds or "RepositoryNotFoundError" in kinds:
        message = _("{source}: the hub has no data set of this name that you may read ({reason}). Check the name, or log in: hf auth login")
        return DataError(message.format(source=name, reason=text[:200]), file=str(name))
    if "Config name is missing" in text or ("BuilderConfig" in text and "not found" in text):
        message = _("{source}: this data set has several configurations; name one of them, as in hub:{repository}/CONFIG. {reason}")
        return DataError(message.format(source=name, repository=name.repository, reason=text[:300]), file=str(name))
    message = _("{source} cannot be read ({kind}: {reason}). Download its files and give the folder in its place.")
    return DataError(message.format(source=name, kind=type(error).__name__, reason=text[:300]), file=str(name))


def _unreachable(name: HubName, offline: bool, reason: str) -> NetworkError:
    if offline:
        message = _("{source} is not on this machine, and --offline opens no socket. Fetch it first where there is a network:")
        return NetworkError(f"{message.format(source=name)} weitiao fetch {name}")
    import datasets

    message = _("{source} cannot be reached at {endpoint} ({reason}). Try a mirror: HF_ENDPOINT=https://hf-mirror.com.")
    message += " " + _("Or download the files elsewhere and give their folder in its place.")
    return NetworkError(message.format(source=name, endpoint=datasets.config.HF_ENDPOINT, reason=reason[:200]))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextmanager
def _quiet(offline: bool) -> Iterator[None]:
    """No progress bars and no usage reports from the packages below; with ``offline``, no socket either. Put back afterwards."""
    import datasets
    from huggingface_hub import constants

    bars = not datasets.are_progress_bars_disabled()
    changed = [(constants, "HF_HUB_DISABLE_TELEMETRY", True)]
    if offline:
        changed += [(constants, "HF_HUB_OFFLINE", True), (datasets.config, "HF_HUB_OFFLINE", True)]
    before = [(where, key, getattr(where, key)) for where, key, _value in changed]
    for where, key, value in changed:
        setattr(where, key, value)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        for where, key, value in before:
            setattr(where, key, value)
        if bars:
            datasets.enable_progress_bars()
