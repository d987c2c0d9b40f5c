"""Live audio: samples in, segments out as soon as their windows are complete."""

from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from emotone import audio
from emotone.audio.windows import Window, Windows
from emotone.errors import UsageError
from emotone.inference.prediction import Segment

__all__ = ["Stream"]


class Stream:
    """Recognises live audio; made by :meth:`emotone.Recognizer.stream`.

    Args:
        recognise: recognises windows.
        rate: sampling rate in Hz.
        window: length of a window in seconds.
        hop: time between the starts of two windows, in seconds.
    """

    def __init__(
        self,
        recognise: Callable[[Iterable[Window]], Iterable[Segment]],
        rate: int,
        window: float,
        hop: float,
    ) -> None:
        self._recognise = recognise
        self._resampler = audio.Resampler(rate)
        self._windows = Windows(window, hop)
        self._is_closed = False

    def push(self, samples: NDArray[Any]) -> list[Segment]:
        """Take samples, of shape ``(samples,)`` or ``(samples, channels)``.

        Returns:
            Segments of the windows that are complete now, often none.

        Raises:
            AudioError: if they are not usable as audio, see :func:`emotone.audio.from_array`.
            UsageError: if the stream is closed.
        """
        self._check_open()
        return list(self._recognise(self._windows.push(self._resampler.push(samples))))

    def close(self) -> list[Segment]:
        """End the audio; return the segments of the remaining windows.

        Raises:
            UsageError: if the stream is closed already.
        """
        self._check_open()
        self._is_closed = True
        return list(self._recognise(self._windows.of([self._resampler.close()])))

    def _check_open(self) -> None:
        if self._is_closed:
            raise UsageError("this stream was closed; start another one with Recognizer.stream")
