"""Settings: one declaration each, refused when unknown or impossible, the same from every side."""

import json
from pathlib import Path

import pytest

import weitiao
from weitiao import tasks
from weitiao.config import Recipe, read_config, setting_fields
from weitiao.errors import UsageError
from weitiao.other_tools import WORDS


def test_every_setting_has_help_and_a_sane_default() -> None:
    for name, field in setting_fields().items():
        assert field.metadata["help"].endswith("."), name
    assert Recipe.of({}) == Recipe()


def test_a_recipe_survives_json() -> None:
    recipe = tasks.recipe({"data": "a.csv", "text": "a,b", "epochs": "5", "lr": "1e-4", "drop_duplicates": "true", "max_bad_rows": 3})
    assert recipe.task.text == ("a", "b")
    assert (recipe.training.epochs, recipe.training.lr, recipe.data.drop_duplicates) == (5, 1e-4, True)
    assert tasks.recipe(json.loads(json.dumps(recipe.flat()))) == recipe


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("epochs", 0, "--epochs is 0; it must be between 1 and 10000. The default is 3."),
        ("epochs", "many", "--epochs is 'many'; it must be a whole number."),
        ("epochs", 2.5, "whole number"),
        ("epochs", True, "whole number"),
        ("lr", -1, "between 1e-09 and 10.0"),
        ("lr", "nan", "a number"),
        ("lr", 1e9, "between"),
        ("batch_size", -4, "between"),
        ("max_length", 10**9, "between"),
        ("max_length", 2, "--max-length is 2; it must be 0, or between 4 and 1000000. The default is 0."),
        ("max_length", -1, "it must be 0, or between 4"),
        ("max_bad_rows", -1, "at least 0"),
        ("warmup", 2, "between"),
        ("seed", -1, "between"),
        ("drop_duplicates", "perhaps", "true or false"),
        ("schedule", "liner", 'Did you mean "linear"?'),
        ("device", "tpu", "one of auto, cpu, cuda, mps"),
        ("label", 5, "a list"),
        ("label", None, "a list"),
        ("out", None, "a text"),
    ],
)
def test_impossible_values_are_refused(name: str, value: object, says: str) -> None:
    with pytest.raises(UsageError) as error:
        tasks.recipe({name: value})
    assert says in error.value.message


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r'no setting "learning_rat"'):
        Recipe.of({"learning_rat": 1})
    with pytest.raises(UsageError, match='Did you mean "batch_size"'):
        Recipe.of({"batchsize": 1})


def test_yaml_and_run_json_are_configs(tmp_path: Path) -> None:
    yaml = tmp_path / "c.yaml"
    yaml.write_text("data: 评论.csv\nepochs: 4\nbatch-size: 8\nlr: 5e-5\ntext: [a, b]\n", encoding="utf-8")
    recipe = tasks.recipe(read_config(yaml))
    assert (recipe.source, recipe.training.epochs, recipe.training.batch_size, recipe.training.lr) == ("评论.csv", 4, 8, 5e-5)
    record = tmp_path / "run.json"
    record.write_text(json.dumps({"schema": 1, "settings": recipe.flat()}), encoding="utf-8")
    assert recipe.task.text == ("a", "b")
    assert tasks.recipe(read_config(record)) == recipe


@pytest.mark.parametrize("content", ["- a\n- b\n", "epochs: [1\n", "just words"])
def test_broken_configs_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"c\.yaml"):
        read_config(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_config(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("learning_rate", "lr"), ("per_device_train_batch_size", "batch_size"), ("num-train-epochs", "epochs"), ("train_file", "data")],
)
def test_what_other_tools_call_a_setting_is_told_in_a_file_and_in_python_too(theirs: str, ours: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"{theirs}: 1\n", encoding="utf-8")
    for use in (lambda: tasks.recipe(read_config(file)), lambda: weitiao.train("a.csv", **{theirs.replace("-", "_"): 1})):
        with pytest.raises(UsageError, match=f'no setting "{theirs.replace("-", "_")}". Did you mean "{ours}"\\?'):
            use()


def test_every_word_of_other_tools_stands_for_one_of_ours() -> None:
    known = {"data"} | {name for task in tasks.all_tasks().values() for name in setting_fields(tasks.settings_of(task))}
    assert set(WORDS.values()) <= known and not set(WORDS) & known
