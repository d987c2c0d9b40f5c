"""``/v1/models``."""

from typing import Any

from fastapi import APIRouter

from emotone.serve import examples
from emotone.serve.schemas import UNAUTHORIZED, Model
from emotone.serve.service import ServiceOf

router = APIRouter(tags=["Models"])


@router.get(
    "/v1/models", summary="List the models", response_model=list[Model],
    responses=UNAUTHORIZED | examples.of(examples.MODELS),
)  # fmt: skip
async def models(service: ServiceOf) -> list[dict[str, Any]]:
    """The available models, the default one first."""
    assert service.workers is not None
    return [
        {
            "name": name,
            "labels": recognizer.labels,
            "dimensions": list(recognizer.config.dimensions),
            "sample_rate": recognizer.config.sample_rate,
            "corpora": recognizer.config.training.get("corpora", []),
            "confident_from": recognizer.threshold,
            "neutral": recognizer.config.neutral is not None,
        }
        for name, recognizer in service.workers.models.items()
    ]
