import numpy as np
import pytest
from numpy.random import Generator

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.audio.disturbances import Codec, speech_power, through_codec
from emotone.corpora import synthetic
from emotone.evaluation.changes import CHANGES, GROUPS, missing_codecs, reverberation_s
from tests.helpers import loudest_hz, tone

SPEECH = synthetic.utterance(1, "anger", 0)


class Tones:
    """Material whose recordings can be told from each other."""

    def babble(self, rng: Generator, samples: int) -> Waveform:
        return tone(SAMPLE_RATE, samples / SAMPLE_RATE, 1000).astype(np.float32)

    def environment(self, rng: Generator, samples: int) -> Waveform:
        return tone(SAMPLE_RATE, samples / SAMPLE_RATE, 3000).astype(np.float32)

    def response(self, rng: Generator, *, short: bool) -> Waveform:
        response = np.zeros(8000, np.float32)
        response[[0, 800 if short else 4000]] = 1
        return response


def changed(name: str, speech: Waveform = SPEECH, seed: int = 0) -> Waveform:
    result = CHANGES[name].apply(speech, np.random.default_rng(seed), Tones())
    return np.asarray(result, np.float32)


def distance_db(name: str) -> float:
    """Power of the speech over that of what was added."""
    added = changed(name) - SPEECH
    return float(10 * np.log10(speech_power(SPEECH) / np.square(added).mean()))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_changes_speech_in_the_same_way_each_time(name: str) -> None:
    first, again = changed(name), changed(name)
    assert CHANGES[name].group in GROUPS
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert first.shape != SPEECH.shape or np.abs(first - SPEECH).max() > 1e-4
    assert 0.1 < first.std() / SPEECH.std() < 12


def test_groups_are_complete_and_in_order() -> None:
    groups = [change.group for change in CHANGES.values()]
    assert list(dict.fromkeys(groups)) == list(GROUPS)
    assert sorted(groups, key=list(GROUPS).index) == groups


@pytest.mark.parametrize(
    ("name", "decibels"),
    [("white", 20), ("pink", 20), ("babble", 20), ("music", 20), ("environment", 20),
     ("loud_pink", 15), ("loud_babble", 15), ("hum", 30)],
)  # fmt: skip
def test_noise_is_as_loud_as_its_title_says(name: str, decibels: float) -> None:
    assert distance_db(name) == pytest.approx(decibels, abs=0.01)


def test_levels_of_small_changes_are_drawn_for_each_utterance() -> None:
    gains = {
        round(20 * np.log10(np.std(changed("gain", seed=n)) / SPEECH.std())) for n in range(40)
    }
    assert gains == {-2, -1, 1, 2}
    for name, more in (("prepend", 1), ("append", 1), ("crop_start", -1), ("crop_end", -1)):
        lengths = {len(changed(name, seed=seed)) - len(SPEECH) for seed in range(40)}
        assert lengths == {more * 100, more * 500, more * 1000}, name


def test_zeros_and_cuts_are_where_they_should_be() -> None:
    for name, kept in (("prepend", slice(None, None)), ("append", slice(None, None))):
        whole = changed(name)
        padding = len(whole) - len(SPEECH)
        start = padding if name == "prepend" else 0
        assert np.array_equal(whole[start : start + len(SPEECH)], SPEECH[kept])
        outside = np.delete(whole, np.s_[start : start + len(SPEECH)])
        assert not outside.any()
    assert np.array_equal(changed("crop_start"), SPEECH[-len(changed("crop_start")) :])
    assert np.array_equal(changed("crop_end"), SPEECH[: len(changed("crop_end"))])


def test_silence_hiss_and_floor_surround_the_speech() -> None:
    speech = slice(2 * SAMPLE_RATE, 2 * SAMPLE_RATE + len(SPEECH))
    silence = changed("silence")
    assert len(silence) == len(SPEECH) + 5 * SAMPLE_RATE
    assert np.array_equal(silence[speech], SPEECH)
    assert not np.delete(silence, np.s_[speech]).any()
    hiss = changed("hiss") - silence
    assert 20 * np.log10(hiss.std()) == pytest.approx(-60, abs=0.1)
    floor = changed("floor_white") - silence
    expected = 10 * np.log10(speech_power(SPEECH)) - 30
    for part in (floor[: 2 * SAMPLE_RATE], floor[speech], floor[-3 * SAMPLE_RATE :]):
        assert 20 * np.log10(part.std()) == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize(
    ("name", "kept_hz", "lost_hz"),
    [("high_pass", 1000, 20), ("low_pass", 1000, 7990), ("band", 1000, 6000),
     ("mu_law", 1000, 6000), ("gsm", 1000, 6000)],
)  # fmt: skip
def test_filters_keep_their_band(name: str, kept_hz: float, lost_hz: float) -> None:
    kept, lost = (0.3 * tone(SAMPLE_RATE, 1.0, hz).astype(np.float32) for hz in (kept_hz, lost_hz))
    assert changed(name, kept)[2000:-2000].std() == pytest.approx(kept.std(), rel=0.15)
    assert changed(name, lost)[2000:-2000].std() < 0.5 * lost.std()
    assert loudest_hz(changed(name, kept)) == pytest.approx(kept_hz, abs=10)


def test_the_tilt_is_six_decibels_from_end_to_end() -> None:
    def gain_db(hz: float) -> float:
        wave = 0.1 * tone(SAMPLE_RATE, 1.0, hz).astype(np.float32)
        return float(
            20 * np.log10(changed("tilt", wave)[2000:-2000].std() / wave[2000:-2000].std())
        )

    assert abs(gain_db(7900) - gain_db(100)) == pytest.approx(6, abs=0.3)


def test_offset_clipping_and_large_gain() -> None:
    assert changed("dc").mean() - SPEECH.mean() == pytest.approx(0.01, abs=1e-5)
    clipped = changed("clip")
    share = float((np.abs(clipped) >= np.abs(clipped).max()).mean())
    assert 0.0009 < share < 0.0035
    ratios = {
        round(20 * np.log10(changed("large_gain", seed=n).std() / SPEECH.std())) for n in (0, 3)
    }
    assert ratios <= {-20, 20}


def test_measured_rooms_are_of_the_kind_asked_for() -> None:
    impulse = np.zeros(8000, np.float32)
    impulse[0] = 1
    for name, echo in (("measured_short", 800), ("measured_long", 4000)):
        assert set(np.flatnonzero(np.abs(changed(name, impulse)) > 0.1)) == {0, echo}


@pytest.mark.parametrize("rt60_s", [0.2, 0.6, 1.5])
def test_the_reverberation_time_of_a_decay_is_measured(rt60_s: float) -> None:
    time = np.arange(int(3 * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    response = (noise * 10 ** (-3 * time / rt60_s)).astype(np.float32)
    assert reverberation_s(response) == pytest.approx(rt60_s, rel=0.1)


def test_a_codec_that_ffmpeg_lacks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(waveform: Waveform, codec: Codec) -> Waveform:
        if codec == "opus":
            raise ValueError("libopus")
        return through_codec(waveform, codec)

    before = missing_codecs()
    monkeypatch.setattr("emotone.evaluation.changes.through_codec", lacking)
    assert missing_codecs() == before | {"opus": "the local FFmpeg cannot encode it (libopus)"}
