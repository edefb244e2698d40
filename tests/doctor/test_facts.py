"""Facts are gathered from a machine that is partly ours to make: a program on the path, a server on the loopback."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from weitiao.doctor import endpoints, examine, machine, packages

BANNER = "| NVIDIA-SMI 550.54.14    Driver Version: 550.54.14    CUDA Version: 12.4     |"


@pytest.fixture
def server() -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    served = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def test_any_answer_of_a_server_counts_and_a_closed_port_does_not(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in endpoints.PROXIES:
        monkeypatch.delenv(name, raising=False)
    up, down = endpoints.probe_all(urls=[server, "http://127.0.0.1:9"])
    assert up["answers"] is True
    assert down["answers"] is False
    assert down["error"]


def test_a_silent_server_is_given_up_in_time() -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        (result,) = endpoints.probe_all(urls=[f"http://127.0.0.1:{silent.getsockname()[1]}"], seconds=0.2)
    assert result["answers"] is False
    assert result["error"]


def test_offline_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_probe", lambda *_: pytest.fail("a socket was opened"))
    assert {result["answers"] for result in endpoints.probe_all(offline=True)} == {None}


def test_no_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://me:secret@hub.example")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example")
    told = endpoints.environment()
    assert "secret" not in str(told)
    assert told["HF_ENDPOINT"] == "https://hub.example"
    assert "HTTPS_PROXY" in told["proxy"]
    monkeypatch.setenv("HF_ENDPOINT", "https://TOKEN@hub.example")
    assert "TOKEN" not in str(endpoints.environment()) + str(endpoints.probe_all(offline=True))


def test_nvidia_smi_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, f'case "$1" in --query*) echo "NVIDIA A10, 23028, 550.54.14, 8.6";; *) echo "{BANNER}";; esac')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = machine.nvidia()
    assert found["cards"] == [{"name": "NVIDIA A10", "memory_bytes": 23028 * 2**20, "driver": "550.54.14", "capability": "8.6"}]
    assert found["driver_cuda"] == "12.4"


def test_nvidia_smi_of_an_old_driver_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'case "$1" in *compute_cap*) exit 2;; --query*) echo "Tesla K80, 11441, 450.1";; *) echo "no table";; esac'
    _program(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert machine.nvidia()["cards"][0]["capability"] is None


def test_nvidia_smi_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "echo NVIDIA-SMI has failed because it could not communicate with the driver; exit 9")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = machine.nvidia()
    assert found["cards"] == []
    assert "has failed" in found["error"]


def test_a_torch_that_crashes_is_a_fact_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ASK_TORCH", "raise ImportError('libcudart.so.13: cannot open shared object file')")
    assert machine.torch_facts() == {"version": None, "error": "ImportError: libcudart.so.13: cannot open shared object file"}
    monkeypatch.setattr(machine, "ASK_TORCH", "import os; os.abort()")
    assert machine.torch_facts()["error"]


def test_packages_and_extras() -> None:
    facts = packages.facts()
    assert facts["packages"]["rich"]
    assert "pytest" not in facts["packages"]
    assert set(facts["extras"]) >= {"train", "serve", "offline"}
    assert packages.extra_of("PIL") == "images" and packages.extra_of("torch") == "train"
    assert packages.extra_of("weitiao") == ""


def test_versions_that_are_too_old_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "installed", lambda name: "0.0.1" if name == "rich" else None)
    assert [p["name"] for p in packages.facts()["outdated"]] == ["rich"]


def test_the_examination_as_a_whole_opens_no_socket_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        machine, "torch_facts", lambda: {**dict.fromkeys(("version", "cuda", "hip", "cuda_available", "mps_available")), "error": ""}
    )
    examined = examine(offline=True)
    assert examined["findings"][0]["code"] == "no_torch"
    assert examined["facts"]["memory_bytes"]


def _program(folder: Path, script: str) -> None:
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
