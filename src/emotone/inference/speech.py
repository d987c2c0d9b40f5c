"""Speech as callers give it, a file or an array, as pieces of a 16 kHz waveform."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from emotone import audio
from emotone.audio import Truncated, Waveform
from emotone.audio.windows import SILENCE_DB
from emotone.errors import AudioError, NoSpeechError, SpeechTypeError

SHORTEST_S = 0.025  # a frame
BLOCK_BYTES = 2**20  # read from a file object at once
BLOCK = 2**20  # samples of an array that are converted at once

Speech = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | tuple[NDArray[Any], int]
    | tuple[int, NDArray[Any]]
)

Given = TypeVar("Given")
Source = Path | tuple[NDArray[Any], Any]  # a file, or samples and their rate in Hz


def pieces(speech: Speech, truncated: Truncated = "error") -> Iterator[Waveform]:
    """Read speech of any length piece by piece, all channels as one.

    Args:
        speech: path of an audio file, the file's bytes, a binary file object with them, or a pair
            of samples, see :func:`emotone.audio.from_array`, and their rate in Hz, in either order.
        truncated: what to do with a file whose end is missing, see :func:`emotone.audio.read`.

    Raises:
        SpeechTypeError: if it is something else.
        AudioError: if it is not usable as audio.
    """
    with readable(speech) as source:
        if isinstance(source, Path):
            yield from audio.blocks(source, truncated=truncated)
            return
        samples, rate = source
        resampler = audio.Resampler(rate)
        _check_not_empty(samples)
        yield resampler.push(samples)
        yield resampler.close()


def tracks(source: Source, truncated: Truncated = "error") -> Iterator[list[Waveform]]:
    """Read the channels of speech of any length piece by piece.

    Args:
        source: see :func:`readable`.
        truncated: what to do with a file whose end is missing, see :func:`emotone.audio.read`.

    Yields:
        A waveform for each channel, all of the same length.

    Raises:
        AudioError: if it is not usable as audio.
    """
    if isinstance(source, Path):
        yield from audio.channels(source, truncated=truncated)
        return
    samples, rate = source
    converted = audio.Channels(rate)
    _check_not_empty(samples)
    for start in range(0, len(samples), BLOCK):
        yield converted.push(samples[start : start + BLOCK])
    yield converted.close()


@contextmanager
def readable(speech: Speech) -> Iterator[Source]:
    """Yield what can be read several times: a path, or samples and rate.

    Errors within the block name the speech, not the temporary file that holds its bytes.

    Raises:
        SpeechTypeError: if it is no speech.
        AudioError: if there is nothing in it.
    """
    if isinstance(speech, str | os.PathLike):
        yield Path(speech)
    elif _is_content(speech):
        with _file(speech) as path:
            try:
                yield path
            except AudioError as error:
                error.args = (str(error).replace(str(path), name_of(speech)),)
                raise
    elif (pair := _pair(speech)) is not None:
        yield pair
    else:
        raise _not_speech(speech)


def _check_not_empty(samples: NDArray[Any]) -> None:
    if np.size(samples) == 0:
        raise AudioError("the array holds no samples")


def several(recordings: Iterable[Given], method: str) -> Iterable[Given]:
    """Return recordings unchanged.

    Raises:
        SpeechTypeError: if it is a single recording, or nothing to iterate over.
    """
    single = (
        isinstance(recordings, str | os.PathLike)
        or _is_content(recordings)
        or _pair(recordings) is not None
        or (isinstance(recordings, np.ndarray) and recordings.dtype.kind in "iuf")
    )
    if single:
        raise SpeechTypeError(
            f"{method} takes several recordings, got one, {name_of(recordings)}; pass a "
            "list with it"
        )
    if not isinstance(recordings, Iterable):
        raise SpeechTypeError(
            f"{method} takes a list of recordings, got {type(recordings).__name__}"
        )
    return recordings


def too_short(speech: Speech, seconds: float) -> AudioError:
    """Return the error for speech shorter than a frame."""
    return AudioError(
        f"{name_of(speech)}: {1000 * seconds:.1f} ms are too short to show an emotion; at least "
        f"{1000 * SHORTEST_S:.0f} ms are needed"
    )


def silent(speech: Speech) -> NoSpeechError:
    """Return the error for speech without sound."""
    return NoSpeechError(
        f"{name_of(speech)}: silent throughout (nothing above {SILENCE_DB:.0f} dBFS); if there is "
        "speech in it, make it louder"
    )


def no_speech(speech: Speech) -> NoSpeechError:
    """Return the error for sound without speech."""
    return NoSpeechError(
        f"{name_of(speech)}: no speech found, only noise, music or other sounds; record closer to "
        "the microphone, or give another file"
    )


def _is_content(speech: Any) -> bool:
    """Whether it is the content of a file: bytes or a file object."""
    return isinstance(speech, bytes | bytearray | memoryview) or hasattr(speech, "read")


def _pair(speech: Any) -> tuple[NDArray[Any], Any] | None:
    """Return samples and rate if it is a clear pair of both, in either order."""
    if not isinstance(speech, tuple | list) or len(speech) != 2:
        return None
    samples, rate = reversed(speech) if _is_number(speech[0]) else speech
    if not _is_number(rate) or not (hasattr(samples, "ndim") or isinstance(samples, tuple | list)):
        return None
    try:
        return np.asarray(samples), rate
    except (TypeError, ValueError, RuntimeError) as error:  # ragged, or on another device
        raise SpeechTypeError(f"the samples cannot be read as an array: {error}") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or getattr(value, "ndim", None) == 0


@contextmanager
def _file(speech: Any) -> Iterator[Path]:
    """Write bytes, or what a file object still holds, to a temporary file for the decoders."""
    is_file = hasattr(speech, "read")
    with tempfile.NamedTemporaryFile(prefix="emotone-") as file:
        for block in _blocks(speech) if is_file else [speech]:
            file.write(block)
        if file.tell() == 0:
            hint = "if it was read before, call seek(0) first" if is_file else "give an audio file"
            raise AudioError(f"{name_of(speech)}: nothing in it; {hint}")
        file.flush()
        yield Path(file.name)


def _blocks(file: Any) -> Iterator[bytes]:
    while True:
        try:
            block = file.read(BLOCK_BYTES)
        except (OSError, ValueError) as error:  # such as: it was closed
            raise AudioError(f"{name_of(file)}: cannot read it ({error}); open it again") from error
        if not isinstance(block, bytes):
            raise SpeechTypeError(
                f"{name_of(file)}: expected bytes from read(), got {type(block).__name__}; open "
                "the file in binary mode, open(path, 'rb')"
            )
        if not block:
            return
        yield block


def _not_speech(found: Any) -> SpeechTypeError:
    what = type(found).__name__
    if hasattr(found, "ndim"):
        hint = "an array needs its sampling rate, (samples, rate)"
    elif isinstance(found, tuple | list):
        inside = ", ".join(type(one).__name__ for one in found[:3])
        what += f" of {len(found)} ({inside}{', …' if len(found) > 3 else ''})"
        hint = "for several recordings there is predict_many"
    else:
        hint = "see Recognizer.predict"
    return SpeechTypeError(
        "expected a path, the bytes of an audio file, a binary file object or (samples, rate), "
        f"got {what}; {hint}"
    )


def name_of(speech: Any) -> str:
    """Return what messages call it."""
    if isinstance(speech, str | os.PathLike):
        return os.fspath(speech)
    if hasattr(speech, "read"):
        name = getattr(speech, "name", None)
        return name if isinstance(name, str) and name else "the file object"
    return "the array" if isinstance(speech, tuple | list | np.ndarray) else "the bytes"
