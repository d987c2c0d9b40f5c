"""Live audio over a WebSocket: samples in, a JSON object per window out.

Here, samples are gathered, resampled and cut into windows; workers recognise them. What is received
and not recognised yet is bounded: beyond it, a client is not read from.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect
from numpy.typing import NDArray

from emotone import audio
from emotone.audio.windows import Window, Windows, batches
from emotone.errors import AudioError, EmotoneError
from emotone.inference.averaging import BATCH
from emotone.inference.neutral import Answers
from emotone.inference.recognizer import BATCH_S
from emotone.inference.worker import CrashedError, TimeLimitError
from emotone.serve.errors import refuse
from emotone.serve.options import ServeOptions
from emotone.serve.workers import BusyError, Workers

FORMATS = {"s16le": "<i2", "f32le": "<f4"}
# closing codes
DONE, UNUSABLE, TOO_LONG, BUSY, IDLE = 1000, 1003, 1009, 1013, 4408
LEAST_S, MOST_S = 0.05, 5.0  # audio that is resampled at once
HEARD_S = 0.1  # audio that ends idleness; otherwise, a sample now and then would


class ClosedError(Exception):
    """The stream ends, with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Asked:
    """What a client asks for: model, threshold, reference, and the samples that it sends.

    Attributes:
        model: name of a loaded model.
        threshold: probability from which an answer is confident; ``None`` for that of the service.
        rate: sampling rate in Hz.
        kind: NumPy type of a sample.
        window: length of a window in seconds.
        hop: time between the starts of two windows, in seconds.
        neutral: earlier answers to neutral speech, see :meth:`emotone.Recognizer.with_neutral`.
    """

    model: str
    threshold: float | None
    rate: int
    kind: str
    window: float
    hop: float
    neutral: Answers = ()


async def serve(socket: WebSocket, workers: Workers, asked: Asked, options: ServeOptions) -> None:
    """Answer an accepted client until it ends, leaves, is idle, or sends something else."""
    try:
        await _Stream(socket, workers, asked, options).run()
    except WebSocketDisconnect:
        return
    except ClosedError as error:
        await refuse(socket, str(error), error.code)
    except (BusyError, CrashedError, TimeLimitError) as error:
        await refuse(socket, str(error), BUSY)
    except EmotoneError as error:
        await refuse(socket, str(error), UNUSABLE)
    else:
        await refuse(socket, "done", DONE)


class _Stream:
    """The audio of one client, between receiving and recognising."""

    def __init__(
        self, socket: WebSocket, workers: Workers, asked: Asked, options: ServeOptions
    ) -> None:
        self._socket, self._workers, self._asked, self._options = socket, workers, asked, options
        self._resampler = audio.Resampler(asked.rate)
        self._windows = Windows(asked.window, asked.hop)
        self._size = np.dtype(asked.kind).itemsize
        self._waiting = bytearray()
        self._ended = False
        self._changed = asyncio.Condition()  # of the two above

    async def run(self) -> None:
        """Receive and answer until all is answered; ends with an error if either cannot go on."""
        tasks = [asyncio.create_task(one) for one in (self._receive(), self._answer())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            errors = [error for task in done if (error := task.exception())]
            if errors:
                raise errors[0]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _receive(self) -> None:
        """Gather samples; goes on after their end, to see whether the client leaves."""
        limit, received, heard = 60 * self._options.stream_minutes, 0.0, 0.0
        deadline = self._deadline()
        while (data := await self._message(deadline)) is not None:
            seconds = self._seconds(len(data))
            received, heard = received + seconds, heard + seconds
            if received > limit:
                text = f"longer than {limit / 60:g} minutes; start a new stream"
                raise ClosedError(TOO_LONG, text)
            await self._keep(data)
            if heard >= HEARD_S:
                deadline, heard = self._deadline(), 0.0
        async with self._changed:
            self._ended = True
            self._changed.notify_all()
        await self._message(None)
        raise AudioError("expected nothing after 'end'")

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._options.idle_s

    def _seconds(self, size: int) -> float:
        return size / self._size / self._asked.rate

    async def _message(self, deadline: float | None) -> bytes | None:
        """Return samples, or ``None`` when the client ends the audio."""
        try:
            async with asyncio.timeout_at(deadline):
                message = await self._socket.receive()
        except TimeoutError as error:
            raise ClosedError(IDLE, f"no audio for {self._options.idle_s:g} s") from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", DONE))
        data: bytes | None = message.get("bytes")
        if data is None:
            if message.get("text") == "end":
                return None
            raise AudioError("expected samples as binary messages, or the text 'end'")
        if len(data) > self._options.message_bytes:
            text = f"a message is larger than {self._options.message_kb:g} kB; send shorter ones"
            raise ClosedError(TOO_LONG, text)
        if len(data) % self._size:
            raise AudioError("a message holds half a sample; send whole ones")
        return data

    async def _keep(self, data: bytes) -> None:
        """Keep samples until they are recognised; returns when there is room for more."""
        async with self._changed:
            self._waiting += data
            self._changed.notify_all()
            await self._changed.wait_for(
                lambda: self._seconds(len(self._waiting)) <= self._options.backlog_s
            )

    async def _answer(self) -> None:
        """Recognise what is received, until its end."""
        while len(samples := await self._taken()):
            mono = await asyncio.to_thread(self._resampler.push, samples)
            await self._recognise(self._windows.push(mono))
        rest = await asyncio.to_thread(self._resampler.close)
        await self._recognise(self._windows.of([rest]))

    async def _taken(self) -> NDArray[Any]:
        """Wait for samples and return them; none after the end."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._ended or self._seconds(len(self._waiting)) >= LEAST_S
            )
            size = self._size * round(MOST_S * self._asked.rate)
            data = bytes(self._waiting[:size])
            del self._waiting[:size]
            self._changed.notify_all()
        return np.frombuffer(data, self._asked.kind)

    async def _recognise(self, windows: Iterable[Window]) -> None:
        model, threshold, neutral = self._asked.model, self._asked.threshold, self._asked.neutral
        for batch in batches(windows, BATCH, BATCH_S):
            for segment in await self._workers.segments(model, threshold, neutral, batch):
                await self._send(segment)

    async def _send(self, segment: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(self._options.idle_s):
                await self._socket.send_text(json.dumps(segment))
        except TimeoutError as error:
            reason = f"answers were not read for {self._options.idle_s:g} s"
            raise ClosedError(IDLE, reason) from error
