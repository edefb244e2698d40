"""What the doctor found, for a terminal and as Markdown. Draws the dictionary that ``weitiao.doctor.examine`` gives."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from weitiao.cli.tables import heading, marked, pairs
from weitiao.messages import _
from weitiao.quantities import size


def page(examined: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The facts in short, then the findings, gravest first, each with what to type."""
    for title, lines in sections(examined["facts"]).items():
        yield heading(title)
        yield pairs(lines)
    yield heading(_("Findings"))
    for finding in examined["findings"]:
        yield marked(finding["severity"], finding["message"])
        for command in finding["commands"]:
            # Not wrapped: these lines are there to be copied.
            yield Text("      " + command, style="bold", no_wrap=True, overflow="ignore")


def markdown(examined: Mapping[str, Any]) -> str:
    """The same for a bug report."""
    parts = []
    for title, lines in sections(examined["facts"]).items():
        rows = [f"| {name} | {value.replace('|', '/')} |" for name, value in lines.items()]
        parts.append("\n".join([f"### {title}", "", "| | |", "|---|---|", *rows]))
    found = [f"### {_('Findings')}", ""]
    for finding in examined["findings"]:
        found.append(f"- **{finding['severity']}**: {finding['message']}")
        found += ["", "  ```", *(f"  {command}" for command in finding["commands"]), "  ```"] if finding["commands"] else []
    return "\n\n".join(parts) + "\n\n" + "\n".join(found)


def sections(facts: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Title -> name -> value, all text. Paths under the home folder are shown with ~, so that a report can be shared."""
    packages = {name: version for name, version in facts["packages"].items() if version}
    shown = ("torch", "transformers", "accelerate", "peft", "tokenizers", "onnxruntime", "huggingface-hub", "datasets", "numpy", "pyarrow")
    versions = {"weitiao": facts["weitiao"], "Python": f"{facts['python']['version']} ({_home(facts['python']['executable'])})"}
    missing = {extra: state["missing"] for extra, state in facts["extras"].items()}
    get = _('pip install "weitiao[{extra}]" (for {packages})')
    extras = {extra: get.format(extra=extra, packages=_(", ").join(names)) if names else _("installed") for extra, names in missing.items()}
    return {
        _("Versions"): versions | {name: packages[name] for name in shown if name in packages},
        _("Machine"): _machine(facts),
        _("Hubs and environment"): _hubs(facts),
        _("Extras"): extras,
    }


def _machine(facts: Mapping[str, Any]) -> dict[str, str]:
    torch, nvidia = facts["torch"], facts["nvidia"]
    cores = _("{cores} cores, {threads} threads").format(cores=facts["cpu"]["cores"] or "?", threads=facts["cpu"]["threads"])
    lines = {_("system"): facts["platform"], _("processor"): f"{facts['cpu']['model']}, {cores}"}
    if facts["memory_bytes"]:
        lines[_("memory")] = size(facts["memory_bytes"])
    for at, card in enumerate(nvidia["cards"]):
        memory = size(card["memory_bytes"]) if card["memory_bytes"] else "?"
        driver = _("driver {driver}, CUDA up to {cuda}").format(driver=card["driver"], cuda=nvidia["driver_cuda"] or "?")
        lines[_("graphics card") + (f" {at}" if len(nvidia["cards"]) > 1 else "")] = f"{card['name']}, {memory}, {driver}"
    if torch["version"]:
        devices = ["cuda"] * bool(torch["cuda_available"]) + ["mps"] * bool(torch["mps_available"]) + ["cpu"]
        built = f"CUDA {torch['cuda']}" if torch["cuda"] else f"ROCm {torch['hip']}" if torch["hip"] else _("CPU only")
        text = _("build: {built}; devices: {devices}; threads: {threads}")
        lines["PyTorch"] = text.format(built=built, devices=_(", ").join(devices), threads=torch["threads"])
    lines[_("free disk")] = f"{size(facts['disk']['free_bytes'])} ({_home(facts['disk']['path'])})"
    for cache in facts["caches"]:
        lines[_("cache: {name}").format(name=cache["name"])] = f"{size(cache['bytes'])} ({_home(cache['path'])})"
    return lines


def _hubs(facts: Mapping[str, Any]) -> dict[str, str]:
    said = {True: _("answers in {seconds} s"), False: _("no answer: {error}"), None: _("not asked")}
    lines = {e["url"]: said[e["answers"]].format(seconds=e["seconds"], error=e["error"]) for e in facts["endpoints"]}
    environment = {name: value for name, value in facts["environment"].items() if name != "proxy"}
    if facts["environment"]["proxy"]:
        environment[_("proxy")] = _(", ").join(facts["environment"]["proxy"])
    bases = {_("packaged base {name}").format(name=base["name"]): _state(base) for base in facts["offline_bases"]}
    return lines | environment | bases


def _state(base: Mapping[str, Any]) -> str:
    """How a packaged base stands."""
    damaged_or_not = _("installed, checksum right") if base["checksum_ok"] else _("installed, but damaged")
    return damaged_or_not if base["installed"] else _("not installed")


def _home(path: str) -> str:
    home = str(Path.home())
    return "~" + path[len(home) :] if path.startswith((home + "/", home + "\\")) else path
