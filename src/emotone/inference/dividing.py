"""Divides a recording into turns where its speaker pauses, or into windows."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator

from emotone.audio import SAMPLE_RATE
from emotone.audio.windows import Windows
from emotone.inference.hearing import LEAST_S

PAUSE_S = 0.5  # from which on a pause ends a turn
LONGEST_S = 15.0  # of a turn; a longer one is divided at its longest pauses
LEAST_PART_S = 3.0  # of a turn that is divided, if there is a pause

Regions = list[tuple[int, int]]  # of speech, in samples, in order


def at_pauses(regions: Regions) -> list[Regions]:
    """Divide speech at pauses; returns the regions of each turn.

    What is too short to be answered is no turn.
    """
    turns: list[Regions] = []
    for region in regions:
        if turns and region[0] - turns[-1][-1][1] < PAUSE_S * SAMPLE_RATE:
            turns[-1].append(region)
        else:
            turns.append([region])
    parts = [part for turn in turns for part in _shorter(turn)]
    return [part for part in parts if sum(b - a for a, b in part) >= LEAST_S * SAMPLE_RATE]


def in_windows(samples: int, window_s: float, hop_s: float) -> list[tuple[int, int]]:
    """Return start and stop of each window, see :mod:`emotone.audio.windows`, in samples."""
    shape = Windows(window_s, hop_s)
    last = max(samples - shape.window, 0)
    starts = list(range(0, last + 1, shape.hop))
    if starts[-1] != last:
        starts.append(last)
    return [(start, min(start + shape.window, samples)) for start in starts]


def within(regions: Regions, start: int, stop: int) -> Regions:
    """Return the speech from one sample to another, in samples from the first."""
    first = bisect_right(regions, start, key=lambda region: region[1])
    last = bisect_left(regions, stop, key=lambda region: region[0])
    return [(max(a, start) - start, min(b, stop) - start) for a, b in regions[first:last]]


def _shorter(turn: Regions) -> Iterator[Regions]:
    """Divide a turn that is too long at its longest pauses; speech without any, evenly."""
    longest, least = (round(seconds * SAMPLE_RATE) for seconds in (LONGEST_S, LEAST_PART_S))
    rest = deque(turn)
    while rest[-1][1] - rest[0][0] > longest:
        start, part = rest[0][0], []
        while rest[0][1] - start <= longest:
            part.append(rest.popleft())
        ends = [place for place, region in enumerate(part) if region[1] - start >= least]
        if ends:
            after = [region[0] for region in [*part[1:], rest[0]]]
            cut = 1 + max(ends, key=lambda place: after[place] - part[place][1])
            rest.extendleft(reversed(part[cut:]))
            yield part[:cut]
        else:  # a stretch without pause
            first, last = rest.popleft()
            middle = start + (last - start) // -(-(last - start) // longest)
            rest.appendleft((middle, last))
            yield [*part, (first, middle)]
    yield list(rest)
