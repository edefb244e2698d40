"""The files of a ModelScope studio (创空间), where they are other than Hugging Face's: how it is built stands in ``ms_deploy.json``, and
the YAML above its README has fields of its own. Written by what ModelScope documents; nothing of it has been run there.
"""

import json
from collections.abc import Mapping
from typing import Any

from weitiao.deploy.space.metadata import short_description
from weitiao.report.licenses import license_of
from weitiao.tasks.base import Task

SCHEMA = "https://modelscope.cn/api/v1/studios/deploy_schema.json"
# The newest that the schema named when this was written. What the page was tested with is newer: requirements.txt brings it.
GRADIO = "6.2.0"
IMAGE = "ubuntu22.04-py311-torch2.9.1-modelscope1.35.0"
MACHINE = "platform/2v-cpu-16g-mem"  # the one that costs nothing
LICENCES = {"apache-2.0": "Apache License 2.0", "mit": "MIT License"}  # as ModelScope writes them


def deployment() -> str:
    """``ms_deploy.json``."""
    told = {"$schema": SCHEMA, "sdk_type": "gradio", "sdk_version": GRADIO, "resource_configuration": MACHINE, "base_image": IMAGE}
    return json.dumps(told, indent=2) + "\n"


def front_matter(title: str, task: Task, record: Mapping[str, Any]) -> str:
    """The YAML above the README, between its lines of dashes."""
    import yaml

    licence = LICENCES.get(str(license_of(record) or "").lower())
    told: dict[str, Any] = {
        "title": title,
        "domain": ["nlp"],
        "tags": ["weitiao", task.name],
        "description": short_description(task, record),
    }
    told |= {"deployspec": {"entry_file": "app.py"}, **({"license": licence} if licence else {})}
    return f"---\n{yaml.safe_dump(told, sort_keys=False, allow_unicode=True).strip()}\n---\n"
