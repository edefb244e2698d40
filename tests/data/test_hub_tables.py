"""``hub:NAME``: names, class labels, the cache of fetched data sets, and what goes wrong between a person and a hub. No network."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weitiao.data import hub_tables
from weitiao.data.hub_cache import dataset_folder
from weitiao.data.hub_tables import HubName, hub_splits
from weitiao.errors import DataError, NetworkError, UsageError

from .conftest import loaded

datasets = pytest.importorskip("datasets", reason="the datasets package is an extra (hub-data)")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEITIAO_HOME", str(tmp_path / "home"))


def answer(monkeypatch: pytest.MonkeyPatch, result: Any) -> list[Any]:
    """Lets ``load_dataset`` give or raise ``result``; the list gets the calls."""
    calls: list[Any] = []

    def load_dataset(*arguments: Any, **named: Any) -> Any:
        calls.append((arguments, named))
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(hub_tables, "_silence", lambda endpoint, repository: "")
    return calls


def data_set(rows: int, first_label: int = 0) -> Any:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    values = {"text": [f"text number {i}" for i in range(rows)], "label": [first_label if first_label < 0 else i % 2 for i in range(rows)]}
    return datasets.Dataset.from_dict(values, features=features)


def test_names() -> None:
    assert HubName.parse("hub:imdb") == HubName("imdb")
    name = HubName.parse("hub:o/n/c@refs/convert/parquet")
    assert (name.repository, name.config, name.revision, str(name)) == (
        "o/n",
        "c",
        "refs/convert/parquet",
        "hub:o/n/c@refs/convert/parquet",
    )
    for wrong in ("hub:", "hub:a/b/c/d", "hub:../secret", "hub:a//b"):
        with pytest.raises(UsageError, match="hub:OWNER/NAME"):
            HubName.parse(wrong)


def test_class_labels_come_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answer(monkeypatch, datasets.DatasetDict(train=data_set(40).shuffle(seed=0), test=data_set(10), unsupervised=data_set(5, -1)))
    data = loaded("hub:owner/reviews/zh@v1")
    assert calls == [(("hf://datasets/owner/reviews", "zh"), {"revision": "v1"})]
    assert {name: len(records) for name, records in data.splits.items()} == {"train": 36, "validation": 4, "test": 10}
    assert set(data.splits["train"].columns["label"]) == {"neg", "pos"}
    assert data.sources["train"] == "hub:owner/reviews/zh@v1"


def test_a_test_split_without_labels_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, datasets.DatasetDict(train=data_set(40), test=data_set(10, -1)))
    assert set(loaded("hub:owner/reviews", test="0").splits) == {"train", "validation"}


def test_fetched_data_sets_are_found_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = answer(monkeypatch, RuntimeError("must not be called"))
    folder = dataset_folder("owner/reviews")
    folder.mkdir(parents=True)
    rows = pa.table({"text": [f"text number {i}" for i in range(40)], "label": ["a", "b"] * 20})
    pq.write_table(rows, folder / "train.parquet")
    assert len(hub_splits("hub:owner/reviews", offline=True)["train"]) == 40
    assert set(loaded("hub:owner/reviews").sources.values()) == {"hub:owner/reviews"}
    assert not calls


def test_a_loading_script_names_the_parquet_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, RuntimeError("Dataset scripts are no longer supported, but found reviews.py"))
    with pytest.raises(DataError, match=r"needs a loading script.*type hub:owner/reviews@refs/convert/parquet in its place"):
        hub_splits("hub:owner/reviews")


def test_an_unreachable_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ConnectionError("Couldn't reach 'owner/reviews' on the Hub (ConnectError)"))
    with pytest.raises(NetworkError, match=r"hub:owner/reviews cannot be reached at https?://.*HF_ENDPOINT=") as caught:
        hub_splits("hub:owner/reviews")
    assert caught.value.exit_code == 5


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NetworkError, match=r"hub:nobody/has-this cannot be reached at http://127\.0\.0\.1:9 \(ConnectError"):
        hub_splits("hub:nobody/has-this")


def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, datasets.exceptions.DatasetNotFoundError("Dataset 'owner/reviews' doesn't exist on the Hub"))
    with pytest.raises(DataError, match="no data set of this name"):
        hub_splits("hub:owner/reviews")


def test_several_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, ValueError("Config name is missing.\nPlease pick one among the available configs: ['en', 'zh']"))
    with pytest.raises(DataError, match=r"hub:owner/reviews/CONFIG.*'en', 'zh'"):
        hub_splits("hub:owner/reviews")


def test_offline_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_arguments: Any, **_named: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(NetworkError, match=r"--offline opens no socket.*weitiao fetch hub:nobody/has-this"):
        hub_splits("hub:nobody/has-this", offline=True)
    assert not datasets.config.HF_HUB_OFFLINE


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r'pip install "weitiao\[hub-data\]"'):
        hub_splits("hub:owner/reviews")
