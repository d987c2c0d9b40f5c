"""Channels to one, so that they do not cancel; samples that cannot be sound are refused."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.errors import AudioError

MAX_CHANNELS = 64
MAX_LEVEL = 65_536.0  # full scale is 1, but some programs write the range of 16-bit integers
SPIKE = 10.0  # beyond any headroom, if at most one sample in a thousand is beyond full scale
RARE = 1000
CANCELLED = 0.2  # of the energy of the loudest channel; two equal channels: correlation of -0.9
REGAINED = 2.0  # times the energy of the chosen channel, for another one to be chosen
PART_S = 0.1  # channels are compared in parts of this length
MEMORY_S = 5.0  # what lies so far back counts 1/e


class Mixer:
    """Averages channels that come in pieces; where they cancel, takes the loudest instead.

    Channels cancel if their sum has less than a fifth of the energy of the loudest of them, as
    when one of two is inverted. The energies are those of the last seconds. The result does not
    depend on how the audio is divided.

    Args:
        rate: sampling rate in Hz.
    """

    def __init__(self, rate: int) -> None:
        self._part = max(round(rate * PART_S), 1)
        self._decay = float(np.exp(-PART_S / MEMORY_S))
        self._kept: NDArray[np.float32] | None = None
        self._energies: NDArray[np.float64] = np.zeros(0)  # of each channel, then of the sum
        self._chosen: int | None = None

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take samples, shape ``(samples,)`` or ``(samples, channels)``; return those ready now."""
        if samples.ndim == 1:
            return samples
        if samples.shape[1] == 1:
            return samples[:, 0]
        if self._kept is not None and len(self._kept):
            samples = np.concatenate([self._kept, samples])
        whole = len(samples) - len(samples) % self._part
        self._kept = samples[whole:].copy()
        return self._mixed(samples[:whole])

    def close(self) -> NDArray[np.float32]:
        """Return the remaining samples."""
        kept, self._kept = self._kept, None
        return np.zeros(0, np.float32) if kept is None else self._mixed(kept)

    def _mixed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        planes = np.ascontiguousarray(samples.T)
        total = planes.sum(axis=0)
        mono: NDArray[np.float32] = total / np.float32(len(planes))
        starts = range(0, len(samples), self._part)
        for start, energies in zip(starts, self._energies_of(planes, total), strict=True):
            channel = self._choose(energies)
            if channel is not None:
                stop = start + self._part
                mono[start:stop] = planes[channel, start:stop]
        return mono

    def _energies_of(
        self, planes: NDArray[np.float32], total: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the energies of each part: of the channels, then of their sum.

        A constant offset is no sound, so it does not count.
        """
        missing = -len(total) % self._part
        parts = [np.pad(plane, (0, missing)).reshape(-1, self._part) for plane in (*planes, total)]
        centred = [part - part.mean(axis=1, keepdims=True) for part in parts]
        return np.stack([np.einsum("ps,ps->p", part, part) for part in centred], axis=1)

    def _choose(self, energies: NDArray[np.float32]) -> int | None:
        """Return the channel to take, ``None`` for the average of all."""
        if not len(self._energies):
            self._energies = np.zeros(len(energies))
        self._energies = self._decay * self._energies + energies
        channels, of_sum = self._energies[:-1], self._energies[-1]
        loudest = int(channels.argmax())
        if not of_sum < CANCELLED * channels[loudest]:
            self._chosen = None
        elif self._chosen is None or channels[loudest] > REGAINED * channels[self._chosen]:
            self._chosen = loudest
        return self._chosen


def as_float32(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Check samples of any type and scale integers by the range of their type.

    Integers of 64 bits, which NumPy makes of Python's, are taken for samples of 16 bits.

    Args:
        samples: shape ``(samples,)`` or ``(samples, channels)``.

    Raises:
        AudioError: if the shape or type cannot be that of audio, integers of 64 bits are beyond
            the range of 16 bits, or :func:`check_level` refuses a sample.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2):
        raise AudioError(f"expected shape (samples,) or (samples, channels), got {samples.shape}")
    if samples.ndim == 2 and not 1 <= samples.shape[1] <= MAX_CHANNELS:
        raise AudioError(
            f"expected shape (samples, channels) with 1 to {MAX_CHANNELS} channels, got "
            f"{samples.shape}; transpose it if the channels come first"
        )
    if samples.dtype.kind in "iu" and samples.dtype.itemsize == 8:
        samples = _as_16_bits(samples)
    if samples.dtype.kind == "i":
        return samples.astype(np.float32) / float(-int(np.iinfo(samples.dtype).min))
    if samples.dtype.kind == "u":
        half = (int(np.iinfo(samples.dtype).max) + 1) / 2
        return ((samples.astype(np.float64) - half) / half).astype(np.float32)
    if samples.dtype.kind != "f":
        raise AudioError(f"expected real numbers, got an array of type {samples.dtype}")
    check_level(samples)
    return samples.astype(np.float32, copy=False)


def _as_16_bits(samples: NDArray[Any]) -> NDArray[np.int16]:
    if samples.size and not -(2**15) <= samples.min() <= samples.max() < 2**15:
        raise AudioError(
            f"integers of type {samples.dtype} beyond the range of 16 bits, whose full scale "
            "cannot be known; convert them to int32, or to float32 within ±1"
        )
    return samples.astype(np.int16)


def check_level(samples: NDArray[Any], before: int = 0) -> None:
    """Check that samples are finite, that their power cannot overflow, and that none is a spike.

    A spike is ten times beyond full scale where nearly all others are within it. One of them would
    outweigh all speech. In the range of 16-bit integers there are whole numbers only, and there
    silence may be within ±1.

    Args:
        samples: floating point, shape ``(samples,)`` or ``(samples, channels)``.
        before: number of samples before these, for the message.

    Raises:
        AudioError: if one is not finite, beyond ±65,536, or a spike; says which.
    """
    if not samples.size or (abs(samples.min()) <= SPIKE and abs(samples.max()) <= SPIKE):
        return
    if abs(samples.min()) <= MAX_LEVEL and abs(samples.max()) <= MAX_LEVEL:
        _check_spikes(samples, before)
        return
    wrong = np.argwhere(~(np.abs(samples) <= MAX_LEVEL))[0]
    value = samples[tuple(wrong)]
    where = f"sample {before + int(wrong[0])} is {float(value):g}"
    if not np.isfinite(value):
        raise AudioError(f"contains NaN or infinite samples: {where}; export the audio again")
    raise AudioError(
        f"{where}, where full scale is 1 and at most {MAX_LEVEL:g} is accepted; "
        "scale or export the audio again"
    )


def _check_spikes(samples: NDArray[Any], before: int) -> None:
    levels = np.abs(samples)
    beyond = levels > 1
    within = samples[~beyond]
    if RARE * beyond.sum() > samples.size or np.array_equal(within, np.rint(within)):
        return  # of another full scale
    place = np.unravel_index(int(levels.argmax()), levels.shape)
    raise AudioError(
        f"sample {before + int(place[0])} is {float(samples[place]):g}, while "
        f"{1 - beyond.mean():.2%} are within ±1, which is full scale: a fault of the recording or "
        "of a program; repair it, or limit all samples to ±1"
    )
