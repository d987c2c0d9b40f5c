"""Arrays of any type, rate and number of channels to waveforms: 16 kHz, mono, float32."""

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from emotone.errors import AudioError

SAMPLE_RATE = 16_000  # Hz
MAX_CHANNELS = 64

Waveform = NDArray[np.float32]


class Resampler:
    """Converts audio that comes in pieces to 16 kHz mono float32; see :func:`from_array`.

    The result does not depend on how the audio is divided.

    Args:
        rate: sampling rate in Hz.

    Raises:
        AudioError: if it is not a positive whole number.
    """

    def __init__(self, rate: int) -> None:
        _check_rate(rate)
        self._stream = None
        if rate != SAMPLE_RATE:
            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    def push(self, samples: NDArray[Any]) -> Waveform:
        """Take samples, shape ``(samples,)`` or ``(samples, channels)``; return those ready now.

        Raises:
            AudioError: see :func:`from_array`; zero samples are allowed.
        """
        return self._resampled(_mono(samples), last=False)

    def close(self) -> Waveform:
        """Return the remaining samples."""
        return self._resampled(np.zeros(0, np.float32), last=True)

    def _resampled(self, mono: Waveform, *, last: bool) -> Waveform:
        if self._stream is not None:
            mono = self._stream.resample_chunk(mono, last=last)
        return np.ascontiguousarray(mono, dtype=np.float32)


def from_array(samples: NDArray[Any], rate: int) -> Waveform:
    """Convert an array to 16 kHz mono float32.

    Args:
        samples: shape ``(samples,)`` or ``(samples, channels)``; floating point within ±1, or
            integers, which are scaled by the range of their type.
        rate: sampling rate in Hz.

    Returns:
        Waveform of shape ``(samples,)`` at 16 kHz.

    Raises:
        AudioError: if the shape, type or rate cannot be that of audio, or a sample is not finite.
    """
    _check_rate(rate)
    mono = _mono(samples)
    if len(mono) == 0:
        raise AudioError("the array holds no samples")
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    return np.ascontiguousarray(mono, dtype=np.float32)


def _check_rate(rate: int) -> None:
    if isinstance(rate, bool) or not isinstance(rate, (int, np.integer)) or rate <= 0:
        raise AudioError(f"the sampling rate must be a positive whole number of Hz, got {rate!r}")


def _mono(samples: NDArray[Any]) -> Waveform:
    """Check an array and average its channels."""
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2):
        raise AudioError(f"expected shape (samples,) or (samples, channels), got {samples.shape}")
    if samples.ndim == 2 and not 1 <= samples.shape[1] <= MAX_CHANNELS:
        raise AudioError(
            f"expected shape (samples, channels) with 1 to {MAX_CHANNELS} channels, got "
            f"{samples.shape}; transpose it if the channels come first"
        )
    if samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / float(-int(np.iinfo(samples.dtype).min))
    elif samples.dtype.kind == "u":
        half = (int(np.iinfo(samples.dtype).max) + 1) / 2
        samples = ((samples.astype(np.float64) - half) / half).astype(np.float32)
    elif samples.dtype.kind == "f":
        samples = samples.astype(np.float32, copy=False)
    else:
        raise AudioError(f"expected real numbers, got an array of type {samples.dtype}")
    if not np.isfinite(samples).all():
        raise AudioError("contains NaN or infinite samples; export the audio again")
    return samples.mean(axis=1) if samples.ndim == 2 else samples
