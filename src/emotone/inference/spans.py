"""Stretches of a recording, each answered as a recording of its own, in one pass over the audio."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.errors import AudioError, UsageError
from emotone.inference.averaging import End, Part

SLACK_S = 0.5  # by which an end may lie behind that of the recording; annotations are rarely exact


@dataclass(frozen=True)
class Span:
    """A stretch of a recording.

    Attributes:
        start: in seconds.
        end: in seconds; ``None`` for the end of the recording.
        name: what messages call it, such as ``row 3``.

    Raises:
        UsageError: if it is not a stretch of time.
    """

    start: float = 0.0
    end: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        end = math.inf if self.end is None else self.end
        if not (math.isfinite(self.start) and 0 <= self.start < end):
            raise UsageError(
                f"{self} is not a stretch of time; expected seconds, at least 0, and the end after "
                "the start"
            )

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
            AudioError: if the span lies outside the recording.
        """
        if self.start >= seconds or (self.end or 0.0) > seconds + SLACK_S:
            raise AudioError(
                f"{self} is outside the recording of {seconds:.1f} s; times are in seconds from "
                "its beginning"
            )
        return seconds if self.end is None else min(self.end, seconds)


class Listener(Protocol):
    """Hears samples and gives what it hears in parts; see :mod:`emotone.inference.hearing`."""

    def push(self, piece: Waveform) -> Iterator[tuple[Waveform, int]]:
        """Take samples; yields the parts that are complete now."""

    def close(self) -> Iterator[tuple[Waveform, int]]:
        """Yield the remaining parts."""


def heard(
    pieces: Iterable[Waveform], spans: Sequence[Span], listener: Callable[[int], Listener]
) -> Iterator[Part | End]:
    """Hear the spans of a recording, whose samples are read once; the rest is not kept.

    Args:
        pieces: the recording at 16 kHz.
        spans: in any order; they may overlap.
        listener: makes a listener for the span of an index.

    Yields:
        Parts of the spans, and the end of each; its key is the index of the span.
    """
    order = sorted(range(len(spans)), key=lambda key: spans[key].start)
    active: dict[int, Listener] = {}
    position = 0
    for piece in pieces:
        stop = position + len(piece)
        while order and spans[order[0]].samples[0] < stop:
            active[order[0]] = listener(order[0])
            order.pop(0)
        for key, one in list(active.items()):
            first, last = spans[key].samples
            part = piece[max(first - position, 0) : int(min(last, stop)) - position]
            yield from (Part(key, *found) for found in one.push(part))
            if last <= stop:
                yield from _closed(key, active.pop(key))
        position = stop
    for key, one in active.items():
        yield from _closed(key, one)
    yield from map(End, order)


def _closed(key: int, listener: Listener) -> Iterator[Part | End]:
    yield from (Part(key, *found) for found in listener.close())
    yield End(key)


class Counted:
    """Passes pieces of a recording on and counts their samples."""

    def __init__(self, pieces: Iterable[Waveform]) -> None:
        self._pieces = pieces
        self.samples = 0

    @property
    def seconds(self) -> float:
        """What has been passed on."""
        return self.samples / SAMPLE_RATE

    def __iter__(self) -> Iterator[Waveform]:
        for piece in self._pieces:
            self.samples += len(piece)
            yield piece
