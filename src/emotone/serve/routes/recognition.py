"""``/v1/predict`` and ``/v1/segments``: an uploaded recording as a whole, and in windows."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from emotone.serve.schemas import REFUSALS, Answer, Hop, Only, Segments, Threshold, WindowLength
from emotone.serve.service import Asked, ServiceOf
from emotone.serve.upload import BODY

Name = Annotated[str | None, Query(description="A name of /v1/models; the first by default.")]

router = APIRouter()


@router.post("/v1/predict", openapi_extra=BODY, responses=REFUSALS, response_model=Answer)
async def predict(
    request: Request,
    service: ServiceOf,
    model: Name = None,
    threshold: Threshold = None,
    only: Only = None,
) -> dict[str, Any]:
    """Recognise the emotion of a recording."""
    return await service.recognise(request, Asked(model, threshold, only))


@router.post("/v1/segments", openapi_extra=BODY, responses=REFUSALS, response_model=Segments)
async def segments(
    request: Request,
    service: ServiceOf,
    model: Name = None,
    window: WindowLength = 3.0,
    hop: Hop = 1.0,
    threshold: Threshold = None,
    only: Only = None,
) -> dict[str, Any]:
    """Recognise windows of a recording; those without sound have no label."""
    return await service.recognise(request, Asked(model, threshold, only, (window, hop)))
