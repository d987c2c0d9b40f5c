"""``emotone serve``."""

import logging
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotone.cli.options import MODEL, RESOURCES, Threshold
from emotone.errors import UsageError

if TYPE_CHECKING:
    from pydantic import ValidationError

TOKEN = "EMOTONE_TOKEN"  # environment variable
LIMITS, ACCESS = "Limits", "Access"  # groups of --help
OTHERWISE = {  # options of the command that ServeOptions calls something else
    "models": "model", "hosts": "allow-host", "origins": "allow-origin", "proxies": "proxy",
}  # fmt: skip


def _limit(text: str) -> Any:
    return typer.Option(rich_help_panel=LIMITS, help=text)


def _access(text: str) -> Any:
    return typer.Option(rich_help_panel=ACCESS, help=text)


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
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
    upload_mb: Annotated[float, _limit("Maximum upload size in megabytes.")] = 25.0,
    upload_kb_s: Annotated[float, _limit("Minimum upload rate in kilobytes per second.")] = 8.0,
    minutes: Annotated[float, _limit("Maximum duration of uploaded audio.")] = 10.0,
    seconds: Annotated[float, _limit("Maximum processing time of an upload.")] = 60.0,
    header_s: Annotated[float, _limit("Maximum seconds to send the head of a request.")] = 10.0,
    queue: Annotated[int, _limit("Maximum queue length.")] = 32,
    uploads: Annotated[int, _limit("Maximum concurrent uploads per client.")] = 16,
    connections: Annotated[int, _limit("Maximum connections per client.")] = 64,
    overlap: Annotated[int, _limit("Maximum overlap: window divided by hop.")] = 32,
    turns: Annotated[int, _limit("Maximum number of turns of a call.")] = 2000,
    streams: Annotated[int, _limit("Maximum live streams per client.")] = 4,
    stream_minutes: Annotated[float, _limit("Maximum duration of a live stream.")] = 60.0,
    message_kb: Annotated[float, _limit("Maximum size of a live message in kilobytes.")] = 1000.0,
    backlog_s: Annotated[
        float, _limit("Seconds of unprocessed live audio after which reading pauses.")
    ] = 10.0,
    idle_s: Annotated[float, _limit("Seconds without audio that end a stream.")] = 30.0,
    stop_s: Annotated[int, _limit("Seconds to finish requests when the service is stopped.")] = 8,
    token: Annotated[
        str | None,
        typer.Option(
            envvar=TOKEN,
            rich_help_panel=ACCESS,
            help="Bearer token that clients must send; by default none.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        _access("Name of this server; * for any. By default localhost and IP addresses."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        _access("Web page that may use it, https://example.org; * for any. By default its own."),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        _access(
            "Address or network of a proxy whose X-Forwarded-For is believed; by default none."
        ),
    ] = None,
) -> None:
    """Serve recognition: a web page, REST under /v1, documentation at /docs.

    Examples:
        emotone serve
        emotone serve --host 0.0.0.0 --port 80 --allow-host emotone.example.org --workers 4
    """
    token = os.environ.get(TOKEN) if token is None else token  # for Typer, an empty one is none
    given = {
        "models": tuple(model) if model else None, "threshold": threshold,
        "workers": workers or os.cpu_count(), "upload_mb": upload_mb, "upload_kb_s": upload_kb_s,
        "minutes": minutes, "seconds": seconds, "header_s": header_s, "queue": queue,
        "uploads": uploads, "connections": connections, "overlap": overlap, "turns": turns,
        "streams": streams,
        "stream_minutes": stream_minutes, "message_kb": message_kb, "backlog_s": backlog_s,
        "idle_s": idle_s, "stop_s": stop_s, "token": token, "hosts": (host, *(allow_host or ())),
        "origins": tuple(allow_origin or ()), "proxies": tuple(proxy or ()),
    }  # fmt: skip
    _run({name: value for name, value in given.items() if value is not None}, host, port)


def _run(chosen: dict[str, Any], host: str, port: int) -> None:
    from pydantic import ValidationError

    from emotone.serve import server
    from emotone.serve.app import create
    from emotone.serve.options import ServeOptions

    try:
        options = ServeOptions.model_validate(chosen)
    except ValidationError as error:
        raise UsageError(_explained(error)) from error
    server.check_address(host, port)
    app = create(options)
    logger = logging.getLogger("emotone.serve")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())  # one JSON object per request, on standard error
    typer.echo(f"http://{host}:{port} (Ctrl-C to stop)")
    server.run(app, host, port)


def _explained(error: "ValidationError") -> str:
    from emotone.options import explained

    first = error.errors()[0]
    name = str(first["loc"][0])
    if name == "token":  # a secret, which is not repeated
        given: str = first["input"]
        if given.strip():
            return f"--token: expected at least 8 characters, got {len(given)}"
        return (
            f"--token: expected at least 8 characters, got {'only spaces' if given else 0}; to "
            f"serve without a token, leave it out and unset {TOKEN}"
        )
    return explained(first, f"--{OTHERWISE.get(name, name.replace('_', '-'))}", ())
