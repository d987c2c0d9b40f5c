"""Calls over REST: channels, turns, and their limits."""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from emotone.corpora.synthetic import utterance
from emotone.inference.formats import call_as_dict
from emotone.inference.recognizer import load
from emotone.inference.spans import Span
from emotone.serve.app import create
from emotone.serve.options import ServeOptions
from tests.helpers import LOCAL, error_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    options = ServeOptions(models=("emotone-base",), workers=1, turns=3, overlap=2, minutes=0.5)
    with TestClient(create(options), headers=LOCAL) as running:
        yield running


@pytest.fixture(scope="module")
def sound() -> np.ndarray[Any, np.dtype[np.float32]]:
    one, other = utterance(0, "anger", 0), utterance(1, "neutral", 0)
    parts = [np.stack([one, 0 * one], axis=1), np.stack([0 * other, other], axis=1)]
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def file(sound: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, sound, 16_000, format="WAV", subtype="FLOAT")
    return content.getvalue()


TURNS = [
    {"start": 0, "end": 1.5, "speaker": "Ann"},
    {"start": 2.5, "end": 3.5, "speaker": "Bob <b>"},
]


def test_a_call_is_answered_as_the_recogniser_does(
    client: TestClient, file: bytes, sound: np.ndarray[Any, np.dtype[np.float32]]
) -> None:
    expected = load().call((sound, 16_000), channels="split")
    form = client.post("/v1/call?channels=split", files={"file": file})
    assert form.status_code == 200, form.text
    assert form.json() == {"model": "emotone-base"} | call_as_dict(expected)
    raw = client.post(
        "/v1/call?channels=split", content=file, headers={"Content-Type": "audio/wav"}
    )
    assert raw.json() == form.json()
    spans = [Span(one["start"], one["end"], one["speaker"]) for one in TURNS]  # type: ignore[arg-type]
    for channels in ("split", "mix"):
        given = client.post(
            f"/v1/call?channels={channels}&only=anger,neutral&threshold=0.9",
            files={"file": file}, data={"turns": json.dumps(TURNS)},
        ).json()  # fmt: skip
        chosen = load(only="anger,neutral").with_threshold(0.9)
        expected = chosen.call((sound, 16_000), channels=channels, turns=spans)
        assert given == {"model": "emotone-base"} | call_as_dict(expected)
    windows = client.post("/v1/call?channels=split&window=2&hop=1", files={"file": file}).json()
    assert [one["start"] for one in windows["turns"]][:4] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ("[", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "expected a JSON array"),
        ("[]", "no turns"),
        ('[{"start": NaN, "end": 1, "speaker": "a"}]', "expected start and end in seconds"),
        ('[{"start": 1e999, "end": 1, "speaker": "a"}]', "expected start and end in seconds"),
        (json.dumps([TURNS[0] | {"channel": "1"}]), "expected a channel from 1"),
        (json.dumps([TURNS[0] | {"channel": 0}]), "expected a channel from 1"),
        (json.dumps(TURNS * 2), "at most 3, got 4"),
        (json.dumps([TURNS[0] | {"speaker": name} for name in "abc"]), "at most 2 at the same"),
        (json.dumps([TURNS[0], TURNS[0]]), "both of 'Ann'"),
    ],
)
def test_turns_that_cannot_be_used_are_refused(
    client: TestClient, file: bytes, turns: str, message: str
) -> None:
    found = client.post("/v1/call", files={"file": file}, data={"turns": turns})
    assert message in error_of(found, 422, "invalid")


def test_other_requests_that_are_refused(client: TestClient, file: bytes) -> None:
    outside = json.dumps([TURNS[0] | {"end": 99}])
    found = client.post("/v1/call", files={"file": file}, data={"turns": outside})
    assert "turn 1, 0 s to 99 s is outside" in error_of(found, 422, "invalid")
    elsewhere = json.dumps([TURNS[0] | {"channel": 3}])
    found = client.post("/v1/call?channels=split", files={"file": file}, data={"turns": elsewhere})
    assert "is on channel 3" in error_of(found, 422, "invalid")
    assert found.json()["error"]["hint"] == "give each speaker one channel, from 1 to 2"
    samples, _ = soundfile.read(io.BytesIO(file))
    mono = io.BytesIO()
    soundfile.write(mono, samples[:, 0], 16_000, format="WAV")
    one = client.post("/v1/call?channels=split", files={"file": mono.getvalue()})
    assert "1 channel, where each speaker" in error_of(one, 400, "not_audio")
    for query, message in (
        ("channels=left", "channels"),
        ("window=2", "belong together"),
        ("window=3&hop=1", "hop: at least 1.5 s"),
        ("only=anger", "only: "),
    ):
        refused = client.post(f"/v1/call?{query}", files={"file": file})
        assert message in error_of(refused, 422, "invalid"), refused.text
    both = client.post(
        "/v1/call?window=2&hop=1", files={"file": file}, data={"turns": json.dumps(TURNS)}
    )
    assert "into turns or into windows" in error_of(both, 422, "invalid")
    as_file = client.post("/v1/call", files={"file": file, "turns": ("t.json", b"[]")})
    assert error_of(as_file, 400, "invalid") == (
        "the form cannot be read: Too many files. Maximum number of files is 1."
    )
    assert as_file.json()["error"]["hint"].startswith("send one file, in the field 'file'; other")
    long = io.BytesIO()
    soundfile.write(long, np.zeros((32 * 16_000, 2)), 16_000, format="FLAC")
    error_of(
        client.post("/v1/call?channels=split", files={"file": long.getvalue()}), 413, "too_large"
    )
