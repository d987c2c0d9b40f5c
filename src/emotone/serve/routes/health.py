"""``/health`` and ``/ready``."""

from fastapi import APIRouter

from emotone import __version__
from emotone.serve import examples
from emotone.serve.errors import RefusedError
from emotone.serve.schemas import Health, Ready, Refusal
from emotone.serve.service import ServiceOf

NOT_YET = {"starting": "no worker has loaded the models"}

router = APIRouter(tags=["Operation"])


@router.get(
    "/health", summary="Is the server alive?", response_model=Health,
    responses=examples.of({"status": "alive", "version": __version__}),
)  # fmt: skip
async def health() -> dict[str, str]:
    """Whether the server is alive."""
    return {"status": "alive", "version": __version__}


@router.get(
    "/ready", summary="Can it recognise?", response_model=Ready,
    responses=examples.of({"status": "ready"})
    | {503: examples.refusal(Refusal, "Not yet.", NOT_YET)},
)  # fmt: skip
async def ready(service: ServiceOf) -> dict[str, str]:
    """Whether a worker can recognise."""
    if service.workers is None or not service.workers.ready:
        raise RefusedError(503, "starting", NOT_YET["starting"])
    return {"status": "ready"}
