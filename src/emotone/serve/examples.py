"""Examples of answers, for the OpenAPI document: one of each kind, and one of each error."""

from typing import Any

from emotone.serve.errors import HINTS

PROBABILITIES = {"anger": 0.0911, "happiness": 0.8124, "neutral": 0.0652, "sadness": 0.0313}
PREDICTION = {
    "label": "happiness", "confidence": 0.8124, "confident": True, "probabilities": PROBABILITIES,
}  # fmt: skip

ANSWER = {"model": "emotone-base", "seconds": 4.25, **PREDICTION}
SEGMENTS = {
    "model": "emotone-base",
    "seconds": 4.0,
    "segments": [
        {"start": 0.0, "end": 3.0, **PREDICTION},
        {"start": 1.0, "end": 4.0, **PREDICTION},
    ],
}
CALL = {
    "model": "emotone-base",
    "seconds": 62.5,
    "turns": [{"start": 0.4, "end": 3.1, "speaker": "channel 1", **PREDICTION}],
    "speakers": [
        {
            "speaker": "channel 1",
            "channel": 1,
            "enrolled": True,
            "turns": 9,
            "seconds": 28.1,
            "confident_turns": 6,
            "confident_seconds": 19.7,
            "shares": {"anger": 0.0, "happiness": 0.71, "neutral": 0.29, "sadness": 0.0},
            "trend": {"anger": 0.0, "happiness": 0.22, "neutral": -0.22, "sadness": 0.0},
        }
    ],
    "notes": [],
}
MODELS = [
    {
        "name": "emotone-base",
        "labels": list(PROBABILITIES),
        "dimensions": [],
        "sample_rate": 16000,
        "corpora": ["emodb", "ravdess"],
        "confident_from": 0.7159,
        "neutral": True,
    }
]
METRICS = """\
emotone_requests_total{path="/v1/predict",status="200"} 12.0
emotone_audio_seconds_total 48.3
emotone_waiting 0.0
emotone_worker_restarts 0.0
"""

# by status: what it means, and a message for each code of its errors
REFUSED: dict[int, tuple[str, dict[str, str]]] = {
    400: (
        "Not audio, without speech, or incomplete.",
        {
            "not_audio": "not audio that can be decoded, or damaged",
            "no_speech": "no speech found, only noise, music or other sounds",
            "incomplete": "the upload was interrupted",
            "invalid": "the form cannot be read: Missing boundary in multipart.",
        },
    ),
    401: ("The token is missing or wrong.", {"unauthorized": "the token is missing or wrong"}),
    403: (
        "Sent by a page of another server.",
        {"foreign": "pages of https://example.org may not use this server"},
    ),
    404: ("No such model.", {"unknown_model": "there is no model 'other' here"}),
    408: ("The upload took too long.", {"too_slow": "the upload took longer than 60 s"}),
    413: (
        "Too large or too long.",
        {"too_large": "the upload is larger than 25 MB"},
    ),
    415: (
        "Not sent as audio.",
        {"unsupported_media_type": "Content-Type text/plain is not audio"},
    ),
    421: ("Not a name of this server.", {"foreign": "this server is not known as 'example.org'"}),
    422: (
        "A parameter is out of its range.",
        {"invalid": "hop: at least 1.875 s for a window of 60 s, got 0.1 s"},
    ),
    426: ("Not asked for as a WebSocket.", {"websocket": "/v1/stream is a WebSocket"}),
    429: (
        "Too many uploads of this client at once; see Retry-After.",
        {"share": "more than 16 uploads at once"},
    ),
    503: (
        "Too many requests are waiting, or no worker is able to work; see Retry-After.",
        {"busy": "too many requests are waiting"},
    ),
    507: (
        "No room to store the upload.",
        {"disk_full": "the server cannot store the upload: No space left on device"},
    ),
}


def of(value: Any, kind: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of an answer: an example."""
    return {200: {"content": {kind: {"example": value}}}}


def refusals(schema: type, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of errors.

    Args:
        schema: of the answer.
        statuses: keys of :data:`REFUSED`.
    """
    return {status: refusal(schema, *REFUSED[status]) for status in statuses}


def refusal(schema: type, why: str, messages: dict[str, str]) -> dict[str, Any]:
    """Return what the OpenAPI document says of one error: an example for each of its codes."""
    examples = {
        code: {"value": {"error": {"code": code, "message": text, "hint": HINTS[code]}}}
        for code, text in messages.items()
    }
    content = {"application/json": {"examples": examples}}
    return {"model": schema, "description": why, "content": content}
