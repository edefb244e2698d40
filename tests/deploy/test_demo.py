"""The demo page in a real browser: for every task somebody types, clicks and reads; what strangers may send; both languages; a whole file;
and a conversation that can be stopped.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.browser import Browser
from tests.browser import window as window
from tests.engine.explained_models import CASES, CLASSIFIER, Case, blank, headed, labelled, loaded
from weitiao import sample, tasks
from weitiao.report.explanation import answered

gradio = pytest.importorskip("gradio", reason="the package gradio is not installed")

SHOWN = {**CASES, "translation": Case(blank("t5"), "translation", "the room was lovely", {}, {"max_new_tokens": 6})}
STEEP = "<script>window.hit = 1</script>"
IMAGE = "<img src=x onerror='window.hit = 1'>"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """A classifier with ordinary labels, and its page."""
    from tests.deploy.demo_pages import shown

    model = loaded(SHOWN["one label"], tmp_path_factory.mktemp("plain") / "mine")
    with shown(model) as url:
        yield model, url


def clean(window: Browser, url: str) -> None:
    """Nothing went wrong in the console, and no other host was asked for anything."""
    assert window.complaints() == []
    assert window.strangers(url) == []
    assert window.driver.execute_script("return window.hit") is None


def fill(window: Browser, field: Any, value: Any) -> None:
    """Put a value where people would."""
    if field.type == "image":
        window.all(f"#input-{field.name} input[type=file]")[0].send_keys(value)
        window.one(f"#input-{field.name} img")
    else:
        window.type(f"#input-{field.name} :is(textarea, input)", "\n".join(value) if isinstance(value, list) else value)


def test_every_task_is_tried() -> None:
    assert {case.task for case in SHOWN.values()} == set(tasks.all_tasks())


@pytest.mark.parametrize("name", SHOWN)
def test_somebody_asks_reads_the_answer_and_sees_how_it_comes_about(name: str, window: Browser, tmp_path: Path) -> None:
    from tests.deploy.demo_pages import shown

    case = SHOWN[name]
    model = loaded(case, tmp_path / "mine")
    first, *others = model.task.inputs
    (wanted,) = model.predict([case.value], **case.given)
    with shown(model, ("--task", case.task)) as url:
        window.open(url)
        assert window.text("h1") == "mine"
        fill(window, first, case.value)
        for field in others:
            if field.name in case.given:
                fill(window, field, case.given[field.name])
        window.click("#ask")
        if first.type == "messages":
            said = window.until(lambda: window.one("#conversation .bot").text if not window.all("#stop") else "", "answer")
            assert said.split() == wanted["text"].split()
        else:
            said = window.text("#answer .wt-answer")
            for part in expected(wanted):
                assert part in " ".join(said.split()), said
        window.tabs()[-1].click()
        window.click("#explain")
        window.driver.switch_to.frame(window.one("#stages iframe"))
        stages = window.text("main")
        window.driver.switch_to.default_content()
        assert "Encode: the text becomes numbers" in stages and "Decode: the numbers become the answer" in stages
        assert " ".join(answered(wanted)["main"].split()) in " ".join(stages.split())
        assert str(tmp_path) not in stages + window.driver.page_source
        clean(window, url)


def expected(prediction: dict[str, Any]) -> list[str]:
    """What must be read of a prediction."""
    if "masks" in prediction:
        return [f"{one['score']:.3f}" for mask in prediction["masks"] for one in mask]
    if "keywords" in prediction:
        return [one["keyword"] for one in prediction["keywords"]]
    if "spans" in prediction:
        return [f"{span['text']} {span['label']}" for span in prediction["spans"]] or ["nothing found"]
    if "vector" in prediction:
        return [f"{len(prediction['vector'])} numbers", *([f"{prediction['similarity']:.3f}"] if "similarity" in prediction else [])]
    if "text" in prediction:
        return [" ".join(prediction["text"].split())]
    if "value" in prediction:
        return [f"{prediction['value']:.3f}"]
    if "answer" in prediction:
        return [prediction["answer"] or "no answer", f"{prediction['score']:.3f}"]
    probabilities = prediction.get("probabilities") or {}
    chosen = prediction["labels"] if "labels" in prediction else [prediction["label"]]
    return [*chosen, *(f"{label} {share:.3f}" for label, share in probabilities.items())]


def test_it_speaks_the_language_of_the_browser(plain: tuple[Any, str], window: Browser) -> None:
    _model, url = plain
    window.open(url, "zh-CN")
    assert [tab.text for tab in window.tabs()] == ["试一试", "整个文件", "工作原理"]
    window.click("#ask")
    assert window.text("#answer .wt-problem") == "“文本”还是空的，请填好再提问。"
    window.click("#examples button")
    window.one("#answer .wt-answer")
    window.tabs()[-1].click()
    window.click("#explain")
    window.driver.switch_to.frame(window.one("#stages iframe"))
    assert "编码" in window.text("main")
    window.driver.switch_to.default_content()
    clean(window, url)


def test_code_is_shown_as_text_wherever_it_stands(window: Browser, tmp_path: Path) -> None:
    from tests.deploy.demo_pages import shown

    case = Case(headed(CLASSIFIER, **labelled(STEEP, IMAGE, "${window.hit = 1}{{hit}}")), "text-classification", "", {}, {})
    model = loaded(case, tmp_path / "<b>mine<b>")
    text = f"{STEEP} {IMAGE} ${{window.hit = 1}} {{{{hit}}}} `window.hit = 1`"
    with shown(model) as url:
        window.open(url)
        assert window.text("h1") == "<b>mine<b>"
        window.type("#input-text textarea", text)
        window.click("#ask")
        said = window.text("#answer .wt-answer")
        assert STEEP in said and IMAGE in said and "${window.hit = 1}{{hit}}" in said
        window.tabs()[-1].click()
        window.click("#explain")
        window.driver.switch_to.frame(window.one("#stages iframe"))
        assert text in window.text("main")
        assert window.driver.execute_script("return window.hit") is None
        window.driver.switch_to.default_content()
        upload(window, tmp_path / "<img src=x onerror=hit()>.csv", f"text,{STEEP}\n{text},{IMAGE}\n")
        assert IMAGE in window.text("#file-answer table")
        clean(window, url)


def test_ten_megabytes_are_refused_and_the_page_goes_on(plain: tuple[Any, str], window: Browser) -> None:
    _model, url = plain
    window.open(url)
    window.paste("#input-text textarea", "lovely " * 1_500_000)
    window.click("#ask")
    assert window.text("#answer .wt-problem").startswith("“Text” has 10,500,000 characters; at most 100,000 can be asked here.")
    window.paste("#input-text textarea", "the day was lovely")
    window.click("#ask")
    window.one("#answer .wt-answer")
    clean(window, url)


def upload(window: Browser, file: Path, content: str | bytes) -> None:
    """Have a file answered."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    window.tabs()[1].click()
    window.one("#answer-file")
    window.all("#file input[type=file]")[0].send_keys(str(file))
    window.until(lambda: any(file.suffix in one.text for one in window.all("#file .file-preview")), "file")
    window.click("#answer-file")


def workbook(path: Path, rows: list[list[str]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path.read_bytes()


ROWS = [["text", "id"], ["the day was lovely", "1"], ["the room was dark", "2"], ["", "3"]]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".xlsx"])
def test_a_whole_file_is_answered_as_the_command_line_does(ending: str, plain: tuple[Any, str], window: Browser, tmp_path: Path) -> None:
    model, url = plain
    lines = "".join(json.dumps(dict(zip(ROWS[0], row, strict=True))) + "\n" for row in ROWS[1:])
    written = {
        ".csv": "\n".join(map(",".join, ROWS)) + "\n",
        ".jsonl": lines,
        ".xlsx": workbook(tmp_path / "book.xlsx", ROWS),
    }[ending]
    window.open(url)
    upload(window, tmp_path / f"rows{ending}", written)
    told = window.text("#file-answer .wt-batch")
    assert told.startswith("3 rows") and "1 of 3 rows have no text" in told
    result = window.download("#download", tmp_path / "downloads")
    wanted = tmp_path / f"wanted{'.jsonl' if ending == '.jsonl' else '.csv'}"
    model.predict_file(str(tmp_path / f"rows{ending}"), wanted)
    assert result.name == f"rows-predictions{wanted.suffix}"
    assert result.read_text(encoding="utf-8") == wanted.read_text(encoding="utf-8")
    clean(window, url)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.csv", sample.PICTURE.read_bytes(), "rows.csv"),
        ("rows.xlsx", b"text,id\na,1\n", "rows.xlsx"),
        ("rows.parquet", b"text\n", "rows.parquet"),
        ("rows.csv", b"", "rows.csv"),
        ("rows.csv", b"one,two\n1,2\n3,4\n", "text"),
    ],
    ids=["a picture", "no workbook", "no parquet", "empty", "no such column"],
)
def test_a_file_that_is_not_what_its_name_says(
    name: str, content: bytes, said: str, plain: tuple[Any, str], window: Browser, tmp_path: Path
) -> None:
    _model, url = plain
    window.open(url)
    upload(window, tmp_path / name, content)
    problem = window.text("#file-answer .wt-problem")
    assert said in problem and "weitiao-demo" not in problem and "terminal" not in problem
    clean(window, url)


def test_the_column_of_a_file_can_be_named(plain: tuple[Any, str], window: Browser, tmp_path: Path) -> None:
    _model, url = plain
    window.open(url)
    window.tabs()[1].click()
    window.click("#file-columns button")
    window.type("#column-text :is(textarea, input)", "two")
    upload(window, tmp_path / "rows.csv", "one,two\n1,the day was lovely\n")
    assert window.text("#file-answer .wt-batch").startswith("1 rows")
    clean(window, url)


@pytest.mark.parametrize(
    "content", [sample.PICTURE.read_bytes()[:200], b"no picture", b"<svg onload='window.hit = 1'/>"], ids=["cut", "text", "svg"]
)
def test_a_broken_picture_is_said(content: bytes, picture: str, window: Browser, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    window.open(picture)
    window.type("#input-text textarea", "a sunny day")
    window.all("#input-image input[type=file]")[0].send_keys(str(tmp_path / "broken.png"))
    window.one("#input-image img")
    window.click("#ask")
    problem = window.text("#answer .wt-problem")
    assert problem.startswith("“Picture”:") and "weitiao-demo" not in problem and "terminal" not in problem
    clean(window, picture)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a model that looks at pictures."""
    from tests.deploy.demo_pages import shown

    with shown(loaded(SHOWN["picture"], tmp_path_factory.mktemp("picture") / "mine")) as url:
        yield url


def test_a_model_that_reads_pictures_from_paths_takes_no_files(picture: str, window: Browser) -> None:
    window.open(picture)
    assert [tab.text for tab in window.tabs()] == ["Try it", "How it works"]


class Slow:
    """A model that writes a word every so often, for ever."""

    name, folder, spec = "slow", None, {"form": "chat", "max_new_tokens": 1000}

    def __init__(self) -> None:
        self.task, self.left = tasks.get("text-generation"), 0
        self.asked: list[Any] = []

    def predictor(self) -> Any:
        return SimpleNamespace(backend=SimpleNamespace(stream=None))

    def stream(self, record: Any) -> Iterator[str]:
        self.asked.append(record)
        try:
            for number in range(1000):
                time.sleep(0.05)
                yield f"<b>{number}</b> "
        finally:
            self.left += 1


def test_a_conversation_comes_piece_by_piece_and_can_be_stopped(window: Browser) -> None:
    from tests.deploy.demo_pages import shown

    model = Slow()
    with shown(model) as url:
        window.open(url)
        window.type("#input-messages textarea", "Count, <i>please</i>")
        window.click("#ask")
        early = window.until(lambda: window.one("#conversation .bot").text, "beginning of the answer")
        later = window.until(lambda: (text := window.one("#conversation .bot").text) and len(text) > len(early) and text, "more")
        assert later.startswith("<b>0</b> <b>1</b>") and model.left == 0
        window.click("#stop")
        window.one("#ask")
        assert model.left == 1
        window.type("#input-messages textarea", "Again")
        window.click("#ask")
        window.one("#stop")
        window.until(lambda: len(window.all("#conversation .bot")) > 1, "second answer")
        window.click("#stop")
        window.one("#ask")
        said = [(one["role"], one["content"]) for one in model.asked[1]["messages"]]
        assert said[0] == ("user", "Count, <i>please</i>") and said[1][0] == "assistant" and said[2] == ("user", "Again")
        window.click("#clear")
        window.until(lambda: not window.all("#conversation .bot"), "empty conversation")
        clean(window, url)


def test_what_is_too_long_is_not_said(window: Browser) -> None:
    from tests.deploy.demo_pages import shown

    model = Slow()
    with shown(model) as url:
        window.open(url)
        window.paste("#input-messages textarea", "x" * 1_000_000)
        window.click("#ask")
        assert "1,000,000 characters" in window.text("#answer .wt-problem")
        assert model.asked == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(width: int, plain: tuple[Any, str], window: Browser) -> None:
    _model, url = plain
    screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 700}
    window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        window.open(url)
        window.type("#input-text textarea", "the room was lovely " + "w" * 300)
        window.click("#ask")
        window.one("#answer .wt-answer")
        window.tabs()[-1].click()
        window.click("#explain")
        frame = window.one("#stages iframe")
        window.until(lambda: frame.size["height"] > 400, "frame as high as what is in it")
        assert window.driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        window.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_answers_are_readable_in_the_dark(plain: tuple[Any, str], window: Browser) -> None:
    _model, url = plain
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    try:
        window.open(url)
        window.click("#examples button")
        answer = window.one("#answer .wt-answer")
        paper, ink = (answer.value_of_css_property(name) for name in ("background-color", "color"))
        assert brightness(paper) < 0.2 < 0.7 < brightness(ink)
    finally:
        window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def brightness(colour: str) -> float:
    """Of a colour as the browser says it, from 0 to 1."""
    numbers = [float(one) for one in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3 / 255
