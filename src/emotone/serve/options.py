"""Options of the service."""

from pydantic import Field

from emotone.options import Options


class ServeOptions(Options):
    """Limits and models of the service; the defaults are suitable for a small machine.

    Attributes:
        models: names or folders of the models, the default one first; see
            :func:`emotone.inference.model_folder.locate`.
        threshold: probability from which an answer is confident, unless a request gives another;
            ``None`` for that of each model.
        workers: processes that decode and recognise.
        upload_mb: largest upload, in megabytes.
        minutes: longest audio of an upload, in minutes.
        seconds: time limit of an upload, and of its recognition, in seconds.
        queue: maximum number of waiting requests; more receive 503 with Retry-After.
        streams: maximum number of concurrent live streams of one client address.
        stream_minutes: longest live stream, in minutes.
        idle_s: seconds without audio, or without reading answers, after which a stream is closed.
        token: required from clients as ``Authorization: Bearer``; ``None`` for no check.
    """

    models: tuple[str, ...] = Field(("emotone-base", "emotone-8"), min_length=1)
    threshold: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    workers: int = Field(2, ge=1)
    upload_mb: float = Field(25.0, gt=0)
    minutes: float = Field(10.0, gt=0)
    seconds: float = Field(60.0, gt=0)
    queue: int = Field(32, ge=1)
    streams: int = Field(4, ge=0)
    stream_minutes: float = Field(60.0, gt=0)
    idle_s: float = Field(30.0, gt=0)
    token: str | None = Field(None, min_length=8)

    @property
    def upload_bytes(self) -> int:
        """Largest upload, in bytes."""
        return round(self.upload_mb * 1e6)
