"""Which model hubs answer from here. Any HTTP answer counts: the question is whether a connection comes about, not what is served."""

import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from weitiao.engine.refusals import because
from weitiao.errors import without_credentials
from weitiao.messages import _

OFFICIAL, MIRROR, MODELSCOPE = "https://huggingface.co", "https://hf-mirror.com", "https://modelscope.cn"
CONNECT_SECONDS = 3.0
# Proxies may carry a password, so only whether they are set is told.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
TOLD = ("HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")


def candidates(environment: Mapping[str, str] | None = None) -> list[str]:
    """The endpoints worth asking, the configured one first.

    >>> candidates({"HF_ENDPOINT": "https://hub.example/"})
    ['https://hub.example', 'https://huggingface.co', 'https://hf-mirror.com', 'https://modelscope.cn']
    """
    configured = (os.environ if environment is None else environment).get("HF_ENDPOINT", "").rstrip("/")
    return list(dict.fromkeys(url for url in (configured, OFFICIAL, MIRROR, MODELSCOPE) if url))


def probe_all(*, offline: bool = False, urls: list[str] | None = None, seconds: float = CONNECT_SECONDS) -> list[dict[str, Any]]:
    """Ask all endpoints at the same time; ``answers`` is None where nobody was asked.

    The name look-up has no time-out of its own and can hang for a minute behind a firewall, so each question has a thread that is left
    behind when its time is up.
    """
    results: list[dict[str, Any]] = [
        {"url": url, "answers": None if offline else False, "seconds": None, "error": ""} for url in urls or candidates()
    ]
    if offline:
        return _told(results)
    threads = [threading.Thread(target=_probe, args=(result, seconds), daemon=True) for result in results]
    until = time.monotonic() + seconds + 0.5
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    # Copies: a thread that was left behind may still write to its own.
    told = [dict(r) if r["answers"] or r["error"] else dict(r) | {"error": _silence(seconds)} for r in results]
    return _told(told)


def environment() -> dict[str, Any]:
    """The variables that decide about hubs and devices. An address is told without what may be secret in it."""
    told: dict[str, Any] = {name: without_credentials(os.environ[name]) for name in TOLD if os.environ.get(name) is not None}
    return told | {"proxy": sorted({name.upper() for name in PROXIES if os.environ.get(name)})}


def _told(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [r | {"url": without_credentials(r["url"]), "error": without_credentials(r["error"])} for r in results]


def _silence(seconds: float) -> str:
    return _("no answer within {seconds} seconds").format(seconds=f"{seconds:g}")


def _probe(result: dict[str, Any], seconds: float) -> None:
    started = time.monotonic()
    try:
        request = urllib.request.Request(result["url"] + "/", method="HEAD", headers={"User-Agent": "weitiao-doctor"})
        with urllib.request.urlopen(request, timeout=seconds):
            pass
    except urllib.error.HTTPError:
        pass  # a refusal is an answer too
    except Exception as error:
        reason = getattr(error, "reason", None)
        reason = reason if isinstance(reason, BaseException) else error
        result["error"] = _silence(seconds) if isinstance(reason, TimeoutError) else because(reason).cause
        return
    result["seconds"] = round(time.monotonic() - started, 2)
    result["answers"] = True
