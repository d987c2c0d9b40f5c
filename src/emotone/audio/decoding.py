"""Audio files to samples at their own rate: by libsndfile, or by FFmpeg for other formats."""

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from emotone.errors import AudioError


def decoded(
    path: Path, start_s: float = 0.0, end_s: float | None = None, block_s: float = math.inf
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Decode a file, or the part of it from ``start_s`` to ``end_s``, in blocks.

    Yields:
        Samples of shape ``(samples, channels)``, all finite, and the rate in Hz; one block or more.

    Raises:
        AudioError: if the file is missing, empty, not audio, truncated or holds NaN, or if the
            requested part lies outside it.
    """
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
    import av  # takes 0.1 s to load, and few files need it

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: no audio stream in it; give a file with sound")
            stream = container.streams.audio[0]
            if stream.codec_context is None:  # a codec that FFmpeg does not know
                raise AudioError(f"{path}: no decoder for its audio; convert it to WAV")
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
    """Raise an error if a WAV file is cut off; libsndfile would shorten it silently."""
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
