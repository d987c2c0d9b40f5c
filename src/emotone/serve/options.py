"""What the service allows."""

from pydantic import Field

from emotone.options import Options


class ServeOptions(Options):
    """Limits and habits of the service; all have defaults that a small machine bears.

    Attributes:
        models: names or folders of the models, the first one the default; see
            :func:`emotone.inference.model_folder.locate`.
        workers: processes that decode and recognise.
        upload_mb: largest upload, in megabytes.
        minutes: longest audio of an upload.
        seconds: longest time that an upload may be worked on.
        queue: requests that may wait; more are told to come again.
        streams: live streams that one client, by its address, may have at once.
        stream_minutes: longest live stream.
        idle_s: seconds without audio, or without reading answers, after which a stream is closed.
        token: that clients must send as ``Authorization: Bearer``; ``None`` to ask for none.
    """

    models: tuple[str, ...] = Field(("emotone-base", "emotone-8"), min_length=1)
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
