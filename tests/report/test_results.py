"""How figures are arranged, what is advised, which curves are drawn."""

import pytest

from weitiao.report import advice, charts, learning, results


def line(score, truth="a", answer="b", **more):
    return {"row": 1, "source": "t.csv", "text": "x", "label": truth, "prediction": {"label": answer, "score": score}, **more}


def test_mistakes_are_sorted_by_confidence_and_bounded():
    lines = [line(0.5 + i / 1000, row=i) for i in range(100)] + [line(0.99, answer="a"), {"row": 7, "prediction": {"value": 3.2}}]
    mistakes = results.confident_mistakes(iter(lines))
    assert len(mistakes) == results.MOST_MISTAKES and [m["row"] for m in mistakes[:3]] == [99, 98, 97]
    assert mistakes[0] == {"row": 99, "source": "t.csv", "text": "x", "truth": "a", "answer": "b", "score": 0.599}


def test_a_pair_of_texts_is_shown_whole():
    pair = {"row": 1, "first": "one", "second": "two", "label": "a", "prediction": {"label": "b", "score": 1.0}}
    assert results.confident_mistakes([pair])[0]["text"] == "one · two"


def test_fields_named_as_the_lines_own_are_shown():
    record = {"source": "one", "row": "two", "label": "a"}
    line = {"row": 3, "source": "t.csv", "record": record, "prediction": {"label": "b", "score": 1.0}}
    wanted = {"row": 3, "source": "t.csv", "text": "one · two", "truth": "a", "answer": "b", "score": 1.0}
    assert results.confident_mistakes([line]) == [wanted]


def test_confused_pairs_by_count_with_their_share():
    table = {"labels": ["a", "b", "c"], "matrix": [[5, 4, 1], [0, 9, 0], [6, 0, 0]]}
    pairs = results.confused_pairs({"confusion_matrix": table})
    assert [(p["true"], p["answered"], p["count"], p["share"]) for p in pairs] == [
        ("c", "a", 6, 1.0),
        ("a", "b", 4, 0.4),
        ("a", "c", 1, 0.1),
    ]


def test_rows_put_the_headline_first_and_mark_the_best():
    evaluation = {
        "headline": "f1_macro",
        "metrics": {"log_loss": 0.3, "f1_macro": 0.8},
        "intervals": {"f1_macro": [0.7, 0.9]},
        "baselines": {"majority": {"metrics": {"log_loss": 0.2, "f1_macro": 0.4}}},
    }
    first, second = results.metric_rows(evaluation)
    assert first["name"] == "f1_macro" and [cell["best"] for cell in first["cells"]] == [True, False]
    assert first["cells"][0]["interval"] == [0.7, 0.9] and first["cells"][1]["interval"] is None
    assert second["smaller"] and [cell["best"] for cell in second["cells"]] == [False, True]


def test_ranges_hold_every_interval():
    evaluation = {
        "headline": "x",
        "metrics": {"x": 0.5},
        "intervals": {"x": [0.31, 0.7]},
        "baselines": {"majority": {"metrics": {"x": 0.5}}},
    }
    shown = results.ranges(evaluation)
    assert (shown["low"], shown["high"]) == (0.3, 0.7)
    assert all(0 <= row[key] <= 100 for row in shown["rows"] for key in ("at", "from", "to"))
    assert results.ranges({}) == {} and results.ranges({"headline": "x", "metrics": {}}) == {}


def history(*values, losses=()):
    losses = losses or [0.5] * len(values)
    lines = [
        {"step": i, "epoch": i, "validation": {"f1_macro": v, "loss": loss}} for i, (v, loss) in enumerate(zip(values, losses, strict=True))
    ]
    return {"status": "finished", "training": {"best": {"metric": "f1_macro"}, "history": lines}}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (history(0.5, 0.6, 0.7), "still improving"),
        (history(0.5, 0.7, 0.6, losses=[0.5, 0.4, 0.6]), "by heart"),
        (history(0.5, 0.7, 0.6), None),
        (history(0.5), None),
    ],
)
def test_advice_on_how_long_to_train(record, words):
    said = " ".join(advice.next_steps({**record, "evaluation": {"metrics": {"f1_macro": 0.7}}}, {}, []))
    assert words in said if words else said == ""


def per_class(**f1):
    return [{"label": label, "f1": value, "support": 20, "predicted": 20} for label, value in f1.items()]


@pytest.mark.parametrize(
    ("evaluation", "check", "words"),
    [
        ({}, {"findings": [{"severity": "error"}]}, "Look at the data check first"),
        ({}, {"lengths": {"truncated_share": 0.2, "limit": 64}}, "20% of the texts are longer than the limit of 64"),
        ({"split": "validation"}, {}, "--test"),
        ({"headline": "f1_macro", "intervals": {"f1_macro": [0.5, 0.8]}, "rows": 40}, {}, "With 40 rows"),
        ({"metrics": {"ece": 0.2}}, {}, "calibration error 0.200"),
        ({"per_class": per_class(a=0.9, b=0.2)}, {}, "Weakest on “b”. Read"),
        (
            {"per_class": [{**row, "predicted": 40 * (row["label"] == "a")} for row in per_class(a=0.8, b=0.0)]},
            {},
            "every row the same answer",
        ),
        ({"per_class": per_class(a=0.9, b=0.2)}, {"labels": [{"label": "b", "train": 9}]}, "--class-weights balanced"),
        ({"per_class": per_class(a=0.9, b=0.0)}, {"labels": [{"label": "b", "train": 0}]}, "Not a single training row has the label “b”"),
        (
            {
                "per_class": per_class(a=0.7, b=0.7, c=0.7),
                "confusion_matrix": {"labels": ["a", "b", "c"], "matrix": [[5, 5, 0], [0, 9, 0], [0, 0, 9]]},
            },
            {},
            "“a” is often taken for “b” (5 times, 50% of its rows)",
        ),
        ({}, {}, None),
    ],
)
def test_advice_follows_the_figures(evaluation, check, words):
    metrics = {"f1_macro": 0.7, **evaluation.get("metrics", {})}
    said = advice.next_steps({"status": "finished", "evaluation": {**evaluation, "metrics": metrics}}, check, [])
    assert (len(said) == 1 and words in said[0]) if words else said == []


def test_curves_come_from_the_log_or_from_the_record():
    record = history(0.5, 0.7)
    record["training"]["best"]["step"] = 1
    shown = learning.learning_charts(record, [])
    assert [chart["title"] for chart in shown] == ["Loss over training steps", "Validation macro F1 over training steps"]
    assert shown[0]["legend"] == [("second", "validation")] and shown[1]["note"]
    log = [{"step": 1, "loss": 0.9, "lr": 1e-5}, {"step": 2, "validation": {"loss": 0.8, "f1_macro": 0.4}}]
    assert [len(chart["legend"]) for chart in learning.learning_charts(record, log)] == [2, 0]
    assert learning.learning_charts({}, []) == []


def test_charts_follow_the_page_and_keep_text():
    svg = charts.curves("a", [(charts.ACCENT, [(0.0, 1.0), (1.0, 0.5)])], label='<loss "here">')
    assert svg.startswith('<svg viewBox="0 0 400 240" role="img" aria-label="&lt;loss &#34;here&#34;&gt;">') and "<text" in svg
    assert "var(--accent)" in svg and "#0" not in svg.replace("url(#", "").replace('href="#', "") and "font-family" not in svg
    other = charts.curves("b", [(charts.ACCENT, [(0.0, 1.0), (1.0, 0.5)])], label="")
    ids = [{part.split('"')[0] for part in each.split('id="')[1:]} for each in (svg, other)]
    assert ids[0] and not ids[0] & ids[1]


def test_one_point_and_one_bin_can_be_drawn():
    assert "<svg" in charts.curves("a", [(charts.SECOND, [(3.0, 0.5)])], label="", marked=True, best=(3.0, 0.5))
    assert "<svg" in charts.histogram("b", [{"low": 0, "high": 0, "count": 3}], label="", limit=None)
    assert "<svg" in charts.reliability("c", [{"low": 14 / 15, "high": 1.0, "count": 3, "confidence": 1.0, "accuracy": 1.0}], label="")
