"""``/metrics``."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import generate_latest

from emotone.serve.schemas import UNAUTHORIZED
from emotone.serve.service import ServiceOf

router = APIRouter()


@router.get("/metrics", responses=UNAUTHORIZED, response_class=PlainTextResponse)
async def metrics(service: ServiceOf) -> Response:
    """Counters in Prometheus's format."""
    return Response(generate_latest(service.metrics.registry), media_type="text/plain")
