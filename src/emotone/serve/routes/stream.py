"""``/v1/stream``: live audio over a WebSocket."""

from typing import Annotated

from fastapi import APIRouter, Query, WebSocket

from emotone.serve.errors import RefusedError, refuse
from emotone.serve.limits import check_overlap
from emotone.serve.live import FORMATS, Asked, serve
from emotone.serve.schemas import Hop, Threshold, WindowLength
from emotone.serve.security import is_allowed, token_in
from emotone.serve.service import ServiceOf

router = APIRouter()


@router.websocket("/v1/stream")
async def stream(
    socket: WebSocket,
    service: ServiceOf,
    rate: Annotated[int, Query(ge=1000, le=384_000)],
    model: str | None = None,
    form: Annotated[str, Query(alias="format")] = "s16le",
    window: WindowLength = 3.0,
    hop: Hop = 1.0,
    threshold: Threshold = None,
) -> None:
    """Recognise live audio: binary messages of samples in, a JSON object per window out."""
    workers, options = service.workers, service.options
    assert workers is not None
    given = socket.query_params.get("token") or await token_in(socket)
    if not is_allowed(options.token, given):
        return await refuse(socket, "the token is missing or wrong")
    name = model or options.models[0]
    if name not in workers.models:
        return await refuse(socket, "unknown model; see /v1/models")
    if form not in FORMATS:
        return await refuse(socket, f"format must be one of {', '.join(FORMATS)}")
    if hop > window:
        return await refuse(socket, f"hop: at most the window of {window:g} s, got {hop:g} s")
    try:
        check_overlap(window, hop, options)
    except RefusedError as error:
        return await refuse(socket, str(error))
    client = socket.client.host if socket.client else ""
    if not service.streams.take(client):
        return await refuse(socket, "too many streams of this client; end another one")
    try:
        await socket.accept()
        asked = Asked(name, threshold, rate, FORMATS[form], window, hop)
        return await serve(socket, workers, asked, options)
    finally:
        service.streams.give(client)
