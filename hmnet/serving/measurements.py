"""What a server counts and times, as Prometheus reads it."""

from __future__ import annotations

END_POINTS = ("/predict", "/tasks", "/health", "/metrics")
_TIMES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Measurements:
    """Counts of one server.

    Args:
        run: id of the run whose model answers.
    """

    media_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, run: str) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "hmnet_requests",
            "Requests, by end point and status.",
            ["path", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "hmnet_request_seconds",
            "Time to the answer.",
            ["path"],
            buckets=_TIMES_S,
            registry=registry,
        )
        self._batches = Histogram(
            "hmnet_batch_rows", "Rows that ran together.", buckets=_ROWS, registry=registry
        )
        self._waiting = Gauge("hmnet_waiting_rows", "Rows that wait.", registry=registry)
        model = Gauge("hmnet_model", "The run whose model answers.", ["run"], registry=registry)
        model.labels(run).set(1)

    def watch_request(self, path: str, status: int, seconds: float) -> None:
        """Count an answer; paths that are none of the end points count as one."""
        shown = path if path in END_POINTS else "other"
        self._requests.labels(shown, str(status)).inc()
        self._seconds.labels(shown).observe(seconds)

    def watch_batch(self, rows: int) -> None:
        """Count a batch."""
        self._batches.observe(rows)

    def write(self, waiting_rows: int) -> bytes:
        """Return everything in Prometheus' text format."""
        from prometheus_client import generate_latest

        self._waiting.set(waiting_rows)
        return generate_latest(self._registry)
