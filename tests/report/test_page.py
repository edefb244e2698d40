"""The report: one safe, self-contained file that shows what a run holds and nothing that it lacks."""

import json
import re
from html.parser import HTMLParser

import pytest

from weitiao import messages
from weitiao.report import charts, write_report
from weitiao.report.page import describe
from weitiao.runs import RunFolder

VOID = {"meta", "link", "br", "img", "hr", "input"}
EMOTIONS = ["钦佩", "愉快", "愤怒", "恼怒", "赞同", "关怀", "困惑", "好奇"]


class Page(HTMLParser):
    """Text, ids, references and headings of a page; fails where tags are not balanced."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.references, self.text = [], [], [], [], []
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
                self.references.append(value)
            assert not name.startswith("on"), f"{tag} has {name}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, f"{tag} closes another tag, line {self.getpos()}"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def page_of(run):
    path = write_report(run)
    assert path == run.report
    return Page(path.read_text(encoding="utf-8"))


def test_shows_every_part_of_a_run(make_run):
    run = make_run(texts=["The room was cold.", "Breakfast was lovely."])
    page = page_of(run)
    evaluation = run.record()["evaluation"]
    for part in (
        *(
            "Better than a simple baseline",
            "What to do next",
            "TF-IDF + logistic regression",
            "most frequent label",
            "What is taken for what",
        ),
        *(
            "Label by label",
            "The most confident mistakes",
            "Can the scores be believed?",
            "How it learned",
            "Learning rate over training steps",
        ),
        *(
            "3 test rows also stand in the training data.",
            "Row ledger",
            "empty: text",
            "The text is empty.",
            "Settings",
            "by its name",
            "torch",
        ),
        *(
            "weitiao train 'my data.csv' --model offline",
            'weitiao predict reviews "your text"',
            "7 min 14 s",
            "90.9 MB",
            "(6%) are cut there",
        ),
        f"{evaluation['metrics']['f1_macro']:.3f}",
        "{:.3f} – {:.3f}".format(*evaluation["intervals"]["f1_macro"]),
    ):
        assert part in page.words, part
    assert "/usr/local/bin" not in page.words
    assert page.tags.count("svg") == 5  # loss, metric, learning rate, calibration, lengths


def test_needs_nothing_from_elsewhere(make_run):
    page = page_of(make_run())
    assert {"script", "iframe", "object", "embed", "form"}.isdisjoint(page.tags)
    assert all(reference.startswith(("#", "data:")) for reference in page.references), page.references
    assert len(page.ids) == len(set(page.ids))


def test_the_file_names_no_other_host_and_forbids_itself_to_ask(make_run):
    html = write_report(make_run()).read_text(encoding="utf-8")
    assert "default-src 'none'" in html and "@import" not in html
    assert re.findall(r"url\((?!#)[^)]*\)", html) == [] and "http" not in html.replace("http-equiv", "")


def test_text_of_the_data_stays_text(make_run):
    evil = '<script>alert("x")</script>'
    run = make_run(labels=(evil, "</style><b>bold</b>", "a\"b'c&d"), texts=[evil + " & <img src=x onerror=alert(1)>"], name="a & b <i>")
    record = run.record()
    record["data"]["plan"]["fields"]["text"]["columns"] = ["<u>column</u>"]
    run.update(data=record["data"], settings={"data": "<s>data</s>"}, environment={"cpu": "<em>chip</em>"})
    page = page_of(run)
    assert {"script", "b", "i", "u", "s", "em", "img"} & set(page.tags) <= {"i"}
    assert evil in page.words and "</style><b>bold</b>" in page.words and "<u>column</u>" in page.words and "a & b <i>" in page.words


def test_chinese(make_run):
    messages.set_language("zh")
    run = make_run(labels=EMOTIONS, texts=["今天真是令人开心的一天。"])
    html = write_report(run).read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in html and "Noto Sans CJK SC" in html
    page = Page(html)
    assert all(label in page.words for label in EMOTIONS) and "今天真是令人开心的一天。" in page.words


def test_without_a_test_set_it_says_so_and_draws_no_results(make_run):
    page = page_of(make_run(test=False))
    assert "Not tested yet" in page.words and "weitiao evaluate RUN DATA" in page.words
    assert "Label by label" not in page.words and "How it learned" in page.words and "svg" in page.tags


def test_figures_of_the_validation_rows_are_called_flattering(make_run):
    run = make_run()
    run.update(evaluation={**run.record()["evaluation"], "split": "validation"})
    assert "they flatter a little" in page_of(run).words


def test_forty_labels_stay_readable(make_run):
    run = make_run(labels=[f"category {i}" for i in range(40)], rows=600, skill=0.7, rival=0.6)
    page = page_of(run)
    assert "too many labels for a readable matrix" in page.words and "The other 16 labels" in page.words
    evaluation = run.record()["evaluation"]
    worst = min(evaluation["per_class"], key=lambda row: (row["f1"], -row["support"]))["label"]
    after = page.words[page.words.index("Label by label") :]
    assert min(re.findall(r"category \d+", after), key=after.index) == worst


@pytest.mark.parametrize("labels", [2, 8])
def test_few_labels_are_a_matrix(make_run, labels):
    run = make_run(labels=[f"class {i}" for i in range(labels)])
    page = page_of(run)
    assert "A row is the true label" in page.words
    assert ("Most frequent confusions" in page.words) == (labels > 6)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ({"beats_baselines": False, "text": "The simple baseline is better."}, "A simple baseline does better"),
        ({"beats_baselines": True, "clear": False, "text": "Within noise."}, "Not told apart from a simple baseline"),
        ({"beats_baselines": False, "clear": False, "text": "Within noise too."}, "Not told apart from a simple baseline"),
        ({"beats_baselines": None, "text": "There is no baseline to compare with."}, "Tested, with nothing to compare with"),
    ],
)
def test_the_verdict_leads(make_run, verdict, words):
    run = make_run()
    run.update(evaluation={**run.record()["evaluation"], "verdict": verdict})
    page = page_of(run)
    assert words in page.words and verdict["text"] in page.words


def test_a_run_that_was_interrupted(tmp_path):
    run = RunFolder(tmp_path / "young")
    run.create()
    run.update(name="young", status="interrupted", task="text-classification", weitiao="0.1.0")
    page = page_of(run)
    assert "This run did not finish" in page.words and "weitiao train --resume RUN" in page.words and "Use it" not in page.words


def test_a_task_that_nobody_here_knows(make_run):
    run = make_run(task="my-own-task")
    record = run.record()
    run.update(evaluation={"split": "test", "rows": 9, "headline": "mae", "metrics": {"mae": 0.41}, "intervals": {}, "baselines": {}})
    assert record["task"] == "my-own-task"
    assert describe(run.record()).keys() == describe({"task": "regression"}).keys()
    page = page_of(run)
    assert "mean absolute error" in page.words and "0.410" in page.words and "Label by label" not in page.words


def test_without_matplotlib_the_page_says_how_to_get_charts(make_run, monkeypatch):
    monkeypatch.setattr(charts, "available", lambda: False)
    page = page_of(make_run())
    assert "Charts need matplotlib" in page.words and "svg" not in page.tags and "Label by label" in page.words


def test_long_logs_make_small_charts(make_run):
    run = make_run()
    with run.log_file.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps({"step": step, "epoch": 1, "loss": 1 / step, "lr": 1e-5}) + "\n" for step in range(91, 20_000))
    assert write_report(run).stat().st_size < 200_000


def test_it_is_the_same_file_twice(make_run):
    run = make_run()
    assert write_report(run).read_bytes() == write_report(run).read_bytes()
