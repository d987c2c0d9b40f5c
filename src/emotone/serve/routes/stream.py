"""``/v1/stream``: live audio over a WebSocket."""

from typing import Annotated

from fastapi import APIRouter, Query, WebSocket

from emotone.serve.live import REFUSED
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
    assert service.workers is not None
    given = socket.query_params.get("token") or await token_in(socket)
    if not is_allowed(service.options.token, given):
        await socket.close(REFUSED, "the token is missing or wrong")
        return
    recognizer = service.workers.models.get(model or service.options.models[0])
    if recognizer is not None and threshold is not None:
        recognizer = recognizer.with_threshold(threshold)
    await service.live.serve(socket, recognizer, rate, form, window, hop)
