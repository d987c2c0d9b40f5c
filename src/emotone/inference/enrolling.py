"""Enrols a speaker with speech of any length, which comes in pieces."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.audio.windows import WINDOW_S, Windows
from emotone.inference.averaging import BATCH
from emotone.inference.hearing import Hearing
from emotone.inference.speaker import Enrolment, Speaker


class Enroller:
    """Collects the statistics of a speaker.

    Args:
        moments: runs the network on waveforms; see
            :meth:`emotone.inference.speaker.Enrolment.add`.
        shape: shape of the statistics.
        hearing: the ears of the model.
        seconds: speech that is enough; what comes later is ignored.
    """

    def __init__(
        self,
        moments: Callable[[Sequence[Waveform]], NDArray[np.float32]],
        shape: tuple[int, ...],
        hearing: Hearing,
        seconds: float = np.inf,
    ) -> None:
        self._moments, self._hearing = moments, hearing
        self._enrolment, self._windows = Enrolment(shape), Windows(WINDOW_S, WINDOW_S)
        self._waiting: list[Waveform] = []
        self._left, self._is_closed = seconds * SAMPLE_RATE, False

    @property
    def is_done(self) -> bool:
        """Whether there is enough."""
        return self._left <= 0

    def push(self, heard: Waveform) -> None:
        """Take speech of any length."""
        if not self.is_done:
            self._left -= len(heard)
            for window in self._windows.push(heard):
                self.add(window.samples)

    def add(self, heard: Waveform) -> None:
        """Take speech of at most 3 s, or none."""
        if len(heard):
            self._waiting.append(heard)
        if len(self._waiting) == BATCH:
            self._run()

    def has_speech(self) -> bool:
        """Whether any came; nothing can be added after the question."""
        self._close()
        return self._enrolment.has_windows

    def speaker(self, features: dict[str, Any]) -> Speaker:
        """Return the speaker.

        Args:
            features: options of the front end.

        Raises:
            AudioError: if there was no speech.
        """
        self._close()
        return self._enrolment.speaker(features)

    def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            for window in self._windows.close():
                if self._hearing.is_enough(window.samples):
                    self.add(window.samples)
            if self._waiting:
                self._run()

    def _run(self) -> None:
        lengths = np.array([len(waveform) for waveform in self._waiting])
        self._enrolment.add(self._moments(self._waiting), lengths)
        self._waiting = []
