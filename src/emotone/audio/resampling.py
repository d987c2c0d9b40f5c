"""Arrays of any type, rate and number of channels to waveforms: 16 kHz, mono, float32."""

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from emotone.audio.mixing import Mixer, as_float32
from emotone.errors import AudioError
from emotone.text import shown

SAMPLE_RATE = 16_000  # Hz
MIN_RATE, MAX_RATE = 1_000, 1_000_000  # Hz; beyond, no speech is left, or resampling does not end

Waveform = NDArray[np.float32]


class Resampler:
    """Converts audio that comes in pieces to 16 kHz mono float32; see :func:`from_array`.

    The result does not depend on how the audio is divided.

    Args:
        rate: sampling rate in Hz.

    Raises:
        AudioError: if it is not a whole number from 1 kHz to 1 MHz.
    """

    def __init__(self, rate: int) -> None:
        rate = check_rate(rate)
        self._mixer = Mixer(rate)
        self._stream = None
        if rate != SAMPLE_RATE:
            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    def push(self, samples: NDArray[Any]) -> Waveform:
        """Take samples, shape ``(samples,)`` or ``(samples, channels)``; return those ready now.

        Raises:
            AudioError: see :func:`from_array`; zero samples are allowed.
        """
        return self._resampled(self._mixer.push(as_float32(samples)), last=False)

    def close(self) -> Waveform:
        """Return the remaining samples."""
        return self._resampled(self._mixer.close(), last=True)

    def _resampled(self, mono: Waveform, *, last: bool) -> Waveform:
        if self._stream is not None:
            mono = self._stream.resample_chunk(mono, last=last)
        return np.ascontiguousarray(mono, dtype=np.float32)


class Channels:
    """Converts each channel of audio that comes in pieces by itself; see :class:`Resampler`.

    Args:
        rate: sampling rate in Hz.
    """

    def __init__(self, rate: int) -> None:
        self._rate = check_rate(rate)
        self._resamplers: list[Resampler] = []

    def push(self, samples: NDArray[Any]) -> list[Waveform]:
        """Take samples, shape ``(samples,)`` or ``(samples, channels)``; see :class:`Resampler`."""
        samples = as_float32(samples)
        planes = samples.reshape(len(samples), -1).T
        self._resamplers = self._resamplers or [Resampler(self._rate) for _ in planes]
        pairs = zip(self._resamplers, planes, strict=True)
        return [resampler.push(plane) for resampler, plane in pairs]

    def close(self) -> list[Waveform]:
        """Return the remaining samples of each channel."""
        return [resampler.close() for resampler in self._resamplers]


def from_array(samples: NDArray[Any], rate: int) -> Waveform:
    """Convert an array to 16 kHz mono float32.

    Channels are averaged; where they cancel, as when one of two is inverted, the loudest is taken.

    Args:
        samples: shape ``(samples,)`` or ``(samples, channels)``; floating point within ±1, or
            integers, which are scaled by the range of their type (those of 64 bits, by that of
            16 bits).
        rate: sampling rate in Hz.

    Returns:
        Waveform of shape ``(samples,)`` at 16 kHz.

    Raises:
        AudioError: if the shape, type or rate cannot be that of audio, or a sample is not finite,
            beyond ±65,536, or a spike, see :func:`emotone.audio.mixing.check_level`.
    """
    resampler = Resampler(rate)
    first = resampler.push(samples)
    if len(samples) == 0:
        raise AudioError("the array holds no samples")
    return np.concatenate([first, resampler.close()])


def check_rate(rate: Any) -> int:
    """Return a sampling rate in Hz as an integer; whole numbers of any type are accepted.

    Raises:
        AudioError: if it is not a whole number from 1 kHz to 1 MHz.
    """
    number = rate.item() if getattr(rate, "ndim", None) == 0 else rate  # of NumPy and PyTorch
    is_whole = type(number) is int or (isinstance(number, float) and number.is_integer())
    if not is_whole or number <= 0:
        raise AudioError(
            f"the sampling rate must be a positive whole number of Hz, got {shown(number)}"
        )
    if not MIN_RATE <= number <= MAX_RATE:
        raise AudioError(
            f"the sampling rate must be from {MIN_RATE} Hz to {MAX_RATE} Hz, got {shown(number)} Hz"
        )
    return int(number)
