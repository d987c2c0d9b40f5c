import numpy as np
import pytest

from emotone.audio.pitch import pitch_shifted
from tests.helpers import loudest_hz, tone


@pytest.mark.parametrize("semitones", [-12, -4, 2, 4, 12])
def test_a_tone_moves_and_keeps_its_length_and_level(semitones: float) -> None:
    before = tone(16_000, 2.0, 440).astype(np.float32)
    after = pitch_shifted(before, semitones)
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert loudest_hz(after) == pytest.approx(440 * 2 ** (semitones / 12), abs=1)
    assert after[8000:24_000].std() == pytest.approx(before.std(), rel=0.05)


def test_the_tempo_stays() -> None:
    clicks = np.zeros(32_000, np.float32)
    clicks[4000:4400] = clicks[24_000:24_400] = tone(16_000, 0.025, 1000)
    shifted = np.abs(pitch_shifted(clicks, 4))
    for start in (4000, 24_000):
        assert shifted[start - 800 : start + 1200].max() > 0.2
    assert shifted[8000:20_000].max() < 0.01


def test_what_is_shorter_than_a_frame_keeps_its_length() -> None:
    assert len(pitch_shifted(np.full(300, 0.1, np.float32), 4)) == 300
