"""Unusual voices made of speech: the vocal tract of a recording with another source of sound.

The spectral envelope of each frame is that of its low cepstral coefficients (Oppenheim & Schafer,
"Discrete-Time Signal Processing", chapter on the cepstrum), which leave out the pitch. Waveforms
have the shape ``(samples,)`` and 16 kHz; what is returned is as long as what is given.
"""

import numpy as np
from numpy.random import Generator

from emotone.audio.resampling import SAMPLE_RATE, Waveform

WINDOW, HOP = 512, 128  # samples: 32 and 8 ms
CEPSTRUM = 30  # coefficients, 1.9 ms: the periods of voices below 530 Hz are longer
FLOOR_DB = -80.0  # of a bin, below the loudest one


def whispered(speech: Waveform, rng: Generator) -> Waveform:
    """Replace the voice by noise."""
    return _with_source(speech, rng.standard_normal(len(speech)))


def monotone(speech: Waveform, hertz: float) -> Waveform:
    """Replace the voice by pulses of one pitch, as of a simple synthesiser."""
    return _with_source(speech, _pulses(np.full(len(speech), hertz)))


def sung(speech: Waveform, rng: Generator) -> Waveform:
    """Replace the voice by one that sings notes of a major scale, 0.4 s each, with vibrato."""
    seconds = np.arange(len(speech)) / SAMPLE_RATE
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])  # semitones
    notes = rng.choice(scale, int(len(speech) / SAMPLE_RATE / 0.4) + 1)
    semitones = notes[(seconds / 0.4).astype(int)] + 0.5 * np.sin(2 * np.pi * 5.5 * seconds)
    return _with_source(speech, _pulses(rng.uniform(110, 220) * 2 ** (semitones / 12)))


def _pulses(hertz: np.ndarray) -> np.ndarray:
    """A pulse at the beginning of each period."""
    cycles = np.floor(np.cumsum(hertz) / SAMPLE_RATE)
    pulses: np.ndarray = np.diff(cycles, prepend=0.0)
    return pulses


def _with_source(speech: Waveform, source: np.ndarray) -> Waveform:
    """Give a source of sound the spectral envelope and level that speech has in each frame."""
    window = np.hanning(WINDOW + 1)[:-1]  # periodic
    padding = (WINDOW, WINDOW + -len(speech) % HOP)
    spectra, sources = (
        np.fft.rfft(_frames(np.pad(samples, padding)) * window) for samples in (speech, source)
    )
    power = np.square(np.abs(spectra))
    floor = max(power.max(initial=0.0), 1e-20) * 10 ** (FLOOR_DB / 10)
    cepstra = np.fft.irfft(np.log(np.maximum(power, floor)) / 2)
    cepstra[:, CEPSTRUM : WINDOW - CEPSTRUM + 1] = 0
    shaped = sources * np.exp(np.fft.rfft(cepstra).real)
    energy = np.square(np.abs(shaped)).sum(1)
    shaped *= np.sqrt(power.sum(1) / np.maximum(energy, 1e-20))[:, None]
    frames = np.fft.irfft(shaped) * window
    voiced = np.zeros(len(speech) + sum(padding))
    weight = np.full(len(voiced), 1e-8)
    for number, frame in enumerate(frames):
        place = slice(number * HOP, number * HOP + WINDOW)
        voiced[place] += frame
        weight[place] += window**2
    return np.asarray((voiced / weight)[WINDOW : WINDOW + len(speech)], np.float32)


def _frames(samples: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
