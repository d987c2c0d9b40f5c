"""``/v1/call``: the turns of an uploaded call, and a summary of each of its speakers."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request

from emotone.serve import examples
from emotone.serve.errors import RefusedError
from emotone.serve.limits import check_names
from emotone.serve.schemas import REFUSALS, Call, Hop, ModelName, Only, Threshold, WindowLength
from emotone.serve.service import Asked, ServiceOf
from emotone.serve.upload import BODY_OF_CALL

router = APIRouter(tags=["Recordings"], dependencies=[Depends(check_names)])


@router.post(
    "/v1/call", summary="Recognise the turns of a call", openapi_extra=BODY_OF_CALL,
    responses=REFUSALS | examples.of(examples.CALL), response_model=Call,
    response_model_exclude_unset=True,
)  # fmt: skip
async def call(
    request: Request,
    service: ServiceOf,
    model: ModelName = None,
    channels: Annotated[
        Literal["mix", "split"], Query(description="split: each channel is a speaker.")
    ] = "mix",
    window: WindowLength | None = None,
    hop: Hop | None = None,
    threshold: Threshold = None,
    only: Only = None,
) -> dict[str, Any]:
    """Recognise the turns of a call.

    Turns are the field ``turns`` of the form; without, one ends where its speaker pauses, or, with
    window and hop, they are windows of each channel.

    `curl -F file=@call.wav "http://127.0.0.1:8000/v1/call?channels=split"`
    """
    if (window is None) != (hop is None):
        raise RefusedError(422, "invalid", "window and hop belong together; give both or none")
    windows = None if window is None or hop is None else (window, hop)
    return await service.recognise(request, Asked(model, threshold, only, windows, channels))
