"""``weitiao serve`` over real runs: the same answers as in Python for every kind of task; OpenAI's own client; and the words around it."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import weitiao
from tests.cli.conftest import Outcome
from tests.cli.conftest import command as command
from tests.deploy.servers import Running, running
from tests.own_tasks import QUICK
from tests.tasks.contract import records_of
from weitiao import sample, tasks
from weitiao.cli.serving import named
from weitiao.deploy.export import export
from weitiao.engine.architectures import ARCHITECTURES, Size
from weitiao.engine.blank import write_blank
from weitiao.errors import UsageError

SMALL = Size(width=32, layers=1, heads=4, positions=128, vocabulary=400)
FAMILIES = {
    "text-classification": "bert",
    "token-classification": "bert",
    "question-answering": "bert",
    "multiple-choice": "bert",
    "feature-extraction": "bert",
    "fill-mask": "bert",
    "image-text-classification": "clip",
    "text-generation": "llama",
}
EXPORTED = ("text-classification", "token-classification", "question-answering", "text-generation")
SHORT = {"text-generation": {"max_new_tokens": 8}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small run of each kind of task, by its name."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: trained(folder, name, family) for name, family in FAMILIES.items()}


def trained(folder: Path, name: str, family: str) -> Path:
    """A run that has learned next to nothing."""
    task, out = tasks.get(name), folder / name
    records = list(records_of(task))
    write_blank(folder / f"{name}-base", ARCHITECTURES[family], list(task.texts(records_of(task))), seed=1, size=SMALL)
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    places = {"model": str(folder / f"{name}-base"), "out": str(out), "valid": str(data), "test": "0"}
    weitiao.train(str(data), task=name, **places, **{**QUICK, "max_length": 96}, **SHORT.get(name, {}))
    return out


@pytest.fixture(scope="module")
def server(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """All of them in one server, by its command line."""
    words = ["-m", "weitiao", "serve", *(f"{name}={place}" for name, place in runs.items()), "--port", "0", "--timeout", "120"]
    with running(words, tmp_path_factory.mktemp("server") / "log") as made:
        yield made


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client() as made:
        yield made


@pytest.fixture(scope="module")
def exported(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Their exports without torch in one server, of which there are two workers."""
    folder = tmp_path_factory.mktemp("exports")
    for name in EXPORTED:
        writes = tasks.get(name).answers_by == "generate"
        export(runs[name], "ctranslate2" if writes else "onnx", folder / name)
    words = ["-m", "weitiao", "serve", *(str(folder / name) for name in EXPORTED), "--port", "0", "--timeout", "120", "--workers", "2"]
    with running(words, folder / "log") as made:
        yield made


def close(one: Any, other: Any) -> bool:
    """Whether two answers are the same, but for how numbers are rounded among other records."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    return abs(one - other) < 1e-4 if isinstance(one, float) and isinstance(other, float) else bool(one == other)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_kind_of_task_answers_as_in_python(name: str, runs: dict[str, Path], client: httpx.Client) -> None:
    task = tasks.get(name)
    inputs = [field for field in task.inputs if field.name != "pair"]
    records = [{one.name: record[one.name] for one in inputs if record[one.name] is not None} for record in list(records_of(task))[:6]]
    if name == "fill-mask":
        records = [{"text": f"{record['text']} [MASK]"} for record in records]
    wanted = weitiao.load(runs[name]).predict(records)
    sent = [{**record, **({"image": encoded(record["image"])} if "image" in record else {})} for record in records]
    several = client.post(f"/models/{name}/predict", json=sent)
    assert several.status_code == 200, several.text
    assert close(several.json(), json.loads(json.dumps(wanted)))
    assert close(client.post(f"/models/{name}/predict", json=sent[0]).json(), json.loads(json.dumps(wanted[0])))


@pytest.mark.parametrize("name", EXPORTED)
def test_exports_of_different_tasks_answer_as_the_runs_do(name: str, runs: dict[str, Path], exported: Running) -> None:
    task = tasks.get(name)
    inputs = [field for field in task.inputs if field.name != "pair"]
    records = [{one.name: record[one.name] for one in inputs if record[one.name] is not None} for record in list(records_of(task))[:6]]
    with exported.client() as client:
        several = client.post(f"/models/{name}/predict", json=records)
    assert several.status_code == 200, several.text
    assert close(several.json(), json.loads(json.dumps(weitiao.load(runs[name]).predict(records))))


def encoded(path: str) -> str:
    return base64.b64encode(Path(path).read_bytes()).decode("ascii")


def test_what_a_record_lacks_is_said_for_every_task(client: httpx.Client) -> None:
    for name in FAMILIES:
        reply = client.post(f"/models/{name}/predict", json={})
        missing = {problem["loc"][1] for problem in reply.json()["detail"] if problem["type"] == "missing"}
        assert reply.status_code == 422 and tasks.get(name).inputs[0].name in missing


def test_the_examples_of_the_documents_work_for_every_task(client: httpx.Client) -> None:
    told = client.get("/openapi.json").json()
    for name in FAMILIES:
        post = told["paths"][f"/models/{name}/predict"]["post"]
        example = post["requestBody"]["content"]["application/json"]["examples"]["one"]["value"]
        reply = client.post(f"/models/{name}/predict", json=example)
        assert reply.status_code == 200, reply.text
        said = post["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][0]
        assert set(said["properties"]) == set(reply.json())


def bomb(folder: Path) -> bytes:
    """A small file of a picture that is enormous."""
    from PIL import Image

    Image.new("1", (30_000, 30_000)).save(folder / "bomb.png")
    return (folder / "bomb.png").read_bytes()


@pytest.mark.parametrize(
    "picture",
    [
        lambda _folder: sample.PICTURE.read_bytes()[:200],
        lambda _folder: b"no picture",
        bomb,
        lambda _folder: b"<svg onload='alert(1)'/>",
    ],
    ids=["cut off", "text", "bomb", "svg"],
)
def test_a_picture_that_cannot_be_read_is_a_422(picture: Callable[[Path], bytes], client: httpx.Client, tmp_path: Path) -> None:
    good = {"text": "a red circle", "image": encoded(str(sample.PICTURE))}
    bad = {**good, "image": base64.b64encode(picture(tmp_path)).decode("ascii")}
    reply = client.post("/models/image-text-classification/predict", json=[good, bad])
    assert reply.status_code == 422, reply.text
    assert [problem["loc"][1] for problem in reply.json()["detail"]] == [1]
    assert "weitiao-" not in reply.text  # no path of this machine


@pytest.mark.parametrize("image", [str(sample.PICTURE), "/etc/passwd", "../../etc/passwd", "file:///etc/passwd", "%"])
def test_a_server_opens_no_file_that_a_stranger_names(image: str, client: httpx.Client) -> None:
    reply = client.post("/models/image-text-classification/predict", json={"text": "a", "image": image})
    assert reply.status_code == 422 and "root:" not in reply.text


def test_openais_own_client_gets_vectors(server: Running, runs: dict[str, Path]) -> None:
    openai = pytest.importorskip("openai")
    asked = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, http_client=httpx.Client(trust_env=False))
    texts = ["how do I reset my password", "a"]
    wanted = [answer["vector"] for answer in weitiao.load(runs["feature-extraction"]).predict(texts)]
    for form in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        given = asked.embeddings.create(model="feature-extraction", input=texts, **form)
        vectors = [one.embedding for one in given.data]
        if form.get("encoding_format") == "base64":
            import numpy as np

            vectors = [np.frombuffer(base64.b64decode(one), dtype="<f4").tolist() for one in vectors]
        assert close(vectors, wanted) and given.usage.prompt_tokens > 0
    assert len(asked.embeddings.create(model="feature-extraction", input="a").data) == 1
    assert {model.id for model in asked.models.list()} == set(FAMILIES)
    with pytest.raises(openai.NotFoundError, match="no such model"):
        asked.embeddings.create(model="text-embedding-3-small", input="a")
    with pytest.raises(openai.BadRequestError, match="gives no vectors"):
        asked.embeddings.create(model="text-classification", input="a")
    with pytest.raises(openai.BadRequestError, match="dimensions is not a setting"):
        asked.embeddings.create(model="feature-extraction", input="a", dimensions=5)
    with pytest.raises(openai.BadRequestError):
        asked.embeddings.create(model="feature-extraction", input="")


@pytest.mark.parametrize("kind", ["server", "exported"])
def test_openais_own_client_talks(kind: str, request: pytest.FixtureRequest, runs: dict[str, Path]) -> None:
    openai = pytest.importorskip("openai")
    asked = openai.OpenAI(
        base_url=f"{request.getfixturevalue(kind).url}/v1", api_key="none", max_retries=0, http_client=httpx.Client(trust_env=False)
    )
    messages = [{"role": "user", "content": "Name the three primary colours."}]
    (wanted,) = weitiao.load(runs["text-generation"]).predict([{"messages": messages}])
    settings: dict[str, Any] = {"model": "text-generation", "messages": messages}
    whole = asked.chat.completions.create(**settings)
    assert whole.choices[0].message.content == wanted["text"]
    assert whole.usage is not None and whole.usage.total_tokens > whole.usage.completion_tokens > 0
    stream = asked.chat.completions.create(**settings, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == wanted["text"]
    assert chunks[-1].usage == whole.usage and chunks[-2].choices[0].finish_reason in ("stop", "length")
    parts = [{"role": "user", "content": [{"type": "text", "text": messages[0]["content"]}]}]
    assert asked.chat.completions.create(model="text-generation", messages=parts).choices[0].message.content == wanted["text"]
    drawn = asked.chat.completions.create(**settings, temperature=1.5, top_p=0.9, max_completion_tokens=3)
    assert drawn.usage.completion_tokens <= 3
    with pytest.raises(openai.BadRequestError, match="holds no conversations"):
        asked.chat.completions.create(model="text-classification", messages=messages)


def test_schemathesis_finds_no_error_of_the_server(server: Running, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    tool = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    words = [str(tool), "run", f"{server.url}/openapi.json", "--phases", "examples,fuzzing", "--max-examples", "6"]
    words += ["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"]
    words += ["--generation-deterministic", "--request-timeout", "120", "--include-path-regex", "^/(predict|info|ready|health|v1/)"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stdout[-3000:]


def test_it_ends_with_exit_code_0(server: Running) -> None:
    assert server.stop() == 0
    assert "Traceback" not in server.said() and "Ctrl-C stops it" in server.said()


def test_runs_are_loaded_under_names_of_ones_choice(runs: dict[str, Path]) -> None:
    both = weitiao.load({"x": runs["text-classification"], "y": runs["text-classification"]})
    assert list(both) == ["x", "y"]
    assert both["x"].predict(["a"]) == both.predict(["a"], run="y")


def test_names_are_checked_before_anything_is_loaded(command: Callable[..., Outcome], tmp_path: Path) -> None:
    assert named(["runs/tone", "b=runs/topic"]) == {"tone": "runs/tone", "b": "runs/topic"}
    for words, problem in {
        ("a=x", "a=y"): "called a",
        ("../a b",): "cannot stand in an address",
        ("<script>=x",): "cannot stand in an address",
        ("..=x",): "cannot stand in an address",
        ("a/../..=x",): "cannot stand in an address",
    }.items():
        with pytest.raises(UsageError, match=problem):
            named(words)
    assert command("serve", str(tmp_path / "none")).code == 7
    assert command("serve").code == 2
    assert "--port is 'high'" in command("serve", "x", "--port", "high").err
    assert "between 0 and 65535" in command("serve", "x", "--port", "70000").err


def test_a_run_without_weights_and_a_key_that_is_not_there(
    command: Callable[..., Outcome], runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    run = runs["text-classification"]
    outcome = command("serve", str(run), "--api-key-env", "NO_SUCH_KEY")
    assert outcome.code == 2 and "export NO_SUCH_KEY=" in outcome.err
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    for file in (broken / "model").glob("*.safetensors"):
        file.unlink()
    outcome = command("serve", str(broken), "--port", "0")
    assert outcome.code == 4 and outcome.out == "" and "Traceback" not in outcome.err


def test_a_missing_extra_is_named(command: Callable[..., Outcome], runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.split(".")[0] in ("fastapi", "uvicorn") or name.startswith("weitiao.deploy.server"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    outcome = command("serve", str(runs["text-classification"]))
    assert outcome.code == 2 and 'pip install "weitiao[serve]"' in outcome.err
