"""A gradio Space tried out before anybody sees it: installed from its own requirements, started as the hub starts it, and asked as a
visitor's browser asks; what it shows must read as what the run answers.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from weitiao import asking
from weitiao.deploy.demo.answers import answer_html
from weitiao.deploy.space.asked import asked, unlike
from weitiao.deploy.space.likeness import read, read_alike
from weitiao.deploy.space.starting import STARTS, Make, fresh, started
from weitiao.errors import GateError
from weitiao.messages import _, speaking
from weitiao.observer import SILENT, Observer
from weitiao.tasks.base import Task


def try_out(
    place: Path,
    name: str | Path,
    *,
    make: Make = fresh,
    observer: Observer = SILENT,
    trust_task: bool = False,
    beside: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Start a Space and ask it what the run was asked when it was written: it keeps the run's answers.

    Args:
        place: its folder.
        name: the run.
        make: makes the environment that it runs in.
        trust_task: its own task file may run.
        beside: further examples, with the run's answers, which do not stand in its folder.

    Returns:
        {"asked": how many examples, "equal": how many of them were answered as the run does}.

    Raises:
        GateError: it cannot be installed, does not start, or does not answer as the run does.
    """
    told = asked(place, trust_task=trust_task, beside=beside)
    program = (place / "app.py").read_text(encoding="utf-8")
    # In one go, as a hub does: what cannot stand beside gradio and its extras is found here.
    platform = [f"gradio[oauth,mcp]=={_gradio(place)}", "huggingface_hub", "spaces"]
    listens = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": "{port}"}
    with (
        started(
            place,
            make,
            [["--requirement", "requirements.txt", *platform]],
            lambda python, _port: [str(python), "app.py"],
            ready="/config",
            variables={**listens, **({"SPACES_ZERO_GPU": ""} if "import spaces" in program else {})},
            observer=observer,
        ) as address,
        _client(address) as client,
    ):
        observer.note(_("Asking the Space."))
        talks = asking.talks(told.task)
        ask = _say if talks else _ask
        for example in told.examples:
            got = ask(client, told.task, told.spec, example["record"], place)
            with speaking("en"):
                wanted = example["answer"]["text"] if talks else answer_html(example["record"], example["answer"])
            # What is drawn at random is another each time.
            if not (read(got) if told.drawn else read_alike(wanted, got)):
                raise unlike(f"«{read(got)[:200]}»", f"«{read(wanted)[:200]}»", example)
    return told.passed


@contextmanager
def _client(address: str) -> Iterator[httpx.Client]:
    """Whom a page takes for a browser. Raises ConnectionError where it goes away."""
    try:
        with httpx.Client(base_url=address, timeout=STARTS, trust_env=False) as client:
            yield client
    except httpx.HTTPError as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error


def _gradio(place: Path) -> str:
    """The version of gradio that the folder is made for."""
    from weitiao.deploy.space.gradio.folder import gradio_version

    lines = (place / "requirements.txt").read_text(encoding="utf-8").split()
    named = next((line.partition("==")[2] for line in lines if line.startswith("gradio==")), "")
    return named or gradio_version()


def _ask(client: httpx.Client, task: Task, spec: Mapping[str, Any], record: Mapping[str, Any], place: Path) -> str:
    """What the page shows when somebody fills in a record and asks."""
    from weitiao.deploy.demo.inputs import Form

    form = Form(task, dict(spec))
    values = [
        _uploaded(client, place / value) if field.type == "image" and value else value
        for field, value in zip(form.fields, form.values(record), strict=True)
    ]
    return str(_posted(client, values)[0])


def _say(client: httpx.Client, task: Task, spec: Mapping[str, Any], record: Mapping[str, Any], place: Path) -> str:
    """What the page shows at the end of a conversation when somebody says its last message."""
    messages = record[task.inputs[0].name]
    said = [at for at, one in enumerate(messages) if one["role"] == "user"]  # behind the last of them stands what is to be answered
    *before, last = messages[: said[-1] + 1]
    held = [{"role": one["role"], "content": [{"type": "text", "text": one["content"]}]} for one in before]
    _box, talk, problem, *_buttons = _posted(client, [last["content"], held])
    if problem:
        return str(problem)
    content = talk[-1]["content"]
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content)


def _posted(client: httpx.Client, data: Sequence[Any]) -> list[Any]:
    """What the page's button gives, as its own script presses it. Raises GateError where the page says that it failed."""
    config = client.get("/config").json()
    button = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "ask")
    call = next(one["id"] for one in config["dependencies"] if [button, "click"] in [list(target) for target in one["targets"]])
    session = secrets.token_hex(8)
    body = {"fn_index": call, "session_hash": session, "data": list(data), "trigger_id": button}
    client.post("/gradio_api/queue/join", json=body, headers={"Accept-Language": "en"}).raise_for_status()
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as lines:
        for line in lines.iter_lines():
            event = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
            if event.get("msg") == "process_completed":
                if not event.get("success"):
                    raise GateError(_("The Space fails when it is asked: {reason}").format(reason=event.get("output")))
                return list(event["output"]["data"])
    raise GateError(_("The Space does not answer."))


def _uploaded(client: httpx.Client, picture: Path) -> dict[str, Any]:
    """A picture as gradio's script names one that was uploaded."""
    (path,) = client.post("/gradio_api/upload", files={"files": (picture.name, picture.read_bytes())}).json()
    return {"path": path, "meta": {"_type": "gradio.FileData"}}
