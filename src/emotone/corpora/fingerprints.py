"""Fingerprints of utterances, which tell whether two recordings have the same content.

A fingerprint survives another format, sampling rate or level, and silence around the speech. It is
made of signs of differences, 256 bits for an utterance, from which nothing can be heard again.

The power of nine bands of telephone speech is averaged over 33 equal parts of the time in which an
utterance has its energy. A bit says whether the slope from a band to the next rises from a part to
the next, as in Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002; that
the parts follow the energy and the length of the utterance is our choice. Thresholds were chosen by
``benchmarks/fingerprints.py``.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.errors import ModelError
from emotone.inference import model_folder

BANDS, PARTS = 9, 33
BAND_EDGES_HZ = np.geomspace(300.0, 3300.0, BANDS + 1)  # what telephones transmit
FRAME, HOP = 512, 160  # samples: 32 ms every 10 ms
BLOCK = 4096  # frames transformed at once; bounds the memory for long files
ENERGY = (0.02, 0.98)  # shares of the energy between which the parts are
FLOOR = 1e-3  # of the mean power; hides what is inaudible beside the rest
BITS = (BANDS - 1) * (PARTS - 1)
BYTES = BITS // 8 + 2  # the last two are the length in units of 4 ms
LENGTH_UNIT_MS = 4
MOST_BITS = BITS // 5  # different bits of the same content, at most
MOST_LENGTH = 0.06  # relative difference of length, at most
ROWS = 2048  # fingerprints compared at once

Fingerprints = NDArray[np.uint8]  # shape (utterances, BYTES)


def fingerprint(waveform: Waveform) -> Fingerprints:
    """Return the fingerprint of an utterance.

    Args:
        waveform: samples at 16 kHz, shape ``(samples,)``.

    Returns:
        Shape ``(BYTES,)``.
    """
    power = _band_powers(np.asarray(waveform, dtype=np.float64))
    energy = np.concatenate([[0.0], np.cumsum(power.sum(axis=1))])
    times = np.arange(len(energy))
    start, end = np.interp(np.multiply(ENERGY, energy[-1]), energy, times)
    edges = np.linspace(start, end, PARTS + 1)
    sums = np.concatenate([np.zeros((1, BANDS)), np.cumsum(power, axis=0)])
    at_edges = np.stack([np.interp(edges, times, band) for band in sums.T], axis=1)
    parts = np.diff(at_edges, axis=0)
    log_power = np.log(parts + FLOOR * parts.mean() + np.finfo(float).tiny)
    bits = np.diff(np.diff(log_power, axis=1), axis=0) > 0
    length = min(round((end - start) * HOP * 1000 / SAMPLE_RATE / LENGTH_UNIT_MS), 2**16 - 1)
    return np.concatenate([np.packbits(bits), np.array([length >> 8, length & 255], np.uint8)])


def _band_powers(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of each band in each frame, shape ``(frames, BANDS)``."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, FRAME // 2), FRAME)[::HOP]
    bins_hz = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE)
    edges = np.searchsorted(bins_hz, BAND_EDGES_HZ)
    window = np.hanning(FRAME)
    blocks = []
    for first in range(0, len(frames), BLOCK):
        spectra = np.abs(np.fft.rfft(frames[first : first + BLOCK] * window, axis=1)) ** 2
        blocks.append(np.add.reduceat(spectra, edges, axis=1)[:, :BANDS])
    return np.concatenate(blocks)


def same_content(these: Fingerprints, those: Fingerprints) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers whose fingerprints are of the same content."""
    right, right_length = _signs(those), _lengths(those)
    for first in range(0, len(these), ROWS):
        block = these[first : first + ROWS]
        different = (BITS - _signs(block) @ right.T) / 2
        longest = np.maximum.outer(_lengths(block), right_length)
        apart = np.abs(np.subtract.outer(_lengths(block), right_length))
        found = (different <= MOST_BITS) & (apart <= MOST_LENGTH * longest)
        for one, other in np.argwhere(found):
            yield first + int(one), int(other)


def repeated(prints: Fingerprints) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers, the smaller first, whose fingerprints are of the same content."""
    yield from ((one, other) for one, other in same_content(prints, prints) if one < other)


def _signs(prints: Fingerprints) -> NDArray[np.float32]:
    """The bits as −1 and 1, whose products count them."""
    bits = np.unpackbits(prints[:, : BITS // 8], axis=1)
    return bits.astype(np.float32) * 2 - 1


def _lengths(prints: Fingerprints) -> NDArray[np.float32]:
    return prints[:, -2].astype(np.float32) * 256 + prints[:, -1]


def fingerprints_in(folder: Path) -> Fingerprints | None:
    """Fingerprints of the training utterances of a model; ``None`` if it has none.

    Raises:
        ModelError: if the folder is no model, or was changed.
    """
    config = model_folder.read(folder)
    if model_folder.FINGERPRINTS not in config.sha256:
        return None
    data = model_folder.content(folder, model_folder.FINGERPRINTS, config)
    if len(data) % BYTES:
        raise ModelError(
            f"{folder / model_folder.FINGERPRINTS}: {len(data)} bytes are not fingerprints of "
            f"{BYTES} bytes each; copy the model folder again"
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, BYTES)
