"""A server under what the world sends it: bad bodies, bad clients, too many of them, workers that die, and the end."""

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.deploy.servers import Running, odd
from weitiao.deploy.listening import listen
from weitiao.errors import UsageError

KEY = {"Authorization": "Bearer secret-of-mine"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two odd models."""
    with odd(tmp_path_factory.mktemp("odd") / "log", "odd,other") as made:
        yield made


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client() as made:
        yield made


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_one_record_and_several(client: httpx.Client) -> None:
    one = client.post("/predict", json={"text": "a x x"})
    assert one.status_code == 200 and one.json()["label"] == "<script>alert(1)</script>"
    assert one.headers["content-type"] == "application/json" and one.headers["x-content-type-options"] == "nosniff"
    several = client.post("/models/other/predict", json=[{"text": "a"}, {"text": "a x x"}]).json()
    assert [answer["label"] for answer in several] == ["bad", "<script>alert(1)</script>"]
    assert several[1] == one.json()
    script = client.post("/predict", json={"text": "<script>alert(1)</script> ../../etc/passwd"})
    assert script.status_code == 200 and script.json()["label"] == "bad"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["body", "text"]),
        ({"txt": "a"}, ["body", "text"]),
        ({"text": "a", "more": 1}, ["body", "more"]),
        ({"text": 5}, ["body", "text"]),
        ({"text": None}, ["body", "text"]),
        ({"text": ["a"]}, ["body", "text"]),
        ({"text": ""}, ["body", "text"]),
        ({"text": " \n"}, ["body", "text"]),
        ({"text": "a" * 100_001}, ["body", "text"]),
        ([{"text": "a"}, {"text": "a", "pair": "b"}], ["body", 1, "pair"]),
        ([{"text": "a"}, "b"], ["body", 1]),
        ([], ["body"]),
        ([{"text": "a"}] * 257, ["body"]),
        ("text", ["body"]),
        (5, ["body"]),
        ([None], ["body", 0]),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_record_is_refused_with_its_path(client: httpx.Client, body: object, where: list[object]) -> None:
    reply = client.post("/predict", json=body)
    assert reply.status_code == 422
    assert where in [problem["loc"] for problem in reply.json()["detail"]]
    assert '"input"' not in reply.text


@pytest.mark.parametrize(
    "body", [b'{"text": "\xff"}', b'{"text": "a", "text": "b"}', b'{"text": NaN}', b"[" * 50_000, b"", b'{"text": "\\ud800"}', b"{"]
)
def test_what_is_not_plainly_json_is_refused(client: httpx.Client, body: bytes) -> None:
    assert client.post("/predict", content=body, headers={"Content-Type": "application/json"}).status_code == 422


def test_only_json_is_taken_so_that_no_page_elsewhere_can_ask_in_a_browser(client: httpx.Client) -> None:
    assert client.post("/predict", content=b'{"text": "a"}', headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.get("/predict").status_code == 405
    assert client.post("/models/none/predict", json={"text": "a"}).status_code == 404
    assert client.post("/models/..%2f..%2fetc/predict", json={"text": "a"}).status_code == 404


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(client: httpx.Client) -> None:
    large = b'{"text": "' + b"a" * 10_000_000 + b'"}'
    assert client.post("/predict", content=large, headers={"Content-Type": "application/json"}).status_code == 413

    def pieces() -> Iterator[bytes]:
        for at in range(0, 3_000_000, 100_000):
            yield large[at : at + 100_000]

    assert client.post("/predict", content=pieces(), headers={"Content-Type": "application/json"}).status_code == 413
    assert client.post("/predict", json={"text": "a"}).status_code == 200


def test_a_model_that_fails_is_a_500_that_says_nothing_of_the_text(client: httpx.Client, server: Running) -> None:
    reply = client.post("/predict", json={"text": "fail"})
    assert reply.status_code == 500 and "fail" not in reply.json()["detail"].replace("failed", "")
    until(lambda: "RuntimeError" in server.said())
    assert "will not say fail" not in server.said()
    others = client.post("/predict", json=[{"text": "a x x"}, {"text": "a"}])
    assert others.status_code == 200


def test_requests_have_numbers_and_no_text_is_written_down(client: httpx.Client, server: Running) -> None:
    given = client.post("/predict", json={"text": "quite private"}, headers={"X-Request-ID": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    made = client.post("/predict?text=private", json={"text": "quite private"}, headers={"X-Request-ID": "bad\tnumber"}).headers[
        "x-request-id"
    ]
    assert re.fullmatch("[0-9a-f]{32}", made)
    until(lambda: f"{made} POST /predict 200" in server.said())
    assert "private" not in server.said()


def test_texts_are_written_down_where_somebody_asked_for_it(tmp_path: Path) -> None:
    with odd(tmp_path / "log", log_texts="true") as server, server.client() as client:
        client.post("/predict", json={"text": "quite\npublic"}, headers={"X-Request-ID": "n1"})
        until(lambda: "quite" in server.said())
        (line,) = [line for line in server.said().splitlines() if "n1 POST" in line]
        assert "quite\\\\npublic" in line  # one line, whatever was sent


def test_what_it_says_of_itself(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready"}
    about = client.get("/info").json()["models"]
    assert [model["name"] for model in about] == ["odd", "other"]
    assert about[0]["inputs"] == [{"name": "text", "type": "text", "title": "Text"}]
    assert about[0]["answer"]["label"] in about[0]["labels"]
    client.post("/predict", json={"text": "a"})
    figures = client.get("/metrics").text
    assert 'weitiao_requests_total{page="/predict",status="200"}' in figures
    assert 'weitiao_records_total{model="odd"}' in figures
    assert "weitiao_queue_records 0.0" in figures and "weitiao_workers_ready 1.0" in figures


def test_the_documents_need_no_other_host_and_their_examples_work(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.findall(r"https?://", page.text)
    told = client.get("/openapi.json").json()
    assert {"/predict", "/models/odd/predict", "/models/other/predict", "/health", "/ready", "/info", "/metrics"} <= set(told["paths"])
    content = told["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert client.post("/predict", json=example["value"]).status_code == 200


def test_many_at_once_share_batches_and_each_gets_its_own_answer(server: Running) -> None:
    def ask(number: int) -> bool:
        with server.client() as own:
            wanted = number % 3
            answer = own.post("/predict", json={"text": "x " * wanted + "a"}).json()
            return abs(answer["score"] - max(1 / (1 + 2.718281828 ** (wanted - 1)), 1 - 1 / (1 + 2.718281828 ** (wanted - 1)))) < 1e-3

    with ThreadPoolExecutor(16) as many:
        assert all(many.map(ask, range(64)))


def test_a_worker_that_dies_is_started_again_and_counted(tmp_path: Path) -> None:
    with odd(tmp_path / "log") as server, server.client() as client:
        with ThreadPoolExecutor(8) as many:
            slow = many.submit(client.post, "/predict", json={"text": "sleep 0.5"})
            time.sleep(0.2)
            replies = [many.submit(client.post, "/predict", json={"text": text}) for text in ("die", "a x x", "a")]
            assert slow.result().status_code == 200
            statuses = [reply.result().status_code for reply in replies]
        # What stood beside it is answered; it is tried once more, alone, and given up.
        assert statuses == [500, 200, 200]
        assert "weitiao_worker_restarts_total 2.0" in client.get("/metrics").text
        until(lambda: client.get("/ready").status_code == 200)
        assert client.post("/predict", json={"text": "a"}).status_code == 200
        assert client.get("/health").status_code == 200


def test_too_many_are_refused_at_once_and_too_late_is_said(tmp_path: Path) -> None:
    with odd(tmp_path / "log", queue=2, timeout=1.0) as server, server.client() as client, ThreadPoolExecutor(8) as many:
        busy = many.submit(client.post, "/predict", json={"text": "sleep 0.9"})
        time.sleep(0.3)
        waiting = [many.submit(client.post, "/predict", json={"text": "sleep 0.9"}) for _ in range(2)]
        time.sleep(0.2)
        refused = client.post("/predict", json={"text": "a"})
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
        assert refused.elapsed.total_seconds() < 0.5
        assert client.get("/health").status_code == 200
        assert busy.result().status_code == 200
        # Both go in one batch that takes 1.8 s.
        assert [reply.result().status_code for reply in waiting] == [504, 504]
        until(lambda: client.post("/predict", json={"text": "a"}).status_code == 200)


def test_a_client_that_leaves_takes_its_records_out_of_the_queue(tmp_path: Path) -> None:
    with odd(tmp_path / "log") as server, server.client() as client, ThreadPoolExecutor(2) as many:
        busy = many.submit(client.post, "/predict", json={"text": "sleep 1"})
        time.sleep(0.3)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/predict", json={"text": "sleep 30"}, timeout=0.3, trust_env=False)
        until(lambda: "weitiao_queue_records 0.0" in client.get("/metrics").text)
        assert busy.result().status_code == 200
        assert client.post("/predict", json={"text": "a"}).elapsed.total_seconds() < 10


def test_the_end_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    with odd(tmp_path / "log") as server, ThreadPoolExecutor(8) as many:
        with server.client() as client:
            accepted = [many.submit(client.post, "/predict", json={"text": "sleep 0.4"}) for _ in range(5)]
            time.sleep(0.5)
            code = many.submit(server.stop)
            until(lambda: httpx.get(f"{server.url}/ready", trust_env=False).status_code == 503)
            late = httpx.post(f"{server.url}/predict", json={"text": "a"}, trust_env=False)
            assert late.status_code == 503 and "retry-after" in late.headers
            assert late.headers["connection"] == "close"
            assert [reply.result().status_code for reply in accepted] == [200] * 5
        assert code.result() == 0


def test_keys_are_asked_for_where_there_are_any(tmp_path: Path) -> None:
    with odd(tmp_path / "log", keys="secret-of-mine,another") as server, server.client() as client:
        asked = {"text": "a"}
        assert client.post("/predict", json=asked).status_code == 401
        assert client.post("/predict", json=asked, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert client.post("/predict", json=asked, headers={"Authorization": "Basic secret-of-mine"}).status_code == 401
        assert client.post("/predict", json=asked, headers={"X-API-Key": "schlüssel".encode()}).status_code == 401
        assert client.post("/predict", json=asked, headers=KEY).status_code == 200
        assert client.post("/predict", json=asked, headers={"X-API-Key": "another"}).status_code == 200
        for page, status in {"/health": 200, "/ready": 200, "/docs": 200, "/info": 401, "/metrics": 401, "/openapi.json": 401}.items():
            assert client.get(page).status_code == status
            assert client.get(page, headers=KEY).status_code == 200
        assert "odd" not in client.get("/docs").text
        assert client.get("/openapi.json", headers=KEY).json()["security"] == [{"key": []}]
        assert "secret-of-mine" not in server.said()


def test_slow_and_half_open_clients_hold_nothing_up(server: Running, client: httpx.Client) -> None:
    place = urlsplit(server.url)
    sockets = [socket.create_connection((place.hostname or "", place.port or 0)) for _ in range(50)]
    for at, one in enumerate(sockets):
        if at % 3 == 1:
            one.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-")
        if at % 3 == 2:
            one.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    began = time.monotonic()
    assert client.post("/predict", json={"text": "a"}).status_code == 200
    assert time.monotonic() - began < 5
    for one in sockets[:3]:  # nothing sent, half a header, half a body: each is closed in the end
        one.settimeout(60)
        heard = one.recv(4096)
        assert heard == b"" or b" 408 " in heard
    for one in sockets:
        one.close()


def test_what_is_no_http_is_refused(server: Running) -> None:
    place = urlsplit(server.url)
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection((place.hostname or "", place.port or 0)) as one:
            one.sendall(sent)
            one.settimeout(30)
            assert one.recv(4096).split(b" ")[1] in (b"400", b"404", b"413", b"505")


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with listen("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_said_before_anything_is_loaded() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 is in use .* --port \\d+, or"):
            listen("127.0.0.1", port)
    for host in ("256.1.1.1", "203.0.113.7", "no such host", "a" * 300):
        with pytest.raises(UsageError, match="cannot listen on"):
            listen(host, 0)


def test_listening_elsewhere_without_a_key_is_warned_of(tmp_path: Path) -> None:
    with odd(tmp_path / "log", host="0.0.0.0") as server:
        assert "Everybody who reaches 0.0.0.0 may ask" in server.said()
        assert server.url.startswith("http://127.0.0.1:")
    with odd(tmp_path / "log", keys="k", host="0.0.0.0") as server:
        assert "Everybody" not in server.said()


@pytest.mark.parametrize(("name", "error"), [("unfit", "ModelError: There are no weights"), ("mortal", "ResourceError: The workers die")])
def test_models_that_cannot_be_loaded_end_the_server(name: str, error: str) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.deploy.servers", name, ""], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout == ""
    assert error in done.stderr


def test_a_stream_comes_piece_by_piece_and_ends_with_its_reader(tmp_path: Path) -> None:
    with odd(tmp_path / "log", "writer") as server, server.client() as client:
        asked = {"model": "writer", "messages": [{"role": "user", "content": "go on"}], "stream": True, "max_tokens": 500}
        with client.stream("POST", "/v1/chat/completions", json=asked) as reply:
            assert reply.headers["content-type"].startswith("text/event-stream")
            lines = reply.iter_lines()
            assert "word0" in next(lines)
            assert client.get("/health").status_code == 200
        until(lambda: bool(re.search(r"wrote \d+ of 500", server.said())))
        written = re.search(r"wrote (\d+) of 500", server.said())
        assert written is not None and int(written[1]) < 400
        whole = client.post("/v1/chat/completions", json={**asked, "stream": False, "max_tokens": 5}).json()
        assert whole["choices"][0]["message"]["content"] == "word0 word1 word2 word3 word4"
        assert whole["choices"][0]["finish_reason"] == "length" and whole["usage"]["completion_tokens"] == 5
        stopped = client.post("/v1/chat/completions", json={**asked, "stream": False, "stop": ["word3"]}).json()
        assert stopped["choices"][0]["message"]["content"] == "word0 word1 word2 "
        # The end comes in the middle of several.
        texts: dict[int, str] = {}

        def read(number: int) -> None:
            with server.client() as own, own.stream("POST", "/v1/chat/completions", json={**asked, "max_tokens": 100}) as stream:
                for piece in stream.iter_text():
                    texts[number] = texts.get(number, "") + piece

        readers = [threading.Thread(target=read, args=(number,)) for number in range(3)]
        for reader in readers:
            reader.start()
        until(lambda: len(texts) == 3)
        assert server.stop() == 0
        for reader in readers:
            reader.join()
        assert all("word99" in text and text.endswith("data: [DONE]\n\n") for text in texts.values())


@pytest.mark.parametrize(
    ("changes", "status", "problem"),
    [
        ({"model": "none"}, 404, "no such model"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, 400, "role"),
        ({"tools": []}, 400, "tools is not a setting"),
        ({"seed": 1}, 400, "seed is not a setting"),
        ({"n": 2}, 400, "n:"),
        ({"temperature": -1}, 400, "temperature"),
        ({"max_tokens": 0}, 400, "max_tokens"),
    ],
)
def test_what_openai_would_take_and_we_would_not_is_refused(
    writer: httpx.Client, changes: dict[str, object], status: int, problem: str
) -> None:
    asked = {"model": "writer", "messages": [{"role": "user", "content": "go on"}], "max_tokens": 2}
    reply = writer.post("/v1/chat/completions", json={**asked, **changes})
    assert reply.status_code == status and problem in reply.json()["error"]["message"]


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a model that writes."""
    with odd(tmp_path_factory.mktemp("writer") / "log", "writer") as server, server.client() as made:
        yield made
