"""Conversion of arrays, at once and in pieces, against independent references."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from emotone import audio
from emotone.errors import AudioError
from tests.helpers import tone

EDGE = 800  # samples at 16 kHz, 50 ms; there the filters differ
RATES = [8_000, 11_025, 22_050, 44_100, 48_000, 96_000]


def at_once(samples: NDArray[Any], rate: int) -> NDArray[np.float32]:
    return audio.from_array(samples, rate)


def in_pieces(samples: NDArray[Any], rate: int) -> NDArray[np.float32]:
    rng, resampler = np.random.default_rng(rate), audio.Resampler(rate)
    places = np.sort(rng.integers(0, len(samples), size=20))
    pieces = [resampler.push(piece) for piece in np.split(samples, places)]
    return np.concatenate([*pieces, resampler.close()])


both_paths = pytest.mark.parametrize("convert", [at_once, in_pieces])


def inner(waveform: NDArray[Any]) -> NDArray[Any]:
    return waveform[EDGE:-EDGE]


@both_paths
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hz", [100.0, 440.0, 3000.0])
def test_a_tone_stays_the_same_tone(convert: Any, rate: int, hz: float) -> None:
    found = convert(tone(rate, 1.0, hz), rate)
    expected = tone(16_000, 1.0, hz)
    assert len(found) == pytest.approx(len(expected), abs=1)
    size = min(len(found), len(expected))
    np.testing.assert_allclose(inner(found[:size]), inner(expected[:size]), atol=1e-3)


@both_paths
@pytest.mark.parametrize(
    ("rate", "hz"),
    [
        (48_000, 15_000.0),
        (48_000, 9000.0),
        (44_100, 15_000.0),
        (44_100, 20_000.0),
        (32_000, 12_000.0),
    ],
)
def test_a_tone_above_8_khz_vanishes_rather_than_being_aliased(
    convert: Any, rate: int, hz: float
) -> None:
    samples = tone(rate, 1.0, hz)
    assert np.abs(inner(convert(samples, rate))).max() < 1e-3  # -54 dB
    # without a filter, the same tone would be audible at another frequency
    positions = np.arange(16_000) * rate / 16_000
    assert np.abs(np.interp(positions, np.arange(len(samples)), samples)).max() > 0.1


@both_paths
@pytest.mark.parametrize("rate", [8_000, 32_000, 48_000])
def test_speech_band_noise_is_resampled_as_by_scipy(convert: Any, rate: int) -> None:
    rng = np.random.default_rng(0)
    frequencies = rng.uniform(50, 0.3 * min(rate, 16_000), size=60)
    time = np.arange(rate) / rate
    phases = rng.uniform(0, 2 * np.pi, size=60)
    waves = np.sin(2 * np.pi * frequencies[:, None] * time + phases[:, None])
    samples = 0.05 * waves.sum(axis=0)
    common = np.gcd(rate, 16_000)
    expected = resample_poly(samples, 16_000 // common, rate // common, window=("kaiser", 14.0))
    found = convert(samples, rate)
    size = min(len(found), len(expected))
    error = inner(found[:size]) - inner(expected[:size])
    assert np.sqrt(np.mean(error**2)) < 0.01 * np.sqrt(np.mean(expected**2))


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "float32", "float64"])
def test_arrays_of_any_type_have_one_scale(dtype: str) -> None:
    samples = tone(16_000)
    if dtype == "uint8":
        given = (samples * 128 + 128).astype(dtype)
    elif dtype.startswith("int"):
        given = (samples * np.iinfo(dtype).max).astype(dtype)
    else:
        given = samples.astype(dtype)
    np.testing.assert_allclose(audio.from_array(given, 16_000), samples, atol=0.01)


@both_paths
@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_integers_of_python_are_samples_of_16_bits(convert: Any, dtype: str) -> None:
    samples = (30_000 * tone(16_000)).astype(np.int16)
    if dtype == "uint64":
        samples = np.abs(samples)
    np.testing.assert_array_equal(convert(samples.astype(dtype), 16_000), convert(samples, 16_000))


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.array([0, 40_000]), 16_000, "int64 beyond the range of 16 bits.*convert them to int32"),
        (np.zeros(10), 0, "positive whole number of Hz, got 0"),
        (np.zeros(10), 16_000.5, "positive whole number of Hz, got 16000.5"),
        (np.zeros(10), True, "positive whole number of Hz, got True"),
        (np.zeros(10), np.nan, "positive whole number of Hz, got nan"),
        (np.zeros(10), 999, "from 1000 Hz to 1000000 Hz, got 999 Hz"),
        (np.zeros(10), 2**50, "from 1000 Hz to 1000000 Hz, got 1125899906842624 Hz"),
        (np.zeros((2, 3, 4)), 16_000, r"expected shape \(samples,\) or \(samples, channels\)"),
        (np.zeros((2, 16_000)), 16_000, "transpose it if the channels come first"),
        (np.zeros(0), 16_000, "no samples"),
        (np.zeros(10, complex), 16_000, "expected real numbers"),
        (np.full(10, np.nan), 16_000, "NaN or infinite"),
    ],
)
def test_refuses_what_is_not_audio(samples: NDArray[Any], rate: Any, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        audio.from_array(samples, rate)


def test_a_rate_of_thousands_of_digits_is_one_short_line() -> None:
    with pytest.raises(AudioError, match="from 1000 Hz to 1000000 Hz, got int Hz"):
        audio.from_array(np.zeros(10), 10**5000)


@pytest.mark.parametrize(
    "rate", [8000.0, np.int32(8000), np.uint16(8000), np.float32(8000), np.array(8000)]
)
def test_whole_rates_of_any_type_are_rates(rate: Any) -> None:
    samples = tone(8000)
    np.testing.assert_array_equal(audio.from_array(samples, rate), audio.from_array(samples, 8000))
    stream = audio.Resampler(rate)
    assert len(stream.push(samples)) + len(stream.close()) == 16_000
