"""Long audio to overlapping windows, one at a time, as views of the same samples.

Memory therefore grows neither with the length of the audio nor with the overlap. A window starts
every hop. The last one ends with the audio and has full length, so it may overlap its predecessor
more than the others do. Only audio shorter than a window gives a shorter one.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from emotone.audio.resampling import SAMPLE_RATE, Waveform
from emotone.errors import UsageError

WINDOW_S, HOP_S = 3.0, 1.0
FRAME = SAMPLE_RATE // 40  # samples of 25 ms
SILENCE_DB = -60.0  # re full scale; actors speak calm sentences with peaks of -55 dB
MIN_SOUND_S = 0.1


@dataclass(frozen=True)
class Window:
    """An interval of audio: its start, in samples from the beginning, and its read-only samples."""

    start: int
    samples: Waveform

    @property
    def stop(self) -> int:
        """Its end, in samples from the beginning."""
        return self.start + len(self.samples)


class Windows:
    """Cuts audio that comes in pieces into windows; see the module.

    Args:
        window_s: length of a window in seconds, at least 25 ms.
        hop_s: time between the starts of two windows in seconds, at most ``window_s``.

    Raises:
        UsageError: if a length is out of its range.
    """

    def __init__(self, window_s: float = WINDOW_S, hop_s: float = HOP_S) -> None:
        if not (math.isfinite(window_s) and math.isfinite(hop_s)):
            raise UsageError(f"window and hop must be finite, got {window_s} s and {hop_s} s")
        self.window, self.hop = round(window_s * SAMPLE_RATE), round(hop_s * SAMPLE_RATE)
        if not self.window >= FRAME:
            raise UsageError(f"a window must be 25 ms or longer, got {window_s:g} s")
        if not 0 < self.hop <= self.window:
            raise UsageError(
                f"the hop must be above 0 s and at most the window of {window_s:g} s, so that "
                f"nothing is left out; got {hop_s:g} s"
            )
        self._kept = np.zeros(0, np.float32)
        self._first = 0  # start of the kept samples
        self._next = 0  # start of the next window
        self._covered = 0  # end of the last window

    def push(self, samples: Waveform) -> Iterator[Window]:
        """Take 16 kHz samples; the iterator cuts the windows that are complete now when asked.

        Windows that are not asked for come with the next samples.
        """
        keep = max(min(self._next, self._stop - self.window), self._first)
        self._kept = np.concatenate([self._kept[keep - self._first :], samples])
        self._kept.flags.writeable = False  # windows share its samples
        self._first = keep
        return self._complete()

    def close(self) -> list[Window]:
        """Return the window that ends with the audio, unless it has been returned already."""
        stop = self._stop
        return [] if self._covered == stop else [self._cut(max(stop - self.window, 0))]

    def of(self, pieces: Iterable[Waveform]) -> Iterator[Window]:
        """Yield all windows of audio that comes in pieces."""
        for piece in pieces:
            yield from self.push(piece)
        yield from self.close()

    @property
    def _stop(self) -> int:
        return self._first + len(self._kept)

    def _complete(self) -> Iterator[Window]:
        while self._next + self.window <= self._stop:
            window = self._cut(self._next)
            self._next += self.hop
            yield window

    def _cut(self, start: int) -> Window:
        begin = start - self._first
        window = Window(start, self._kept[begin : begin + self.window])
        self._covered = window.stop
        return window


def batches(windows: Iterable[Window], size: int, seconds: float) -> Iterator[list[Window]]:
    """Gather windows that are recognised together.

    Args:
        windows: cut one at a time.
        size: largest number of windows in a batch.
        seconds: most audio in a batch; a window that is longer makes a batch of its own.
    """
    batch: list[Window] = []
    samples = 0
    for window in windows:
        samples += len(window.samples)
        if batch and (len(batch) == size or samples > seconds * SAMPLE_RATE):
            yield batch
            batch, samples = [], len(window.samples)
        batch.append(window)
    if batch:
        yield batch


def has_sound(samples: Waveform) -> bool:
    """Whether at least 0.1 s is louder than -60 dBFS, in frames of 25 ms.

    The detection is energy-based: it separates sound from silence, not speech from noise.
    """
    frames = np.pad(samples, (0, -len(samples) % FRAME)).reshape(-1, FRAME)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = int((power > 10 ** (SILENCE_DB / 10)).sum())
    return loud * FRAME >= MIN_SOUND_S * SAMPLE_RATE or loud == len(frames)
