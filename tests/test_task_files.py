"""Task files are found, judged and trusted before anything runs in them."""

from pathlib import Path

import pytest

from tests.own_tasks import NETWORK, PLAIN, WHOLE, written
from weitiao import task_files, tasks, trust
from weitiao.errors import UsageError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_file_is_a_task(tmp_path: Path) -> None:
    path = written(tmp_path)
    task = tasks.get(path)
    assert (task.name, task.origin.name) == ("mine", "mine.py")
    assert tasks.get(path) is task  # run once
    assert tasks.get(written(tmp_path / "copy")) is task  # the same content
    assert tasks.get(written(tmp_path, PLAIN + "\n")) is not task  # and other content is another task
    assert task.name not in tasks.all_tasks()
    assert tasks.recipe({"task": path, "label": "stars"}).task.label == ("stars",)
    assert tasks.recipe({"task": Path(path)}).model.task == path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", ["mine.py defines no task", "task = MyTask()"]),
        ("task = 3\n", ["task is int", "weitiao.tasks.base.Task"]),
        (PLAIN.replace("task = Mine()", "task = Mine"), ["Mine (class)", "task = MyTask()"]),
        (
            "from weitiao.tasks.base import Task\nclass A(Task):\n    name = 'a'\ntask = A()\n",
            ["A lacks", "summary", "encode()", "weitiao new"],
        ),
        (PLAIN.replace('"mine"', '"regression"'), ['"regression" is taken', "my-regression"]),
        (PLAIN.replace('"mine"', '"sentiment-analysis"'), ['"sentiment-analysis" is taken']),
        (PLAIN.replace('"mine"', '"a b"'), ["name is 'a b'"]),
        (PLAIN.replace("task =", "1 / 0\ntask ="), ["mine.py, line 8: ZeroDivisionError"]),
        ("\n\nclass (:\n", ["mine.py, line 3: SyntaxError"]),
        ("import no_such_package\n", ["mine.py, line 1: ModuleNotFoundError", "no_such_package"]),
        ("raise SystemExit(2)\n", ["mine.py, line 1: SystemExit"]),
        ("from .other import x\n", ["mine.py, line 1: .other is not a file beside it"]),
        ("from ..other import x\n", ["..other is not a file beside it"]),
        ("def f():\n    import beside\n", ["mine.py, line 2: beside.py", "from .beside import"]),
        (
            PLAIN.replace('summary = "A label."', 'summary = "A label."; headline = ("accuracy", "max")'),
            ["headline is ('accuracy', 'max')"],
        ),
        (PLAIN.replace('summary = "A label."', 'summary = "A label."; settings = dict'), ["settings is <class 'dict'>"]),
    ],
)
def test_what_is_no_task_is_refused_with_its_place(tmp_path: Path, text: str, says: list[str]) -> None:
    path = written(tmp_path, text, beside="y = 2\n")
    with pytest.raises(UsageError) as caught:
        tasks.get(path)
    for words in says:
        assert words in str(caught.value)
    assert not (tmp_path / "state" / "weitiao" / trust.NAME).exists()


def test_a_name_that_python_cannot_import_is_refused_with_a_better_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"my\.task\.py: Python cannot import .* as in .*my_task\.py"):
        tasks.get(written(tmp_path, PLAIN, "my.task.py"))
    assert tasks.get(written(tmp_path, PLAIN, "my-task.py")).name == "mine"  # odd, and it works


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no task file .*nothing\.py.*weitiao new"):
        tasks.get(str(tmp_path / "nothing.py"))


def test_settings_that_are_taken_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"settings is .*free of names"):
        tasks.get(written(tmp_path, WHOLE.replace("shout:", "epochs:"), network=NETWORK))


def test_trust_is_by_content_and_can_be_taken_back(tmp_path: Path, state: Path) -> None:
    sums = task_files.read(Path(written(tmp_path))).sums
    assert trust.unknown(sums) == ["mine.py"]
    trust.remember(sums)
    trust.remember(sums)
    file = state / "weitiao" / trust.NAME
    assert file.read_text(encoding="utf-8") == f"{sums['mine.py']}  mine.py\n"
    assert trust.unknown(sums) == []
    file.write_text("", encoding="utf-8")
    assert trust.unknown(sums) == ["mine.py"]


def test_a_state_folder_that_cannot_be_written_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert tasks.get(written(tmp_path)).name == "mine"
