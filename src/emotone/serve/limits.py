"""Limits on the body of a request: its size, and the time to receive it."""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from emotone.serve.errors import RefusedError
from emotone.serve.options import ServeOptions


def check_length(headers: Headers, options: ServeOptions) -> None:
    """Refuse a body whose Content-Length is too large, before it is read.

    Raises:
        RefusedError: with status 413.
    """
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > options.upload_bytes:
        raise _too_large(options)


def limited(receive: Receive, options: ServeOptions) -> Receive:
    """Stop receiving a body that is too large or too slow.

    Returns:
        A replacement of ``receive`` that raises a :class:`RefusedError` with status 413 or 408.
    """
    received, end = 0, time.monotonic() + options.seconds

    async def receive_limited() -> Message:
        nonlocal received
        try:
            async with asyncio.timeout(max(end - time.monotonic(), 0.01)):
                message = await receive()
        except TimeoutError as error:
            text = f"the upload took longer than {options.seconds:g} s"
            raise RefusedError(408, "too_slow", text) from error
        received += len(message.get("body", b""))
        if received > options.upload_bytes:
            raise _too_large(options)
        return message

    return receive_limited


def _too_large(options: ServeOptions) -> RefusedError:
    text = f"the upload is larger than {options.upload_mb:g} MB"
    return RefusedError(413, "too_large", text)
