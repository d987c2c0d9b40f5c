"""The service as a whole: the command, and how it stops."""

import io
import json
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
import soundfile

from tests.helpers import (
    children,
    emotone,
    one_line,
    voice,
    wav,
)

pytestmark = pytest.mark.slow


def test_the_command_serves_and_stops_gracefully(
    address: tuple[str, "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    url, process = address
    (tmp_path / "call.wav").write_bytes(wav())
    curl = subprocess.run(
        ["curl", "-sF", f"file=@{tmp_path / 'call.wav'}", f"{url}/v1/predict"], capture_output=True
    )
    assert json.loads(curl.stdout)["label"] in ("anger", "neutral")
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as vanishing:  # in the middle of an upload
        vanishing.sendall(
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\n"
            b"Content-Length: 99999\r\n\r\nRIFF"
        )
    assert httpx.get(f"{url}/health").status_code == 200
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert "Traceback" not in stderr
    assert '"path": "/v1/predict", "status": 200' in stderr
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker outlived the server"
        time.sleep(0.05)


def test_what_runs_is_finished_before_the_end(
    address: tuple[str, "subprocess.Popen[str]"],
) -> None:
    url, process = address
    long = np.tile(voice(0, 1.0, 8000), 590)  # so long that it is worked on when the end is asked
    file = io.BytesIO()
    soundfile.write(file, long, 8000, format="WAV", subtype="PCM_16")
    with ThreadPoolExecutor() as pool:
        body, headers = file.getvalue(), {"Content-Type": "audio/wav"}
        asked = pool.submit(
            httpx.post, f"{url}/v1/predict", content=body, headers=headers, timeout=60
        )
        deadline = time.monotonic() + 30
        while "emotone_waiting 1.0" not in httpx.get(f"{url}/metrics").text:
            assert time.monotonic() < deadline
            assert not asked.done()
        process.send_signal(signal.SIGTERM)
        assert asked.result().status_code == 200
    process.communicate(timeout=30)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--token", "short", "--token: expected at least 8 characters, got 5"),
        ("--overlap", "0", "--overlap: input should be greater than or equal to 1, got 0"),
        ("--upload-kb-s", "0", "--upload-kb-s: input should be greater than 0, got 0.0"),
        ("--proxy", "x_y", "--proxy: 'x_y' does not appear to be an IPv4 or IPv6 network"),
        (
            "--token",
            " " * 9,
            "--token: expected at least 8 characters, got only spaces; to serve without a token, "
            "leave it out and unset EMOTONE_TOKEN",
        ),
        *(
            (
                "--allow-origin",
                origin,
                "--allow-origin: expected * or the scheme and host of a page, without a path, such "
                f"as https://example.org, got '{origin}'",
            )
            for origin in (
                "https://a.example/page",
                "a.example",
                "https://",
                "https://a.example?",
                "https://*.a.example",
                "https://a.example:x",
            )
        ),
    ],
)
def test_bad_options_are_one_line(option: str, value: str, message: str) -> None:
    wrong = emotone("serve", option, value)
    assert wrong.returncode == 2
    assert one_line(wrong) == f"error: {message}"


def test_an_empty_token_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTONE_TOKEN", "")
    wrong = emotone("serve")
    assert wrong.returncode == 2
    assert "--token: expected at least 8 characters, got 0" in one_line(wrong)


def test_an_address_that_cannot_be_used_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wrong = emotone("serve", "--port", str(port))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert f"cannot listen on 127.0.0.1, port {port}: " in one_line(wrong)
    unknown = emotone("serve", "--host", "nobody.invalid", "--port", "0")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "cannot listen on nobody.invalid, port 0: " in one_line(unknown)


def test_a_model_that_is_missing_is_one_line() -> None:
    missing = emotone("serve", "--model", "nobody", "--port", "0")
    assert missing.returncode == 1
    assert "nor a model that ships" in one_line(missing)
