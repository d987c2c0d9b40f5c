"""Sounds without speech, to which a model should never give a confident answer."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.audio.disturbances import coloured_noise, hum, music

SECONDS = (1.0, 5.0)
LEVELS_DBFS = (-40.0, -10.0)


def _time(samples: int) -> np.ndarray:
    return np.arange(samples) / SAMPLE_RATE


def _tone(rng: Generator, samples: int) -> Waveform:
    return np.sin(2 * np.pi * rng.uniform(80, 4000) * _time(samples)).astype(np.float32)


def _dialling(rng: Generator, samples: int) -> Waveform:
    """Pairs of tones as of a telephone's keys, 0.2 s each."""
    step = SAMPLE_RATE // 5
    keys = rng.choice(4, (samples // step + 1, 2))
    low, high = np.array([697, 770, 852, 941]), np.array([1209, 1336, 1477, 1633])
    pairs = [sum(np.sin(2 * np.pi * hz * _time(step)) for hz in (low[a], high[b])) for a, b in keys]
    return np.concatenate(pairs)[:samples].astype(np.float32)


def _sweep(rng: Generator, samples: int) -> Waveform:
    first, last = rng.permutation([100.0, rng.uniform(1000, 6000)]).tolist()
    hz = np.geomspace(first, last, samples)
    return np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE).astype(np.float32)


def _clicks(rng: Generator, samples: int) -> Waveform:
    clicks = np.zeros(samples, np.float32)
    clicks[rng.integers(0, samples, max(samples // 1600, 1))] = 1
    return clicks


def _coloured(slope: float) -> Callable[[Generator, int], Waveform]:
    return lambda rng, samples: coloured_noise(rng, samples, slope)


SOUNDS: dict[str, tuple[str, Callable[[Generator, int], Waveform]]] = {
    "silence": ("digital silence", lambda rng, samples: np.zeros(samples, np.float32)),
    "white_noise": ("white noise", _coloured(0)),
    "pink_noise": ("pink noise", _coloured(-3)),
    "brown_noise": ("brown noise", _coloured(-6)),
    "hum": ("mains hum", hum),
    "tone": ("pure tone", _tone),
    "dialling": ("dialling tones", _dialling),
    "sweep": ("sweep", _sweep),
    "clicks": ("clicks", _clicks),
    "music": ("chords", music),
}  # fmt: skip
RECORDED = "recorded"  # noise of a folder
TITLES = {name: title for name, (title, _) in SOUNDS.items()} | {RECORDED: "recorded noise"}


def sound(name: str, rng: Generator) -> Waveform:
    """Make one of :data:`SOUNDS`: 1 to 5 s, at -40 to -10 dBFS."""
    samples = int(rng.uniform(*SECONDS) * SAMPLE_RATE)
    made = SOUNDS[name][1](rng, samples)
    rms = float(np.sqrt(np.square(made, dtype=np.float64).mean()))
    gain = 10 ** (rng.uniform(*LEVELS_DBFS) / 20) / rms if rms else 0.0
    return (made * gain).astype(np.float32)
