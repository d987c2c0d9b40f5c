"""The endpoints, as clients use them."""

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from emotone.inference.recognizer import load
from emotone.serve import routes
from emotone.serve.app import create
from emotone.serve.errors import HINTS
from emotone.serve.options import ServeOptions
from tests.helpers import (
    LOCAL,
    error_of,
    spoken,
    voice,
    wav,
)


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


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("predict?treshold=0.5", "unknown parameter 'treshold'; did you mean 'threshold'?"),
        (
            "predict?channels=split",
            "unknown parameter 'channels'; known are model, threshold, only",
        ),
        ("segments?win=2", "unknown parameter 'win'; did you mean 'window'?"),
        ("call?chanels=split", "unknown parameter 'chanels'; did you mean 'channels'?"),
    ],
)
def test_unknown_parameters_are_refused(client: TestClient, path: str, message: str) -> None:
    refused = client.post(f"/v1/{path}", files={"file": wav(1.0)})
    assert error_of(refused, 422, "invalid") == message


def test_what_there_is_and_whether_it_lives(client: TestClient, folder: Path) -> None:
    (model,) = client.get("/v1/models").json()
    assert model["name"] == str(folder)
    assert model["labels"] == ["anger", "neutral"]
    assert model["dimensions"] == []
    assert client.get("/health").json()["status"] == "alive"
    assert client.get("/ready").json() == {"status": "ready"}
    client.post("/v1/predict", content=wav(), headers={"Content-Type": "audio/wav"})
    said = client.get("/metrics").text
    assert 'emotone_requests_total{path="/v1/predict",status="200"}' in said
    assert "emotone_audio_seconds_total" in said
    described = client.get("/openapi.json").json()
    assert {"/v1/predict", "/v1/segments", "/v1/models"} <= set(described["paths"])


def test_the_openapi_document_has_groups_and_true_examples(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    groups = [group["name"] for group in document["tags"]]
    assert groups == ["Recordings", "Live audio", "Models", "Operation"]
    file = io.BytesIO()
    soundfile.write(file, spoken(0, 2.0), 16_000, format="FLAC")
    sound = {"file": file.getvalue()}
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            assert about["tags"][0] in groups
            assert about["summary"] != about["operationId"].title()  # one that was written
            content = about["responses"].get("200", {"content": {}})["content"]
            for kind, described in content.items():
                found = client.request(method, path, files=sound if method == "post" else None)
                assert found.headers["Content-Type"].startswith(kind)
                if kind == "application/json":
                    assert _shape(described["example"]) == _shape(found.json()), path
            for status, described in about["responses"].items():
                if int(status) < 400:
                    continue
                for code, example in described["content"]["application/json"]["examples"].items():
                    error = example["value"]["error"]
                    assert error["code"] == code
                    assert error["hint"] == HINTS[code]


def _shape(value: Any) -> Any:
    """Keys and types of an answer, without what depends on the model or the recording."""
    varies = {"probabilities", "corpora", "channel", "shares", "trend", "notes"}
    if isinstance(value, list):
        return [_shape(one) for one in value[:1]]
    if not isinstance(value, dict):
        return type(value)
    return {key: None if key in varies else _shape(part) for key, part in value.items()}


def test_the_stream_says_that_it_is_a_websocket(
    client: TestClient, address: tuple[str, "subprocess.Popen[str]"]
) -> None:
    answer = client.get("/v1/stream?rate=16000")
    assert error_of(answer, 426, "websocket") == "/v1/stream is a WebSocket"
    assert answer.headers["Upgrade"] == "websocket"
    text = client.get("/openapi.json").json()["paths"]["/v1/stream"]["get"]["description"]
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    said: list[dict[str, Any]] = []
    samples = (voice(0, 1.3) * 2**15).astype("<i2")
    names = {
        "pieces": [part.tobytes() for part in np.array_split(samples, 9)],
        "print": said.append,
    }
    exec(example.replace("ws://127.0.0.1:8000", address[0].replace("http", "ws")), names)
    assert [(one["start"], one["end"]) for one in said] == [(0.0, 1.3)]


def test_an_endpoint_is_registered_by_its_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "labels.py").write_text(
        "from fastapi import APIRouter\n"
        "from emotone.serve.service import ServiceOf\n"
        "router = APIRouter()\n"
        "@router.get('/v1/labels')\n"
        "async def labels(service: ServiceOf) -> list[str]:\n"
        "    return next(iter(service.workers.models.values())).labels\n"
    )
    monkeypatch.setattr(routes, "__path__", [*routes.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "emotone.serve.routes.labels", raising=False)
    with TestClient(
        create(ServeOptions(models=(str(folder),), workers=1)), headers=LOCAL
    ) as client:
        assert client.get("/v1/labels").json() == ["anger", "neutral"]
        error_of(client.post("/v1/labels"), 405, "invalid")
        assert "/v1/labels" in client.get("/openapi.json").json()["paths"]


def test_a_request_chooses_the_threshold(client: TestClient) -> None:
    sound = {"file": wav(1.3)}
    own = client.post("/v1/predict", files=sound).json()
    assert own["confident"] is True  # the model's threshold is 0.5
    for threshold, confident in ((own["confidence"] - 1e-4, True), (1, False)):
        asked = {"threshold": threshold}
        found = client.post("/v1/predict", params=asked, files=sound).json()
        assert found == own | {"confident": confident}
        (part,) = client.post("/v1/segments", params=asked, files=sound).json()["segments"]
        assert part["confident"] is confident
        with client.websocket_connect(f"/v1/stream?rate=16000&threshold={threshold}") as live:
            live.send_bytes((voice(0, 1.3) * 2**15).astype("<i2").tobytes())
            live.send_text("end")
            assert live.receive_json()["confident"] is confident
    for threshold in (-0.1, 1.1, "nan", "high"):
        wrong = client.post("/v1/predict", params={"threshold": threshold}, files=sound)
        assert error_of(wrong, 422, "invalid").startswith("threshold: ")


def test_a_service_has_a_threshold_of_its_own(folder: Path) -> None:
    options = ServeOptions(models=(str(folder),), workers=1, threshold=1.0)
    with TestClient(create(options), headers=LOCAL) as client:
        assert client.get("/v1/models").json()[0]["confident_from"] == 1.0
        sound = {"file": wav(1.3)}
        assert client.post("/v1/predict", files=sound).json()["confident"] is False
        asked = {"threshold": 0.5}
        assert client.post("/v1/predict", params=asked, files=sound).json()["confident"] is True


def test_a_request_chooses_among_emotions() -> None:
    sound = {"file": ("a.wav", _speech())}
    with TestClient(
        create(ServeOptions(models=("emotone-base",), workers=1)), headers=LOCAL
    ) as one:
        whole = load().predict(_speech()).probabilities  # those of the service are rounded
        found = one.post("/v1/predict?only=anger,neutral", files=sound).json()
        expected = whole["anger"] / (whole["anger"] + whole["neutral"])
        assert found["probabilities"]["anger"] == pytest.approx(expected, abs=2e-4)
        assert list(found["probabilities"]) == ["anger", "neutral"]
        (part,) = one.post("/v1/segments?only=anger,neutral", files=sound).json()["segments"]
        assert part["probabilities"].keys() == found["probabilities"].keys()
        for asked in ("anger", "anger,joy"):
            refused = one.post(f"/v1/predict?only={asked}", files=sound)
            assert "only: " in error_of(refused, 422, "invalid")


def _speech() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, spoken(1, 2.0), 16_000, format="WAV")
    return file.getvalue()
