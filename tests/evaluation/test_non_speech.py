import numpy as np
import pytest

from emotone.audio import SAMPLE_RATE
from emotone.evaluation.non_speech import SOUNDS, TITLES, sound
from tests.helpers import loudest_hz


@pytest.mark.parametrize("kind", SOUNDS)
def test_sounds_have_the_length_and_level_that_is_promised(kind: str) -> None:
    for seed in range(5):
        made = sound(kind, np.random.default_rng(seed))
        assert np.array_equal(made, sound(kind, np.random.default_rng(seed)))
        assert 1.0 <= len(made) / SAMPLE_RATE <= 5.0
        if kind == "silence":
            assert not made.any()
        else:
            assert -40.1 < 20 * np.log10(np.sqrt(np.square(made).mean())) < -9.9
    assert TITLES[kind] == SOUNDS[kind][0]


def test_tones_are_pure_and_dialling_tones_are_of_a_keypad() -> None:
    made = sound("tone", np.random.default_rng(1))
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made)))) ** 2
    peak = int(spectrum.argmax())
    assert spectrum[peak - 3 : peak + 4].sum() / spectrum.sum() > 0.999
    key = sound("dialling", np.random.default_rng(1))[:3200]
    keypad = [697, 770, 852, 941, 1209, 1336, 1477, 1633]
    assert min(abs(loudest_hz(key) - hz) for hz in keypad) <= 5
