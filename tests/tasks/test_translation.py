"""Translation: what each family's model sees of a pair, learning by heart, tables of languages, and bad input."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from tests.tasks.translators import make_translator
from weitiao import tasks
from weitiao.data.records import Records
from weitiao.data.table import Table
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.engine.models import load_tokenizer, processor_for
from weitiao.engine.prediction import Predictor
from weitiao.errors import DataError, UsageError

TASK: Any = tasks.get("translation")
PAIRS = [
    ("the red fox runs", "der rote Fuchs rennt"),
    ("a small cat sleeps", "eine kleine Katze schläft"),
    ("we drink cold water", "wir trinken kaltes Wasser"),
    ("the old bridge is closed", "die alte Brücke ist geschlossen"),
    ("my friend reads a book", "mein Freund liest ein Buch"),
    ("it rains every morning", "es regnet jeden Morgen"),
    ("the train leaves at noon", "der Zug fährt am Mittag ab"),
    ("children play in the garden", "Kinder spielen im Garten"),
]
TEXTS = [text for pair in PAIRS for text in pair]
CODES = {"mbart": ("en_XX", "de_DE"), "mbart50": ("en_XX", "de_DE"), "nllb": ("eng_Latn", "deu_Latn"), "m2m100": ("en", "de")}


def settings(**given: Any) -> Any:
    return tasks.recipe({"task": "translation", **given}).task


def write_pairs(path: Path, pairs: list[tuple[str, str]], names: tuple[str, str] = ("source", "target")) -> Path:
    path.write_text("".join(json.dumps(dict(zip(names, pair, strict=True)), ensure_ascii=False) + "\n" for pair in pairs))
    return path


@pytest.mark.parametrize("family", CODES)
def test_ids_are_what_the_familys_own_tokenizer_makes(family: str, tmp_path: Path) -> None:
    folder = make_translator(tmp_path / family, family, TEXTS)
    tokenizer = load_tokenizer(folder)
    processor = processor_for(tokenizer)
    spec = TASK.fit(TASK.spec_from({}, settings(source_lang="en", target_lang="German")), processor)
    tokenizer.src_lang, tokenizer.tgt_lang = CODES[family]
    for source, target in PAIRS:
        (features,) = TASK.encode({"source": source, "target": target}, processor, spec, max_length=60, for_training=True)
        wanted = tokenizer(source, text_target=target)
        assert features.inputs["input_ids"] == wanted["input_ids"]
        if family == "mbart":  # the class's own docstring and its code disagree; the model shifts the last id to the front
            assert features.target[-1] == tokenizer.convert_tokens_to_ids("de_DE")
        assert features.target == wanted["labels"]
        assert TASK.decode({}, [features], [{"sequences": np.array(features.target)}], spec, processor) == {"text": target}
    begins = tokenizer.convert_tokens_to_ids(CODES[family][1]) if family != "m2m100" else tokenizer.get_lang_id("de")
    wanted_name = "decoder_start_token_id" if family == "mbart" else "forced_bos_token_id"
    assert TASK.generation(spec)[wanted_name] == begins


def test_t5_is_told_in_words_and_marian_by_the_target(tmp_path: Path) -> None:
    processor = processor_for(load_tokenizer(make_translator(tmp_path / "t5", "t5", TEXTS)))
    assert (
        TASK.fit(TASK.spec_from({}, settings(source_lang="en", target_lang="de")), processor)["beginning"]
        == "translate English to German: "
    )
    assert TASK.fit(TASK.spec_from({}, settings(prefix="")), processor)["beginning"] == ""
    assert TASK.fit(TASK.spec_from({}, settings(prefix="de: ")), processor)["beginning"] == "de: "
    with pytest.raises(UsageError, match="--source-lang en --target-lang de"):
        TASK.fit(TASK.spec_from({}, settings()), processor)
    tokenizer = load_tokenizer(make_translator(tmp_path / "marian", "marian", TEXTS))
    processor = processor_for(tokenizer)
    spec = TASK.fit(TASK.spec_from({}, settings(target_lang="de")), processor)
    (features,) = TASK.encode({"source": PAIRS[0][0], "target": PAIRS[0][1]}, processor, spec, max_length=60, for_training=True)
    wanted = tokenizer(">>deu<< " + PAIRS[0][0], text_target=PAIRS[0][1])
    assert (features.inputs["input_ids"], features.target) == (wanted["input_ids"], wanted["labels"])
    assert features.target != tokenizer(PAIRS[0][1])["input_ids"]  # the target side is cut by its own model


def test_languages_that_a_model_must_be_told(tmp_path: Path) -> None:
    processor = processor_for(load_tokenizer(make_translator(tmp_path / "nllb", "nllb", TEXTS)))
    with pytest.raises(UsageError, match=r"must be told which.*--source-lang en --target-lang de"):
        TASK.fit(TASK.spec_from({}, settings()), processor)
    with pytest.raises(UsageError, match=r'no language "fr" \(--target-lang\); it knows de, en, '):
        TASK.fit(TASK.spec_from({}, settings(source_lang="en", target_lang="fr")), processor)
    spec = TASK.fit(TASK.spec_from({}, settings(source_lang="en", target_lang="zho_Hant")), processor)
    assert spec["target_code"] == processor.token("zho_Hant")


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_pairs_are_learned_by_heart(family: str, tmp_path: Path) -> None:
    model = tmp_path / "model"
    write_blank(model, ARCHITECTURES[family], TEXTS, seed=1, size=Size(width=64, layers=1, heads=4, positions=128, vocabulary=400))
    run = learned(tmp_path, model)
    assert run.metrics["bleu"] >= 90
    evaluation = run.record["evaluation"]
    assert evaluation["signature"].startswith("BLEU|nrefs:1")
    assert set(evaluation["baselines"]) == {"copy"} and evaluation["verdict"]["beats_baselines"]
    assert run.predict([PAIRS[0][0]]) == [{"text": PAIRS[0][1]}]
    # In another object, by beams.
    again = weitiao.load(tmp_path / "run", num_beams=3)
    assert [answer["text"] for answer in again.predict([source for source, _target in PAIRS[:3]])] == [
        right for _source, right in PAIRS[:3]
    ]
    assert "".join(again.stream(PAIRS[1][0], num_beams=1)).strip() == PAIRS[1][1]
    answers = tmp_path / "answers.csv"
    again.predict_file(str(tmp_path / "pairs.jsonl"), answers)
    assert "predicted_target" in answers.read_text(encoding="utf-8-sig").splitlines()[0]


@pytest.mark.parametrize("family", ["mbart", "mbart50", "marian"])
def test_models_with_language_tokens_learn_and_come_back(family: str, tmp_path: Path) -> None:
    run = learned(tmp_path, make_translator(tmp_path / "model", family, TEXTS), epochs=25, max_new_tokens=24)
    before = run.predict([source for source, _target in PAIRS])
    assert weitiao.load(tmp_path / "run").predict([source for source, _target in PAIRS]) == before
    used = weitiao.load(tmp_path / "run" / "model", task="translation", source_lang="en", target_lang="de", max_new_tokens=24)
    assert used.predict([source for source, _target in PAIRS]) == before
    assert not any("__" in answer["text"] or ">>" in answer["text"] for answer in before)


def learned(place: Path, model: Path, **given: Any) -> Any:
    data = write_pairs(place / "pairs.jsonl", PAIRS)
    chosen = {"epochs": 50, "batch_size": 4, "lr": 5e-3, "max_length": 60, "max_new_tokens": 40, **given}
    return weitiao.train(
        str(data),
        task="translation",
        model=str(model),
        out=str(place / "run"),
        valid=str(data),
        test="0",
        threads=1,
        source_lang="en",
        target_lang="de",
        **chosen,
    )


def shaped(names: list[str], cells: list[list[str | None]], **given: Any) -> Table:
    return TASK.reshape(Table.of(names, cells, range(2, 2 + len(cells)), "a.csv"), settings(**given))


def test_columns_named_after_languages() -> None:
    table = shaped(["id", "en", "德语"], [["1", "Hello", "Hallo"]])
    assert (table[0]["source"], table[0]["target"]) == ("Hello", "Hallo")
    assert "translated from en into 德语" in table.notes[0]
    table = shaped(["en", "de"], [["Hello", "Hallo"]], source_lang="de")
    assert (table[0]["source"], table[0]["target"]) == ("Hallo", "Hello")
    with pytest.raises(UsageError, match="Say from which into which: --source-lang en --target-lang de"):
        shaped(["en", "de", "fr"], [["Hello", "Hallo", "Salut"]])
    with pytest.raises(DataError, match="no texts in it; it has en, de"):
        shaped(["en", "de"], [["Hello", "Hallo"]], target_lang="it")
    assert shaped(["source", "en"], [["a", "b"]]).names == ["source", "en"]
    assert shaped(["text", "label"], [["a", "b"]]).names == ["text", "label"]


def test_one_column_of_all_languages() -> None:
    cells = [[json.dumps({"en": "Hello", "de": "Hallo"})], [json.dumps({"en": "Yes", "de": None})]]
    table = shaped(["translation"], cells, source_lang="de", target_lang="en")
    assert table.texts("source") == ["Hallo", None]
    with pytest.raises(DataError, match=r'row 3.*"translation" must hold a text for each language'):
        shaped(["translation"], [*cells[:1], ['{"en": 3}']])


@pytest.mark.parametrize("names", [("classical", "modern"), ("源文", "译文"), ("文言文", "现代文"), ("zh", "en")])
def test_other_names_of_columns_are_known(names: tuple[str, str], tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "a.jsonl", PAIRS, names)
    found = weitiao.check(str(data), task="translation")["plan"]["fields"]
    assert found["source"]["columns"][0] in (names[0], "source") and found["target"]["columns"][0] in (names[1], "target")


def test_an_empty_target_is_refused_with_its_row_and_an_empty_source_listed(tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "a.jsonl", [*PAIRS, ("left alone", " "), ("", "ganz allein")])
    with pytest.raises(DataError, match=r'row 9.*"target" is empty'):
        weitiao.check(str(data), task="translation")
    ledger = weitiao.check(str(data), task="translation", max_bad_rows=1)["ledger"]
    assert ledger["dropped:empty_target"] == 1 and ledger["dropped:empty_source"] == 1


def test_figures_name_the_tokeniser_of_the_language() -> None:
    records = Records({"source": ["常有消渴疾。"], "target": ["他经常患糖尿病。"]}, np.array([2]), "a.csv")
    scores = TASK.score([{"text": "他常患糖尿病。"}], records, TASK.learn(records, settings()))
    assert "tok:zh" in scores["signature"]
    assert scores["metrics"]["bleu"] > 30
    assert scores["side_by_side"][0]["reference"] == "他经常患糖尿病。"
    assert TASK.score([{"text": ""}], records, TASK.learn(records, settings()))["metrics"]["bleu"] == 0


def test_without_sacrebleu_it_stops_before_the_training_where_rows_are_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_pairs(tmp_path / "pairs.jsonl", PAIRS)
    told: dict[str, Any] = {"task": "translation", "model": "blank:t5", "epochs": 1, "max_length": 32, "max_new_tokens": 4, "threads": 1}
    run = weitiao.train(str(data), out=str(tmp_path / "run"), valid=0, test=0, **told)
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(UsageError, match=r"pip install 'weitiao\[text\]'"):
        weitiao.train(str(data), out=str(tmp_path / "held"), valid=0, test=str(data), **told)
    assert not (tmp_path / "held").exists()
    # What is only learned, checked or used is not judged.
    assert weitiao.check(str(data), task="translation", test=str(data))["check"]["rows"]["test"] == len(PAIRS)
    assert weitiao.load(run.path).predict([PAIRS[0][0]])[0].keys() == {"text"}
    monkeypatch.setattr(Predictor, "predict", lambda *arguments: pytest.fail("it predicts what it cannot judge"))
    with pytest.raises(UsageError, match="BLEU needs sacreBLEU"):
        run.evaluate(str(data))
