"""``emotone serve``."""

import logging
import os
from typing import Annotated

import typer

from emotone.cli.options import MODEL, RESOURCES, Threshold
from emotone.errors import UsageError

LIMITS = "Limits"  # a group of --help


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="EMOTONE_TOKEN", help="Bearer token that clients must send; by default none."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="Model folder or name; several may be given. By default emotone-base and "
            "emotone-8.",
        ),
    ] = None,
    threshold: Threshold = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=RESOURCES, help="Worker processes; by default one per core."
        ),
    ] = None,
    upload_mb: Annotated[
        float, typer.Option(rich_help_panel=LIMITS, help="Maximum upload size in megabytes.")
    ] = 25.0,
    minutes: Annotated[
        float, typer.Option(rich_help_panel=LIMITS, help="Maximum duration of uploaded audio.")
    ] = 10.0,
    seconds: Annotated[
        float, typer.Option(rich_help_panel=LIMITS, help="Maximum processing time of an upload.")
    ] = 60.0,
    queue: Annotated[int, typer.Option(rich_help_panel=LIMITS, help="Maximum queue length.")] = 32,
    streams: Annotated[
        int, typer.Option(rich_help_panel=LIMITS, help="Maximum live streams per client.")
    ] = 4,
    stream_minutes: Annotated[
        float, typer.Option(rich_help_panel=LIMITS, help="Maximum duration of a live stream.")
    ] = 60.0,
    idle_s: Annotated[
        float,
        typer.Option(
            rich_help_panel=LIMITS, help="Seconds without data after which a stream is closed."
        ),
    ] = 30.0,
) -> None:
    """Serve recognition: a web page, REST under /v1, documentation at /docs.

    Examples:
        emotone serve
        emotone serve --host 0.0.0.0 --port 80 --model out/model --workers 4
    """
    import uvicorn
    from pydantic import ValidationError

    from emotone.serve.app import create
    from emotone.serve.options import ServeOptions

    given = {"models": tuple(model) if model else None, "workers": workers or os.cpu_count()}
    limits = {
        "upload_mb": upload_mb, "minutes": minutes, "seconds": seconds, "queue": queue,
        "streams": streams, "stream_minutes": stream_minutes, "idle_s": idle_s, "token": token,
        "threshold": threshold,
    }  # fmt: skip
    chosen = {name: value for name, value in (given | limits).items() if value is not None}
    try:
        options = ServeOptions.model_validate(chosen)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--{first['loc'][0]}: {first['msg']}".replace("_", "-")) from error
    app = create(options)
    logger = logging.getLogger("emotone.serve")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())  # one JSON object per request, on standard error
    typer.echo(f"http://{host}:{port} (Ctrl-C to stop)")
    uvicorn.run(app, host=host, port=port, access_log=False, log_level="warning")
