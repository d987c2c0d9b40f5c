"""Checks and limits of every request, including those of the page; metrics and the log."""

import contextlib
import json
import logging
import time
from collections.abc import Iterator

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from emotone.serve import page
from emotone.serve.errors import RefusedError, refuse, response
from emotone.serve.limits import check_length, limited
from emotone.serve.security import OPEN, check_host, check_origin, is_allowed, token_in
from emotone.serve.service import Service

HEADERS = {
    "Content-Security-Policy": page.POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
WITH_BODY = ("POST", "PUT", "PATCH")

log = logging.getLogger("emotone.serve")


class Middleware:
    """Checks each request before its body is read; limits the body; counts and logs the answer.

    Args:
        app: the application.
        service: limits, token, shares and metrics.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service, self.options = app, service, service.options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        try:
            check_host(socket, self.options)
            check_origin(socket, self.options)
        except RefusedError as error:
            await refuse(socket, str(error))
            return
        await self.app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status = time.perf_counter(), 0

        async def send_watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        connection = HTTPConnection(scope)
        try:
            await self._check(connection, scope["path"], scope["method"])
            with self._share(connection, scope["method"]):
                if scope["method"] in WITH_BODY:
                    receive = limited(receive, self.options)
                await self.app(scope, receive, send_watched)
        except RefusedError as error:
            await response(error)(scope, receive, send_watched)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - start
            metrics = self.service.metrics
            metrics.requests.labels(path, status or "gone").inc()
            metrics.latency.labels(path).observe(seconds)
            record = {"method": scope["method"], "path": path, "status": status,
                      "ms": round(1000 * seconds, 1)}  # fmt: skip
            log.info(json.dumps(record))

    async def _check(self, connection: HTTPConnection, path: str, method: str) -> None:
        if path not in OPEN:
            check_host(connection, self.options)
            if method in WITH_BODY:
                check_origin(connection, self.options)
            if not is_allowed(self.options.token, await token_in(connection)):
                raise RefusedError(401, "unauthorized", "the token is missing or wrong")
        check_length(connection.headers, self.options)

    @contextlib.contextmanager
    def _share(self, connection: HTTPConnection, method: str) -> Iterator[None]:
        """Count an upload of a client while it is answered."""
        if method not in WITH_BODY:
            yield
            return
        client = connection.client.host if connection.client else ""
        uploads = self.service.uploads
        if not uploads.take(client):
            raise RefusedError(429, "share", f"more than {uploads.limit} uploads at once")
        try:
            yield
        finally:
            uploads.give(client)
