"""Audio files to waveforms."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.audio.decoding import Truncated, decoded
from emotone.audio.resampling import Channels, Resampler, Waveform, from_array


def read(
    path: str | Path,
    start_s: float = 0.0,
    end_s: float | None = None,
    *,
    truncated: Truncated = "error",
) -> Waveform:
    """Read an audio file, or the part of it from ``start_s`` to ``end_s``.

    libsndfile decodes what it can (WAV, FLAC, OGG, Opus, MP3, AIFF, …), FFmpeg through PyAV the
    rest (M4A, WebM, …): its default audio stream, or the first one that can be decoded. Channels
    are averaged; where they cancel, as when one of two is inverted, the loudest is taken.

    Args:
        path: an audio file of any rate and channel count.
        start_s: start in seconds.
        end_s: end in seconds; ``None`` for the end of the file.
        truncated: what to do if the end of the file is missing, according to its container:
            ``"error"`` refuses it, ``"accept"`` takes what is there.

    Returns:
        Waveform of shape ``(samples,)`` at 16 kHz, nominally within ±1.

    Raises:
        AudioError: if the file is missing, empty, not audio, damaged or truncated, if its rate is
            not from 1 kHz to 1 MHz or it has more than 64 channels, if a sample is not finite or
            beyond ±65,536 or a spike, or if the requested part lies outside it; names the file.
    """
    samples, rate = decode(path, start_s, end_s, truncated=truncated)
    return from_array(samples, rate)


def decode(
    path: str | Path,
    start_s: float = 0.0,
    end_s: float | None = None,
    *,
    truncated: Truncated = "error",
) -> tuple[NDArray[np.float32], int]:
    """Read an audio file unchanged: all channels, at its own rate.

    Returns:
        Samples of shape ``(samples, channels)``, at least one, all finite; rate in Hz.

    Raises:
        AudioError: see :func:`read`.
    """
    parts = list(decoded(Path(path), start_s, end_s, truncated))
    return np.concatenate([samples for samples, _ in parts]), parts[0][1]


def blocks(path: str | Path, *, truncated: Truncated = "error") -> Iterator[Waveform]:
    """Read an audio file in blocks, of any length; together they equal the result of :func:`read`.

    Yields:
        Consecutive waveforms at 16 kHz of at most a minute.

    Raises:
        AudioError: see :func:`read`; if a later part is damaged, after the blocks before it.
    """
    resampler = None
    for samples, rate in decoded(Path(path), truncated=truncated):
        resampler = resampler or Resampler(rate)
        yield resampler.push(samples)
    assert resampler is not None
    yield resampler.close()


def channels(path: str | Path, *, truncated: Truncated = "error") -> Iterator[list[Waveform]]:
    """Read the channels of an audio file in blocks; see :func:`blocks`.

    Yields:
        A waveform at 16 kHz for each channel, all of the same length, of at most a minute.

    Raises:
        AudioError: see :func:`read`; if a later part is damaged, after the blocks before it.
    """
    converted = None
    for samples, rate in decoded(Path(path), truncated=truncated):
        converted = converted or Channels(rate)
        yield converted.push(samples)
    assert converted is not None
    yield converted.close()
