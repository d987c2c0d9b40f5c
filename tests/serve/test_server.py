"""Limits of connections, and how the server stops, with clients that behave badly."""

import io
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.helpers import voice
from tests.serve.conftest import started

pytestmark = pytest.mark.slow

Running = tuple[str, "subprocess.Popen[str]"]


@pytest.fixture
def narrow(folder: Path) -> Iterator[Running]:
    """A server with narrow limits."""
    yield from started(folder, "--header-s", "1", "--connections", "3", "--stop-s", "2")


def opened(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answer(connection: socket.socket) -> str:
    """What comes until the end of a connection."""
    parts = []
    while part := connection.recv(2**16):
        parts.append(part)
    return b"".join(parts).decode()


def test_a_head_has_a_time_limit(narrow: Running) -> None:
    url, _ = narrow
    for sent in (b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "):
        with opened(url) as connection:
            began = time.monotonic()
            connection.sendall(sent)
            assert answer(connection).startswith("HTTP/1.1 408 ")
            assert 0.9 < time.monotonic() - began < 10
    with opened(url) as connection:  # a second request on a connection
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET")
        assert "HTTP/1.1 408 " in answer(connection)


def test_a_client_has_a_share_of_the_connections(narrow: Running) -> None:
    url, _ = narrow
    stream = url.replace("http", "ws", 1) + "/v1/stream?rate=16000"
    for _ in range(4):  # what was closed does not count, streams included
        with ExitStack() as stack:
            stack.enter_context(connect(stream))
            for _ in range(2):
                stack.enter_context(opened(url))
            time.sleep(0.1)
            refused = stack.enter_context(opened(url))
            assert answer(refused).startswith("HTTP/1.1 429 ")
        time.sleep(0.2)
        assert httpx.get(f"{url}/health").status_code == 200


def test_a_body_that_breaks_off_after_the_answer_ends_the_connection(narrow: Running) -> None:
    url, process = narrow
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with opened(url) as connection:
        connection.sendall(head + b"3\r\nabc\r\n")
        assert connection.recv(2**16).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"ZZ\r\n")
        answer(connection)
    process.terminate()
    assert "Traceback" not in process.communicate(timeout=20)[1]


def test_refused_streams_say_why(narrow: Running) -> None:
    url, _ = narrow
    stream = url.replace("http", "ws", 1) + "/v1/stream"

    def ended(query: str, *messages: bytes, **options: Any) -> tuple[int, str]:
        with connect(f"{stream}?{query}", **options) as live:
            with pytest.raises(ConnectionClosed) as end:
                for message in messages:
                    live.send(message)
                live.recv(timeout=20)
            assert end.value.rcvd is not None
            return end.value.rcvd.code, end.value.rcvd.reason

    assert ended("format=s16le") == (1008, "rate: Field required")
    assert ended("rate=16000", origin="https://a.example")[1].startswith("pages of https://a")
    assert ended("rate=16000", bytes(1_000_002))[0] == 1009


def test_work_ends_when_its_client_leaves(narrow: Running) -> None:
    url, _ = narrow
    file = io.BytesIO()
    soundfile.write(file, np.tile(voice(0, 1.0, 8000), 590), 8000, format="WAV", subtype="PCM_16")
    body = file.getvalue()
    head = (
        "POST /v1/segments?window=3&hop=0.1 HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: audio/wav\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    def wait_for(waiting: float, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while f"emotone_waiting {waiting}" not in httpx.get(f"{url}/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    with opened(url) as connection:
        connection.sendall(head.encode() + body)
        wait_for(1.0, 20)
    wait_for(0.0, 2)
    assert '"/v1/segments",status="400"' in httpx.get(f"{url}/metrics").text


def test_the_server_stops_in_time_whatever_its_clients_do(narrow: Running) -> None:
    url, process = narrow
    upload = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
    with (
        connect(url.replace("http", "ws", 1) + "/v1/stream?rate=16000") as live,
        opened(url) as slow,
    ):
        live.send(bytes(16_000))
        slow.sendall(upload + b"Content-Length: 99999\r\n\r\nRIFF")
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        process.wait(timeout=20)
        assert time.monotonic() - began < 6
