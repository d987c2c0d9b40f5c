import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotone.audio import SAMPLE_RATE, disturbances
from emotone.audio.resampling import Waveform
from emotone.corpora import synthetic
from tests.helpers import loudest_hz, tone


@pytest.fixture(scope="module")
def speech() -> Waveform:
    return synthetic.utterance(1, "happiness", 0)


def level_db(waveform: Waveform, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(waveform)) ** 2
    hz = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    return float(10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].mean()))


def test_pauses_do_not_count_in_the_power_of_speech(speech: Waveform) -> None:
    power = disturbances.speech_power(speech)
    assert disturbances.speech_power(disturbances.surrounded(speech, 1, 2)) == pytest.approx(
        power, rel=0.02
    )
    assert disturbances.speech_power(2 * speech) == pytest.approx(4 * power)
    assert disturbances.speech_power(np.zeros(0, np.float32)) == 0


@settings(max_examples=20, deadline=None)
@given(snr_db=st.floats(-10, 60), seconds=st.floats(0.1, 4))
def test_noise_has_the_ratio_asked_for(snr_db: float, seconds: float) -> None:
    speech = synthetic.utterance(1, "happiness", 0)
    noise = disturbances.coloured_noise(np.random.default_rng(0), round(seconds * SAMPLE_RATE))
    added = disturbances.add_noise(speech, noise, snr_db) - speech
    ratio = disturbances.speech_power(speech) / float(np.square(added, dtype=np.float64).mean())
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.2)


@pytest.mark.parametrize("slope", [-6, -3, 0, 3])
def test_the_colour_of_noise_is_its_slope(slope: float) -> None:
    noise = disturbances.coloured_noise(np.random.default_rng(0), 20 * SAMPLE_RATE, slope)
    assert float(noise.std()) == pytest.approx(1, rel=0.01)
    difference = level_db(noise, 2000, 2200) - level_db(noise, 500, 550)
    assert difference == pytest.approx(2 * slope, abs=0.7)


@pytest.mark.parametrize("make", [disturbances.hum, disturbances.music])
def test_synthetic_noises_have_power_one(make: object) -> None:
    noise = make(np.random.default_rng(3), 2 * SAMPLE_RATE)  # type: ignore[operator]
    assert noise.dtype == np.float32
    assert float(noise.std()) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("rt60_s", [0.3, 0.6, 1.0])
def test_a_synthetic_room_decays_as_stated(rt60_s: float) -> None:
    """RT60 by Schroeder's integration between -5 and -25 dB."""
    measured = []
    for seed in range(8):
        response = disturbances.synthetic_room(np.random.default_rng(seed), rt60_s).astype(float)
        tail = response[round(0.03 * SAMPLE_RATE) :]
        energy_db = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1])
        energy_db -= energy_db[0]
        first, last = (int(np.argmax(energy_db < level)) for level in (-5, -25))
        measured.append(3 * (last - first) / SAMPLE_RATE)
    assert np.mean(measured) == pytest.approx(rt60_s, rel=0.15)


def test_a_room_keeps_place_power_and_length(speech: Waveform) -> None:
    response = disturbances.synthetic_room(np.random.default_rng(0), 0.4)
    late = np.concatenate([np.zeros(500, np.float32), response])
    wet = disturbances.in_room(speech, late)
    np.testing.assert_allclose(wet, disturbances.in_room(speech, response), atol=1e-4)
    assert len(wet) == len(speech)
    assert disturbances.speech_power(wet) == pytest.approx(
        disturbances.speech_power(speech), rel=1e-3
    )
    only_direct = np.eye(1, 100, 30, dtype=np.float32)[0]
    np.testing.assert_allclose(disturbances.in_room(speech, only_direct), speech, atol=1e-5)


def test_a_band_attenuates_by_its_slope() -> None:
    noise = disturbances.coloured_noise(np.random.default_rng(0), 10 * SAMPLE_RATE)
    narrow = disturbances.band_limited(noise, 400, 2000, 24)
    assert level_db(narrow, 900, 1000) == pytest.approx(level_db(noise, 900, 1000), abs=0.2)
    for edge in (200, 4000):
        change = level_db(narrow, edge - 5, edge + 5) - level_db(noise, edge - 5, edge + 5)
        assert change == pytest.approx(-24, abs=1)


@pytest.mark.parametrize("codec", disturbances.CODECS)
def test_codecs_keep_length_place_and_sound(codec: disturbances.Codec, speech: Waveform) -> None:
    for bit_rate in disturbances.bit_rates(codec):
        decoded = disturbances.through_codec(speech, codec, bit_rate)
        assert len(decoded) == len(speech)
        assert decoded.dtype == np.float32
        assert np.corrcoef(decoded, speech)[0, 1] > 0.6
    band = 6000, 7500
    if codec in ("amr", "mu_law"):
        assert level_db(decoded, *band) < level_db(speech, *band) - 20


def test_a_codec_keeps_the_pitch_of_a_tone() -> None:
    waveform = tone(SAMPLE_RATE, 1.0, 700).astype(np.float32)
    for codec in disturbances.CODECS:
        assert loudest_hz(disturbances.through_codec(waveform, codec)) == pytest.approx(700, abs=2)


def test_automatic_gain_raises_quiet_parts(speech: Waveform) -> None:
    quiet = np.concatenate([speech, 0.05 * speech]).astype(np.float32)
    after = disturbances.automatic_gain(quiet)
    loud, soft = after[: len(speech)], after[len(speech) :]
    ratio = disturbances.speech_power(loud) / disturbances.speech_power(soft)
    assert 10 * np.log10(ratio) < 12 < 26


def test_the_share_asked_for_is_clipped(speech: Waveform) -> None:
    clipped = disturbances.clipped(speech, 0.05)
    assert np.mean(np.abs(clipped) == np.abs(clipped).max()) == pytest.approx(0.05, abs=0.002)
    np.testing.assert_array_equal(disturbances.clipped(speech, 0), speech)


def test_babble_is_made_of_all_voices(speech: Waveform) -> None:
    tones = [tone(SAMPLE_RATE, 0.5, hz).astype(np.float32) for hz in (300, 900)]
    babble = disturbances.babble(np.random.default_rng(0), tones, SAMPLE_RATE)
    assert len(babble) == SAMPLE_RATE
    levels = [level_db(babble, hz - 5, hz + 5) for hz in (300, 900)]
    assert levels[0] == pytest.approx(levels[1], abs=0.5)
