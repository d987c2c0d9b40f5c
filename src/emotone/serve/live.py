"""Live audio over a WebSocket: samples in, a JSON object per window out."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect

from emotone.errors import AudioError, EmotoneError
from emotone.inference.formats import segment_as_dict
from emotone.inference.prediction import Segment
from emotone.inference.recognizer import Recognizer
from emotone.serve.options import ServeOptions

FORMATS = {"s16le": "<i2", "f32le": "<f4"}
DONE, UNUSABLE, REFUSED, TOO_LONG, IDLE = 1000, 1003, 1008, 1009, 4408  # closing codes
MAX_REASON = 120  # bytes that fit into a closing frame


class ClosedError(Exception):
    """The stream ends, with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass
class Live:
    """All live streams of a service."""

    options: ServeOptions
    open: Counter[str] = field(default_factory=Counter)

    async def serve(
        self, socket: WebSocket, recognizer: Recognizer | None, rate: int, form: str,
        window: float, hop: float,
    ) -> None:  # fmt: skip
        """Answer one client until it ends, is idle, or sends something other than audio."""
        await socket.accept()
        client = socket.client.host if socket.client else ""
        self.open[client] += 1
        try:
            if self.open[client] > self.options.streams:
                raise ClosedError(REFUSED, "too many streams of this client; end another one")
            if recognizer is None:
                raise ClosedError(REFUSED, "unknown model; see /v1/models")
            if form not in FORMATS:
                raise ClosedError(REFUSED, f"format must be one of {', '.join(FORMATS)}")
            await self._answer(socket, recognizer, rate, FORMATS[form], window, hop)
            raise ClosedError(DONE, "done")
        except EmotoneError as error:
            await _close(socket, UNUSABLE, str(error))
        except ClosedError as error:
            await _close(socket, error.code, str(error))
        except WebSocketDisconnect:
            pass
        finally:
            self.open[client] -= 1
            self.open += Counter()  # drops clients without streams

    async def _answer(
        self, socket: WebSocket, recognizer: Recognizer, rate: int, kind: str,
        window: float, hop: float,
    ) -> None:  # fmt: skip
        stream = recognizer.stream(rate, window=window, hop=hop)
        limit, received = 60 * self.options.stream_minutes * rate, 0
        while (data := await self._received(socket)) is not None:
            if len(data) % np.dtype(kind).itemsize:
                raise AudioError("a message holds half a sample; send whole ones")
            samples = np.frombuffer(data, kind)
            received += len(samples)
            if received > limit:
                raise ClosedError(
                    TOO_LONG,
                    f"longer than {self.options.stream_minutes:g} minutes; start a new stream",
                )
            await self._send(socket, await asyncio.to_thread(stream.push, samples))
        await self._send(socket, await asyncio.to_thread(stream.close))

    async def _received(self, socket: WebSocket) -> bytes | None:
        """Return samples, or ``None`` when the client ends the audio."""
        try:
            message = await asyncio.wait_for(socket.receive(), self.options.idle_s)
        except TimeoutError as error:
            raise ClosedError(IDLE, f"no audio for {self.options.idle_s:g} s") from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", DONE))
        if (data := message.get("bytes")) is not None:
            samples: bytes = data
            return samples
        if message.get("text") == "end":
            return None
        raise AudioError("expected samples as binary messages, or the text 'end'")

    async def _send(self, socket: WebSocket, found: list[Segment]) -> None:
        for segment in found:
            text = json.dumps(segment_as_dict(segment))
            try:
                await asyncio.wait_for(socket.send_text(text), self.options.idle_s)
            except TimeoutError as error:
                reason = f"answers were not read for {self.options.idle_s:g} s"
                raise ClosedError(IDLE, reason) from error


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    short = reason.encode()[:MAX_REASON].decode(errors="ignore")
    try:
        await socket.close(code, short)
    except (RuntimeError, WebSocketDisconnect):  # already closed
        return
