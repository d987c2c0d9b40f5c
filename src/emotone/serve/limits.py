"""Limits of a request: size, time, rate of its body, windows, turns, references; of a client."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive

from emotone.errors import EmotoneError, UsageError
from emotone.inference.neutral import Answers
from emotone.inference.recognizer import Recognizer
from emotone.inference.spans import Span
from emotone.inference.turns import at_once, from_values
from emotone.options import nearest
from emotone.serve.errors import RefusedError
from emotone.serve.options import ServeOptions
from emotone.text import shown

GRACE_S = 5.0  # after which an upload has a minimum rate
MOST_NEUTRAL = 100  # answers to neutral speech


class Share:
    """Counts what each client has at once.

    Args:
        limit: what one client may have.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken: Counter[str] = Counter()

    def take(self, client: str) -> bool:
        """Count one more of a client; ``False`` if it has as many as it may."""
        if self._taken[client] >= self.limit:
            return False
        self._taken[client] += 1
        return True

    def give(self, client: str) -> None:
        """Count one less of a client."""
        self._taken[client] -= 1
        self._taken += Counter()  # drops clients that have none


def check_names(request: Request) -> None:
    """Refuse a parameter of the query that the endpoint does not have.

    Raises:
        RefusedError: 422 if there is one; a misspelt one would be without effect.
    """
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            hint = nearest(name, known) or f"; known are {', '.join(known)}"
            raise RefusedError(422, "invalid", f"unknown parameter {shown(name)}{hint}")


def check_overlap(window: float, hop: float, options: ServeOptions) -> None:
    """Refuse windows of which too many share a moment.

    Raises:
        RefusedError: with status 422.
    """
    if window > hop * options.overlap:
        least = window / options.overlap
        text = f"hop: at least {least:.4g} s for a window of {window:g} s, got {hop:g} s"
        raise RefusedError(422, "invalid", text)


def given_turns(text: str, options: ServeOptions) -> tuple[Span, ...]:
    """Read the turns of a request, JSON objects with ``start``, ``end`` and ``speaker``.

    Raises:
        RefusedError: with status 422 if they cannot be used, are too many, or too many share a
            moment.
    """
    values = _objects("turns", text, "start, end and speaker", options.turns)
    try:
        turns = from_values(values)
        if at_once(turns) > options.overlap:
            raise UsageError(f"turns: at most {options.overlap} at the same time")
    except UsageError as error:
        raise RefusedError(422, "invalid", str(error)) from error
    return tuple(turns)


def given_neutral(text: str | None, recognizer: Recognizer) -> Answers:
    """Read earlier answers to neutral speech, JSON objects of probabilities; none without text.

    Raises:
        RefusedError: with status 422 if the model cannot use them, or they are none or too many.
    """
    if text is None:
        return ()
    values = _objects("neutral", text, "the probability of each emotion", MOST_NEUTRAL)
    try:
        recognizer.with_neutral(values)
    except EmotoneError as error:
        raise RefusedError(422, "invalid", str(error)) from error
    return tuple(values)


def _objects(field: str, text: str, what: str, most: int) -> list[dict[str, Any]]:
    """Read an array of at most ``most`` objects, which hold ``what``."""
    problem = ""
    values: list[dict[str, Any]] = []
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        problem = f"{field}: not JSON; send an array of objects with {what}"
    else:
        if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
            problem = f"{field}: expected a JSON array of objects"
        elif len(values) > most:
            problem = f"{field}: at most {most}, got {len(values)}"
    if problem:
        raise RefusedError(422, "invalid", problem)
    return values


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
    received, begin, is_complete = 0, time.monotonic(), False

    async def receive_limited() -> Message:
        nonlocal received, is_complete
        if is_complete:  # what comes is that the client leaves
            return await receive()
        allowed = GRACE_S + received / (1e3 * options.upload_kb_s)
        left = begin + min(allowed, options.seconds) - time.monotonic()
        try:
            async with asyncio.timeout(max(left, 0.01)):
                message = await receive()
        except TimeoutError as error:
            raise _too_slow(allowed, options) from error
        received += len(message.get("body", b""))
        if received > options.upload_bytes:
            raise _too_large(options)
        is_complete = not message.get("more_body", False)
        return message

    return receive_limited


def _too_slow(allowed: float, options: ServeOptions) -> RefusedError:
    text = f"the upload took longer than {options.seconds:g} s"
    if allowed < options.seconds:
        text = f"the upload is slower than {options.upload_kb_s:g} kB/s"
    return RefusedError(408, "too_slow", text)


def _too_large(options: ServeOptions) -> RefusedError:
    text = f"the upload is larger than {options.upload_mb:g} MB"
    return RefusedError(413, "too_large", text)
