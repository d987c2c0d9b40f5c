from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from emotone.audio import Waveform
from emotone.audio.voices import monotone, sung, whispered
from emotone.corpora import synthetic
from tests.helpers import tone

SPEECH = synthetic.utterance(1, "anger", 0)
VOICES: dict[str, Callable[[Waveform], Waveform]] = {
    "whispered": lambda speech: whispered(speech, np.random.default_rng(0)),
    "monotone": lambda speech: monotone(speech, 120),
    "sung": lambda speech: sung(speech, np.random.default_rng(0)),
}


def spectrum(samples: Waveform) -> np.ndarray:
    """Level in dB of thirds of an octave from 200 to 6000 Hz."""
    power = np.square(np.abs(np.fft.rfft(samples)))
    hertz = np.fft.rfftfreq(len(samples), 1 / 16_000)
    edges = np.geomspace(200, 6000, 16)
    bands = [power[(hertz >= low) & (hertz < high)].sum() for low, high in pairwise(edges)]
    return np.asarray(10 * np.log10(bands))


def levels(samples: Waveform) -> np.ndarray:
    """Level in dB of each 0.1 s."""
    power = np.add.reduceat(np.square(samples), np.arange(0, len(samples), 1600))
    return np.asarray(10 * np.log10(power + 1e-6))


@pytest.mark.parametrize("name", VOICES)
def test_what_is_said_stays(name: str) -> None:
    """Level over time, and the spectrum, are those of the speech."""
    after = VOICES[name](SPEECH)
    assert after.shape == SPEECH.shape
    assert after.dtype == np.float32
    assert np.corrcoef(levels(SPEECH), levels(after))[0, 1] > 0.95
    assert np.corrcoef(spectrum(SPEECH), spectrum(after))[0, 1] > 0.9
    assert np.std(after) == pytest.approx(np.std(SPEECH), rel=0.3)


def periodicity(samples: Waveform, hertz: float) -> float:
    """Autocorrelation at one period."""
    lag = round(16_000 / hertz)
    return float(np.corrcoef(samples[lag:], samples[:-lag])[0, 1])


def test_a_whisper_has_no_pitch_and_a_monotone_voice_has_one() -> None:
    voiced = np.sum([tone(16_000, 1.0, 200 * n) / n for n in range(1, 20)], 0).astype(np.float32)
    assert periodicity(voiced, 200) > 0.99
    assert abs(periodicity(VOICES["whispered"](voiced), 200)) < 0.3
    lower = VOICES["monotone"](voiced)
    assert periodicity(lower, 120) > 0.8
    assert periodicity(lower, 200) < 0.5


def test_a_song_has_notes_of_a_scale() -> None:
    """The pitch is constant within a note but for its vibrato, and differs between notes."""
    song = VOICES["sung"](np.ones(32_000, np.float32) * 0.1)
    lags = []
    for note in range(5):
        part = song[note * 6400 + 800 : (note + 1) * 6400 - 800]
        found = [
            np.corrcoef(part[lag:], part[:-lag])[0, 1] for lag in range(30, 160)
        ]  # 100 to 530 Hz
        lags.append(30 + int(np.argmax(found)))
    semitones = 12 * np.log2(max(lags) / np.array(lags))
    assert len(set(lags)) >= 3
    assert np.abs(semitones - semitones.round()).max() < 0.3


@pytest.mark.parametrize("name", VOICES)
@pytest.mark.parametrize("samples", [0, 1, 100, 512, 1000])
def test_silence_stays_silence_and_any_length_is_kept(name: str, samples: int) -> None:
    after = VOICES[name](np.zeros(samples, np.float32))
    assert after.shape == (samples,)
    assert not after.any()
