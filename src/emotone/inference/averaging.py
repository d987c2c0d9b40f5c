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


def averaged(
    events: Iterable[Part | End], rows: Rows, pool: int = BATCH
) -> Iterator[tuple[int, Answer]]:
    """Average over the parts of each thing.

    Args:
        events: the parts, and the end of each thing; things may alternate.
        rows: runs the network on a batch and returns a row for each waveform.
        pool: parts that are gathered, so that those of similar length make a batch.

    Yields:
        Key and mean row of each thing, in the order of the ends; its error if it has one; ``None``
        if it has no part.
    """
    sums: dict[int, tuple[Any, int]] = {}
    waiting: list[Part] = []
    ended: list[End] = []
    for event in events:
        if isinstance(event, Part):
            waiting.append(event)
        else:
            ended.append(event)
        if not waiting or max(len(waiting), len(ended)) >= pool:
            _add(waiting, sums, rows)
            yield from _answers(ended, sums)
            waiting, ended = [], []
    _add(waiting, sums, rows)
    yield from _answers(ended, sums)


def batches_of(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Gather what is recognised together."""
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _add(parts: list[Part], sums: dict[int, tuple[Any, int]], rows: Rows) -> None:
    """Run the network on parts and add the rows to the sums of what they belong to."""
    for batch in batches_of(sorted(parts, key=lambda part: len(part.waveform))):
        for part, row in zip(batch, rows([part.waveform for part in batch]), strict=True):
            total, samples = sums.get(part.key, (0.0, 0))
            sums[part.key] = (total + part.added * row, samples + part.added)


def _answers(ended: list[End], sums: dict[int, tuple[Any, int]]) -> Iterator[tuple[int, Answer]]:
    for end in ended:
        total, samples = sums.pop(end.key, (None, 1))
        yield end.key, end.error or (None if total is None else total / samples)
