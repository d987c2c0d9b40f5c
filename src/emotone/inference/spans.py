"""Stretches of a recording, each answered as a recording of its own, in one pass over the audio."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.errors import OutsideError, UsageError
from emotone.inference.averaging import End, Part
from emotone.text import shown

__all__ = ["Span"]

SLACK_S = 0.5  # by which an end may lie behind that of the recording; annotations are rarely exact


@dataclass(frozen=True)
class Span:
    """A stretch of a recording.

    Attributes:
        start: in seconds.
        end: in seconds; ``None`` for the end of the recording.
        speaker: who speaks; empty if that is not known.
        channel: of the speaker, from 1; ``None`` if that is not known.
        name: what messages call it, such as ``row 3``.

    Raises:
        UsageError: if it is not a stretch of time, or there is no such channel.
    """

    start: float = 0.0
    end: float | None = None
    speaker: str = ""
    channel: int | None = None
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        end = self.start + 1 if self.end is None else self.end
        if not (math.isfinite(end) and 0 <= self.start < end):
            raise UsageError(
                f"{self} is not a stretch of time; expected seconds, at least 0, and the end after "
                "the start"
            )
        if self.channel is not None and self.channel < 1:
            raise UsageError(f"{self} is on channel {self.channel}; expected a channel from 1")

    def __str__(self) -> str:
        end = "the end" if self.end is None else f"{self.end:g} s"
        return f"{self.name}{', ' * bool(self.name)}{self.start:g} s to {end}"

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole recording."""
        return self.start == 0 and self.end is None

    @property
    def samples(self) -> tuple[int, float]:
        """Start and end in samples at 16 kHz."""
        stop = math.inf if self.end is None else round(self.end * SAMPLE_RATE)
        return round(self.start * SAMPLE_RATE), stop

    def end_in(self, seconds: float) -> float:
        """Return the end, in seconds, in a recording of a length.

        Raises:
            OutsideError: if the span lies outside the recording.
        """
        if self.start >= seconds or (self.end or 0.0) > seconds + SLACK_S:
            raise OutsideError(
                f"{self} is outside the recording of {seconds:.1f} s; times are in seconds from "
                "its beginning"
            )
        return seconds if self.end is None else float(min(self.end, seconds))


def refuse_others(spans: Iterable[Span], name: str) -> None:
    """Raise a :class:`UsageError` for what is no span; ``name`` is that of the argument."""
    for span in spans:
        if not isinstance(span, Span):
            raise UsageError(
                f"{name}: expected emotone.Span(start, end, speaker) for each, got {shown(span)}"
            )


class Listener(Protocol):
    """Hears samples and gives what it hears in parts; see :mod:`emotone.inference.hearing`."""

    def push(self, piece: Waveform) -> Iterator[tuple[Waveform, int]]:
        """Take samples; yields the parts that are complete now."""

    def close(self) -> Iterator[tuple[Waveform, int]]:
        """Yield the remaining parts."""


class Cutter:
    """Cuts the spans out of a recording that comes in pieces; the rest is not kept.

    Args:
        spans: by key, in any order; they may overlap.
        listener: makes a listener for the span of a key.
    """

    def __init__(self, spans: Mapping[int, Span], listener: Callable[[int], Listener]) -> None:
        self._spans, self._listener = spans, listener
        self._later = deque(sorted(spans, key=lambda key: spans[key].start))
        self._active: dict[int, Listener] = {}
        self.samples = 0

    @property
    def seconds(self) -> float:
        """Length of the audio so far."""
        return self.samples / SAMPLE_RATE

    def push(self, piece: Waveform) -> Iterator[Part | End]:
        """Take samples at 16 kHz; yields parts of spans, and the ends of those that are complete.

        Keys are those of the spans.
        """
        position, stop = self.samples, self.samples + len(piece)
        while self._later and self._spans[self._later[0]].samples[0] < stop:
            key = self._later.popleft()
            self._active[key] = self._listener(key)
        for key, one in list(self._active.items()):
            first, last = self._spans[key].samples
            part = piece[max(first - position, 0) : int(min(last, stop)) - position]
            yield from (Part(key, *found) for found in one.push(part))
            if last <= stop:
                yield from self._closed(key)
        self.samples = stop

    def close(self) -> Iterator[Part | End]:
        """End the audio, and with it the remaining spans."""
        for key in list(self._active):
            yield from self._closed(key)
        yield from map(End, self._later)

    def of(self, pieces: Iterable[Waveform]) -> Iterator[Part | End]:
        """Yield everything of a whole recording."""
        for piece in pieces:
            yield from self.push(piece)
        yield from self.close()

    def _closed(self, key: int) -> Iterator[Part | End]:
        yield from (Part(key, *found) for found in self._active.pop(key).close())
        yield End(key)
