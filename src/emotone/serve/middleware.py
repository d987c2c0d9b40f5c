"""Checks and limits of every request, including those of the page; metrics and the log."""

import json
import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emotone.serve import page
from emotone.serve.errors import RefusedError, response
from emotone.serve.limits import check_length, limited
from emotone.serve.metrics import Metrics
from emotone.serve.options import ServeOptions
from emotone.serve.security import OPEN, is_allowed, token_in

log = logging.getLogger("emotone.serve")


class Middleware:
    """Checks each request before its body is read; limits the body; counts and logs the answer.

    Args:
        app: the application.
        options: limits and token.
        metrics: counters to update.
        methods: allowed methods of each path. Without this check, requests with other methods would
            reach the page, which matches every path.
    """

    def __init__(
        self, app: ASGIApp, options: ServeOptions, metrics: Metrics, methods: dict[str, set[str]]
    ) -> None:
        self.app, self.options, self.metrics, self.methods = app, options, metrics, methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def send_watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = page.POLICY
            await send(message)

        try:
            await self._check(HTTPConnection(scope), scope["path"], scope["method"])
            if scope["method"] in ("POST", "PUT", "PATCH"):
                receive = limited(receive, self.options)
            await self.app(scope, receive, send_watched)
        except RefusedError as error:
            await response(error)(scope, receive, send_watched)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - start
            self.metrics.requests.labels(path, status or "gone").inc()
            self.metrics.latency.labels(path).observe(seconds)
            record = {"method": scope["method"], "path": path, "status": status,
                      "ms": round(1000 * seconds, 1)}  # fmt: skip
            log.info(json.dumps(record))

    async def _check(self, connection: HTTPConnection, path: str, method: str) -> None:
        if path not in OPEN and not is_allowed(self.options.token, await token_in(connection)):
            raise RefusedError(401, "unauthorized", "the token is missing or wrong")
        if path in self.methods and method not in self.methods[path]:
            allowed = ", ".join(sorted(self.methods[path]))
            raise RefusedError(405, "invalid", f"{path} takes {allowed}", {"Allow": allowed})
        if page.is_closed(path):
            raise RefusedError(404, "not_found", "Not Found")
        check_length(connection.headers, self.options)
