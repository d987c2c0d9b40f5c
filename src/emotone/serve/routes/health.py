"""``/health`` and ``/ready``."""

from fastapi import APIRouter

from emotone import __version__
from emotone.serve.errors import RefusedError
from emotone.serve.schemas import Refusal
from emotone.serve.service import ServiceOf

router = APIRouter()


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the server is alive."""
    return {"status": "alive", "version": __version__}


@router.get("/ready", responses={503: {"model": Refusal, "description": "Not yet."}})
async def ready(service: ServiceOf) -> dict[str, str]:
    """Whether a worker can recognise."""
    if service.workers is None or not service.workers.ready:
        raise RefusedError(503, "starting", "no worker has loaded the models")
    return {"status": "ready"}
