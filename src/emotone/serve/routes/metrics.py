"""``/metrics``."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import generate_latest

from emotone.serve import examples
from emotone.serve.schemas import UNAUTHORIZED
from emotone.serve.service import ServiceOf

router = APIRouter(tags=["Operation"])


@router.get(
    "/metrics", summary="Counters", response_class=PlainTextResponse,
    responses=UNAUTHORIZED | examples.of(examples.METRICS, "text/plain"),
)  # fmt: skip
async def metrics(service: ServiceOf) -> Response:
    """Counters in Prometheus's format."""
    return Response(generate_latest(service.metrics.registry), media_type="text/plain")
