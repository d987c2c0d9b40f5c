"""``/v1/predict`` and ``/v1/segments``: an uploaded recording as a whole, and in windows."""

from typing import Any

from fastapi import APIRouter, Depends, Request

from emotone.serve import examples
from emotone.serve.limits import check_names
from emotone.serve.schemas import (
    REFUSALS,
    Answer,
    Hop,
    ModelName,
    Only,
    Segments,
    Threshold,
    WindowLength,
)
from emotone.serve.service import Asked, ServiceOf
from emotone.serve.upload import BODY

router = APIRouter(tags=["Recordings"], dependencies=[Depends(check_names)])


@router.post(
    "/v1/predict", summary="Recognise a recording as a whole", openapi_extra=BODY,
    responses=REFUSALS | examples.of(examples.ANSWER), response_model=Answer,
    response_model_exclude_unset=True,
)  # fmt: skip
async def predict(
    request: Request,
    service: ServiceOf,
    model: ModelName = None,
    threshold: Threshold = None,
    only: Only = None,
) -> dict[str, Any]:
    """Recognise the emotion of a recording.

    With the field ``neutral`` of the form, probabilities of earlier answers to neutral speech of
    the speaker, the answer is relative to it.

    `curl -F file=@call.wav http://127.0.0.1:8000/v1/predict`
    """
    return await service.recognise(request, Asked(model, threshold, only))


@router.post(
    "/v1/segments", summary="Recognise a recording over time", openapi_extra=BODY,
    responses=REFUSALS | examples.of(examples.SEGMENTS), response_model=Segments,
    response_model_exclude_unset=True,
)  # fmt: skip
async def segments(
    request: Request,
    service: ServiceOf,
    model: ModelName = None,
    window: WindowLength = 3.0,
    hop: Hop = 1.0,
    threshold: Threshold = None,
    only: Only = None,
) -> dict[str, Any]:
    """Recognise windows of a recording; those without speech have `null` in place of the answer.

    `curl -F file=@call.wav "http://127.0.0.1:8000/v1/segments?window=3&hop=1"`
    """
    return await service.recognise(request, Asked(model, threshold, only, (window, hop)))
