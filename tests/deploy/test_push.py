"""A run pushed to a hub (a stand-in), and taken back: by transformers, to train from, and to predict with by its name."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import sentences, write_csv
from tests.engine.hub_stand_in import Ear, HubStandIn, hub_stand_in, write
from tests.engine.hub_uploads import TOKEN
from tests.own_tasks import PLAIN, written
from weitiao import tasks
from weitiao.deploy.export import export
from weitiao.deploy.lightest import put
from weitiao.deploy.publishing.pushed import published_record, push
from weitiao.errors import ModelError, RunError
from weitiao.runs import RunFolder

pytestmark = pytest.mark.usefixtures("ann")
TEXTS = ["what a lovely day", "the room was awful and cold", "it is"]
Train = Callable[..., Any]


@pytest.fixture
def mine(ann: None, train_tiny: Train) -> weitiao.Run:
    """A run."""
    run: weitiao.Run = train_tiny(epochs=3)
    return run


def answers(model: Any) -> list[dict[str, Any]]:
    return [{**answer, "score": round(answer["score"], 5), "probabilities": None} for answer in model.predict(TEXTS)]


def test_what_is_pushed_is_the_model_its_card_and_its_record(mine: weitiao.Run, hub: HubStandIn, tmp_path: Path) -> None:
    ear = Ear()
    made = push(mine.path, "ann/tweets", endpoint=hub.url, message="From a test", observer=ear)
    there = hub.repositories["ann/tweets"]
    assert made["address"] == f"{hub.url}/ann/tweets" and set(made["files"]) == set(there.files) - {".gitattributes"}
    assert set(made["files"]) == {"README.md", "run.json", *(file.name for file in mine.folder.model.iterdir())}
    assert there.history[-1][1] == "From a test"
    head = yaml.safe_load(there.files["README.md"].decode().split("---\n")[1])
    assert {"weitiao", "text-classification"} <= set(head["tags"]) and head["library_name"] == "transformers"
    assert head["model-index"][0]["name"] == "tweets"
    card = there.files["README.md"].decode()
    assert 'pipeline("text-classification", model="ann/tweets")' in card and "weitiao predict ann/tweets" in card and "./model" not in card
    assert any("stay here" in note for note in ear.notes)
    assert not list(tmp_path.glob(".push-*"))  # nothing is left beside the run


def test_no_place_of_this_machine_no_row_and_no_secret_is_in_any_file(
    mine: weitiao.Run, hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_SECRET", "s3cret-of-this-machine")
    record = mine.record
    # What runs of other tasks record: texts beside the figures, a corpus by its files.
    record["evaluation"] |= {"side_by_side": [{"input": "a private text"}], "entity_errors": [{"text": "a private text", "kind": "missed"}]}
    record["pretraining_notes"] = f"from {tmp_path}/secret.csv"
    record["settings"]["valid"] = "../private/validation.csv"
    (mine.path / "run.json").write_text(json.dumps(record))
    push(mine.path, "ann/tweets", endpoint=hub.url)
    for name, content in hub.repositories["ann/tweets"].files.items():
        for private in (str(tmp_path), str(Path.home()), "../private", "a private text", TOKEN, "s3cret-of-this-machine"):
            assert private.encode() not in content, (name, private)
    told = json.loads(hub.repositories["ann/tweets"].files["run.json"])
    assert not {"command", "environment"} & told.keys() and "folder" not in told["base_model"]
    assert told["evaluation"]["metrics"] == record["evaluation"]["metrics"] and told["data"]["splits"]["train"]["source"] == "reviews.csv"


def test_transformers_takes_it(mine: weitiao.Run, hub: HubStandIn, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    push(mine.path, "ann/tweets", endpoint=hub.url)
    folder = write(tmp_path / "fetched", hub.repositories["ann/tweets"].files)
    assert AutoModelForSequenceClassification.from_pretrained(folder).config.id2label == {0: "bad", 1: "good"}


def run_card(card: str, folders: dict[str, Path]) -> dict[str, Any]:
    """What a card's first lines of Python leave behind, with folders in the place of the names on the hub."""
    code = card.partition("```python\n")[2].partition("```")[0]
    for name, folder in folders.items():
        code = code.replace(json.dumps(name), json.dumps(str(folder)))
    left: dict[str, Any] = {}
    exec(code, left)
    return left


def test_the_cards_own_lines_answer_as_the_run_does(mine: weitiao.Run, hub: HubStandIn, tmp_path: Path) -> None:
    push(mine.path, "ann/tweets", endpoint=hub.url)
    held = hub.repositories["ann/tweets"].files
    model = run_card(held["README.md"].decode(), {"ann/tweets": write(tmp_path / "fetched", held)})["model"]
    assert [answer["label"] for answer in model(list(TEXTS))] == [answer["label"] for answer in mine.predict(list(TEXTS))]


def test_it_predicts_by_its_name_as_the_run_did(mine: weitiao.Run, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    push(mine.path, "ann/tweets", endpoint=hub.url)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    fetched = weitiao.load("ann/tweets")
    assert answers(fetched) == answers(mine) and fetched.name == "ann/tweets"
    asked = len(hub.requests)
    assert answers(weitiao.load("ann/tweets", offline=True)) == answers(mine)  # it is here now
    assert len(hub.requests) == asked


def test_it_is_trained_from_by_its_name(
    mine: weitiao.Run, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, train_tiny: Train, tmp_path: Path
) -> None:
    push(mine.path, "ann/tweets", endpoint=hub.url)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    again = train_tiny(model="ann/tweets", out=str(tmp_path / "again"), epochs=1)
    assert again.record["base_model"]["id"] == "ann/tweets"
    assert again.record["base_model"]["revision"] == hub.repositories["ann/tweets"].commits["main"]
    assert answers(weitiao.load("ann/tweets")) == answers(mine)  # what was fetched to train from has no record yet: the rest is fetched


def test_the_command_line_pushes_and_predicts(
    mine: weitiao.Run, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Outcome]
) -> None:
    done = command("push", str(mine.path), "ann/tweets", "--endpoint", hub.url, "--private", "--json")
    assert done.code == 0 and json.loads(done.out)["address"] == f"{hub.url}/ann/tweets", done.err
    assert hub.repositories["ann/tweets"].private and TOKEN not in done.out + done.err
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    told = command("predict", "ann/tweets", *TEXTS, "--json")
    assert told.code == 0, told.err
    assert [answer["label"] for answer in json.loads(told.out)["predictions"]] == [answer["label"] for answer in answers(mine)]


def test_what_would_be_sent_can_be_looked_at_and_nothing_is_sent(
    mine: weitiao.Run, hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Outcome]
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    place = tmp_path / "looked-at"
    done = command("push", str(mine.path), "ann/tweets", "--out", str(place), "--offline", "--private", "--endpoint", hub.url)
    assert done.code == 0 and not hub.repositories, done.err
    assert f"weitiao push {mine.path} ann/tweets --private --endpoint {hub.url}" in done.err  # and to no other hub
    weights = place / "model.safetensors"
    assert weights.stat().st_nlink == 1  # whoever changes it there changes no run
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    made = push(mine.path, "ann/tweets", endpoint=hub.url)
    there = hub.repositories["ann/tweets"].files
    assert {file: (place / file).read_bytes() for file in made["files"]} == {file: there[file] for file in made["files"]}
    assert command("push", str(mine.path), "ann/tweets", "--out", str(place)).code == 7
    assert command("push", str(mine.path), "no name", "--out", str(tmp_path / "b")).code == 2 and not (tmp_path / "b").exists()


def test_a_run_that_nobody_has_published_is_said_to_be_nowhere(
    hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    told = command("predict", "ann/nothing", "x")
    assert told.code == 7 and "Nor is there a run of that name" in told.err and "404" in told.err
    (tmp_path / "ann").mkdir()  # now it is a path with a mistake in it, which is nobody's business
    asked = len(hub.requests)
    assert command("predict", "ann/nothing", "x").code == 7 and len(hub.requests) == asked


def test_an_export_without_torch_is_pushed_as_it_is(
    mine: weitiao.Run, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    export(mine.path, "onnx", tmp_path / "onnx")
    made = push(tmp_path / "onnx", "ann/light", endpoint=hub.url)
    assert "model/model.onnx" in made["files"] and "predictions.jsonl" not in made["files"]
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert answers(weitiao.load("ann/light")) == answers(weitiao.load(tmp_path / "onnx"))


def test_an_export_of_what_was_pushed_answers(mine: weitiao.Run, hub: HubStandIn, tmp_path: Path) -> None:
    push(mine.path, "ann/tweets", endpoint=hub.url)
    fetched = write(tmp_path / "fetched", hub.repositories["ann/tweets"].files)
    for form in ("onnx", "merged"):
        export(fetched, form, tmp_path / form)
        assert "published" not in RunFolder.open(tmp_path / form).record()
        assert [one["label"] for one in answers(weitiao.load(tmp_path / form))] == [one["label"] for one in answers(mine)]
    push(tmp_path / "onnx", "ann/light", endpoint=hub.url)
    light = RunFolder.open(write(tmp_path / "light", hub.repositories["ann/light"].files))
    inner = RunFolder(tmp_path / "inner")
    put(light, tasks.get("text-classification"), inner, export, Ear())  # as it is, into a container or a Space
    assert "published" not in inner.record() and answers(weitiao.load(inner.path)) == answers(weitiao.load(tmp_path / "onnx"))


def test_a_task_file_goes_along_and_needs_trust_elsewhere(
    train_tiny: Train, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "this machine"))
    run = train_tiny(task=written(tmp_path / "code", PLAIN), epochs=1)
    ear = Ear()
    made = push(run.path, "ann/own", endpoint=hub.url, observer=ear)
    assert "task/mine.py" in made["files"] and any("task/mine.py" in note for note in ear.notes)
    assert str(tmp_path).encode() not in hub.repositories["ann/own"].files["run.json"]
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    for module in [module for module in sys.modules if module.startswith("weitiao_task_")]:
        monkeypatch.delitem(sys.modules, module)  # as in another process
    with pytest.raises(RunError, match="--trust-task"):
        weitiao.load("ann/own")
    assert len(weitiao.load("ann/own", trust_task=True).predict(TEXTS)) == len(TEXTS)


def test_an_adapter_on_a_folder_of_this_machine_is_refused_and_merged_it_goes(
    train_tiny: Train, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = train_tiny(method="lora", epochs=1)
    with pytest.raises(ModelError, match="--to merged"):
        push(run.path, "ann/adapter", endpoint=hub.url)
    assert hub.repositories == {}
    export(run.path, "merged", tmp_path / "merged")
    push(tmp_path / "merged", "ann/merged", endpoint=hub.url)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.chdir(tmp_path / "merged")
    assert answers(weitiao.load("ann/merged")) == answers(run)


def test_an_adapter_on_a_base_of_the_hub(
    mine: weitiao.Run, hub: HubStandIn, train_tiny: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(mine.path, "ann/base", endpoint=hub.url)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    run = train_tiny(model="ann/base", method="lora", epochs=1, out=str(tmp_path / "adapter"))
    made = push(run.path, "ann/adapter", endpoint=hub.url)
    assert made["adapter"] and "adapter_config.json" in made["files"]
    held = hub.repositories["ann/adapter"].files
    assert json.loads(held["adapter_config.json"])["base_model_name_or_path"] == "ann/base"
    card = held["README.md"].decode()
    assert 'from_pretrained(base, "ann/adapter")' in card and "pip install" in card and "pip install weitiao" not in card
    folders = {"ann/base": write(tmp_path / "the-base", hub.repositories["ann/base"].files), "ann/adapter": write(tmp_path / "own", held)}
    told = run_card(card, folders)
    assert type(told["model"]).__name__.startswith("PeftModel") and told["model"].num_labels == 2
    shutil.rmtree(run.path)
    fetched = weitiao.load("ann/adapter")
    assert [answer["label"] for answer in fetched.predict(TEXTS)]


def test_a_card_says_how_plain_transformers_loads_what_it_has_no_pipeline_for(hub: HubStandIn, train_tiny: Train, tmp_path: Path) -> None:
    context = "the old bridge was opened in may and the new bridge was opened in june"
    rows = [{"question": f"when {number}", "context": context, "answers": ["may", "june"][number % 2]} for number in range(24)]
    data = tmp_path / "qa.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run = train_tiny(data=str(data), task="question-answering", valid=str(data), test=str(data), epochs=1, doc_stride=4)
    push(run.path, "ann/qa", endpoint=hub.url)
    held = hub.repositories["ann/qa"].files
    card = held["README.md"].decode()
    assert "Plain transformers loads it" in card
    told = run_card(card, {"ann/qa": write(tmp_path / "fetched", held)})
    assert type(told["model"]).__name__ == "BertForQuestionAnswering"


def test_a_run_that_is_not_finished_is_not_pushed(mine: weitiao.Run, hub: HubStandIn) -> None:
    RunFolder(mine.path).update(status="interrupted")
    with pytest.raises(RunError, match="not finished"):
        push(mine.path, "ann/tweets", endpoint=hub.url)
    assert hub.requests == []


def test_a_mirror_for_downloads_sees_nothing_of_a_push(mine: weitiao.Run, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_stand_in() as mirror:
        monkeypatch.setenv("HF_ENDPOINT", mirror.url)
        push(mine.path, "ann/tweets", endpoint=hub.url)
        assert mirror.requests == []


def test_a_corpus_is_told_by_the_names_of_its_files() -> None:
    corpus = {
        "sources": {"/data/a/x.txt": {"documents": 1}, "/data/b/x.txt": {"documents": 2}},
        "shown": ["a private text"],
        "documents": 3,
    }
    told = published_record({"pretraining": {"objective": "mlm", "corpus": corpus}}, "ann/lm", at_top=True)
    assert told["pretraining"]["corpus"] == {"documents": 3, "sources": {"x.txt": {"documents": 3}}}
    assert told["published"] == {"repo": "ann/lm", "model": "."}


def test_what_was_pushed_can_be_evaluated(mine: weitiao.Run, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    push(mine.path, "ann/tweets", endpoint=hub.url)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    data = write_csv(tmp_path / "new.csv", list(sentences(20, seed=5)))
    assert weitiao.load("ann/tweets").evaluate(str(data))["metrics"] == mine.evaluate(str(data))["metrics"]
