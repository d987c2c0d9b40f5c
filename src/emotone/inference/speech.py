"""Speech as callers give it, a file or an array, as pieces of a 16 kHz waveform."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone import audio
from emotone.audio import Waveform
from emotone.audio.windows import SILENCE_DB
from emotone.errors import AudioError

SHORTEST_S = 0.025  # a frame

Speech = str | Path | tuple[NDArray[Any], int]


def pieces(speech: Speech) -> Iterator[Waveform]:
    """Read a file of any length, or an array, piece by piece.

    Raises:
        AudioError: if it is not usable as audio.
    """
    if isinstance(speech, tuple):
        samples, rate = speech
        resampler = audio.Resampler(rate)
        if np.size(samples) == 0:
            raise AudioError("the array holds no samples")
        yield resampler.push(samples)
        yield resampler.close()
    else:
        yield from audio.blocks(speech)


def too_short(speech: Speech, seconds: float) -> AudioError:
    """Return the error for speech shorter than a frame."""
    return AudioError(
        f"{_name(speech)}: {1000 * seconds:.1f} ms are too short to show an emotion; at least "
        f"{1000 * SHORTEST_S:.0f} ms are needed"
    )


def silent(speech: Speech) -> AudioError:
    """Return the error for speech without sound."""
    return AudioError(
        f"{_name(speech)}: silent throughout (nothing above {SILENCE_DB:.0f} dBFS); if there is "
        "speech in it, make it louder"
    )


def no_speech(speech: Speech) -> AudioError:
    """Return the error for sound without speech."""
    return AudioError(
        f"{_name(speech)}: no speech found; it holds noise, music or voices other than speech"
    )


def _name(speech: Speech) -> str:
    return "the array" if isinstance(speech, tuple) else str(speech)
