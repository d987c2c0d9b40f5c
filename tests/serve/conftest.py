import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest


@pytest.fixture
def address(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A running `emotone serve` of its own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "emotone", "serve", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--model", str(folder)], stderr=subprocess.PIPE, text=True
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
