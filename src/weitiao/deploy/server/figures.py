"""Counts and times of a server, for Prometheus. No text of a request is among them."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 16384)
RECORDS = (1, 2, 4, 8, 16, 32, 64, 128)


class Figures:
    """What a server counts.

    Args:
        waiting, workers: how many records wait and how many workers are ready now.
    """

    def __init__(self, waiting: Callable[[], float], workers: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self._registry, "namespace": "weitiao"}
        self.requests = Counter("requests", "Requests by page and status.", ["page", "status"], **own)
        self.seconds = Histogram("request_seconds", "From a request's first byte to its last.", ["page"], buckets=SECONDS, **own)
        self.records = Counter("records", "Records that were answered.", ["model"], **own)
        self.tokens = Counter("tokens", "Tokens that were read.", ["model"], **own)
        self.batch_records = Histogram("batch_records", "Records that were answered together.", ["model"], buckets=RECORDS, **own)
        self.batch_tokens = Histogram("batch_tokens", "Tokens that were read together.", ["model"], buckets=TOKENS, **own)
        self.batch_seconds = Histogram("batch_seconds", "Time that a batch took a worker.", ["model"], buckets=SECONDS, **own)
        self.failures = Counter("failures", "Records that could not be answered through no fault of theirs.", ["model"], **own)
        self.restarts = Counter("worker_restarts", "Workers that died and were started again.", **own)
        Gauge("queue_records", "Records that wait.", **own).set_function(waiting)
        Gauge("workers_ready", "Workers that can answer.", **own).set_function(workers)

    def page(self) -> bytes:
        """All of them, as Prometheus reads it."""
        return generate_latest(self._registry)
