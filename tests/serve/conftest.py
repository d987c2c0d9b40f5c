import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from emotone.serve.app import create
from emotone.serve.options import ServeOptions
from tests.helpers import LOCAL


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@pytest.fixture
def address(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A running `emotone serve` of its own process."""
    yield from started(folder)


def started(folder: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run `emotone serve` in a process of its own; yields its address and process."""
    port = free_port()
    command = [sys.executable, "-m", "emotone", "serve", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--model", str(folder), *options], stderr=subprocess.PIPE, text=True
    )
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
    while True:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        try:
            if httpx.get(f"{url}/ready").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.1)
    yield url, process
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """A service of one worker with narrow limits."""
    options = ServeOptions(
        models=(str(folder),), workers=1, upload_mb=0.5, minutes=0.2, seconds=20, queue=2
    )
    with TestClient(create(options), headers=LOCAL) as running:
        yield running
