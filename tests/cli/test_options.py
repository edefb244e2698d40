"""Flags from settings: one declaration, one flag; the config file below, the command line above."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tests.cli.conftest import Outcome
from weitiao import config, tasks
from weitiao.cli import options
from weitiao.cli.application import group
from weitiao.cli.options import SHARED, _owners, settings_of
from weitiao.config import DataSettings, setting

Command = Callable[..., Outcome]


def flags(verb: str) -> dict[str, object]:
    return {name: parameter for parameter in group().commands[verb].params for name in parameter.opts}


def test_every_setting_is_a_flag_of_train_with_its_help_and_its_short_form() -> None:
    known = flags("train")
    own: dict[str, set[str]] = {}
    for task in tasks.all_tasks().values():
        for name, declared in config.setting_fields(tasks.settings_of(task)).items():
            own.setdefault(name, set()).add(declared.metadata["help"])
    assert {"text", "label"} <= own.keys()
    for name, texts in own.items():
        # Where tasks speak of their own answers, the help has words for all of them.
        assert known["--" + name.replace("_", "-")].help in ({SHARED[name]} if name in SHARED else texts)  # type: ignore[attr-defined]
    several = {name for name, owners in _owners().items() if len({one.metadata["help"] for one in owners.values()}) > 1}
    assert several - set(settings_of("columns")) == set(SHARED)
    assert known["-o"] is known["--out"]


def test_a_field_added_to_the_settings_is_a_flag_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass(frozen=True)
    class More(DataSettings):
        new_thing: int = setting(7, "Something new.", low=1, high=9)

    monkeypatch.setitem(config.GROUPS, "data", More)
    options._declarations.cache_clear()
    try:

        @options.verb(lambda: options.settings_of("data"))
        def look(screen: object, **settings: object) -> None:
            """Nothing."""

        assert "new_thing" in look().__annotations__
        assert options.details("new_thing") == "[default: 7; from 1 to 9]"
    finally:
        options._declarations.cache_clear()


def test_only_what_was_given_reaches_the_interface(command: Command, api: SimpleNamespace) -> None:
    assert command("train", "a.csv", "--epochs", "2", "--overwrite", "--text", "title,body", "-o", "runs/x").code == 0
    _verb, source, settings, words = api.calls[0]
    assert source == "a.csv"
    assert settings == {"epochs": "2", "overwrite": True, "text": "title,body", "out": "runs/x"}
    assert words[:3] == ["weitiao", "train", "a.csv"]


def test_flags_win_over_the_config_file_which_may_name_the_data(command: Command, api: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("data: from-config.csv\nepochs: 5\nlr: 1e-4\ndrop-duplicates: true\n", encoding="utf-8")
    assert command("train", "--config", str(file), "--epochs", "2", "--no-drop-duplicates").code == 0
    _verb, source, settings, _words = api.calls[0]
    assert source == "from-config.csv"
    assert settings == {"epochs": "2", "lr": "1e-4", "drop_duplicates": False}
    assert command("train", "mine.csv", "--config", str(file)).code == 0
    assert api.calls[1][1] == "mine.csv"


def test_saved_settings_are_the_same_recipe_again(command: Command, api: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "saved.yaml"
    words = ("train", "a.csv", "--epochs", "2", "--text", "题,文", "--lr", "2e-5", "--save-config", str(file), "--dry-run")
    assert command(*words).code == 0
    assert [call[0] for call in api.calls] == ["plan"]
    saved = yaml.safe_load(file.read_text(encoding="utf-8"))
    recipe = tasks.recipe(saved)
    assert (recipe.source, recipe.training.epochs, recipe.training.lr, recipe.task.text) == ("a.csv", 2, 2e-5, ("题", "文"))
    assert tasks.recipe(config.read_config(file)) == recipe


def test_an_unknown_key_in_the_config_file_is_refused_with_the_nearest(command: Command, api: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("epohcs: 5\n", encoding="utf-8")
    outcome = command("train", "a.csv", "--config", str(file))
    assert outcome.code == 2
    assert '"epochs"' in outcome.err
    assert api.calls == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("patience", "[default: 0; at least 0]"),
        ("schedule", "[default: linear]"),
        ("label", ""),
        ("overwrite", ""),
        ("text", ""),
        ("no_setting", ""),
    ],
)
def test_defaults_and_bounds_stand_in_the_help(name: str, expected: str) -> None:
    assert options.details(name) == expected
