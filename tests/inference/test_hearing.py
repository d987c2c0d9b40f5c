"""A model that hears speech only gives the answer of the speech, whatever is around it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emotone.audio import SAMPLE_RATE
from emotone.audio.activity import only_speech
from emotone.audio.disturbances import add_noise, coloured_noise, surrounded
from emotone.corpora import synthetic
from emotone.errors import AudioError
from emotone.inference.recognizer import Recognizer
from tests.helpers import TINY, tone, trained

pytestmark = pytest.mark.slow
RATE = SAMPLE_RATE


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    features = TINY["features"] | {"frames": "speech", "level": "rms", "norm": "enrol"}
    return Recognizer(trained(tmp_path_factory.mktemp("speech"), features=features))


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    return only_speech(synthetic.utterance(1, "anger", 0))


def probabilities(recognizer: Recognizer, waveform: NDArray[np.float32]) -> list[float]:
    return list(recognizer.predict((waveform, RATE)).probabilities.values())


def test_silence_around_speech_changes_nothing(
    recognizer: Recognizer, speech: NDArray[np.float32]
) -> None:
    expected = probabilities(recognizer, speech)
    for before_s, after_s in ((0, 3), (2, 0), (2.01, 3.3), (28.5, 0)):
        found = probabilities(recognizer, surrounded(speech, before_s, after_s))
        assert found == pytest.approx(expected, abs=0.02)


def test_a_recording_without_speech_gets_no_emotion(recognizer: Recognizer) -> None:
    noise = (0.1 * coloured_noise(np.random.default_rng(0), 4 * RATE)).astype(np.float32)
    for sound in (noise, tone(RATE, 40.0).astype(np.float32)):
        with pytest.raises(AudioError, match="the array: no speech found"):
            recognizer.predict((sound, RATE))
        assert {segment.prediction for segment in recognizer.segments((sound, RATE))} == {None}
    with pytest.raises(AudioError, match="silent throughout"):
        recognizer.predict((np.zeros(RATE, np.float32), RATE))
    with pytest.raises(AudioError, match="too short"):
        recognizer.predict((np.ones(300, np.float32), RATE))


def test_windows_without_speech_have_no_answer(
    recognizer: Recognizer, speech: NDArray[np.float32]
) -> None:
    whole = np.concatenate([speech, np.zeros(3 * RATE, np.float32), speech])
    noisy = add_noise(whole, coloured_noise(np.random.default_rng(0), len(whole)), 40)
    segments = recognizer.segments((noisy, RATE), window=1.0, hop=1.0)
    answered = [segment.prediction is not None for segment in segments]
    seconds = len(speech) / RATE
    for segment, is_answered in zip(segments, answered, strict=True):
        if segment.end < seconds - 0.3:
            assert is_answered
        if seconds + 0.2 < segment.start < segment.end < seconds + 2.8:
            assert not is_answered
    assert False in answered


def test_enrolment_hears_speech_only(
    recognizer: Recognizer, speech: NDArray[np.float32], tmp_path: Path
) -> None:
    alone = recognizer.for_speaker([(speech, RATE)])
    around = recognizer.for_speaker([(surrounded(speech, 0.0, 20.0), RATE)])
    assert alone.speaker is not None
    assert around.speaker is not None
    assert around.speaker.recordings == alone.speaker.recordings == 1
    difference = around.speaker.statistics[0] - alone.speaker.statistics[0]
    assert np.abs(difference).max() < 0.5  # nats; 20 s of silence would lower them by several
    with pytest.raises(AudioError):
        recognizer.for_speaker([(tone(RATE).astype(np.float32), RATE)])
