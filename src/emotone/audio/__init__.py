"""Audio files and arrays to what the network hears: 16 kHz, mono, float32."""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emotone.errors import AudioError

SAMPLE_RATE = 16_000  # Hz
MAX_CHANNELS = 64
BLOCK_S = 60.0  # that are decoded at once

Waveform = NDArray[np.float32]


def read(path: str | Path, start_s: float = 0.0, end_s: float | None = None) -> Waveform:
    """Read an audio file, or the part of it from ``start_s`` to ``end_s``.

    libsndfile decodes what it can (WAV, FLAC, OGG, Opus, MP3, AIFF, …), FFmpeg through PyAV the
    rest (M4A, WebM, …). Channels are averaged.

    Args:
        path: an audio file of any rate and channel count.
        start_s: where to begin, in seconds.
        end_s: where to end, in seconds; ``None`` for the end of the file.

    Returns:
        Waveform of shape ``(samples,)`` at 16 kHz, nominally within ±1.

    Raises:
        AudioError: if the file is missing, empty, not audio, truncated or holds NaN, or if the
            part asked for lies outside it.
    """
    samples, rate = decode(path, start_s, end_s)
    return from_array(samples, rate)


def decode(
    path: str | Path, start_s: float = 0.0, end_s: float | None = None
) -> tuple[NDArray[np.float32], int]:
    """Read an audio file as it is: all channels, at its own rate.

    Returns:
        Samples of shape ``(samples, channels)``, at least one, all finite; rate in Hz.

    Raises:
        AudioError: as of :func:`read`.
    """
    parts = list(_decoded(Path(path), start_s, end_s))
    return np.concatenate([samples for samples, _ in parts]), parts[0][1]


def blocks(path: str | Path) -> Iterator[Waveform]:
    """Read an audio file in blocks, as :func:`read` would at once, however long it is.

    Yields:
        Waveforms at 16 kHz that follow each other, a minute at most each.

    Raises:
        AudioError: as of :func:`read`; where only a later part is damaged, after what is before.
    """
    resampler = None
    for samples, rate in _decoded(Path(path), block_s=BLOCK_S):
        resampler = resampler or Resampler(rate)
        yield resampler.push(samples)
    assert resampler is not None
    yield resampler.close()


class Resampler:
    """Brings audio that comes in pieces to 16 kHz mono float32; see :func:`from_array`.

    The pieces together give what one piece would.

    Args:
        rate: sampling rate in Hz.

    Raises:
        AudioError: if it is no rate.
    """

    def __init__(self, rate: int) -> None:
        _check_rate(rate)
        self._stream = None
        if rate != SAMPLE_RATE:
            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")

    def push(self, samples: NDArray[Any]) -> Waveform:
        """Take samples of shape ``(samples,)`` or ``(samples, channels)``; return what is ready.

        Raises:
            AudioError: as of :func:`from_array`, but that there may be none.
        """
        return self._resampled(_mono(samples), last=False)

    def close(self) -> Waveform:
        """Return what is left."""
        return self._resampled(np.zeros(0, np.float32), last=True)

    def _resampled(self, mono: Waveform, *, last: bool) -> Waveform:
        if self._stream is not None:
            mono = self._stream.resample_chunk(mono, last=last)
        return np.ascontiguousarray(mono, dtype=np.float32)


def from_array(samples: NDArray[Any], rate: int) -> Waveform:
    """Bring an array to 16 kHz mono float32.

    Args:
        samples: shape ``(samples,)`` or ``(samples, channels)``; floating point within ±1, or
            integers, which are scaled by the range of their type.
        rate: sampling rate in Hz.

    Returns:
        Waveform of shape ``(samples,)`` at 16 kHz.

    Raises:
        AudioError: if the shape, type or rate is not that of audio, or a sample is NaN or infinite.
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


def _decoded(
    path: Path, start_s: float = 0.0, end_s: float | None = None, block_s: float = math.inf
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Decode a file in blocks of shape ``(samples, channels)``, at least one, with its rate."""
    if not path.is_file():
        raise AudioError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes); copy or record it again")
    _check_riff_is_whole(path)
    if end_s is not None and end_s <= start_s:
        raise AudioError(
            f"{path}: the part from {start_s:g} s to {end_s:g} s is empty; "
            "start and end are seconds, the end after the start"
        )
    done = 0
    try:
        for samples, rate in _libsndfile(path, start_s, end_s, block_s):
            yield _finite(samples, path), rate
            done += len(samples)
    except soundfile.LibsndfileError as error:
        if done:
            raise AudioError(
                f"{path}: damaged after {done / rate:.1f} s ({error}); copy the file again"
            ) from error
        for samples, rate in _ffmpeg(path, start_s, end_s, block_s, str(error)):
            yield _finite(samples, path), rate
            done += len(samples)
    if not done:
        raise AudioError(
            f"{path}: holds no samples from {start_s:g} s on; did you give times in milliseconds?"
            if start_s
            else f"{path}: the file holds no samples; record it again"
        )


def _finite(samples: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: contains NaN or infinite samples; export the audio again")
    return samples


def _libsndfile(
    path: Path, start_s: float, end_s: float | None, block_s: float
) -> Iterator[tuple[NDArray[np.float32], int]]:
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        first = min(round(start_s * rate), file.frames)
        last = file.frames if end_s is None else min(round(end_s * rate), file.frames)
        file.seek(first)
        while first < last:
            size = round(min(block_s * rate, last - first))
            samples = file.read(size, dtype="float32", always_2d=True)
            if len(samples) < size:
                raise AudioError(
                    f"{path}: truncated: the header promises {last} samples, "
                    f"{first + len(samples)} are there; copy the file again"
                )
            yield samples, rate
            first += size


def _ffmpeg(
    path: Path, start_s: float, end_s: float | None, block_s: float, why_not_libsndfile: str
) -> Iterator[tuple[NDArray[np.float32], int]]:
    import av  # here, because it takes 0.1 s to load and few files need it

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: no audio stream in it; give a file with sound")
            stream = container.streams.audio[0]
            rate = int(stream.rate)
            resampler = av.AudioResampler(format="fltp", rate=rate)
            position, first = 0, round(start_s * rate)
            last = math.inf if end_s is None else round(end_s * rate)
            block: list[NDArray[np.float32]] = []
            held = 0
            for raw in container.decode(stream):
                for frame in resampler.resample(raw):
                    samples = frame.to_ndarray().T.astype(np.float32, copy=False)
                    begin, end = max(first - position, 0), min(last - position, len(samples))
                    position += len(samples)
                    if begin < end:
                        block.append(samples[begin : int(end)])
                        held += len(block[-1])
                if held >= block_s * rate:
                    yield np.concatenate(block), rate
                    block, held = [], 0
                if position >= last:
                    break
            if block:
                yield np.concatenate(block), rate
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(
            f"{path}: not audio that can be decoded, or damaged "
            f"(libsndfile: {why_not_libsndfile.strip()} FFmpeg: {error}); "
            "convert it to WAV or copy it again"
        ) from error


def _check_riff_is_whole(path: Path) -> None:
    """Raise if a WAV file ends before its data chunk does: libsndfile would shorten it silently."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(12)
        if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
            return
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                unknown = length in (0, 0xFFFFFFFF, 0x7FFFFFFF)  # written by streaming programs
                missing = file.tell() + length - size
                if missing > 0 and not unknown:
                    raise AudioError(
                        f"{path}: truncated: {missing} of {length} bytes of sound are missing; "
                        "copy the file again"
                    )
                return
            file.seek(length + length % 2, 1)
