"""Requests that are refused."""

import asyncio
import errno
import io
import os
import time
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from starlette.types import Message

from emotone.serve import limits
from emotone.serve.errors import RefusedError
from emotone.serve.limits import Share
from emotone.serve.options import ServeOptions
from tests.helpers import (
    error_of,
    wav,
)

pytestmark = pytest.mark.slow


def test_errors_say_what_to_do(client: TestClient) -> None:
    def post(path: str = "/v1/predict", **request: Any) -> httpx.Response:
        response: httpx.Response = client.post(path, **request)
        return response

    audio = {"Content-Type": "audio/wav"}
    error = post(content=b"no audio" * 99, headers=audio).json()["error"]
    assert error == {
        "code": "not_audio",
        "message": "not audio that can be decoded, or damaged",
        "hint": "convert it to WAV or copy it again",
    }
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(16_000), 16_000, format="WAV")
    message = error_of(post(content=silence.getvalue(), headers=audio), 400, "no_speech")
    assert message == "silent throughout (nothing above -60 dBFS)"
    error_of(post(content=b"", headers=audio), 400, "not_audio")
    error_of(post(content=wav()[:-999], headers=audio), 400, "not_audio")
    error_of(post(content=wav(13), headers=audio), 413, "too_large")
    error_of(post(content=bytes(600_000), headers=audio), 413, "too_large")
    endless = (bytes(2**16) for _ in range(99))
    error_of(post(content=endless, headers=audio), 413, "too_large")
    error_of(post(files={"file": bytes(600_000)}), 413, "too_large")
    error_of(post(content=wav(), headers={"Content-Type": "text/html"}), 415,
             "unsupported_media_type")  # fmt: skip
    error_of(post(content=wav()), 415, "unsupported_media_type")
    error_of(post(files={"sound": wav()}), 422, "invalid")
    error_of(post(data={"file": "text"}, files={"x": b""}), 422, "invalid")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    error_of(post(content=b"nothing", headers=broken), 400, "invalid")
    error_of(post(content=b"", headers={"Content-Type": "multipart/form-data"}), 400, "invalid")
    segments = "/v1/segments"
    error_of(post(segments, params={"hop": "x"}, files={"file": wav()}), 422, "invalid")
    error_of(post(segments, params={"hop": 9}, files={"file": wav()}), 422, "invalid")
    much = {"window": 60, "hop": 0.1}
    message = error_of(post(segments, params=much, files={"file": wav()}), 422, "invalid")
    assert message == "hop: at least 1.875 s for a window of 60 s, got 0.1 s"
    for charset in ("undefined", "hex", "no-such", "idna"):
        odd = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
        body = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n\xff\r\n--x--\r\n'
        assert post(content=body, headers=odd).status_code in (400, 422)
    error_of(post(params={"model": "none"}, files={"file": wav()}), 404, "unknown_model")
    error_of(client.get("/v1/predict"), 405, "invalid")
    error_of(client.get("/nothing"), 404, "not_found")
    assert client.post("/v1/predict", files={"file": wav()}).status_code == 200


def test_a_small_file_that_decodes_to_hours_stops_at_the_limit(client: TestClient) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(8000 * 3600, np.int16), 8000, format="FLAC")
    assert len(file.getvalue()) < 500_000
    message = error_of(
        client.post("/v1/predict", files={"file": file.getvalue()}), 413, "too_large"
    )
    assert "longer than 12 s" in message


def test_nothing_stays_on_the_disk(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for sound in (wav(), b"no audio", bytes(600_000)):
        client.post("/v1/predict", files={"file": ("secret name.wav", sound)})
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    refused = client.post("/v1/predict", files={"file": wav()})
    assert error_of(refused, 507, "disk_full").endswith("No space left on device")


def test_a_client_has_a_share_of_the_uploads(client: TestClient) -> None:
    uploads: Share = client.app.state.service.uploads  # type: ignore[attr-defined]
    for _ in range(uploads.limit):
        assert uploads.take("testclient")
    refused = client.post("/v1/predict", files={"file": wav()})
    assert error_of(refused, 429, "share") == "more than 16 uploads at once"
    assert refused.headers["retry-after"] == "1"
    assert uploads.take("another client")
    uploads.give("another client")
    for _ in range(uploads.limit):
        uploads.give("testclient")
    assert client.post("/v1/predict", files={"file": wav()}).status_code == 200


@pytest.mark.parametrize(
    ("rate", "seconds", "message"), [(1.0, 60.0, "slower than 1 kB/s"), (1e-3, 0.3, "longer than")]
)
def test_an_upload_has_a_minimum_rate_and_a_time_limit(
    rate: float, seconds: float, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GRACE_S", 0.2)
    options = ServeOptions(upload_kb_s=rate, seconds=seconds)
    pieces = [b"x" * 100] * 3  # allow 0.3 s more at 1 kB/s

    async def receive() -> Message:
        if not pieces:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": pieces.pop(), "more_body": True}

    async def upload() -> None:
        receive_limited = limits.limited(receive, options)
        while True:
            await receive_limited()

    began = time.monotonic()
    with pytest.raises(RefusedError, match=message) as refused:
        asyncio.run(upload())
    assert refused.value.status == 408
    assert 0.25 < time.monotonic() - began < 5
