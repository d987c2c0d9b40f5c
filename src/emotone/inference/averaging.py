"""Answers to whatever is heard in parts: recordings, rows of a table, turns of a call.

The network runs on batches of parts, no matter what they belong to. An answer is the mean over its
parts, weighted by what each adds to those before.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from emotone.audio import Waveform
from emotone.errors import AudioError

BATCH = 8  # waveforms that are recognised together; more measured no faster
Rows = Callable[[Sequence[Waveform]], NDArray[np.float64]]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Part:
    """A part of something.

    Attributes:
        key: what it belongs to.
        waveform: its samples at 16 kHz.
        added: number of its samples that no part before it has.
    """

    key: int
    waveform: Waveform
    added: int


@dataclass(frozen=True)
class End:
    """Something has no more parts; ``error`` says why it has no answer."""

    key: int
    error: AudioError | None = None


Answer = NDArray[np.float64] | AudioError | None


class Averager:
    """Averages over the parts of each thing.

    Args:
        rows: runs the network on a batch and returns a row for each waveform.
        pool: parts that are gathered, so that those of similar length make a batch.
    """

    def __init__(self, rows: Rows, pool: int = BATCH) -> None:
        self._rows, self._pool = rows, pool
        self._sums: dict[int, tuple[Any, int]] = {}
        self._waiting: list[Part] = []
        self._ended: list[End] = []

    def push(self, event: Part | End) -> Iterator[tuple[int, Answer]]:
        """Take a part, or the end of a thing; things may alternate.

        Yields:
            Key and mean row of things that are answered now, in the order of their ends; the error
            if there is one; ``None`` if it has no part.
        """
        if isinstance(event, Part):
            self._waiting.append(event)
        else:
            self._ended.append(event)
        if not self._waiting or max(len(self._waiting), len(self._ended)) >= self._pool:
            yield from self.close()

    def close(self) -> Iterator[tuple[int, Answer]]:
        """Answer all that has ended."""
        for batch in batches_of(sorted(self._waiting, key=lambda part: len(part.waveform))):
            rows = self._rows([part.waveform for part in batch])
            for part, row in zip(batch, rows, strict=True):
                total, samples = self._sums.get(part.key, (0.0, 0))
                self._sums[part.key] = (total + part.added * row, samples + part.added)
        for end in self._ended:
            total, samples = self._sums.pop(end.key, (None, 1))
            yield end.key, end.error or (None if total is None else total / samples)
        self._waiting, self._ended = [], []


def averaged(events: Iterable[Part | End], rows: Rows) -> Iterator[tuple[int, Answer]]:
    """Average over the parts of each thing; see :class:`Averager`."""
    averager = Averager(rows)
    for event in events:
        yield from averager.push(event)
    yield from averager.close()


def batches_of(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Gather what is recognised together."""
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch
