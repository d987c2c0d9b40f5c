import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import Tensor

from emotone.audio.voices import sung, whispered
from emotone.features import FeatureOptions, Features
from emotone.features.pitch import PitchSalience

LAGS = 64
SEMITONE = 0.06
PITCHES = 500 * (60 / 500) ** (np.arange(LAGS) / (LAGS - 1))  # Hz of each lag


def pulses(hz: float, seconds: float = 1.0) -> NDArray[np.float32]:
    """A voice without a vocal tract."""
    time = np.arange(round(16_000 * seconds)) / 16_000
    harmonics = np.arange(1, int(7000 // hz))[:, None]
    voice: NDArray[np.float32] = np.cos(2 * np.pi * harmonics * hz * time).sum(0).astype("f4")
    return voice


def salience(*clips: NDArray[np.floating]) -> Tensor:
    lengths = torch.tensor([len(clip) for clip in clips])
    batch = torch.zeros(len(clips), int(lengths.max()))
    for row, clip in enumerate(clips):
        batch[row, : len(clip)] = torch.from_numpy(clip.astype(np.float32))
    found: Tensor = PitchSalience(LAGS, 160)(batch, lengths)
    return found


def is_heard(hz: float, waveform: NDArray[np.floating]) -> bool:
    """Whether a pitch is the most salient, or the octave below, since two periods are one, too."""
    loudest = PITCHES[int(salience(waveform)[0, 50].argmax())]
    return any(loudest == pytest.approx(hz / octave, rel=SEMITONE) for octave in (1, 2))


@pytest.mark.parametrize("hz", [75.0, 110.0, 160.0, 240.0, 350.0, 460.0])
def test_the_pitch_of_a_voice_is_the_most_salient(hz: float) -> None:
    assert is_heard(hz, pulses(hz))


@pytest.mark.parametrize("hz", [90.0, 200.0])
def test_a_telephone_that_has_no_fundamental_leaves_the_pitch(hz: float) -> None:
    band = signal.butter(6, [300, 3400], btype="band", fs=16_000, output="sos")
    assert is_heard(hz, signal.sosfilt(band, pulses(hz)))


def test_formants_leave_the_pitch() -> None:
    voice = pulses(120)
    for hz, width in ((600, 80), (1700, 120), (2600, 160)):
        voice = signal.lfilter(*signal.iirpeak(hz, hz / width, fs=16_000), voice) + 0.1 * voice
    assert is_heard(120, voice)


def test_noise_has_less_salience_than_a_voice() -> None:
    noise = np.random.default_rng(0).standard_normal(16_000)
    assert salience(noise)[0, 10:-10].amax(dim=1).mean() < 0.3
    assert salience(pulses(150))[0, 10:-10].amax(dim=1).mean() > 0.5


def test_a_gain_and_an_offset_change_nothing() -> None:
    voice = pulses(150)
    inside = slice(5, -5)  # the others hold the step from the zeros around
    expected = salience(voice)
    torch.testing.assert_close(salience(0.01 * voice), expected, atol=1e-4, rtol=0)
    shifted = PitchSalience(LAGS, 160)
    offset = shifted(torch.from_numpy(voice)[None] + 0.5, torch.tensor([len(voice)]))
    torch.testing.assert_close(offset[:, inside], expected[:, inside], atol=0.01, rtol=0)


def test_faint_sounds_between_words_have_little_salience() -> None:
    loud, faint = pulses(150), 1e-4 * pulses(220)
    both = salience(np.concatenate([loud, faint]))[0]
    assert both[20:80].amax(dim=1).min() > 0.5
    assert both[120:180].abs().max() < 0.2


def test_digital_silence_has_none() -> None:
    assert salience(np.zeros(8000)).abs().max() < 1e-3


def test_padding_changes_nothing() -> None:
    clips = [pulses(100, 0.3), pulses(220, 0.9), pulses(330, 0.05)]
    together = salience(*clips)
    for row, clip in enumerate(clips):
        alone = salience(clip)[0]
        torch.testing.assert_close(together[row, : len(alone)], alone, atol=1e-4, rtol=0)


def test_it_is_the_last_channel_of_the_features() -> None:
    features = Features(FeatureOptions(pitch=True, deltas=1))
    voice = torch.from_numpy(pulses(150))[None]
    lengths = torch.tensor([16_000])
    out, _ = features(voice, lengths)
    assert features.shape == (3, 64)
    assert out.shape == (1, 3, 101, 64)
    torch.testing.assert_close(out[0, 2], salience(pulses(150))[0])
    plain, _ = Features(FeatureOptions(deltas=1))(voice, lengths)
    torch.testing.assert_close(out[:, :2], plain)


def test_features_with_pitch_are_cached_apart() -> None:
    assert Features(FeatureOptions(pitch=True)).key != Features(FeatureOptions()).key


def test_voicing_is_the_mean_of_the_highest_salience_of_each_frame() -> None:
    features = Features(FeatureOptions(pitch=True, mels=8))
    values = torch.full((2, 4, 16), -0.5)
    values[:, :, :8] = 9.0  # log-mel
    values[0, :, 10] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    values[1, :2, 12] = torch.tensor([0.6, 0.8])
    values[1, 2:] = 7.0  # padding
    found = features.voicing(values, torch.tensor([4, 2]))
    torch.testing.assert_close(found, torch.tensor([0.25, 0.7]))


def usual(features: Features, log_mel: Tensor, frames: Tensor) -> float:
    weights = features.usual(log_mel, frames)
    assert weights is not None
    return float(weights[0])


def test_what_is_far_from_the_voicing_of_training_is_unusual() -> None:
    features = Features(FeatureOptions(pitch=True, mels=8))
    frames = torch.tensor([3])

    def clip(voicing: float) -> Tensor:
        return torch.full((1, 3, 16), voicing)

    assert usual(features, clip(0.9), frames) == 1  # nothing is known
    features.fit_voicing(clip(voicing)[0] for voicing in (0.3, 0.5))  # 0.4 and 0.1
    for voicing, expected in {
        0.4: 1, 0.59: 1, 0.625: 0.5, 0.21: 1, 0.175: 0.5, 0.1: 0.1, 0.9: 0.1
    }.items():  # fmt: skip
        assert usual(features, clip(voicing), frames) == pytest.approx(expected, abs=1e-4)
    assert Features(FeatureOptions()).usual(torch.zeros(1, 3, 64), frames) is None


def test_whispered_and_sung_voices_are_unusual() -> None:
    """Spoken ones glide, and a third of their sounds have no voice."""
    rng = np.random.default_rng(0)

    def spoken(hz: float) -> NDArray[np.float32]:
        steps = (1.1, 0, 1.2, 1.0, 0, 0.9, 0.8, 0)
        voice = np.concatenate(
            [pulses(hz * step, 0.15) if step else np.zeros(1600) for step in steps]
        )
        noise = rng.standard_normal(len(voice)) * np.where(voice == 0, 1, 3)
        mixed: NDArray[np.float32] = (voice + noise).astype(np.float32)
        return mixed

    features = Features(FeatureOptions(pitch=True))

    def heard(voice: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        return features.log_mel(torch.from_numpy(voice)[None], torch.tensor([len(voice)]))

    voices = [spoken(hz) for hz in (90, 120, 150, 180, 210, 240, 280)]
    features.fit_voicing(heard(voice)[0][0] for voice in voices)
    for voice in voices:
        assert usual(features, *heard(voice)) > 0.5
        assert usual(features, *heard(whispered(voice, rng))) == pytest.approx(0.1)
    assert usual(features, *heard(sung(pulses(150), rng))) == pytest.approx(0.1)
