"""Options of the service."""

import re
from ipaddress import ip_network

from pydantic import Field, field_validator

from emotone.options import Options
from emotone.text import shown

ORIGIN = re.compile(
    r"\*|null|[a-z][a-z0-9+.-]*://(\[[0-9a-f:]+\]|[^\s/?#@*,:\[\]]+)(:\d{1,5})?/?", re.IGNORECASE
)


class ServeOptions(Options):
    """Limits and models of the service; the defaults are suitable for a small machine.

    A client is an address; see ``proxies`` for those behind a proxy.

    Attributes:
        models: names or folders of the models, the default one first; see
            :func:`emotone.inference.model_folder.locate`.
        threshold: probability from which an answer is confident, unless a request gives another;
            ``None`` for that of each model.
        workers: processes that decode and recognise.
        upload_mb: largest upload, in megabytes.
        upload_kb_s: slowest upload, in kilobytes per second, on average after the first 5 s.
        minutes: longest audio of an upload, in minutes.
        seconds: time limit of an upload, and of its recognition, in seconds.
        header_s: time limit of the head of a request, in seconds.
        queue: maximum number of waiting requests; more receive 503 with Retry-After.
        uploads: maximum number of concurrent uploads of one client; more receive 429.
        connections: maximum number of concurrent connections of one client; more receive 429.
        overlap: maximum number of windows that share a moment: a hop is at least a window divided
            by this. The same for turns.
        turns: maximum number of turns of a call.
        streams: maximum number of concurrent live streams of one client.
        stream_minutes: longest live stream, in minutes.
        message_kb: largest message of a live stream, in kilobytes.
        backlog_s: received and unrecognised audio, in seconds, from which on a stream is not read.
        idle_s: seconds without audio, or without reading answers, after which a stream is closed.
        stop_s: seconds in which requests are finished when the service is stopped.
        token: required from clients as ``Authorization: Bearer``; ``None`` for no check.
        hosts: names in addition to ``localhost`` and IP addresses under which the service may be
            addressed (the header ``Host``); ``*`` for any.
        origins: web pages in addition to its own that may use the service, such as
            ``https://example.org`` (the header ``Origin``); ``*`` for any.
        proxies: addresses or networks of proxies whose header ``X-Forwarded-For`` is believed.
    """

    models: tuple[str, ...] = Field(("emotone-base", "emotone-8"), min_length=1)
    threshold: float | None = Field(None, ge=0, le=1)
    workers: int = Field(2, ge=1)
    upload_mb: float = Field(25.0, gt=0)
    upload_kb_s: float = Field(8.0, gt=0)
    minutes: float = Field(10.0, gt=0)
    seconds: float = Field(60.0, gt=0)
    header_s: float = Field(10.0, gt=0)
    queue: int = Field(32, ge=1)
    uploads: int = Field(16, ge=1)
    connections: int = Field(64, ge=1)
    overlap: int = Field(32, ge=1)
    turns: int = Field(2000, ge=1)
    streams: int = Field(4, ge=0)
    stream_minutes: float = Field(60.0, gt=0)
    message_kb: float = Field(1000.0, gt=0)
    backlog_s: float = Field(10.0, gt=0)
    idle_s: float = Field(30.0, gt=0)
    stop_s: int = Field(8, ge=1)
    token: str | None = Field(None, min_length=8)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for one in proxies:
            ip_network(one)
        return proxies

    @field_validator("token")
    @classmethod
    def _is_not_blank(cls, token: str | None) -> str | None:
        if token is not None and not token.strip():
            raise ValueError("must have characters other than spaces")
        return token

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for one in origins:
            if not ORIGIN.fullmatch(one):
                raise ValueError(
                    "expected * or the scheme and host of a page, without a path, such as "
                    f"https://example.org, got {shown(one)}"
                )
        return origins

    @property
    def upload_bytes(self) -> int:
        """Largest upload, in bytes."""
        return round(self.upload_mb * 1e6)

    @property
    def message_bytes(self) -> int:
        """Largest message of a live stream, in bytes."""
        return round(self.message_kb * 1e3)
