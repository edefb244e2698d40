"""The parts of a server that need no HTTP: what is answered next, how a body is read, how fields become a schema."""

import random
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from tests.deploy.servers import Writer
from weitiao import tasks
from weitiao.asking import needed
from weitiao.cli.screen import Screen
from weitiao.cli.serving import _started
from weitiao.deploy.server import openai
from weitiao.deploy.server.answering import Answerer, before_stops
from weitiao.deploy.server.batcher import AGEING, MOST, PASSED, Batcher, Job
from weitiao.deploy.server.crew import workers_for
from weitiao.deploy.server.reading import NotJson, read_json
from weitiao.deploy.server.schemas import example_record, record_model
from weitiao.deploy.server.served import Served
from weitiao.errors import UsageError
from weitiao.processing import Features

BUDGET = 512


def job(cost: int, arrived: float = 0.0, group: str = "a") -> Job:
    return Job(group, None, cost, arrived)


def taken(queue: Batcher, budget: int = BUDGET) -> list[list[int]]:
    """The costs of all batches, one after the other."""
    batches = []
    while batch := queue.take(lambda group: budget):
        batches.append([one.cost for one in batch])
    return batches


def test_short_records_go_first_and_share_no_batch_with_long_ones() -> None:
    queue = Batcher(10)
    assert queue.offer([job(500), job(10), job(400), job(12)])
    assert taken(queue) == [[10, 12], [400], [500]]
    assert len(queue) == 0 and queue.cost == 0


def test_what_has_waited_is_not_passed_for_ever() -> None:
    queue, order = Batcher(1000), []
    queue.offer([job(500, arrived=0.0)])
    for step in range(1000):  # a short one every 20 ms, and room for one in a batch
        queue.offer([job(50, arrived=step * 0.02)])
        order.append(queue.take(lambda group: 60)[0].cost)
        if 500 in order:
            break
    assert order.index(500) * 0.02 == pytest.approx((500 - 50) / AGEING, abs=0.05)


def test_however_long_a_record_is_it_is_passed_for_some_seconds_only() -> None:
    queue = Batcher(1000)
    queue.offer([job(100_000, arrived=0.0), job(10, arrived=PASSED + 1)])
    assert taken(queue) == [[100_000], [10]]
    queue.offer([job(100_000, arrived=0.0), job(10, arrived=PASSED - 1)])
    assert taken(queue) == [[10], [100_000]]


def test_a_batch_stays_within_its_budget_unless_one_record_is_over_it() -> None:
    queue = Batcher(10_000)
    draw = random.Random(0)
    costs = [draw.randint(1, 900) for _ in range(3000)]
    queue.offer([job(cost, arrived=at / 1000) for at, cost in enumerate(costs)])
    batches = taken(queue)
    assert sorted(cost for batch in batches for cost in batch) == sorted(costs)
    assert all(sum(batch) <= BUDGET or len(batch) == 1 for batch in batches)
    assert all(len(batch) <= MOST for batch in batches)
    assert all(max(batch) <= 64 or max(batch) < 4.1 * min(batch) for batch in batches)


def test_groups_share_no_batch() -> None:
    queue = Batcher(10)
    queue.offer([job(5, group=group) for group in "abab"])
    assert [[one.group for one in queue.take(lambda group: BUDGET)] for _ in range(2)] == [["a", "a"], ["b", "b"]]


def test_a_full_queue_takes_all_of_a_request_or_nothing() -> None:
    queue = Batcher(3)
    assert queue.offer([job(1), job(2)])
    assert not queue.offer([job(3), job(4)])
    assert len(queue) == 2
    assert queue.offer([job(3)])


def test_what_nobody_waits_for_is_not_answered_and_makes_room() -> None:
    queue = Batcher(2)
    jobs = [job(5), job(6)]
    queue.offer(jobs)
    queue.forget(jobs[0])
    queue.forget(jobs[0])
    assert len(queue) == 1 and queue.offer([job(7)])
    assert taken(queue) == [[6, 7]]


def test_a_record_that_is_tried_again_is_alone() -> None:
    queue = Batcher(1)
    again = job(5)
    queue.offer([job(6)])
    queue.again(again)  # it was accepted, so the queue being full does not matter
    queue.capacity = 10
    queue.offer([job(7)])
    assert taken(queue) == [[5], [6, 7]]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"{", "not JSON"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"text": "\xff\xfe"}', "not UTF-8 text: byte 10"),
        (b'{"text": "a", "text": "b"}', "a key twice"),
        (b'[{"a": {"b": 1, "b": 1}}]', "a key twice"),
        (b'{"text": NaN}', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "too large"),
        (b"[" + b"9" * 5000 + b"]", "too large"),
        (b"[" * 100 + b"]" * 100, "too deep"),
        (b"[" * 100_000, "too deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too deep"),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_is_not_plainly_json_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(NotJson, match=problem):
        read_json(body)


def test_ordinary_json_is_read() -> None:
    assert read_json('\n{"text": "好评 <b>", "n": [1, 2.5, null, true]}'.encode()) == {"text": "好评 <b>", "n": [1, 2.5, None, True]}
    read_json(b"[" * 60 + b"]" * 60)


@pytest.mark.parametrize("task", tasks.all_tasks().values(), ids=lambda task: task.name)
@pytest.mark.parametrize("pair", [False, True])
def test_every_task_has_a_schema_and_an_example_that_fits_it(task: tasks.base.Task, pair: bool) -> None:
    spec = {"method": "nli", "pair": pair}
    kind = TypeAdapter(record_model(Served("a", task, spec)))
    example = example_record(task, spec)
    record = kind.validate_python(example).model_dump()
    assert {name for name, value in record.items() if value is not None} >= {field.name for field in needed(task, spec)}
    for wrong in ({**example, "other": 1}, {}, {**example, task.inputs[0].name: 5}, {**example, task.inputs[0].name: ""}, "text", None):
        with pytest.raises(ValidationError) as raised:
            kind.validate_python(wrong)
        assert str(example[task.inputs[0].name])[:20] not in str(raised.value)
    assert kind.json_schema()["additionalProperties"] is False


@pytest.mark.parametrize(
    ("name", "record", "asked"),
    [
        ("text-generation", {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, True),
        ("text-generation", {"messages": [{"role": "system", "content": "a"}]}, False),
        ("text-generation", {"messages": []}, False),
        ("text-generation", {"messages": None}, False),
        ("text-generation", {"other": "a"}, False),
        ("feature-extraction", {"text": "a"}, True),
        ("feature-extraction", {"text": None}, False),
    ],
)
def test_an_example_that_an_openai_page_would_refuse_is_left_out(name: str, record: dict[str, object], asked: bool) -> None:
    served = Served("a", tasks.get(name), {}, facts={"example": record})
    assert len(openai.examples(served)) == int(asked)


def test_a_second_text_is_refused_where_single_ones_were_learned() -> None:
    task = tasks.get("text-classification")
    single, pair = (TypeAdapter(record_model(Served("a", task, {"pair": learned}))) for learned in (False, True))
    both = {"text": "a", "pair": "b"}
    pair.validate_python(both)
    for kind, record in ((single, both), (pair, {"text": "a"})):
        with pytest.raises(ValidationError):
            kind.validate_python(record)


@pytest.mark.parametrize(
    ("pieces", "stops", "text"),
    [
        (["one", ". t", "wo E", "ND three"], ["END"], "one. two "),
        (["a", "E"], ["END"], "aE"),
        (["xEN", "x"], ["EN", "x"], ""),
        (["ab"], [], "ab"),
    ],
)
def test_a_text_ends_before_what_is_to_end_it(pieces: list[str], stops: list[str], text: str) -> None:
    assert "".join(before_stops(iter(pieces), stops)) == text


class WholeWriter(Writer):
    """Writes, but cannot say so piece by piece."""

    def __init__(self) -> None:
        super().__init__("whole")
        self.backend = None
        self.processor.written = lambda ids: " ".join(f"word{number}" for number in ids)

    def outputs(self, features: Sequence[list[Features]]) -> list[list[dict[str, np.ndarray]]]:
        """Two words each."""
        return [[{"sequences": np.arange(2)}] for _one in features]


def test_a_model_that_only_writes_whole_answers_gives_one_and_takes_no_settings() -> None:
    answerer = Answerer(WholeWriter())  # type: ignore[arg-type]
    record = {"messages": [{"role": "user", "content": "go on"}]}
    *pieces, end = answerer.stream(record, {}, [])
    assert "".join(map(str, pieces)) == "word0 word1"
    assert end == {"prompt_tokens": 1, "completion_tokens": 2, "finish_reason": "stop"}
    with pytest.raises(UsageError, match="leave out temperature"):
        list(answerer.stream(record, {"temperature": 0.5}, []))


def test_what_speaks_http_imports_nothing_that_computes() -> None:
    script = "import sys, weitiao.deploy.server.running; print({'torch', 'transformers', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_workers_share_the_cores_as_far_as_memory_goes() -> None:
    cpu = {"gpu": False}
    run = {"model_bytes": 90 * 2**20, "training": {"parameters": 22_000_000}}
    adapter = {"model_bytes": 2**20, "training": {"parameters": 7_000_000_000}}
    export = {**run, "export": {"to": "onnx-int8"}}
    assert workers_for([run], 16, 64 * 2**30, **cpu) == 4
    assert workers_for([adapter], 16, 64 * 2**30, **cpu) == 1  # its folder is small, what it changes is not
    assert workers_for([run], 8, 2 * 2**30, **cpu) == 1 and workers_for([export], 8, 2 * 2**30, **cpu) == 2
    assert workers_for([run], 8, 64 * 2**30, gpu=True) == 1 and workers_for([export], 8, 64 * 2**30, gpu=True) == 4
    assert workers_for([export, None], 8, 64 * 2**30, **cpu) == 1  # of a pretrained model nobody knows the size yet


def test_the_example_and_the_hint_speak_the_language_of_the_texts(capsys: pytest.CaptureFixture[str]) -> None:
    task = tasks.get("text-classification")
    texts = {language: example_record(task, {}, language)["text"] for language in ("en", "zh")}
    assert texts["en"] == task.example["text"] and "包裹" in texts["zh"]
    served = Served("a", task, {}, record={"data": {"language": "zh"}})
    _started(Screen(json=False, quiet=False, arguments=[]), {"a": served}, False, "http://localhost:1")
    assert texts["zh"][:4] in capsys.readouterr().err
