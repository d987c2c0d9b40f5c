"""Errors of the service as JSON: ``{"error": {"code": …, "message": …, "hint": …}}``."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from emotone.serve.security import CHALLENGE

HINTS = {
    "not_audio": "send a WAV, FLAC, MP3, Ogg, Opus, M4A or WebM file with sound in it",
    "too_large": "send a smaller or shorter file, or cut it into parts",
    "unsupported_media_type": "send the file as multipart/form-data in the field 'file', or as the "
    "body with a Content-Type such as audio/wav",
    "invalid": "see /docs for what is expected",
    "unknown_model": "see /v1/models for the available models",
    "busy": "try again after the seconds in Retry-After",
    "unauthorized": "send the header Authorization: Bearer TOKEN; in a browser, enter the token as "
    "the password, with any name",
    "incomplete": "send it again",
    "too_slow": "send it over a faster connection, or a smaller file",
    "not_found": "see /docs for the available paths",
    "starting": "try again in a few seconds",
}
RETRY_S = 1


class RefusedError(Exception):
    """A request that is answered with an error.

    Args:
        status: status code of HTTP.
        code: key of :data:`HINTS`.
        message: what is wrong.
        headers: headers of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


def response(error: RefusedError) -> JSONResponse:
    """Return the answer to a refused request."""
    content = {"code": error.code, "message": str(error), "hint": HINTS[error.code]}
    headers = dict(error.headers)
    if error.status == 503:
        headers["Retry-After"] = str(RETRY_S)
    if error.status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    return JSONResponse({"error": content}, error.status, headers)


def add_handlers(app: FastAPI) -> None:
    """Answer all errors of an application as JSON."""

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> JSONResponse:
        return response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return response(RefusedError(422, "invalid", f"{first['loc'][-1]}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        code = "not_found" if error.status_code == 404 else "invalid"
        return response(RefusedError(error.status_code, code, str(error.detail)))
