"""What of somebody's data a Space shows: the rows that it says it shows, and no other, or none; and what is refused before minutes are
spent on it.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import weitiao
from tests.browser import CHROMIUM
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.deploy.test_container import pictured
from tests.deploy.test_serve import trained
from tests.deploy.test_space import Told, present
from tests.own_tasks import PLAIN, QUICK, written
from weitiao import tasks
from weitiao.deploy.demo.examples import chosen
from weitiao.deploy.export import export
from weitiao.deploy.space.folder import write_space
from weitiao.deploy.space.kinds import KINDS
from weitiao.deploy.space.sending import Sending, publish_space
from weitiao.deploy.space.shown import OWN, SOURCES, told
from weitiao.deploy.space.static.trial import _Found, _judge
from weitiao.errors import GateError, UsageError
from weitiao.runs import RunFolder

pytest.importorskip("onnx")
pytest.importorskip("gradio", reason="the package gradio is not installed")

ROWS = sentences(80)
FOLDERS = [
    pytest.param({"sdk": "gradio"}, id="gradio"),
    pytest.param({"sdk": "docker"}, id="docker"),
    pytest.param({"target": "modelscope"}, id="modelscope"),
    pytest.param({"sdk": "static"}, id="static"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    data = write_csv(folder / "private.csv", list(ROWS))
    return weitiao.train(str(data), model=str(make_model(folder / "base")), out=str(folder / "reviews"), **QUICK).path


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run without torch, which becomes a Space in no time."""
    out = tmp_path_factory.mktemp("exported") / "onnx"
    export(run, "onnx", out)
    return out


def rows_in(folder: Path) -> set[str]:
    """The rows of the data that can be read anywhere in a folder, in files that are packed as well."""
    found = set()
    for file in folder.rglob("*"):
        if file.is_file():
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            found |= {text for text, _label in ROWS if text.encode() in content}
    return found


@pytest.mark.parametrize("how", FOLDERS)
def test_no_row_of_the_data_is_in_it_or_those_that_it_names(how: dict[str, str], exported: Path, tmp_path: Path) -> None:
    if how.get("sdk") == "static":
        pytest.importorskip("weitiao_web", reason="the package weitiao-web is not installed (pip install weitiao[space])")
    made = write_space(exported, tmp_path / "rows", **how).about  # type: ignore[arg-type]
    named = {one["text"] for one in made["published_rows"]}
    there = rows_in(tmp_path / "rows")
    assert len(made["published_rows"]) == made["examples"] == len(there) > 1
    assert there == named
    places = {(one["row"], one["source"]) for one in made["published_rows"]}
    assert places <= {(number, "private.csv") for number in range(2, len(ROWS) + 2)} and len(places) == made["examples"]
    for one in made["published_rows"]:  # the number under which it stands in the file
        assert ROWS[one["row"] - 2][0] == one["text"]
    none = write_space(exported, tmp_path / "none", examples=OWN, **how).about  # type: ignore[arg-type]
    assert rows_in(tmp_path / "none") == set() and none["published_rows"] == [] and none["examples"] == 1


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed (on Debian: apt-get install chromium)")
def test_a_page_without_rows_is_held_to_them_all_the_same(exported: Path, tmp_path: Path) -> None:
    pytest.importorskip("weitiao_web", reason="the package weitiao-web is not installed (pip install weitiao[space])")
    write_space(exported, tmp_path / "page", sdk="static", examples=OWN)
    found = KINDS["static"].try_out(tmp_path / "page", exported)
    assert found["rows"] == len(list(RunFolder(exported).predictions())) and found["labels_equal"] == 1.0


@pytest.mark.parametrize("sdk", ["gradio", "docker"])
def test_a_space_without_rows_is_tried_with_some_all_the_same(sdk: str, exported: Path, tmp_path: Path) -> None:
    made = publish_space(exported, tmp_path / "space", sdk=sdk, examples=OWN, tried=True, how={"make": present})
    assert made["tried"] == {"asked": 3, "equal": 3} and not rows_in(tmp_path / "space")
    assert len(json.loads((tmp_path / "space" / "space.json").read_text(encoding="utf-8"))["examples"]) == 1 and "beside" not in made


def published(done: Outcome) -> str:
    """What the table says of the rows that are published."""
    (line,) = [line for line in done.out.splitlines() if line.strip().startswith("rows published")]
    return line.strip().removeprefix("rows published").strip()


def test_a_space_that_is_replaced_keeps_its_examples(exported: Path, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    asked = ("space", str(exported), "--sdk", "docker", "--out", str(tmp_path / "space"))
    assert command(*asked, "--examples", "task", "--title", "Ann's own").code == 0
    kept = command(*asked, "--overwrite")
    assert "# Ann's own" in (tmp_path / "space" / "README.md").read_text(encoding="utf-8") and "Ann" in kept.err
    assert kept.code == 0 and "as in the Space that stands there: --examples task" in kept.err
    assert published(kept) == "none" and not rows_in(tmp_path / "space")
    assert "--examples task" in kept.err.rsplit("weitiao space", 1)[1]
    rows = command(*asked, "--overwrite", "--examples", "rows")
    assert published(rows) != "none" and rows_in(tmp_path / "space") and "The examples are chosen" not in rows.err


@pytest.mark.parametrize("content", ["{", "[]", "\\0", '{"planets": 3}'])
def test_a_space_whose_own_words_are_damaged_is_left_alone(
    content: str, exported: Path, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    asked = ("space", str(exported), "--sdk", "docker", "--out", str(tmp_path / "space"))
    assert command(*asked, "--examples", "task").code == 0
    (tmp_path / "space" / "space.json").write_text(content)
    refused = command(*asked, "--overwrite")
    assert refused.code == 7 and "left alone" in refused.err
    assert not rows_in(tmp_path / "space")


def test_of_a_history_is_said_where_there_may_be_one(exported: Path, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    asked = ("space", str(exported), "--sdk", "docker", "--out", str(tmp_path / "space"))
    first, again = (" ".join(command(*asked, *more).err.split()) for more in ((), ("--overwrite",)))
    assert "in its history" not in first and "in its history" in again


def test_who_will_see_the_rows_is_said_and_that_a_hub_forgets_none(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sending, "check", lambda self, target: None)
    for private, words in ((True, "Whoever may open the private Space"), (False, "Anybody will see")):
        said: list[str] = []
        how = {"how": {"make": present}, "send": lambda *_given, **_named: "there", "observer": Told(said), "overwrite": True}
        publish_space(exported, tmp_path / "space", sdk="docker", sending=Sending("ann/reviews", private), **how)  # type: ignore[arg-type]
        assert any(line.startswith(words) for line in said) and any("keeps its rows in its history" in line for line in said)


@pytest.mark.parametrize("sdk", ["gradio", "docker"])
def test_a_trial_that_fails_on_a_hidden_row_quotes_no_word_of_it(sdk: str, exported: Path, tmp_path: Path) -> None:
    beside = write_space(exported, tmp_path / "space", sdk=sdk, examples=OWN).beside
    wrong = [{**one, "answer": {**one["answer"], "label": "hidden answer"}} for one in beside]
    with pytest.raises(GateError) as failed:
        KINDS[sdk].try_out(tmp_path / "space", exported, make=present, beside=wrong)
    assert f"on row {beside[0]['place']['row']} of private.csv" in failed.value.message and "hidden answer" not in failed.value.message
    assert not any(text in failed.value.message for text, _label in ROWS)


def test_so_does_that_of_a_page() -> None:
    """Without a browser: what it says is given."""
    place = {"row": 12, "source": "data/private.csv"}
    told = {"others": [], "complaints": []}
    records = [{"text": "a secret"}, {"text": "a hard text"}]
    for at, hidden, words in ((0, {0: place}, "on row 12 of private.csv"), (1, {0: place}, 'on "a hard text": its words')):
        with pytest.raises(GateError, match=words) as failed:
            _judge(_Found(wrong=[(at, "its words")]), told, records, 1, hidden)
        assert "secret" not in failed.value.message and ("its words" in failed.value.message) == (at == 1)


def test_which_rows_anybody_will_see_is_said(exported: Path, tmp_path: Path, command: Callable[..., Outcome]) -> None:
    asked = ("space", str(exported), "--sdk", "docker", "--out", str(tmp_path / "space"))
    done = command(*asked)
    assert done.code == 0, done.err
    rows = write_space(exported, tmp_path / "again", sdk="docker").about["published_rows"]
    assert published(done) == ", ".join(str(one["row"]) for one in rows)
    assert all(f"row {one['row']} of private.csv: {one['text']}" in done.err for one in rows)
    assert "--examples task --overwrite" in done.err
    none = command(*asked, "--examples", "task", "--overwrite")
    assert none.code == 0 and "No row of the data is in it" in none.err and published(none) == "none"
    assert "--examples task" in none.err.rsplit("weitiao space", 1)[1]  # as it was made, so it is published
    assert command(*asked, "--examples", "task", "--overwrite", "--json").json["published_rows"] == []
    wrong = command("space", str(exported), "--out", str(tmp_path / "other"), "--examples", "taks")
    assert wrong.code == 2 and "rows, task" in wrong.err and 'Did you mean "task"?' in wrong.err and not (tmp_path / "other").exists()


def test_of_a_picture_its_pixels_are_published_and_not_where_it_was_taken(tmp_path: Path) -> None:
    from PIL import Image

    run = RunFolder(tmp_path / "onnx")
    export(pictured(tmp_path), "onnx", run.path)
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "Ann Secret"  # it lies on its side; who took it
    exif.get_ifd(0x8825)[1], exif.get_ifd(0x8825)[2] = "N", (48.0, 51.0, 29.6)
    photo, shot, broken = tmp_path / "Ann at home.jpg", tmp_path / "Ann.gif", tmp_path / "broken.jpg"
    Image.effect_noise((40, 20), 90).convert("RGB").save(photo, exif=exif, comment=b"Ann Secret", icc_profile=b"Ann Secret")
    Image.new("P", (8, 8)).save(shot, comment=b"Ann Secret")
    broken.write_bytes(photo.read_bytes()[:300])
    assert Image.open(photo).getexif().get_ifd(0x8825) and b"Ann Secret" in photo.read_bytes()
    lines = [json.loads(line) for line in run.predictions_file.read_text(encoding="utf-8").splitlines()][:3]
    changed = [{**line, "image": str(file)} for line, file in zip(lines, (photo, shot, broken), strict=True)]
    run.predictions_file.write_text("".join(json.dumps(line) + "\n" for line in changed), encoding="utf-8")
    made = write_space(run.path, tmp_path / "space", sdk="gradio").about
    files = {file.name: Image.open(file) for file in (tmp_path / "space" / "pictures").iterdir()}
    assert {name: (one.format, one.size) for name, one in files.items()} == {"1.jpg": ("JPEG", (20, 40)), "2.png": ("PNG", (8, 8))}
    assert not any(one.getexif() or {"comment", "icc_profile", "exif"} & one.info.keys() for one in files.values())
    assert not any(b"Ann" in file.read_bytes() for file in (tmp_path / "space").glob("pictures/*"))
    assert "Ann" not in (tmp_path / "space" / "space.json").read_text(encoding="utf-8")
    assert [one["pictures"] for one in made["published_rows"]] == [["pictures/1.jpg"], ["pictures/2.png"]]
    assert "(with the picture pictures/1.jpg)" in "\n".join(told(made["published_rows"], 2))
    assert KINDS["gradio"].try_out(tmp_path / "space", "", make=present)["equal"] == 2


def test_the_help_page_names_the_sources_that_there_are() -> None:
    from weitiao.cli.spaces import EXAMPLES

    assert EXAMPLES == SOURCES


@pytest.mark.parametrize("task", tasks.all_tasks().values(), ids=lambda task: task.name)
def test_there_is_an_example_of_every_task_in_both_languages(task: Any) -> None:
    english, chinese = (chosen(task, {"labels": ["a", "b"]}, None, language=language) for language in ("en", "zh"))
    assert len(english) == len(chinese) == 1 and not english[0].place
    for one in (english[0], chinese[0]):
        task.asked(task.prepare({**dict.fromkeys(task.fields), **one.record}))
    texts = [json.dumps({name: one[0].record[name] for name in one[0].record}, ensure_ascii=False) for one in (english, chinese)]
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in texts[0]) and any("\u4e00" <= letter <= "\u9fff" for letter in texts[1])


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be exported: that is what takes minutes."""

    def refused(*_given: Any, **_named: Any) -> None:
        raise AssertionError("it was exported")

    for module in ("weitiao.deploy.export.export", "weitiao.deploy.space.static.folder.export"):
        monkeypatch.setattr(module, refused)


@pytest.mark.usefixtures("no_export")
def test_a_tokenizer_that_no_browser_reads_is_noticed_before_it_is_exported(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    file = RunFolder(copy).tokenizer
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"normalizer": {"type": "NFKC"}}), encoding="utf-8")
    with pytest.raises(UsageError, match="does not become a static Space: its tokenizer has a normalizer of the kind NFKC"):
        write_space(copy, tmp_path / "space", sdk="static")
    assert not (tmp_path / "space").exists()


@pytest.mark.usefixtures("no_export")
def test_a_graphics_card_for_an_export_without_torch_is_refused_at_once(
    exported: Path, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    done = command("space", str(exported), "--zero-gpu", "--out", str(tmp_path / "space"))
    assert done.code == 2 and "(as onnx)" in done.err and "Leave out --zero-gpu, or give the run" in done.err, done.err
    assert not (tmp_path / "space").exists()


def adapted(folder: Path, **given: Any) -> Path:
    data = write_csv(folder / "rows.csv", list(ROWS))
    return weitiao.train(str(data), model=str(make_model(folder / "base")), out=str(folder / "adapted"), **QUICK, **given).path


def of_its_own(folder: Path) -> Path:
    return adapted(folder, task=written(folder, PLAIN))


def with_lora(folder: Path) -> Path:
    return adapted(folder, method="lora")


def translating(folder: Path) -> Path:
    return trained(folder, "summarization", "t5")


@pytest.mark.parametrize("train", [with_lora, of_its_own, translating])
def test_a_run_takes_pytorch_along_for_a_graphics_card(
    train: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = write_space(train(tmp_path), tmp_path / "space", zero_gpu=True, trust_task=True).about
    assert (made["sdk"], made["form"], made["torch"]) == ("gradio", "merged", True)
    assert "torch==" in (tmp_path / "space" / "requirements.txt").read_text(encoding="utf-8")


def test_what_was_exported_with_torch_may_have_one(run: Path, tmp_path: Path) -> None:
    export(run, "merged", tmp_path / "merged")
    made = write_space(tmp_path / "merged", tmp_path / "space", zero_gpu=True).about
    assert (made["sdk"], made["form"], made["torch"]) == ("gradio", "merged", True)
    assert (tmp_path / "space" / "run" / "model" / "model.safetensors").is_file()
    assert not (tmp_path / "space" / "run" / "predictions.jsonl").exists()
