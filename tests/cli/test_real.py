"""The verbs over the real interface, with a tiny model: what the stand-in of the other tests takes for granted."""

import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import weitiao
from tests.cli.conftest import Outcome
from tests.conftest import make_model, sentences

Command = Callable[..., Outcome]


def test_from_a_file_to_predictions(
    command: Command, tiny_model: Path, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run, quick = str(tmp_path / "run"), ["--model", str(tiny_model), "--max-length", "32", "--epochs", "1", "--threads", "1"]
    planned = command("train", str(reviews), *quick, "--out", run, "--dry-run", "--json")
    assert planned.json["plan"]["epochs"] == 1
    assert planned.json["check"]["rows"]["train"] > 0
    assert not Path(run).exists()

    trained = command("train", str(reviews), *quick, "--out", run, "--json")
    assert (trained.code, trained.err) == (0, "")
    assert trained.json["status"] == "finished"
    assert trained.json["command"][:2] == ["weitiao", "train"]

    refused = command("train", str(reviews), *quick, "--out", run)
    assert refused.code == 7
    assert "--overwrite" in refused.err

    assert command("evaluate", run, str(reviews), "--json").json["metrics"]["accuracy"] >= 0
    assert set(command("predict", run, "a lovely day", "--json").json["predictions"][0]["probabilities"]) == {"bad", "good"}
    assert command("predict", run, "--file", str(reviews), "--out", str(tmp_path / "p.csv"), "--json").json["rows"] == 120
    assert len(command("predict", run, "--file", str(reviews)).out.splitlines()) == 120
    assert Path(command("report", run, "--json").json["report"]).is_file()


def test_a_model_goes_on_with_running_text(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    corpus, run = tmp_path / "corpus.txt", tmp_path / "run"
    corpus.write_text("".join(f"{text} .\n" for text, _label in sentences(60)), encoding="utf-8")
    there = sorted(one.name for one in tmp_path.iterdir())
    words = ["pretrain", str(corpus), "--from", str(tiny_model), "--raw", "--block-size", "32", "--held-out", "0.2", "--threads", "1"]
    planned = command(*words, "--max-steps", "2", "--out", str(run), "--dry-run")
    assert planned.code == 0 and "60 documents" in planned.out
    assert sorted(one.name for one in tmp_path.iterdir()) == there
    trained = command(*words, "--max-steps", "2", "--out", str(run))
    assert trained.code == 0
    held = next(line for line in trained.out.splitlines() if "held out" in line)
    assert "perplexity" in trained.out and "(before: " in held
    assert "Epoch 0" in trained.err


def test_check_draws_what_the_data_says(command: Command, reviews: Path) -> None:
    outcome = command("check", str(reviews), "--offline")
    assert outcome.code == 0
    assert "good" in outcome.out
    assert "bad" in outcome.out


def test_a_missing_file_is_a_data_error(command: Command) -> None:
    outcome = command("check", "nowhere.csv", "--json")
    assert outcome.code == 3
    assert outcome.json["error"]["file"] == "nowhere.csv"


def test_a_pretrained_model_answers_under_a_task(command: Command, tiny_model: Path, tmp_path: Path) -> None:
    import transformers

    folder = str(tmp_path / "answers")
    transformers.BertForQuestionAnswering.from_pretrained(tiny_model).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    asked = ("predict", folder, "what was late", "--context", "the day was sunny and the box was late")
    refused = command(*asked)
    assert refused.code == 7
    assert "--task question-answering" in refused.err
    answered = command(*asked, "--task", "qa", "--top-k", "2", "--offline")
    assert answered.code == 0, answered.err
    assert "answer" in answered.out
    assert len(command(*asked, "--task", "qa", "--top-k", "2", "--json").json["predictions"][0]["answers"]) == 2
    untrained = command("predict", str(tiny_model), "a day", "--task", "text-classification")
    assert (untrained.code, untrained.out) == (4, "")
    assert "weitiao train DATA" in untrained.err


def test_a_model_talks_and_stops_when_nobody_listens(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(make_model(tmp_path / "talker", "gpt2", bos_token_id=0, eos_token_id=0))
    monkeypatch.setattr("sys.stdin", io.StringIO("the day was\nand today\n"))
    outcome = command("chat", folder, "--max-new-tokens", "4")
    assert outcome.code == 0, outcome.err
    assert len(outcome.out.splitlines()) == 2
    pieces = weitiao.load(folder, task="text-generation", max_new_tokens=50).stream("the day was")
    before = threading.active_count()
    assert next(pieces)
    pieces.close()
    assert threading.active_count() == before  # the writing ends with the reader
