"""The service as an ASGI application: REST under ``/v1``, the page, health, metrics, ``/docs``.

Errors are JSON: ``{"error": {"code": …, "message": …, "hint": …}}``.
"""

import asyncio
import base64
import binascii
import hmac
import json
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import Headers, MutableHeaders, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emotone import __version__
from emotone.errors import AudioError, UsageError
from emotone.inference import model_folder
from emotone.inference.execution import CrashedError, TimeLimitError
from emotone.serve import page
from emotone.serve.answers import REFUSALS, UNAUTHORIZED, Answer, Model, Refusal, Segments
from emotone.serve.live import Live
from emotone.serve.options import ServeOptions
from emotone.serve.workers import BusyError, Job, TooLongError, Workers

HINTS = {
    "not_audio": "send a WAV, FLAC, MP3, Ogg, Opus, M4A or WebM file with sound in it",
    "too_large": "send a smaller or shorter file, or cut it into parts",
    "unsupported_media_type": "send the file as multipart/form-data in the field 'file', or as the "
    "body with a Content-Type such as audio/wav",
    "invalid": "see /docs for what is expected",
    "unknown_model": "see /v1/models for the models there are",
    "busy": "try again after the seconds that Retry-After says",
    "unauthorized": "send the header Authorization: Bearer TOKEN; in a browser, give the token as "
    "the password, with any name",
    "incomplete": "send it again",
    "too_slow": "send it over a faster connection, or a smaller file",
    "not_found": "see /docs for what there is",
    "starting": "try again in a few seconds",
}
RAW = ("audio/", "video/", "application/octet-stream")
OPEN = ("/health", "/ready")  # that need no token
RETRY_S = 1
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "audio/wav": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
Name = Annotated[str | None, Query(description="A name of /v1/models; the first by default.")]
log = logging.getLogger("emotone.serve")


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


class Metrics:
    """What ``/metrics`` says."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "emotone_requests", "Requests.", ["path", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "emotone_request_seconds", "Seconds to an answer.", ["path"], registry=self.registry
        )
        self.audio = Counter("emotone_audio_seconds", "Audio heard.", registry=self.registry)
        self.waiting = Gauge("emotone_waiting", "Requests at work or waiting.",
                             registry=self.registry)  # fmt: skip
        self.restarts = Gauge("emotone_worker_restarts", "Workers that were replaced.",
                              registry=self.registry)  # fmt: skip


class Service:
    """The state behind the application: workers, the bound on what waits, metrics."""

    def __init__(self, options: ServeOptions) -> None:
        self.options = options
        self.metrics = Metrics()
        self.workers: Workers | None = None
        self.waiting = 0
        self.live = Live(options)

    def start(self) -> None:
        """Load the models; returns when all workers are ready."""
        self.workers = Workers(self.options.models, self.options.workers, self.options.seconds)

    def stop(self) -> None:
        """End the workers."""
        if self.workers is not None:
            self.workers.close()

    async def recognise(
        self, request: Request, model: str | None, windows: tuple[float, float] | None
    ) -> dict[str, Any]:
        """Answer a request with audio."""
        workers, options = self.workers, self.options
        assert workers is not None
        name = model or options.models[0]
        if name not in workers.models:
            raise RefusedError(404, "unknown_model", f"there is no model {name!r} here")
        if self.waiting >= options.queue + options.workers:
            raise RefusedError(503, "busy", "too many requests are waiting")
        self.waiting += 1
        self.metrics.waiting.set(self.waiting)
        try:
            with tempfile.NamedTemporaryFile(prefix="emotone-") as file:
                async for chunk in _audio(request):
                    file.write(chunk)
                file.flush()
                job = Job(name, file.name, 60 * options.minutes, windows)
                result = await workers.do(job)
        except ClientDisconnect as error:
            raise RefusedError(400, "incomplete", "the upload broke off") from error
        except AudioError as error:
            message = str(error).replace(job.path, "the upload")
            raise RefusedError(400, "not_audio", message) from error
        except TooLongError as error:
            raise RefusedError(413, "too_large", str(error)) from error
        except (CrashedError, TimeLimitError) as error:
            raise RefusedError(
                400, "not_audio", f"the upload cannot be decoded: {error}"
            ) from error
        except BusyError as error:
            raise RefusedError(503, "busy", str(error)) from error
        except UsageError as error:
            raise RefusedError(422, "invalid", str(error)) from error
        finally:
            self.waiting -= 1
            self.metrics.waiting.set(self.waiting)
            self.metrics.restarts.set(workers.restarts)
        self.metrics.audio.inc(result["seconds"])
        return result


async def _audio(request: Request) -> AsyncIterator[bytes]:
    """The file in a request, in chunks: the field ``file`` of a form, or the whole body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        try:
            form = await request.form(max_files=1, max_fields=10)
        except (MultipartParseError, HTTPException) as error:
            raise RefusedError(400, "invalid", f"the form cannot be read: {error}") from error
        try:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise RefusedError(422, "invalid", "the form has no file in the field 'file'")
            while chunk := await file.read(2**18):
                yield chunk
        finally:
            await form.close()
    elif kind.startswith(RAW):
        async for chunk in request.stream():
            yield chunk
    else:
        raise RefusedError(
            415, "unsupported_media_type", f"Content-Type {kind or 'is missing'} is not audio"
        )


def create(options: ServeOptions | None = None) -> FastAPI:
    """Make the application.

    Args:
        options: limits and models.

    Raises:
        ModelError: if there is no such model.
    """
    options = options or ServeOptions()
    for name in options.models:
        model_folder.read(model_folder.locate(name))
    service = Service(options)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        yield
        await asyncio.to_thread(service.stop)

    app = FastAPIOffline(
        redoc_url=None, title="emotone", version=__version__, lifespan=lifespan,
        description="Speech emotion recognition.",
    )  # fmt: skip

    allowed: dict[str, set[str]] = {}
    app.add_middleware(Watch, service=service, allowed=allowed)

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> JSONResponse:
        return _refused(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        message = f"{first['loc'][-1]}: {first['msg']}"
        return _refused(RefusedError(422, "invalid", message))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        code = "not_found" if error.status_code == 404 else "invalid"
        return _refused(RefusedError(error.status_code, code, str(error.detail)))

    @app.post("/v1/predict", openapi_extra=UPLOAD, responses=REFUSALS, response_model=Answer)
    async def predict(request: Request, model: Name = None) -> dict[str, Any]:
        """Recognise the emotion of a recording."""
        return await service.recognise(request, model, None)

    @app.post("/v1/segments", openapi_extra=UPLOAD, responses=REFUSALS, response_model=Segments)
    async def segments(
        request: Request,
        model: Name = None,
        window: Annotated[float, Query(ge=0.025, le=60, allow_inf_nan=False)] = 3.0,
        hop: Annotated[float, Query(ge=0.1, le=60, allow_inf_nan=False)] = 1.0,
    ) -> dict[str, Any]:
        """Recognise windows of a recording; those without sound have no label."""
        return await service.recognise(request, model, (window, hop))

    @app.websocket("/v1/stream")
    async def stream(
        socket: WebSocket,
        rate: Annotated[int, Query(ge=1000, le=384_000)],
        model: str | None = None,
        form: Annotated[str, Query(alias="format")] = "s16le",
        window: Annotated[float, Query(ge=0.025, le=60, allow_inf_nan=False)] = 3.0,
        hop: Annotated[float, Query(ge=0.1, le=60, allow_inf_nan=False)] = 1.0,
    ) -> None:
        """Recognise live audio: binary messages of samples in, a JSON object per window out."""
        assert service.workers is not None
        token = socket.query_params.get("token")
        if not _allowed(options, token or _token_in(socket.headers)):
            await socket.close(1008, "the token is missing or wrong")
            return
        recognizer = service.workers.models.get(model or options.models[0])
        await service.live.serve(socket, recognizer, rate, form, window, hop)

    @app.get("/v1/models", responses=UNAUTHORIZED, response_model=list[Model])
    async def models() -> list[dict[str, Any]]:
        """The models there are, the default one first."""
        assert service.workers is not None
        return [
            {
                "name": name,
                "labels": recognizer.labels,
                "sample_rate": recognizer.config.sample_rate,
                "corpora": recognizer.config.training.get("corpora", []),
                "confident_from": recognizer.config.confident_from,
            }
            for name, recognizer in service.workers.models.items()
        ]

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the server lives."""
        return {"status": "alive", "version": __version__}

    @app.get("/ready", responses={503: {"model": Refusal, "description": "Not yet."}})
    async def ready() -> dict[str, str]:
        """Whether the models are loaded."""
        if service.workers is None:
            raise RefusedError(503, "starting", "the models are being loaded")
        return {"status": "ready"}

    @app.get("/metrics", responses=UNAUTHORIZED, response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counters in Prometheus's format."""
        return Response(generate_latest(service.metrics.registry), media_type="text/plain")

    for route in app.routes:
        if isinstance(route, APIRoute):
            allowed.setdefault(route.path, set()).update(route.methods or ())
    page.mount(app)
    return app


class Watch:
    """Checks each request before its body is read, bounds the body, counts and logs the answer.

    Args:
        app: what answers.
        service: whose limits and metrics they are.
        allowed: methods of each path; others would go to the page, which takes all that is left.
    """

    def __init__(self, app: ASGIApp, service: Service, allowed: dict[str, set[str]]) -> None:
        self.app, self.service, self.allowed = app, service, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = page.POLICY
            await send(message)

        try:
            self._check(Headers(scope=scope), scope["path"], scope["method"])
            if scope["method"] in ("POST", "PUT", "PATCH"):
                receive = _limited(receive, self.service.options)
            await self.app(scope, receive, watched)
        except RefusedError as error:
            await _refused(error)(scope, receive, watched)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - start
            metrics = self.service.metrics
            metrics.requests.labels(path, status or "gone").inc()
            metrics.latency.labels(path).observe(seconds)
            record = {"method": scope["method"], "path": path, "status": status,
                      "ms": round(1000 * seconds, 1)}  # fmt: skip
            log.info(json.dumps(record))

    def _check(self, headers: Headers, path: str, method: str) -> None:
        options = self.service.options
        if path not in OPEN and not _allowed(options, _token_in(headers)):
            raise RefusedError(401, "unauthorized", "the token is missing or wrong")
        if path in self.allowed and method not in self.allowed[path]:
            methods = ", ".join(sorted(self.allowed[path]))
            raise RefusedError(405, "invalid", f"{path} takes {methods}", {"Allow": methods})
        if page.is_closed(path):
            raise RefusedError(404, "not_found", "Not Found")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > options.upload_bytes:
            raise _too_large(options)


def _token_in(headers: Headers) -> str:
    """The bearer token, or the password that a browser asked for."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(given).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return given if kind.lower() == "bearer" else ""


def _allowed(options: ServeOptions, given: str) -> bool:
    """Whether a client that gives this token may ask."""
    return options.token is None or hmac.compare_digest(given.encode(), options.token.encode())


def _limited(receive: Receive, options: ServeOptions) -> Receive:
    """Stop reading a body that is longer than is allowed, or comes too slowly."""
    taken, end = 0, time.monotonic() + options.seconds

    async def limited() -> Message:
        nonlocal taken
        try:
            async with asyncio.timeout(max(end - time.monotonic(), 0.01)):
                message = await receive()
        except TimeoutError as error:
            text = f"the upload took longer than {options.seconds:g} s"
            raise RefusedError(408, "too_slow", text) from error
        taken += len(message.get("body", b""))
        if taken > options.upload_bytes:
            raise _too_large(options)
        return message

    return limited


def _too_large(options: ServeOptions) -> RefusedError:
    text = f"the upload is larger than {options.upload_mb:g} MB"
    return RefusedError(413, "too_large", text)


def _refused(error: RefusedError) -> JSONResponse:
    content = {"code": error.code, "message": str(error), "hint": HINTS[error.code]}
    headers = dict(error.headers)
    if error.status == 503:
        headers["Retry-After"] = str(RETRY_S)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="emotone", charset="UTF-8"'
    return JSONResponse({"error": content}, error.status, headers)
