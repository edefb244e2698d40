"""``weitiao doctor``: what is on this machine, what is wrong with it, and what to type.

    packages, machine, endpoints   gather facts: plain JSON, each testable by itself
    judgement                      facts -> findings, a pure function

Nothing here imports torch in this process: a broken installation of it is one of the things to be found.
"""

from typing import Any

from weitiao.doctor.judgement import judge
from weitiao.observer import SILENT, Observer


def examine(*, offline: bool = False, observer: Observer = SILENT) -> dict[str, Any]:
    """Facts about this machine and the findings drawn from them; takes some seconds. ``offline`` opens no socket.

    Returns:
        {"facts": {...}, "findings": [{"code", "severity", "message", "commands": [...]}]}
    """
    from concurrent.futures import ThreadPoolExecutor

    from weitiao.doctor import endpoints, machine, packages

    with ThreadPoolExecutor(2) as pool:
        # The two slow questions wait at the same time: servers that may not answer, and torch's own import.
        answers = pool.submit(endpoints.probe_all, offline=offline)
        torch = pool.submit(machine.torch_facts)
        facts: dict[str, Any] = {
            **packages.facts(),
            **machine.facts(),
            "offline_bases": packages.offline_bases(),
            "torch": torch.result(),
            "endpoints": answers.result(),
            "environment": endpoints.environment(),
        }
    return {"facts": facts, "findings": judge(facts)}
