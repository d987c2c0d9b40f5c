"""Live audio over a WebSocket."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from emotone.inference.recognizer import Recognizer, load
from emotone.serve.app import create
from emotone.serve.live import MOST_S, Asked, serve
from emotone.serve.options import ServeOptions
from tests.helpers import LOCAL, voice

pytestmark = pytest.mark.slow


def streamed(
    client: TestClient, samples: np.ndarray, size: int, url: str
) -> tuple[list[dict[str, Any]], int, str]:
    """Answers to samples that are sent in pieces; code and reason of the end."""
    found: list[dict[str, Any]] = []
    with client.websocket_connect(url) as socket:
        for first in range(0, len(samples), size):
            socket.send_bytes(samples[first : first + size].tobytes())
        socket.send_text("end")
        try:
            while True:
                found.append(json.loads(socket.receive_text()))
        except WebSocketDisconnect as end:
            return found, end.code, end.reason


@pytest.mark.parametrize(("form", "kind"), [("s16le", "<i2"), ("f32le", "<f4")])
def test_a_live_stream_gives_the_answers_of_segments(
    client: TestClient, folder: Path, form: str, kind: str
) -> None:
    rate = 44_100
    samples = (voice(0, 3.3, rate) * (2**15 if kind == "<i2" else 1)).astype(kind)
    url = f"/v1/stream?rate={rate}&format={form}&window=1&hop=0.5"
    found, code, reason = streamed(client, samples, 5000, url)
    assert (code, reason) == (1000, "done")
    expected = load(folder).segments((samples, rate), window=1, hop=0.5)
    assert [(one["start"], one["end"]) for one in found] == [
        (round(segment.start, 3), round(segment.end, 3)) for segment in expected
    ]
    for one, segment in zip(found, expected, strict=True):
        assert segment.prediction is not None
        assert one["probabilities"] == pytest.approx(segment.prediction.probabilities, abs=1e-3)


def test_streams_end_with_a_reason(folder: Path) -> None:
    options = ServeOptions(
        models=(str(folder),), workers=1, streams=1, idle_s=2, stream_minutes=0.05,
        token="a long secret",
    )  # fmt: skip
    with TestClient(create(options), headers=LOCAL) as client:

        def ended(url: str, *messages: bytes | str) -> tuple[int, str]:
            with (
                pytest.raises(WebSocketDisconnect) as end,
                client.websocket_connect(f"{url}&token=a long secret") as socket,
            ):
                for message in messages:
                    if isinstance(message, bytes):
                        socket.send_bytes(message)
                    else:
                        socket.send_text(message)
                while True:
                    socket.receive_text()
            return end.value.code, end.value.reason

        url = "/v1/stream?rate=16000"
        assert ended(url) == (4408, "no audio for 2 s")
        assert ended(url, bytes(200_000)) == (1009, "longer than 0.05 minutes; start a new stream")
        assert ended(url, b"x") == (1003, "a message holds half a sample; send whole ones")
        assert ended(url, "hello")[0] == 1003
        assert ended(f"{url}&format=f32le", b"\xff" * 6400)[0] == 1003  # not a number
        assert ended(f"{url}&format=mp3") == (
            1008, "format: Input should be 's16le' or 'f32le'",
        )  # fmt: skip
        assert ended(f"{url}&model=none")[0] == 1008
        assert ended(f"{url}&hop=5") == (1008, "hop: at most the window of 3 s, got 5 s")
        with client.websocket_connect(f"{url}&token=a long secret"):
            assert "too many streams" in ended(url)[1]
        assert ended(url) == (4408, "no audio for 2 s")  # there is room again
        assert ended(f"{url}&window=60&hop=0.1") == (
            1008, "hop: at least 1.875 s for a window of 60 s, got 0.1 s",
        )  # fmt: skip
        assert ended("/v1/stream?format=s16le") == (1008, "rate: Field required")
        with (
            pytest.raises(WebSocketDisconnect) as end,
            client.websocket_connect(url) as socket,
        ):
            socket.receive_text()
        assert (end.value.code, end.value.reason) == (1008, "the token is missing or wrong")


def test_empty_messages_are_no_audio(folder: Path) -> None:
    options = ServeOptions(models=(str(folder),), workers=1, idle_s=1)
    with (
        TestClient(create(options), headers=LOCAL) as client,
        pytest.raises(WebSocketDisconnect) as end,
        client.websocket_connect("/v1/stream?rate=16000") as socket,
    ):
        began = time.monotonic()
        while time.monotonic() < began + 1.5:
            socket.send_bytes(b"")
            socket.send_bytes(b"xx")  # a sample now and then is none either
            time.sleep(0.1)
        socket.receive_text()
    assert (end.value.code, end.value.reason) == (4408, "no audio for 1 s")


def test_a_large_message_ends_a_stream(folder: Path) -> None:
    options = ServeOptions(models=(str(folder),), workers=1, message_kb=10)
    with TestClient(create(options), headers=LOCAL) as client:
        _, code, reason = streamed(client, np.zeros(6000, "<i2"), 6000, "/v1/stream?rate=16000")
    assert (code, reason) == (1009, "a message is larger than 10 kB; send shorter ones")


def test_live_audio_is_recognised_in_the_workers(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(*_: Any) -> None:
        raise AssertionError("recognised in the process of the server")

    monkeypatch.setattr(Recognizer, "recognise", here)
    samples = (voice(0, 1.2) * 2**15).astype("<i2")
    found, code, _ = streamed(client, samples, 4000, "/v1/stream?rate=16000&window=1&hop=0.1")
    assert (len(found), code) == (3, 1000)


class Sending:
    """A client that sends without end and leaves when it is told to."""

    def __init__(self) -> None:
        self.sent, self.leaves = 0, asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.leaves.is_set():
            return {"type": "websocket.disconnect", "code": 1001}
        self.sent += 1
        return {"type": "websocket.receive", "bytes": bytes(3200)}  # 0.1 s


class Stuck:
    """Workers that do not answer."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), False

    async def segments(self, *_: Any) -> list[Any]:
        self.begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            self.ended = True
        return []


def test_the_backlog_of_a_stream_is_bounded() -> None:
    async def scene() -> int:
        socket: Any = Sending()
        workers = Stuck()
        asked = Asked("model", None, 16_000, "<i2", 1.0, 1.0)
        options = ServeOptions(backlog_s=2)
        serving = asyncio.create_task(serve(socket, cast(Any, workers), asked, options))
        await asyncio.sleep(0.5)
        sent: int = socket.sent
        await asyncio.sleep(0.2)
        assert socket.sent == sent  # it is not read from
        serving.cancel()
        await asyncio.wait([serving])
        assert workers.ended
        return sent

    assert asyncio.run(scene()) <= 10 * (2 + MOST_S + 1)


def test_a_client_that_leaves_ends_the_work_of_its_stream() -> None:
    async def scene() -> None:
        socket: Any = Sending()
        workers = Stuck()
        asked = Asked("model", None, 16_000, "<i2", 1.0, 1.0)
        options = ServeOptions(backlog_s=1e6, stream_minutes=1e6)
        serving = asyncio.create_task(serve(socket, cast(Any, workers), asked, options))
        await asyncio.wait_for(workers.begun.wait(), 30)
        socket.leaves.set()
        await asyncio.wait_for(serving, 5)
        assert workers.ended

    asyncio.run(scene())
