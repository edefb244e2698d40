"""Where a server has no such page it says which there are; its root, /info and the description of its pages point the way."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.servers import odd

KEY = {"Authorization": "Bearer secret-of-mine"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of two classifiers."""
    with odd(tmp_path_factory.mktemp("odd") / "log", "odd,other") as server, server.client() as made:
        yield made


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a model that writes."""
    with odd(tmp_path_factory.mktemp("writer") / "log", "writer") as server, server.client() as made:
        yield made


def test_the_root_shows_the_way(client: httpx.Client) -> None:
    assert client.get("/").json() == {"docs": "/docs", "openapi": "/openapi.json", "info": "/info", "predict": "/predict"}
    reply = client.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert reply.status_code == 307 and str(reply.url.join(reply.headers["location"])).endswith("/docs")


def test_where_there_is_no_page_it_is_said_what_there_is(client: httpx.Client) -> None:
    for asked in (client.get("/favicon.ico"), client.post("/generate", json={}), client.get("/predict/more")):
        assert asked.status_code == 404 and asked.headers["content-type"] == "application/json"
        for part in ("GET /info", "POST /predict", "POST /models/NAME/predict (NAME is one of: odd, other)", "/docs"):
            assert part in asked.json()["detail"]
    assert client.post("/models/none/predict", json={"text": "a"}).json()["detail"] == "There is no such model; there are: odd, other."
    for path, lacking in (("/v1/embeddings", "gives vectors"), ("/v1/chat/completions", "holds conversations")):
        reply = client.post(path, json={"model": "odd"})
        assert reply.status_code == 404 and reply.json()["error"]["type"] == "invalid_request_error"
        message = reply.json()["error"]["message"]
        assert f"No model that is served here {lacking} (odd does text-classification" in message and "POST /predict" in message
    assert "GET /v1/models" in client.post("/v1/completions", json={}).json()["error"]["message"]


def test_another_method_is_told_the_right_one(client: httpx.Client) -> None:
    reply = client.get("/predict")
    assert reply.status_code == 405 and reply.headers["allow"] == "POST"
    assert "asked with POST, not with GET" in reply.json()["detail"] and "/docs" in reply.json()["detail"]
    assert "asked with GET, not with DELETE" in client.delete("/info").json()["detail"]
    assert "asked with GET" in client.post("/v1/models", json={}).json()["error"]["message"]


def test_an_example_for_openais_clients_stands_in_info_and_works(writer: httpx.Client, client: httpx.Client) -> None:
    (about,) = writer.get("/info").json()["models"]
    body = about["openai"]["/v1/chat/completions"]
    assert body["model"] == "writer" and body["messages"][-1]["role"] == "user"
    reply = writer.post("/v1/chat/completions", json={**body, "max_tokens": 2})
    assert reply.status_code == 200 and reply.json()["choices"][0]["message"]["content"] == "word0 word1"
    told = writer.get("/openapi.json").json()["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]
    assert told["examples"]["writer"]["value"] == body
    assert all("openai" not in model for model in client.get("/info").json()["models"])


def test_the_root_needs_no_key_and_says_nothing_of_what_is_served(tmp_path: Path) -> None:
    with odd(tmp_path / "log", keys="secret-of-mine") as server, server.client() as client:
        assert client.get("/").status_code == 200 and "odd" not in client.get("/").text
        assert client.get("/nothing").status_code == 401 and client.get("/nothing", headers=KEY).status_code == 404
