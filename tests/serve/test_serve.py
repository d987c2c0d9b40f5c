"""The service, as its clients meet it."""

import io
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from emotone.inference.recognizer import load
from emotone.serve.app import create
from emotone.serve.options import ServeOptions
from tests.helpers import children, command_of, emotone, one_line, voice, wait_until_ended


def wav(seconds: float = 1.0, seed: int = 0, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, voice(seed, seconds, rate), rate, format="WAV")
    return file.getvalue()


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """A service of one worker with narrow limits."""
    options = ServeOptions(
        models=(str(folder),), workers=1, upload_mb=0.5, minutes=0.2, seconds=20, queue=2
    )
    with TestClient(create(options)) as running:
        yield running


def error_of(response: httpx.Response, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code
    assert error["hint"]
    return str(error["message"])


def test_a_file_is_answered_as_the_recogniser_does(client: TestClient, folder: Path) -> None:
    for seed in range(3):
        sound = wav(1.3, seed)
        expected = load(folder).predict((voice(seed, 1.3), 16_000))
        form = client.post("/v1/predict", files={"file": ("secret name.wav", sound)})
        raw = client.post("/v1/predict", content=sound, headers={"Content-Type": "audio/wav"})
        assert form.status_code == raw.status_code == 200, form.text
        assert form.json() == raw.json()
        found = form.json()
        assert found["seconds"] == 1.3
        assert found["label"] == expected.label
        assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-3)


def test_segments_have_times(client: TestClient, folder: Path) -> None:
    sound = np.append(voice(0, 2.0), np.zeros(32_000, np.float32))
    file = io.BytesIO()
    soundfile.write(file, sound, 16_000, format="FLAC")
    asked = {"window": 1, "hop": 0.5}
    found = client.post("/v1/segments", params=asked, files={"file": file.getvalue()}).json()
    expected = load(folder).segments((sound, 16_000), window=1, hop=0.5)
    assert [(s["start"], s["end"]) for s in found["segments"]] == [
        (s.start, s.end) for s in expected
    ]
    labels = [s.prediction.label if s.prediction else None for s in expected]
    assert [s["label"] for s in found["segments"]] == labels
    assert None in labels


def test_what_there_is_and_whether_it_lives(client: TestClient, folder: Path) -> None:
    (model,) = client.get("/v1/models").json()
    assert model["name"] == str(folder)
    assert model["labels"] == ["anger", "neutral"]
    assert client.get("/health").json()["status"] == "alive"
    assert client.get("/ready").json() == {"status": "ready"}
    client.post("/v1/predict", content=wav(), headers={"Content-Type": "audio/wav"})
    said = client.get("/metrics").text
    assert 'emotone_requests_total{path="/v1/predict",status="200"}' in said
    assert "emotone_audio_seconds_total" in said
    described = client.get("/openapi.json").json()
    assert {"/v1/predict", "/v1/segments", "/v1/models"} <= set(described["paths"])


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


def test_a_token_is_asked_for(folder: Path) -> None:
    options = ServeOptions(models=(str(folder),), workers=1, token="a long secret")
    with TestClient(create(options)) as client:
        assert client.get("/health").status_code == 200
        error_of(client.get("/v1/models"), 401, "unauthorized")
        wrong = {"Authorization": "Bearer wrong"}
        error_of(client.post("/v1/predict", content=b"x", headers=wrong), 401, "unauthorized")
        right = {"Authorization": "Bearer a long secret"}
        assert client.get("/v1/models", headers=right).status_code == 200


def test_who_cannot_be_served_now_receives_503(folder: Path) -> None:
    app = create(ServeOptions(models=(str(folder),), workers=1, seconds=1, queue=1))
    service: Any = app.user_middleware[0].kwargs["service"]
    sound = {"file": wav()}
    with TestClient(app) as client:
        service.workers._free._value -= 1
        late = client.post("/v1/predict", files=sound)
        assert "no worker was free" in error_of(late, 503, "busy")
        service.workers._free.release()
        service.waiting = 2
        full = client.post("/v1/predict", files=sound)
        assert "too many requests" in error_of(full, 503, "busy")
        assert full.headers["retry-after"] == "1"
        service.waiting = 0
        assert client.post("/v1/predict", files=sound).status_code == 200


def workers_since(before: list[int]) -> list[int]:
    new = set(children(os.getpid())) - set(before)
    return [pid for pid in new if "spawn_main" in command_of(pid)]


def test_an_idle_worker_that_dies_costs_no_request(folder: Path) -> None:
    options = ServeOptions(models=(str(folder),), workers=1, seconds=30)
    others = children(os.getpid())
    with TestClient(create(options)) as client:
        sound = {"file": wav()}
        assert client.post("/v1/predict", files=sound).status_code == 200
        (worker,) = workers_since(others)
        os.kill(worker, signal.SIGKILL)
        wait_until_ended(worker)
        assert client.post("/v1/predict", files=sound).status_code == 200
        assert "emotone_worker_restarts 1.0" in client.get("/metrics").text


def test_a_request_whose_worker_dies_or_is_slow_gets_an_error_and_others_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of a codec with a defect: one that crashes or hangs on audio of some length."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, time\n"
        "from emotone import audio\n"
        "blocks = audio.blocks\n"
        "def defective(path, *rest):\n"
        "    for block in blocks(path, *rest):\n"
        "        if 32_000 <= len(block) < 48_000:\n"
        "            os._exit(1)\n"
        "        if len(block) >= 48_000:\n"
        "            time.sleep(600)\n"
        "        yield block\n"
        "audio.blocks = defective\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)  # of started processes
    options = ServeOptions(models=(str(folder),), workers=2, seconds=5)

    def post(seconds: float) -> httpx.Response:
        response: httpx.Response = running.post("/v1/predict", files={"file": wav(seconds)})
        return response

    with TestClient(create(options)) as running, ThreadPoolExecutor() as pool:
        slow, crashed = pool.submit(post, 3), pool.submit(post, 2)
        fine = [pool.submit(post, 1) for _ in range(5)]
        assert [one.result().status_code for one in fine] == [200] * 5
        assert not slow.done()
        assert "cannot be decoded: its process died" in error_of(crashed.result(), 400, "not_audio")
        assert "took longer than 5 s" in error_of(slow.result(), 400, "not_audio")
        assert post(1).status_code == 200
        assert "emotone_worker_restarts 2.0" in running.get("/metrics").text


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
            b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\n"
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


def test_bad_options_are_one_line() -> None:
    wrong = emotone("serve", "--token", "short")
    assert wrong.returncode == 2
    assert "--token" in one_line(wrong)
    missing = emotone("serve", "--model", "nobody", "--port", "0")
    assert missing.returncode == 1
    assert "nor a model that ships" in one_line(missing)


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
    with TestClient(create(options)) as client:

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
        assert ended(url, bytes(200_000)) == (1009, "longer than 0.05 minutes; begin anew")
        assert ended(url, b"x") == (1003, "a message holds half a sample; send whole ones")
        assert ended(url, "hello")[0] == 1003
        assert ended(f"{url}&format=f32le", b"\xff" * 64)[0] == 1003  # not a number
        assert ended(f"{url}&format=mp3") == (1008, "format must be one of s16le, f32le")
        assert ended(f"{url}&model=none")[0] == 1008
        assert ended(f"{url}&hop=5")[0] == 1003
        with client.websocket_connect(f"{url}&token=a long secret"):
            assert "too many streams" in ended(url)[1]
        assert ended(url) == (4408, "no audio for 2 s")  # there is room again
        with pytest.raises(WebSocketDisconnect) as end, client.websocket_connect(url):
            pass
        assert end.value.code == 1008
