"""Parameters and answers of the endpoints, for validation and the OpenAPI document."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from emotone.serve import examples

Probabilities = dict[str, float]
Dimensions = dict[str, float]
Dimension = Field(None, description="Values in 0 to 1, if the model has dimensions.")
ModelName = Annotated[
    str | None, Query(description="A name of /v1/models; the first by default.")
]  # fmt: skip
WindowLength = Annotated[
    float,
    Query(ge=0.025, le=60, allow_inf_nan=False, description="Length of a window in seconds."),
]
Hop = Annotated[
    float,
    Query(
        ge=0.1, le=60, allow_inf_nan=False,
        description="Time between the starts of two windows in seconds, at most the window.",
    ),
]  # fmt: skip
Threshold = Annotated[
    float | None,
    Query(
        ge=0, le=1, allow_inf_nan=False,
        description="Probability from which an answer is confident; see confident_from of "
        "/v1/models for the default.",
    ),
]  # fmt: skip
Only = Annotated[
    str | None,
    Query(
        max_length=1000,
        description="Emotions to choose among, with commas, such as anger,neutral; all by default.",
    ),
]

NEUTRAL = (
    "JSON array of the probabilities that this model answered to neutral speech of the same "
    "speaker; answers are relative to it. Without, they are relative to all speakers."
)
Neutral = Annotated[str | None, Query(max_length=20_000, description=NEUTRAL)]


class Health(BaseModel):
    """The server is alive."""

    status: Literal["alive"]
    version: str


class Ready(BaseModel):
    """A worker has loaded the models."""

    status: Literal["ready"]


class Answer(BaseModel):
    """The emotion of a recording."""

    model: str
    seconds: float = Field(description="Length of the recording.")
    label: str = Field(description="The most probable emotion.")
    confidence: float = Field(description="Probability of the label.")
    confident: bool = Field(description="Whether the confidence reaches the threshold.")
    probabilities: Probabilities
    dimensions: Dimensions | None = Dimension


class Segment(BaseModel):
    """The emotion in a window; null if the window is silent or holds no speech."""

    start: float = Field(description="In seconds.")
    end: float = Field(description="In seconds.")
    label: str | None
    confidence: float | None
    confident: bool | None
    probabilities: Probabilities | None
    dimensions: Dimensions | None = Dimension


class Segments(BaseModel):
    """The emotions in the windows of a recording."""

    model: str
    seconds: float = Field(description="Length of the recording.")
    segments: list[Segment]


class Turn(Segment):
    """The emotion in a turn; null if no speech was found in it."""

    speaker: str


class Speaker(BaseModel):
    """A speaker of a call."""

    speaker: str
    channel: int | None = Field(description="From 1; null if channels are not split.")
    enrolled: bool = Field(description="Whether the speaker's own speech was enrolled.")
    turns: int = Field(description="Number of turns.")
    seconds: float = Field(description="Time in turns with an answer.")
    confident_turns: int
    confident_seconds: float
    shares: Probabilities = Field(description="Share of confident_seconds of each emotion.")
    trend: dict[str, float] | None = Field(
        description="Share in the second half of the call minus that in the first; null if one "
        "has less than two confident turns."
    )


class Call(BaseModel):
    """The turns of a call, in order of time, and its speakers."""

    model: str
    seconds: float = Field(description="Length of the recording.")
    turns: list[Turn]
    speakers: list[Speaker]
    notes: list[str] = Field(description="What is to be known about the answers.")


class Model(BaseModel):
    """An available model."""

    name: str
    labels: list[str]
    dimensions: list[str] = Field(description="Such as arousal; empty if it has none.")
    sample_rate: int = Field(description="In Hz; audio of any rate may be sent.")
    corpora: list[str] = Field(description="What it was trained on.")
    confident_from: float = Field(description="Probability from which a prediction is confident.")
    neutral: bool = Field(description="Whether answers can be relative to neutral speech.")


class Reason(BaseModel):
    """Why a request was refused."""

    code: str
    message: str
    hint: str = Field(description="What to do.")


class Refusal(BaseModel):
    """The answer to a request that was refused."""

    error: Reason


STREAM_REFUSALS = examples.refusals(Refusal, 401, 421, 422, 426)
UNAUTHORIZED = examples.refusals(Refusal, 401)
REFUSALS = examples.refusals(Refusal, 400, 401, 403, 404, 408, 413, 415, 421, 422, 429, 503, 507)
