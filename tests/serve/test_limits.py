"""Requests that are refused."""

import io
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

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
    message = error_of(post(content=b"no audio" * 99, headers=audio), 400, "not_audio")
    assert message.startswith("the upload: not audio that can be decoded")
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
