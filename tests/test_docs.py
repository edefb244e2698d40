"""The documents: every command in them parses, both READMEs show the same ones, and their links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest

from weitiao.cli.application import group

ROOT = Path(__file__).parents[1]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "src/weitiao/sample/README.md"])


def shell_lines(file: Path) -> list[str]:
    """The lines of its bash blocks, without comments."""
    blocks = re.findall(r"^```bash\n(.*?)^```", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#\s.*", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def our_commands(file: Path) -> list[list[str]]:
    """The words of every weitiao command: behind a pipe or an environment variable too."""
    commands = []
    for line in shell_lines(file):
        words = shlex.split(line)
        if "weitiao" in words:
            commands.append(words[words.index("weitiao") + 1 :])
    return commands


def shape(words: list[str]) -> list[str]:
    """A command without its texts for people, which differ by language."""
    return [word for word in words if " " not in word]


@pytest.mark.parametrize("file", READMES, ids=lambda file: file.name)
def test_every_command_parses(file: Path) -> None:
    commands = our_commands(file)
    assert len(commands) > 10
    for words in commands:
        verb = group().commands[words[0]]
        # Parsing refuses what the verb does not know; nothing runs.
        with verb.make_context(words[0], list(words[1:])):
            pass


@pytest.mark.parametrize("file", READMES, ids=lambda file: file.name)
def test_every_flag_in_the_text_exists(file: Path) -> None:
    flags = {name for verb in group().commands.values() for parameter in verb.params for name in parameter.opts}
    # The comparison with another script quotes that script's flags, which have underscores.
    quoted = set(re.findall(r"`(--[a-z-]+)[ `]", file.read_text(encoding="utf-8")))
    assert len(quoted) > 10
    assert quoted <= flags


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = ([shape(words) for words in our_commands(file)] for file in READMES)
    assert english == chinese


@pytest.mark.parametrize("file", READMES, ids=lambda file: file.name)
def test_the_first_screen_has_the_two_commands(file: Path) -> None:
    assert shell_lines(file)[:2] == ["make demo", "make test"]
    top = "\n".join(file.read_text(encoding="utf-8").splitlines()[:30])
    assert "make demo" in top and "make test" in top and "pip install" in top


def test_the_readmes_know_every_exit_code() -> None:
    from weitiao import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.WeitiaoError)]
    codes = {0, errors.INTERRUPTED, *(kind.exit_code for kind in kinds)}
    for file in READMES:
        assert {int(code) for code in re.findall(r"^\| (\d+) \|", file.read_text(encoding="utf-8"), flags=re.MULTILINE)} == codes


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_inside_the_repository_resolve(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", file.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (file.parent / target).exists(), target


def test_the_map_leaves_nothing_out() -> None:
    house = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("src/weitiao/\n", 1)[1].split("```", 1)[0]
    named = {line.split()[0].strip("/") for line in house.splitlines() if line}
    there = {path.name for path in (ROOT / "src/weitiao").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert there <= named


def test_the_changelog_counts_right() -> None:
    from weitiao import tasks
    from weitiao.engine.architectures import ARCHITECTURES

    words = {13: "Thirteen", 20: "twenty"}
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"{words[len(tasks.all_tasks())]} tasks, each one file" in text
    assert f"blank models of {words[len(ARCHITECTURES)]} architectures" in text


def test_the_map_names_only_what_is_there() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    house = text.split("src/weitiao/\n", 1)[1].split("```", 1)[0]
    for line in house.splitlines():
        if line:
            name, indent = line.split()[0], len(line) - len(line.lstrip())
            assert (ROOT / "src/weitiao" / ("data" if indent == 4 else "") / name).exists(), name
    for path in re.findall(r"`((?:engine|tasks|data|src)/[\w/]+\.py)`", text):
        assert (ROOT / "src/weitiao" / path).exists() or (ROOT / path).exists(), path
