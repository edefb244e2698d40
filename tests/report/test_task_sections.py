"""What a report shows of tasks that do not classify texts: each part appears when a run's results hold it, and only then."""

import json

import pytest
from tests.report.test_page import page_of

from weitiao import tasks
from weitiao.report import card, results

EVALUATION = {"split": "test", "rows": 40, "headline": "f1", "metrics": {"f1": 0.5}, "intervals": {}, "baselines": {}}


def shown(make_run, **details):
    run = make_run(task="token-classification")
    run.update(evaluation={**EVALUATION, **details})
    return page_of(run)


def test_numbers_against_the_truth(make_run):
    page = shown(make_run, residuals={"points": [[1.0, 1.2], [2.0, 1.7], [3.0, 3.1]]}, metrics={"mae": 0.2}, headline="mae")
    assert "Number by number" in page.words and "Across: the true number" in page.words
    assert "0.200 away from the truth" in page.words


def test_entity_errors_by_kind(make_run):
    errors = [
        {"kind": "missed", "text": "Zhang Wei moved to <b>Paris</b>.", "truth": "PER: Zhang Wei", "answer": ""},
        {"kind": "missed", "text": "He is in Rome.", "truth": "LOC: Rome", "answer": ""},
        {"kind": "type", "text": "Apple fell.", "truth": "ORG: Apple", "answer": "PER: Apple"},
    ]
    page = shown(make_run, entity_errors=errors)
    assert page.words.index("Not found") < page.words.index("Right place, wrong kind")
    assert "true: LOC: Rome" in page.words and "answered: PER: Apple" in page.words
    assert "<b>Paris</b>" in page.words  # as text, not as markup


def test_what_was_written_beside_what_was_wanted(make_run):
    rows = [{"input": f"text {i}", "reference": f"wanted {i}", "prediction": f"got {i}" if i else "", "score": i / 40} for i in range(40)]
    bins = [{"low": i / 10, "high": (i + 1) / 10, "count": i} for i in range(10)]
    page = shown(make_run, side_by_side=rows, overlaps=bins, signature="nrefs:1|tok:13a", segmenter="characters")
    assert "Answers beside what was wanted" in page.words and "wanted 0" in page.words and "got 1" in page.words
    assert "nrefs:1|tok:13a" in page.words and "Overlap is counted in: characters." in page.words
    assert len(results.side_by_side({"side_by_side": rows})) == results.MOST_WRITTEN


def test_nothing_appears_that_is_not_there(make_run):
    page = page_of(make_run())
    for title in ("Number by number", "What went wrong with the entities", "Answers beside what was wanted"):
        assert title not in page.words


@pytest.mark.parametrize(
    ("task", "tag"), [("regression", "text-classification"), ("translation", "translation"), ("keyword-extraction", None)]
)
def test_the_card_uses_the_hubs_own_task_names(make_run, task, tag):
    head = card.write_card(make_run(task=task)).read_text(encoding="utf-8").split("\n---", 1)[0]
    assert (f"pipeline_tag: {tag}" in head) if tag else "pipeline_tag" not in head


def test_a_pipeline_is_shown_where_transformers_has_one(make_run):
    run, shown = make_run(), set()
    for name in tasks.all_tasks():
        run.update(task=name)
        shown |= {name} if f'pipeline("{name}"' in card.write_card(run).read_text(encoding="utf-8") else set()
    assert shown == {"text-classification", "token-classification", "fill-mask", "text-generation", "feature-extraction"}


def test_use_names_the_further_inputs(make_run):
    page = page_of(make_run(task="question-answering"))
    assert 'reviews "your question" --context "your context"' in page.words
    assert "{'question': 'your question', 'context': 'your context'}" in page.words


def test_what_is_marked_is_counted_beside_the_labels(make_run):
    run = make_run(task="token-classification")
    assert "Marked in the texts" not in page_of(run).words
    kinds = [{"label": f"kind {at}", "train": 40 - at, "validation": 1, "test": 2} for at in range(40)]
    run.check_file.write_text(json.dumps({**run.check(), "marks": kinds}), encoding="utf-8")
    page = page_of(run)
    marked = page.words[page.words.index("Marked in the texts") :]
    assert "kind 0 40 1 2" in " ".join(marked.split()) and "kind 39 1 1 2" in " ".join(marked.split()) and "The other" in marked
