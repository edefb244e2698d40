"""The run directory: whole or not there, never over somebody's files."""

import os
from pathlib import Path

import pytest

from weitiao.errors import ResourceError, RunError
from weitiao.runs import RunFolder, atomic, write_lines, write_text


def test_a_failed_write_leaves_what_stood_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(ZeroDivisionError), atomic(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("first", "second"):
        with atomic(target) as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
    assert os.listdir(target) == ["second"]
    assert os.listdir(tmp_path) == ["model"]


def test_a_run_is_only_replaced_when_asked(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.create()
    run.update(status="finished")
    with pytest.raises(RunError, match="--overwrite"):
        RunFolder(run.path).create()
    assert run.record()["status"] == "finished"
    RunFolder(run.path).create(overwrite=True)
    assert not run.record_file.exists()


def test_overwrite_never_empties_another_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(RunError, match="left alone"):
        RunFolder(tmp_path).check_free(overwrite=True)
    for content in ('{"lr": 3}', "[1]", "{", "\udc80"):  # programs of others write a run.json too
        (tmp_path / "run.json").write_text(content, encoding="utf-8", errors="surrogateescape")
        with pytest.raises(RunError, match="left alone"):
            RunFolder(tmp_path).check_free(overwrite=True)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(RunError, match="left alone"):
        RunFolder(file).check_free(overwrite=True)
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_checking_touches_nothing(tmp_path: Path) -> None:
    RunFolder(tmp_path / "a" / "b").check_free()
    assert os.listdir(tmp_path) == []


def test_an_unwritable_place_is_a_resource_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(ResourceError, match="No space left on device"):
        RunFolder(tmp_path / "run").check_free()
    with pytest.raises(ResourceError, match="--out"):
        RunFolder("/proc/weitiao/run").create()


def test_opening_what_is_no_run_names_the_runs_beside_it(tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "tweets")
    other.create()
    other.update(status="finished")
    with pytest.raises(RunError, match="tweets"):
        RunFolder.open(tmp_path / "tweet")
    other.update(schema=99)
    with pytest.raises(RunError, match="newer weitiao"):
        RunFolder.open(other.path)
    other.record_file.write_text("{half")
    with pytest.raises(RunError, match="cannot be read"):
        RunFolder.open(other.path)


def test_a_log_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    write_lines(run.log_file, [{"step": 1}, {"step": 2}, {"step": 3}])
    with run.log_file.open("a") as file:
        file.write('{"step": 4, "lo')
    assert [line["step"] for line in run.log()] == [1, 2, 3]
    run.trim_log(2)
    assert [line["step"] for line in run.log()] == [1, 2]


def test_advice_about_a_folder_that_is_no_run_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("somebody's")
    with pytest.raises(RunError, match=r"is not what weitiao writes there.*another --out"):
        RunFolder(tmp_path).check_free()
    with pytest.raises(RunError) as there:
        RunFolder.open(tmp_path)
    assert "--out" not in str(there.value)
    with pytest.raises(RunError, match="weitiao train DATA --out"):
        RunFolder.open(tmp_path / "nothing")


@pytest.mark.parametrize("content", ["[]", "[1, 2]", "null", "3", "{", "[" * 100_000])
def test_a_record_that_is_no_object_is_an_error_that_names_the_file(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(RunError, match=r"run\.json cannot be read: .* Train again with another --out"):
        RunFolder.open(tmp_path)


def test_the_size_of_a_model_is_that_of_all_its_files(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    (run.model / "inner").mkdir(parents=True)
    (run.model / "a").write_bytes(b"12345")
    (run.model / "inner" / "b").write_bytes(b"678")
    (run.path / "beside").write_bytes(b"9" * 100)
    assert run.model_bytes == 8


def test_a_file_is_no_run_and_a_run_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n")
    with pytest.raises(RunError, match=r"a\.csv is a file; a run is the folder.*weitiao train DATA --out"):
        RunFolder.open(tmp_path / "a.csv")


def test_a_folder_that_is_not_there_is_named_and_no_space_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"b\.csv cannot be written: there is no folder .*deeper\. Make it first") as told:
        write_text(tmp_path / "deeper" / "b.csv", "x")
    assert "Free some space" not in str(told.value)
