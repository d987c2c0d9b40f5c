"""The server: uvicorn with its limits, and two that it lacks, on heads of requests and clients.

uvicorn waits for the head of a request without end, and takes any number of connections.
"""

import asyncio
from ipaddress import ip_address, ip_network
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from emotone.errors import UsageError
from emotone.serve.limits import Share
from emotone.serve.options import ServeOptions
from emotone.serve.service import Service

LINGER_S = 5.0  # for a client to read the last answer before its connection is cut
ANSWER = (
    "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    "Content-Length: {length}\r\n\r\n{text}"
)


def check_address(host: str, port: int) -> None:
    """Raise a :class:`UsageError` if a server cannot listen on an address."""

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
        server.close()

    try:
        asyncio.run(listen())
    except (OSError, UnicodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise UsageError(
            f"cannot listen on {host}, port {port}: {reason}; give another --host or --port"
        ) from error


def run(app: FastAPI, host: str, port: int) -> None:
    """Serve an application of :func:`emotone.serve.app.create` until a signal; see its options."""
    service: Service = app.state.service
    options = service.options
    uvicorn.run(
        app, host=host, port=port, access_log=False, log_level="warning",
        http=_protocol(options, service.connections),
        ws_max_size=options.message_bytes, ws_max_queue=1, ws_per_message_deflate=False,
        proxy_headers=bool(options.proxies), forwarded_allow_ips=list(options.proxies),
        timeout_graceful_shutdown=options.stop_s,
    )  # fmt: skip


def _protocol(options: ServeOptions, share: Share) -> type[asyncio.Protocol]:
    """Return the class of connections that obey these options."""
    return type("Connection", (_Connection,), {"options": options, "share": share})


class _Connection(H11Protocol):
    options: ServeOptions
    share: Share
    _counted: str | None = None  # the client in whose share this connection is
    _deadline: asyncio.TimerHandle | None = None  # of a head

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        client = self.client[0] if self.client else ""
        if not _is_proxy(client, self.options):
            if not self.share.take(client):
                limit = self.share.limit
                self._end("429 Too Many Requests", f"more than {limit} connections at once\n")
                return
            self._counted = client
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._expect_head()
        else:
            self._forget_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._leave()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._forget_deadline()
        super().handle_websocket_upgrade(event)
        protocol: Any = self.transport.get_protocol()  # that of the stream from now on
        lost = protocol.connection_lost

        def connection_lost(exc: Exception | None) -> None:
            lost(exc)
            self._leave()

        protocol.connection_lost = connection_lost

    def send_400_response(self, msg: str) -> None:
        if self.cycle is not None:  # the answer of the application would be a second one
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # what came is no request, and the one before has its answer
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.options.header_s, self._head_is_late)

    def _head_is_late(self) -> None:
        text = f"the head of the request took longer than {self.options.header_s:g} s\n"
        self._end("408 Request Timeout", text)

    def _end(self, status: str, text: str) -> None:
        answer = ANSWER.format(status=status, length=len(text), text=text)
        self.transport.write(answer.encode())
        self.transport.close()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _leave(self) -> None:
        self._forget_deadline()
        if self._counted is not None:
            self.share.give(self._counted)
            self._counted = None


def _is_proxy(client: str, options: ServeOptions) -> bool:
    try:
        return any(ip_address(client) in ip_network(one) for one in options.proxies)
    except ValueError:  # a socket of this machine
        return False
