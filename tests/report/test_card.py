"""The model card: metadata that the hub accepts, and a text that passes no path of this machine on."""

import re

import pytest
from huggingface_hub import ModelCard

from weitiao import messages
from weitiao.report import card, obtaining, write_card
from weitiao.runs import RunFolder


def card_of(run):
    path = write_card(run)
    assert path == run.card
    return ModelCard(path.read_text(encoding="utf-8"))


def test_metadata_is_what_the_hub_reads(make_run):
    run = make_run()
    data = card_of(run).data
    assert (data.library_name, data.pipeline_tag, data.license, data.language) == (
        "transformers",
        "text-classification",
        "apache-2.0",
        "en",
    )
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2" and data.tags == ["weitiao", "text-classification"]
    assert data.metrics == ["accuracy", "balanced_accuracy", "f1", "matthews_correlation"]
    results = {result.metric_name: result for result in data.eval_results}
    figures = run.record()["evaluation"]["metrics"]
    assert results["f1_macro"].metric_value == round(figures["f1_macro"], 4) and results["f1_macro"].metric_type == "f1"
    assert (results["accuracy"].dataset_name, results["accuracy"].dataset_split) == ("test.csv", "test")
    assert data.model_name == "reviews"


def test_text_says_what_it_is_how_good_and_how_to_use_it(make_run):
    run = make_run(labels=["账单", "物流"], texts=["包裹在哪里"])
    card = card_of(run)
    interval = "[{:.3f} – {:.3f}]".format(*run.record()["evaluation"]["intervals"]["accuracy"])
    for part in (
        *("# reviews", "`账单`, `物流`", 'pipeline("text-classification", model="./model")', "give the model's id", "weitiao predict ."),
        *("| macro F1 |", "TF-IDF + logistic regression", interval, "It reads 128 tokens", "3 test rows also stand in the training data."),
    ):
        assert part in card.text, part
    assert card.data.language == "zh"
    table = [line for line in card.text.splitlines() if line.startswith("|")]
    assert len(table) >= 9 and len({line.count("|") for line in table}) == 1


@pytest.mark.parametrize("source", ["/home/somebody/secret/reviews.csv", "hub:owner/reviews"])
def test_holds_no_path_of_this_machine(make_run, source):
    run = make_run()
    record = run.record()
    for split in record["data"]["splits"].values():
        split["source"] = source
    base = {"id": "my-base", "source": "folder", "revision": None, "sha256": "1", "license": ""}
    run.update(data=record["data"], evaluation={**record["evaluation"], "source": source}, base_model=base)
    check = run.check_file.read_text(encoding="utf-8").replace("3 test rows", f"3 rows of {source}")
    run.check_file.write_text(check, encoding="utf-8")
    card = card_of(run)
    assert "/home" not in str(card) and "reviews" in card.text
    # A folder of somebody's machine is no lineage, and no license is not a license.
    assert card.data.base_model is None and card.data.license is None and "Fine-tuned from my-base." in card.text


def test_hub_ids_are_lineage(make_run):
    base = {"id": "google-bert/bert-base-chinese", "source": "cache", "license": "Apache-2.0"}
    assert card_of(make_run(base_model=base)).data.base_model == "google-bert/bert-base-chinese"


def test_without_a_test_it_claims_nothing(make_run):
    card = card_of(make_run(test=False))
    assert card.data.eval_results is None and "has not been evaluated" in card.text and "| Metric |" not in card.text


def test_a_run_that_holds_next_to_nothing(tmp_path):
    run = RunFolder(tmp_path / "young")
    run.create()
    run.update(name="young", status="finished", task="my-own-task", weitiao="0.1.0")
    card = card_of(run)
    assert card.data.pipeline_tag is None and "# young" in card.text


def test_labels_cannot_break_out(make_run):
    run = make_run(labels=["a|b", "<script>alert(1)</script>", "tick ` tick", "two\nlines"])
    run.update(name="<b>run")
    card = card_of(run)
    prose = re.sub(r"`[^`]*`", "", card.text)
    assert "<script>" not in prose and "<b>" not in prose and "&lt;b&gt;run" in prose
    assert "`tick ' tick`" in card.text and "`two lines`" in card.text


def test_several_labels_are_said_to_be_several(make_run):
    run = make_run()
    assert "It gives a text one of the labels above" in card_of(run).text
    run.update(spec={**run.record()["spec"], "multi_label": True})
    text = card_of(run).text
    assert "It gives a text those of the labels above that fit" in text and "one of the labels" not in text


def test_many_labels_are_counted_not_listed(make_run):
    card = card_of(make_run(labels=[f"topic {i}" for i in range(60)], rows=400))
    assert "`topic 39` and 20 more" in card.text and "topic 40" not in card.text


def test_chinese_text_with_the_hubs_own_keys(make_run):
    messages.set_language("zh")
    card = card_of(make_run())
    assert card.data.pipeline_tag == "text-classification" and card.data.eval_results


def test_files_of_one_name_are_summed_and_the_smallest_are_one_row():
    counted = {f"{folder}/a.txt": {"documents": 2, "characters": 900} for folder in "xyz"}
    counted |= {f"{number}.txt": {"documents": 1, "characters": number} for number in range(1, 31)}
    shown = card._sources(counted)
    assert shown["a.txt"] == {"documents": 6, "characters": 2700}
    assert len(shown) == 21 and shown["11 other files"] == {"documents": 11, "characters": 66}
    assert sum(counts["characters"] for counts in shown.values()) == 2700 + 465


def test_nobody_is_told_to_install_what_no_index_has(make_run, monkeypatch):
    run = make_run()
    text = card_of(run).text
    assert "pip install weitiao" not in text and 'pip install "weitiao' not in text and "pip install 'weitiao" not in text
    assert "package index" not in text  # a card outlives what is known of that
    assert '`pip install ".[train]"`' in text and "weitiao-" in text and "-py3-none-any.whl[train]" in text
    assert text.index("pipeline(") < text.index("weitiao predict")
    (run.path / "model").mkdir(exist_ok=True)
    run.update(export={"to": "onnx"})
    assert '`pip install "."`' in card_of(run).text


@pytest.mark.parametrize("label", ["Repository", "Source Code", "source"])
def test_where_the_project_names_its_repository_that_is_told(make_run, monkeypatch, label):
    class Told:
        def get_all(self, name):
            return ["Homepage, https://example.org/home", f"{label}, https://example.org/weitiao"]

    monkeypatch.setattr(obtaining, "metadata", lambda name: Told())
    assert '`pip install "weitiao[train] @ git+https://example.org/weitiao"`' in card_of(make_run()).text
    monkeypatch.setattr(Told, "get_all", lambda self, name: ["Repository, ftp://example.org/x"])
    assert obtaining.repository() == ""


def test_a_task_that_transformers_has_no_pipeline_for_is_loaded_by_its_class(make_run):
    run = make_run(task="question-answering")
    run.model.mkdir(exist_ok=True)
    assert "from_pretrained" not in card_of(run).text  # there is no config that names the class
    (run.model / "config.json").write_text('{"architectures": ["BertForQuestionAnswering"]}')
    text = card_of(run).text
    assert "from transformers import AutoTokenizer, BertForQuestionAnswering" in text
    for odd in ('["a b"]', "5", "[]", "{}", "null"):
        (run.model / "config.json").write_text(f'{{"architectures": {odd}}}')
        assert "from_pretrained" not in card_of(run).text


def test_an_adapters_card_says_how_peft_loads_it_and_no_class_of_its_base(make_run):
    """Beside an adapter stands its base's config, which names a class that nothing in the folder is of."""
    run = make_run(task="question-answering")
    settings = {**run.record()["settings"], "method": "lora"}
    run.model.mkdir(exist_ok=True)
    (run.model / "config.json").write_text('{"architectures": ["BertForQuestionAnswering"]}')
    bases = (
        ({"id": "google-bert/bert-base-cased", "source": "cache"}, True),
        ({"id": "my-base", "source": "folder"}, False),
        ({"id": "offline:zh-mini", "source": "offline"}, False),
    )
    for base, on_a_hub in bases:
        run.update(settings=settings, base_model={**base, "license": ""})
        text = card_of(run).text
        assert "Plain transformers loads it" not in text and "BertForQuestionAnswering" not in text
        assert 'PeftModel.from_pretrained(base, "./model")' in text
        assert (f'AutoModelForQuestionAnswering.from_pretrained("{base["id"]}")' in text) is on_a_hub
        assert (f'from_pretrained("{base["id"]}"' in text) is on_a_hub
        assert (f"# base: {base['id']}, with the head for this task" in text) is not on_a_hub
