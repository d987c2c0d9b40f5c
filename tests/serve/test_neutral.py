"""Answers over REST relative to neutral speech that was answered before."""

import io
import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import soundfile
from fastapi import WebSocketDisconnect
from fastapi.testclient import TestClient

from emotone.inference.recognizer import load
from emotone.serve.app import create
from emotone.serve.limits import MOST_NEUTRAL
from emotone.serve.options import ServeOptions
from tests.helpers import LOCAL, error_of, spoken, wav

pytestmark = pytest.mark.slow
LABELS = "anger, happiness, neutral, sadness"
ANSWER = dict(zip(LABELS.split(", "), (0.4, 0.3, 0.2, 0.1), strict=True))


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    options = ServeOptions(models=("emotone-base",), workers=1)
    with TestClient(create(options), headers=LOCAL) as running:
        yield running


def test_answers_are_those_of_the_recogniser(client: TestClient) -> None:
    file = io.BytesIO()
    samples = spoken(1, 2.5)
    soundfile.write(file, samples, 16_000, format="WAV", subtype="FLOAT")
    sound, speech = {"file": file.getvalue()}, (samples, 16_000)
    without = client.post("/v1/predict", files=sound).json()["probabilities"]
    given = [without, ANSWER]
    hers, form = load().with_neutral(given), {"neutral": json.dumps(given)}
    found = client.post("/v1/predict", files=sound, data=form).json()["probabilities"]
    expected = hers.predict(speech).probabilities
    assert found == pytest.approx(expected, abs=1e-3)
    assert found != pytest.approx(without, abs=1e-2)
    some = client.post("/v1/predict?only=anger,neutral", files=sound, data=form).json()
    chosen = hers.with_only("anger,neutral").predict(speech).probabilities
    assert some["probabilities"] == pytest.approx(chosen, abs=1e-3)
    (window,) = client.post("/v1/segments", files=sound, data=form).json()["segments"]
    (segment,) = hers.segments(speech)
    assert segment.prediction is not None
    assert window["probabilities"] == pytest.approx(segment.prediction.probabilities, abs=1e-3)


@pytest.mark.parametrize(
    ("neutral", "message"),
    [
        ("[", "neutral: not JSON; send an array of objects with the probability of each emotion"),
        (json.dumps(ANSWER), "neutral: expected a JSON array of objects"),
        ('["/etc/hostname"]', "neutral: expected a JSON array of objects"),
        ("[]", "no neutral recording was given"),
        (json.dumps([ANSWER] * (MOST_NEUTRAL + 1)), f"at most {MOST_NEUTRAL}, got"),
        ('[{"anger": 1}]', f"expected probabilities of {LABELS}, got anger in answer 1"),
        ("[{}]", f"expected probabilities of {LABELS}, got none in answer 1"),
        (json.dumps([ANSWER, ANSWER | {"anger": None}]), "no number from 0 to 1 in answer 2"),
        (json.dumps([ANSWER | {"anger": float("nan")}]), "no number from 0 to 1 in answer 1"),
        (json.dumps([ANSWER | {"anger": 0.9}]), "answer 1 add up to 1.5, not to 1"),
    ],
)
def test_what_cannot_be_used_is_refused(client: TestClient, neutral: str, message: str) -> None:
    found = client.post("/v1/predict", files={"file": wav(1.3, 0)}, data={"neutral": neutral})
    assert message in error_of(found, 422, "invalid")


def test_a_call_has_several_speakers(client: TestClient) -> None:
    form = {"neutral": json.dumps([ANSWER])}
    found = client.post("/v1/call", files={"file": wav(1.3, 0)}, data=form)
    assert "a call has several speakers" in error_of(found, 422, "invalid")


def test_live_audio_is_answered_relative_to_it(client: TestClient) -> None:
    assert client.get("/v1/models").json()[0]["neutral"] is True
    samples = spoken(1, 3.0)
    query = urlencode({"rate": 16_000, "format": "f32le", "neutral": json.dumps([ANSWER])})
    with client.websocket_connect(f"/v1/stream?{query}") as socket:
        socket.send_bytes(samples.tobytes())
        socket.send_text("end")
        window = socket.receive_json()
    (expected,) = load().with_neutral([ANSWER]).segments((samples, 16_000))
    assert expected.prediction is not None
    assert window["probabilities"] == pytest.approx(expected.prediction.probabilities, abs=1e-3)
    with (
        client.websocket_connect("/v1/stream?rate=16000&neutral=[]") as socket,
        pytest.raises(WebSocketDisconnect) as refused,
    ):
        socket.receive_json()
    assert refused.value.code == 1008
    assert "no neutral recording was given" in refused.value.reason
