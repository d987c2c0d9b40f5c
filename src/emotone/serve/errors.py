"""Errors of the service as JSON: ``{"error": {"code": …, "message": …, "hint": …}}``.

Those of a stream are a closing code and a reason.
"""

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketState

from emotone.errors import EmotoneError

HINTS = {
    "not_audio": "send a WAV, FLAC, MP3, Ogg, Opus, M4A or WebM file with sound in it",
    "no_speech": "record closer to the microphone, or send another file",
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
    "websocket": "open it with a WebSocket client; see /docs for an example",
    "starting": "try again in a few seconds",
    "share": "wait until another one of yours has ended; see Retry-After",
    "disk_full": "try again later; if this is your server, make room in its temporary folder",
    "foreign": "ask who runs the server to allow it: emotone serve --allow-host or --allow-origin",
}
RETRY_S = 1
CHALLENGE = 'Basic realm="emotone", charset="UTF-8"'  # makes browsers ask for a password
DECODED = "the array"  # what messages call an upload that was decoded
REFUSED = 1008  # closing code of a stream
MAX_REASON = 120  # bytes that fit into a closing frame


class RefusedError(Exception):
    """A request that is answered with an error.

    Args:
        status: status code of HTTP.
        code: key of :data:`HINTS`.
        message: what is wrong.
        headers: headers of the answer.
        hint: what to do; that of the code if it is empty.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}
        self.hint = hint or HINTS[code]


def of_audio(error: EmotoneError, path: str, code: str, status: int = 400) -> RefusedError:
    """Return the refusal of a file; what emotone says to do about it, after "; ", is the hint.

    Args:
        error: about the file.
        path: of the file, which means nothing to the client.
        code: key of :data:`HINTS`.
        status: status code of HTTP.
    """
    text = str(error).removeprefix(f"{path}: ").removeprefix(f"{DECODED}: ")
    message, _, hint = text.replace(path, "the upload").partition("; ")
    return RefusedError(status, code, message, hint=hint)


def response(error: RefusedError) -> JSONResponse:
    """Return the answer to a refused request."""
    content = {"code": error.code, "message": str(error), "hint": error.hint}
    headers = dict(error.headers)
    if error.status in (429, 503):
        headers["Retry-After"] = str(RETRY_S)
    if error.status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    return JSONResponse({"error": content}, error.status, headers)


async def refuse(socket: WebSocket, reason: str, code: int = REFUSED) -> None:
    """Say why a stream ends, or does not begin; without being accepted, clients cannot see it."""
    short = reason.encode()[:MAX_REASON].decode(errors="ignore")
    try:
        if socket.application_state is WebSocketState.CONNECTING:
            await socket.accept()
        await socket.close(code, short)
    except (RuntimeError, WebSocketDisconnect):  # closed already
        return


def add_handlers(app: FastAPI) -> None:
    """Answer all errors of an application as JSON."""

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> JSONResponse:
        return response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return response(RefusedError(422, "invalid", f"{first['loc'][-1]}: {first['msg']}"))

    @app.exception_handler(WebSocketRequestValidationError)
    async def invalid_stream(socket: WebSocket, error: WebSocketRequestValidationError) -> None:
        first = error.errors()[0]
        await refuse(socket, f"{first['loc'][-1]}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        code = "not_found" if error.status_code == 404 else "invalid"
        headers = dict(error.headers or {})
        return response(RefusedError(error.status_code, code, str(error.detail), headers))
