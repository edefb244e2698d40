"""A hub's data set, fetched ahead of a run: every split becomes a Parquet file in our own cache, where ``hub:NAME`` is found again.

It knows where to put them and how to pack them; what a data set's rows look like is ``data.hub_tables``' business.
"""

from pathlib import Path
from typing import Any

from weitiao.data.hub_cache import cached_splits, dataset_folder
from weitiao.data.hub_tables import HubName, hub_splits
from weitiao.engine import endpoint
from weitiao.engine.bundles import pack
from weitiao.engine.refusals import Refused
from weitiao.engine.unreachable import Attempt, NotHad
from weitiao.errors import UsageError
from weitiao.messages import _
from weitiao.observer import Observer
from weitiao.runs import atomic


def fetch_dataset(source: str, *, revision: str, bundle: Path | None, offline: bool, observer: Observer) -> dict[str, Any]:
    """Fetch ``hub:NAME`` into our own cache; what ``hub.fetch`` does for a data set, and returns.

    Raises:
        UsageError: a name that is none, or two revisions.
        NetworkError: it cannot be reached.
        DataError: what was found there cannot be read.
        ResourceError: no room.
    """
    if revision and "@" in source:
        raise UsageError(_("{source} names a revision already; leave out --revision {revision}.").format(source=source, revision=revision))
    name = HubName.parse(source + (f"@{revision}" if revision else ""))
    plain = str(name).removeprefix("hub:")
    folder = dataset_folder(plain)
    came, commit = "cache", ""
    if not cached_splits(plain):
        came = "hub"
        if not offline:
            commit = _ask(name)
            observer.note(_("Fetching {name} from {endpoint}.").format(name=name, endpoint=endpoint.endpoint_shown()))
        _write(hub_splits(str(name), offline=offline), folder)
    splits = cached_splits(plain)
    if bundle is not None:
        about = {"kind": "dataset", "id": plain, "revision": name.revision, "commit": commit, "license": ""}
        pack(folder, [file.name for file in splits.values()], bundle, observer=observer, **about)
    size = sum(file.stat().st_size for file in splits.values())
    where = str(bundle) if bundle is not None else None
    return {"id": str(name), "kind": "dataset", "source": came, "path": str(folder), "bytes": size, "bundle": where}


def _ask(name: HubName) -> str:
    """The commit that is going to be read: ``datasets`` itself would wait for minutes where nobody answers."""
    try:
        return endpoint.describe(name.repository, revision=name.revision, dataset=True).commit
    except Refused as refused:
        hub = endpoint.endpoint_shown()
        attempts = [Attempt(_("the local cache"), "missing", _("not there")), Attempt(hub, refused.kind, refused.cause, hub)]
        raise NotHad(str(name).removeprefix("hub:"), attempts).error(dataset=True) from refused


def _write(splits: Any, folder: Path) -> None:
    """One Parquet file a split, all or none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic(folder) as temporary:
        temporary.mkdir()
        for split, table in splits.items():
            texts = {name: pa.array(table.texts(name), pa.large_string()) for name in table.names}
            pq.write_table(pa.table(texts), temporary / f"{split}.parquet", compression="zstd")
