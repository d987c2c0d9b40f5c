"""``/v1/stream``: live audio over a WebSocket."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, WebSocket

from emotone.serve.errors import RefusedError, refuse
from emotone.serve.limits import check_overlap, given_neutral
from emotone.serve.live import FORMATS, Asked, serve
from emotone.serve.schemas import Hop, ModelName, Neutral, Threshold, WindowLength
from emotone.serve.security import is_allowed, token_in
from emotone.serve.service import ServiceOf

router = APIRouter()


@dataclass(frozen=True)
class Parameters:
    """The query of a stream."""

    rate: Annotated[int, Query(ge=1000, le=384_000, description="Sampling rate in Hz.")]
    model: ModelName = None
    form: Annotated[
        Literal["s16le", "f32le"],
        Query(alias="format", description="Samples: 16-bit integers, or floats within ±1."),
    ] = "s16le"
    window: WindowLength = 3.0
    hop: Hop = 1.0
    threshold: Threshold = None
    neutral: Neutral = None
    token: Annotated[
        str | None, Query(description="The token, from clients that cannot send it as a header.")
    ] = None


ParametersOf = Annotated[Parameters, Depends()]


@router.websocket("/v1/stream")
async def stream(socket: WebSocket, service: ServiceOf, given: ParametersOf) -> None:
    """Recognise live audio: binary messages of samples in, a JSON object per window out."""
    workers, options = service.workers, service.options
    assert workers is not None
    if not is_allowed(options.token, given.token or await token_in(socket)):
        return await refuse(socket, "the token is missing or wrong")
    name, window, hop = given.model or options.models[0], given.window, given.hop
    if name not in workers.models:
        return await refuse(socket, "unknown model; see /v1/models")
    if hop > window:
        return await refuse(socket, f"hop: at most the window of {window:g} s, got {hop:g} s")
    try:
        check_overlap(window, hop, options)
        neutral = given_neutral(given.neutral, workers.models[name])
    except RefusedError as error:
        return await refuse(socket, str(error))
    client = socket.client.host if socket.client else ""
    if not service.streams.take(client):
        return await refuse(socket, "too many streams of this client; end another one")
    try:
        await socket.accept()
        asked = Asked(
            name, given.threshold, given.rate, FORMATS[given.form], window, hop, neutral
        )  # fmt: skip
        return await serve(socket, workers, asked, options)
    finally:
        service.streams.give(client)
