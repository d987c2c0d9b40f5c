"""Metrics of the service in Prometheus's format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counters of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "emotone_requests", "Requests.", ["path", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "emotone_request_seconds", "Seconds to an answer.", ["path"], registry=self.registry
        )
        self.audio = Counter(
            "emotone_audio_seconds", "Seconds of audio processed.", registry=self.registry
        )
        self.waiting = Gauge(
            "emotone_waiting", "Requests in progress or waiting.", registry=self.registry
        )
        self.restarts = Gauge(
            "emotone_worker_restarts", "Workers that were replaced.", registry=self.registry
        )
