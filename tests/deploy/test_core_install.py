"""A plain install, without torch: what it brings, how large it is, and that everything it promises works with nothing else there."""

import json
import sys
from pathlib import Path

import pytest

import weitiao
from tests.conftest import make_model, sentences, write_csv
from tests.deploy.installed import PROJECT, Install, size_of
from tests.own_tasks import QUICK
from weitiao.deploy.container.pinned import closure
from weitiao.deploy.export import export

pytest.importorskip("onnx")
LARGEST = 250_000_000  # bytes
HEAVY = {"torch", "transformers", "accelerate", "pyarrow", "scikit-learn", "scipy", "matplotlib", "pandas", "datasets", "pillow"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export whose training data stands beside it."""
    folder = tmp_path_factory.mktemp("exported")
    data = write_csv(folder / "reviews.csv", list(sentences(60)))
    run = weitiao.train(str(data), model=str(make_model(folder / "base")), out=str(folder / "run"), **QUICK)
    export(run.path, "onnx", folder / "export")
    return folder / "export"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """A plain install."""
    return Install(tmp_path_factory.mktemp("core") / "site", PROJECT["dependencies"])


def test_what_it_brings_is_light() -> None:
    brought = closure(PROJECT["dependencies"])
    assert not HEAVY & brought.keys()
    if sys.platform == "linux":
        assert size_of(brought.values()) + 7_000_000 < LARGEST  # and weitiao itself


def test_who_trains_has_what_reads_parquet() -> None:
    extras = PROJECT["optional-dependencies"]
    for name in ("parquet", "images", "baselines"):
        assert set(extras[name]) < set(extras["train"])


def test_nothing_else_is_there(core: Install) -> None:
    done = core.run(
        "-c", "import importlib.util as u; print([n for n in ('torch', 'pyarrow', 'sklearn', 'PIL', 'pytest') if u.find_spec(n)])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_every_verb_that_it_promises(core: Install, exported: Path, tmp_path: Path) -> None:
    data = exported.parent / "reviews.csv"
    help_page = core.run("-m", "weitiao", "--help")
    assert help_page.returncode == 0 and "weitiao predict" in help_page.stdout
    answer = core.run("-m", "weitiao", "predict", str(exported), "a lovely day", "--json")
    assert json.loads(answer.stdout)["predictions"][0]["label"] in ("good", "bad"), answer.stderr
    checked = core.run("-m", "weitiao", "check", str(data), "--json")
    assert checked.returncode == 0 and json.loads(checked.stdout)["check"], checked.stderr
    explained = core.run("-m", "weitiao", "explain", str(exported), "a sad day")
    assert explained.returncode == 0, explained.stderr


def workbook(place: Path) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    for row in [("text", "label"), *sentences(6, seed=3)]:
        book.active.append(row)
    book.save(place / "new.xlsx")
    return place / "new.xlsx"


def lines(place: Path) -> Path:
    rows = [json.dumps({"text": text, "label": label}) + "\n" for text, label in sentences(6, seed=3)]
    (place / "new.jsonl").write_text("".join(rows), encoding="utf-8")
    return place / "new.jsonl"


@pytest.mark.parametrize("made", [lambda place: write_csv(place / "new.csv", list(sentences(6, seed=3))), lines, workbook])
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_files_are_predicted(made: object, ending: str, core: Install, exported: Path, tmp_path: Path) -> None:
    data, out = made(tmp_path), tmp_path / f"out.{ending}"  # type: ignore[operator]
    done = core.run("-m", "weitiao", "predict", str(exported), "--file", str(data), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8").count("\n") == 6 + (ending != "jsonl")


def test_baselines_are_left_out_and_the_extra_named(core: Install, exported: Path) -> None:
    done = core.run("-m", "weitiao", "evaluate", str(exported), str(exported.parent / "reviews.csv"))
    assert done.returncode == 0 and "F1" in done.stdout and "TF-IDF" not in done.stdout, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "Baselines are left out" in line]
    assert "weitiao[baselines]" in line


@pytest.mark.parametrize("ending", ["parquet", "arrow", "feather"])
def test_files_that_need_arrow_name_the_extra(ending: str, core: Install, exported: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    table, data = pa.table({"text": ["a lovely day"], "label": ["good"]}), str(tmp_path / f"a.{ending}")
    (pa.parquet.write_table if ending == "parquet" else pa.feather.write_feather)(table, data)
    for words in (["check", data], ["predict", str(exported), "--file", data], ["evaluate", str(exported), data]):
        done = core.run("-m", "weitiao", *words)
        assert done.returncode == 2 and 'pip install "weitiao[parquet]"' in done.stderr, done.stderr


def test_parquet_is_refused_before_anything_is_predicted(core: Install, exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    done = core.run("-m", "weitiao", "predict", str(exported), "--file", str(exported.parent / "reviews.csv"), "--out", str(out))
    assert done.returncode == 2 and 'pip install "weitiao[parquet]"' in done.stderr and not out.exists()


@pytest.mark.parametrize(
    ("words", "extra"), [(["train", "DATA"], "train"), (["serve", "EXPORT"], "serve"), (["predict", "RUN", "a"], "train")]
)
def test_what_needs_an_extra_names_it(words: list[str], extra: str, core: Install, exported: Path) -> None:
    places = {"DATA": exported.parent / "reviews.csv", "EXPORT": exported, "RUN": exported.parent / "run"}
    done = core.run("-m", "weitiao", *(str(places.get(word, word)) for word in words))
    assert done.returncode == 2 and f'"weitiao[{extra}]"' in done.stderr and "Traceback" not in done.stderr, done.stderr
