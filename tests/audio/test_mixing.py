import numpy as np
import pytest

from emotone import audio
from emotone.audio import Resampler, from_array
from emotone.errors import AudioError
from tests.helpers import voice

RATE = 16_000


@pytest.mark.parametrize("scale", [-1.0, -0.8])
@pytest.mark.parametrize("louder", [0, 1])
def test_channels_that_cancel_give_the_louder_one(scale: float, louder: int) -> None:
    speech = voice(1, 3.0)
    noise = np.random.default_rng(0).normal(0, 1e-3, (2, len(speech))).astype(np.float32)
    channels = [speech + noise[0], scale * speech + noise[1]]
    stereo = np.stack(channels if louder == 0 else channels[::-1], axis=1)
    mono = from_array(stereo, RATE)
    np.testing.assert_allclose(np.abs(mono), np.abs(speech), atol=0.01)
    if scale > -1:
        np.testing.assert_array_equal(mono, stereo[:, louder])


@pytest.mark.parametrize("offset", [0.01, 0.2])
def test_channels_that_cancel_but_for_an_offset_are_heard(offset: float) -> None:
    speech = voice(1, 3.0)
    stereo = np.stack([speech, -speech], axis=1) + np.float32(offset)
    mono = from_array(stereo, RATE)
    np.testing.assert_allclose(np.abs(mono - mono.mean()), np.abs(speech), atol=0.01)


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 1.0])
def test_other_channels_are_averaged(correlation: float) -> None:
    a, b = np.random.default_rng(1).normal(0, 0.1, (2, RATE)).astype(np.float32)
    other = correlation * a + np.sqrt(1 - correlation**2) * b
    stereo = np.stack([a, other], axis=1).astype(np.float32)
    np.testing.assert_array_equal(from_array(stereo, RATE), stereo.mean(axis=1))


def test_the_mix_does_not_depend_on_the_pieces() -> None:
    speech = voice(2, 3.0, 44_100)
    stereo = np.stack([speech, -speech], axis=1)
    stereo[60_000:] = np.abs(stereo[60_000:])
    resampler = Resampler(44_100)
    sizes = np.random.default_rng(3).integers(1, 9000, 40).cumsum()
    pieces = [resampler.push(piece) for piece in np.split(stereo, sizes[sizes < len(stereo)])]
    np.testing.assert_array_equal(
        np.concatenate([*pieces, resampler.close()]), from_array(stereo, 44_100)
    )


@pytest.mark.parametrize("value", [1e30, -1e6, 1e300])
def test_absurd_samples_are_refused_by_number(value: float) -> None:
    samples = voice(0, 0.5).astype(np.float64)
    samples[321] = value
    with pytest.raises(AudioError, match="sample 321 is"):
        from_array(samples, RATE)


@pytest.mark.parametrize(("value", "count"), [(1000.0, 1), (-1000.0, 5), (11.0, 1)])
def test_a_spike_is_refused(value: float, count: int) -> None:
    samples = voice(0, 0.5)
    samples[321 : 321 + count] = value
    with pytest.raises(AudioError, match=rf"sample 321 is {value:g}, while 99\.9.% are within ±1"):
        from_array(samples, RATE)


def test_what_is_no_spike_is_accepted() -> None:
    loud = voice(0, 0.5)
    loud[321] = 9.5  # a loud click
    often = voice(0, 0.5)
    often[::100] = 20.0  # wherever full scale is
    silence = np.zeros(RATE, np.float32)
    silence[321:330] = 3000  # in the range of integers
    for samples in (loud, often, silence):
        np.testing.assert_array_equal(audio.from_array(samples, RATE), samples)


def test_the_range_of_16_bit_integers_is_accepted() -> None:
    samples = voice(0, 0.5) * np.float32(32_768)
    np.testing.assert_array_equal(audio.from_array(samples, RATE), samples)


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2**50])
def test_rates_of_no_use_are_refused(rate: int) -> None:
    with pytest.raises(AudioError, match=r"must be from 1000 Hz to 1000000 Hz, got"):
        from_array(np.zeros(100, np.float32), rate)
