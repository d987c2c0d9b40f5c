"""Audio files to samples at their own rate: by libsndfile, or by FFmpeg for other formats."""

import math
import os
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emotone.audio import containers, mp3
from emotone.audio.ffmpeg import Blocks, by_ffmpeg
from emotone.audio.mixing import MAX_CHANNELS, check_level
from emotone.audio.opening import HEADERLESS, Part, opened, reason
from emotone.audio.quiet import quiet
from emotone.audio.resampling import check_rate
from emotone.errors import AudioError, UsageError

Truncated = Literal["error", "accept"]  # what to do with a file whose end is missing

BLOCK_S = 60.0  # decoded at once
SHORT_BLOCK_S = 0.25  # of a file that may be cut: a block with damage is lost
MAX_BLOCK = 1 << 22  # samples decoded at once, of all channels together


class _Continuous(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read on: soundfile would seek after each block, which damages MP3."""

    def __init__(self, file: bytes | BinaryIO) -> None:
        with quiet():
            super().__init__(file)

    def seek(self, frames: int, whence: int = os.SEEK_SET) -> int:
        """Go to a sample; see :class:`soundfile.SoundFile`."""
        with quiet():
            return int(super().seek(frames, whence))

    def read(self, *arguments: Any, **options: Any) -> NDArray[Any]:
        """Read samples; see :class:`soundfile.SoundFile`."""
        with quiet():
            samples: NDArray[Any] = super().read(*arguments, **options)
        return samples

    def seekable(self) -> bool:
        return False

    @property
    def seekable_itself(self) -> bool:
        """Whether libsndfile can seek in it; not in GSM, for instance."""
        return bool(super().seekable())


def decoded(
    path: Path, start_s: float = 0.0, end_s: float | None = None, truncated: Truncated = "error"
) -> Blocks:
    """Decode a file, or the part of it from ``start_s`` to ``end_s``, in blocks.

    Yields:
        Samples of shape ``(samples, channels)`` and the rate in Hz; one block or more, each of at
        most a minute and 16 MB.

    Raises:
        AudioError: see :func:`emotone.audio.read`; names the file.
    """
    if truncated not in get_args(Truncated):
        raise UsageError(f"truncated must be 'error' or 'accept', got {truncated!r}")
    if end_s is not None and end_s <= start_s:
        raise AudioError(
            f"{path}: the part from {start_s:g} s to {end_s:g} s is empty; "
            "start and end are seconds, the end after the start"
        )
    done = rate = 0
    lack: str | None = None
    try:
        with opened(path) as file:
            lack = containers.missing(file)
            if lack and truncated == "error":
                raise AudioError(f"truncated: {lack}; copy the file again")
            for samples, rate in _all_decoders(file, path.suffix, start_s, end_s, truncated):
                check_level(samples, before=round(start_s * rate) + done)
                yield samples, rate
                done += len(samples)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error.__cause__
    except Exception as error:
        if done and truncated == "accept":
            return
        if done:
            what = f"damaged after {done / rate:.1f} s{_by_system(error)}; copy the file again"
        elif lack:
            what = f"truncated: {lack}; nothing can be read without it, copy the file again"
        else:
            what = f"not audio that can be decoded, or damaged{_by_system(error)}; "
            what += "convert it to WAV or copy it again"
        raise AudioError(f"{path}: {what}") from error
    if not done:
        raise AudioError(
            f"{path}: holds no samples from {start_s:g} s on; did you give times in milliseconds?"
            if start_s
            else f"{path}: the file holds no samples; record it again"
        )


def _by_system(error: Exception) -> str:
    """What the operating system says of an error, in brackets; decoders have words of their own."""
    by_system = isinstance(error, OSError) and type(error).__module__ == "builtins"
    return f" ({reason(error)})" if by_system else ""


def _all_decoders(
    file: BinaryIO, suffix: str, start_s: float, end_s: float | None, truncated: Truncated
) -> Blocks:
    """Decode by libsndfile where its count of samples is exact, otherwise by FFmpeg."""
    whole = truncated == "error"
    links = containers.links(file)
    if len(links) > 1:
        yield from _between(_chained(file, links, whole), start_s, end_s)
        return
    headerless = suffix.lower() in HEADERLESS
    why_not = "its count of samples is an estimate."
    try:
        sound = _Continuous(
            Part(file, 0, file.seek(0, 2)) if headerless else os.fsencode(file.name)
        )
    except soundfile.LibsndfileError as error:
        if headerless:
            raise AudioError(
                "samples without a header that says what they are; convert it, such as with "
                "ffmpeg -f s16le -ar 16000 -ac 1 -i IN.raw OUT.wav"
            ) from error
        why_not = error.error_string
    else:
        with sound:
            if _count_is_exact(file, sound) and (not start_s or sound.seekable_itself):
                promised = containers.flac_samples(file) if whole else 0
                block_s = BLOCK_S if whole else SHORT_BLOCK_S
                yield from _from_libsndfile(sound, start_s, end_s, promised, block_s)
                return
    try:
        yield from _between(by_ffmpeg(file, whole=whole), start_s, end_s)
    except AudioError:
        raise
    except Exception as error:
        raise ValueError(f"libsndfile: {why_not.strip()} FFmpeg: {reason(error)}") from error


def _count_is_exact(file: BinaryIO, sound: soundfile.SoundFile) -> bool:
    """Whether libsndfile, which stops at its count of samples, would read all of them."""
    if sound.format == "MP3":
        frames = mp3.count(file)
        if frames is None or frames.headers > 1 or frames.damaged:
            return False
        if frames.headers:
            return abs(frames.found - frames.promised) <= 1
        return bool(abs(frames.found * frames.samples - sound.frames) <= 2 * frames.samples)
    return not containers.sound_to_the_end(file)


def _from_libsndfile(
    sound: soundfile.SoundFile,
    start_s: float,
    end_s: float | None,
    promised: int = 0,
    block_s: float = BLOCK_S,
) -> Blocks:
    rate = _checked_rate(sound.samplerate, sound.channels)
    position = min(round(start_s * rate), sound.frames)
    last = sound.frames if end_s is None else min(round(end_s * rate), sound.frames)
    if position:
        sound.seek(position)
    size = _block_size(rate, sound.channels, block_s)
    while position < last:
        asked = min(size, last - position)
        try:
            samples = sound.read(asked, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            if not promised:
                raise
            raise AudioError("truncated or damaged; copy the file again") from error
        position += len(samples)
        if len(samples):
            yield samples, rate
        if len(samples) < asked:
            break
    if position < min(last, promised):
        raise AudioError(
            f"truncated: the header promises {promised} samples, {position} are there; "
            "copy the file again"
        )


def _chained(file: BinaryIO, links: list[tuple[int, int]], whole: bool) -> Blocks:
    """Decode streams that follow each other; all get the rate and channels of the first."""
    rate = channels = 0
    for start, end in links:
        resampler = None
        for samples, own_rate in _link(Part(file, start, end), whole):
            _checked_rate(own_rate, samples.shape[1])
            rate, channels = rate or own_rate, channels or samples.shape[1]
            if samples.shape[1] != channels:
                samples = np.repeat(samples.mean(axis=1, keepdims=True), channels, axis=1)
            if own_rate != rate:
                resampler = resampler or soxr.ResampleStream(
                    own_rate, rate, channels, dtype="float32"
                )
                samples = resampler.resample_chunk(np.ascontiguousarray(samples))
            yield samples, rate
        if resampler is not None:
            yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True), rate


def _link(link: BinaryIO, whole: bool) -> Blocks:
    promised = containers.flac_samples(link) if whole else 0
    link.seek(0)
    try:
        sound = _Continuous(link)
    except soundfile.LibsndfileError:
        yield from by_ffmpeg(link, whole=whole)
        return
    with sound:
        yield from _from_libsndfile(sound, 0.0, None, promised, BLOCK_S if whole else SHORT_BLOCK_S)


def _between(blocks: Blocks, start_s: float, end_s: float | None) -> Blocks:
    """Cut a part out of blocks, and join or divide them to blocks of a bounded size.

    If decoding fails, what came before is yielded first.
    """
    held: list[NDArray[np.float32]] = []
    position = rate = 0
    failure: Exception | None = None
    try:
        for samples, rate in blocks:
            _checked_rate(rate, samples.shape[1])
            first = round(start_s * rate)
            last = math.inf if end_s is None else round(end_s * rate)
            begin, end = max(first - position, 0), min(last - position, len(samples))
            position += len(samples)
            if begin < end:
                held.append(samples[begin : int(end)])
            if sum(map(len, held)) >= _block_size(rate, samples.shape[1]):
                yield np.concatenate(held), rate
                held = []
            if position >= last:
                break
    except Exception as error:
        failure = error
    if held:
        yield np.concatenate(held), rate
    if failure:
        raise failure


def _checked_rate(rate: int, channels: int) -> int:
    if channels > MAX_CHANNELS:
        raise AudioError(f"{channels} channels, at most {MAX_CHANNELS} are accepted")
    return check_rate(rate)


def _block_size(rate: int, channels: int, block_s: float = BLOCK_S) -> int:
    return max(min(round(block_s * rate), MAX_BLOCK // channels), 1)
