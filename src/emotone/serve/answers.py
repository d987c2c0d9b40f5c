"""What the service answers, for its OpenAPI document."""

from typing import Any

from pydantic import BaseModel, Field

Shares = dict[str, float]


class Answer(BaseModel):
    """What was recognised in a recording."""

    model: str
    seconds: float = Field(description="Length of the recording.")
    label: str = Field(description="The most probable emotion.")
    confidence: float = Field(description="Probability of the label.")
    confident: bool = Field(description="Whether the model is sure, by its own threshold.")
    probabilities: Shares


class Segment(BaseModel):
    """What was recognised in a window; nothing where there is no sound."""

    start: float = Field(description="In seconds.")
    end: float = Field(description="In seconds.")
    label: str | None
    confidence: float | None
    confident: bool | None
    probabilities: Shares | None


class Segments(BaseModel):
    """What was recognised in the windows of a recording."""

    model: str
    seconds: float = Field(description="Length of the recording.")
    segments: list[Segment]


class Model(BaseModel):
    """A model that can be asked."""

    name: str
    labels: list[str]
    sample_rate: int = Field(description="In Hz; audio of any rate may be sent.")
    corpora: list[str] = Field(description="What it has learnt.")
    confident_from: float = Field(description="Probability from which it counts as sure.")


class Reason(BaseModel):
    """Why a request was refused."""

    code: str
    message: str
    hint: str = Field(description="What to do.")


class Refusal(BaseModel):
    """The answer to a request that was refused."""

    error: Reason


def _refusals(reasons: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Refusal, "description": why} for status, why in reasons.items()}


UNAUTHORIZED = _refusals({401: "The token is missing or wrong."})
REFUSALS = UNAUTHORIZED | _refusals(
    {
        400: "Not audio, or broken off.",
        404: "No such model.",
        408: "The upload took too long.",
        413: "Too large or too long.",
        415: "Sent as something else than audio.",
        422: "A parameter is out of its range.",
        503: "Too many requests wait; see Retry-After.",
    }
)
