"""Voice activity: where a recording holds speech, by Silero VAD (MIT, github.com/snakers4).

The detector depends on the level of the recording, so it hears each recording at the same level.
What it finds of seven corpora in noise and rooms, and in noise alone: ``benchmarks/activity.py``.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.audio.resampling import SAMPLE_RATE, Waveform
from emotone.audio.runtime import onnxruntime

VERSION = 2  # of what is found, on which caches of speech depend
DETECTOR = Path(__file__).with_name("silero_vad.onnx")
CHUNK = 512  # samples, 32 ms; the detector gives a probability for each
CONTEXT = 64  # samples before a chunk that the detector sees
STATE = (1, 1, 128)
SPEECH_FROM, SPEECH_UNTIL = 0.3, 0.15  # probability at which speech begins, and below which it ends
SHORTEST = 4  # chunks; less is not speech
LEAST, SOFT = 13, 4  # chunks of all speech of a recording, 0.4 s, if each stretch has 4 more
# The detector knows no time finer than a chunk, and its chunks begin where the recording does. An
# edge of speech is where its power is, in samples, so that it does not depend on what is before it.
AROUND = 3  # chunks to each side of what the detector finds in which the edge is looked for
EDGE_DB = -20.0  # power of 10 ms at an edge, relative to the loudest 0.25 s
BEFORE, AFTER = 0.064, 0.16  # s beyond the edges, for soft sounds; speech ends more slowly
LONGEST_PAUSE = 0.5  # s between edge and edge that count as speech: they are its rhythm
CONSTANT = 1e-5  # difference of a sample from the first or last above which it is sound
LEVEL_DB = -20.0  # at which the detector hears the loud parts of a recording
LOUD = 8  # chunks, 0.25 s: the recording's level is that of its n-th loudest, so clicks don't count
MAX_GAIN_DB = 60.0
BLOCK_S = 30.0  # of a long recording, heard at one level


def only_speech(waveform: Waveform) -> Waveform:
    """Cut out what is not speech; empty if nothing is.

    Args:
        waveform: shape ``(samples,)`` at 16 kHz, of a length that fits into memory.
    """
    regions = speech_regions(waveform)
    return np.concatenate([waveform[region] for region in regions] or [waveform[:0]])


class Blocks:
    """Divides audio that comes in pieces into blocks of 30 s, in each of which speech is found.

    The last block may be shorter. The blocks do not depend on the pieces.
    """

    def __init__(self) -> None:
        self._size = round(BLOCK_S * SAMPLE_RATE)
        self._kept: list[Waveform] = []
        self._held = 0

    def push(self, piece: Waveform) -> Iterator[Waveform]:
        """Take samples; yields the blocks that are complete now."""
        self._kept.append(piece)
        self._held += len(piece)
        if self._held >= self._size:
            whole = np.concatenate(self._kept)
            cut = len(whole) - len(whole) % self._size
            self._kept, self._held = [whole[cut:]], len(whole) - cut
            for start in range(0, cut, self._size):
                yield whole[start : start + self._size]

    def close(self) -> Iterator[Waveform]:
        """Yield the rest, if any."""
        if self._held:
            yield np.concatenate(self._kept)


def speech_regions(waveform: Waveform) -> list[slice]:
    """Find where there is speech, in samples, from the first region to the last.

    The detector finds speech where its probability reaches 0.3, until it falls below 0.15. Each
    stretch is then extended or shortened to where the power comes within 20 dB of its loudest
    quarter of a second, which is the same samples whatever surrounds them; 64 ms before and 160 ms
    after it are added. Pauses of up to 0.5 s within speech belong to it.
    """
    first, last = _sound(waveform)
    sound = waveform[first:last]
    if not len(sound):
        return []
    starts, stops = _runs(_hysteresis(speech_probabilities(sound)))
    long_enough = stops - starts >= SHORTEST
    starts, stops = starts[long_enough], stops[long_enough]
    if (stops - starts + SOFT).sum() < LEAST:  # more often a noise than a word
        return []
    edges = _edges(sound, starts * CHUNK, stops * CHUNK)
    apart = edges[1:, 0] - edges[:-1, 1] > LONGEST_PAUSE * SAMPLE_RATE
    ones = np.ones(min(len(edges), 1), bool)
    begins = edges[np.concatenate([ones, apart]), 0]
    ends = edges[np.concatenate([apart, ones]), 1]
    before, after = (round(seconds * SAMPLE_RATE) for seconds in (BEFORE, AFTER))
    return [
        slice(first + max(begin - before, 0), first + min(end + after, len(sound)))
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]


def _sound(waveform: Waveform) -> tuple[int, int]:
    """Where a recording begins and ends, without digital silence before and after."""
    before, after = (_constant(one) for one in (waveform, waveform[::-1]))
    return before, max(len(waveform) - after, before)


def _constant(waveform: Waveform) -> int:
    """Number of samples at the beginning that are equal; one alone is none."""
    differs = np.abs(waveform - waveform[:1]) > CONSTANT
    count = int(differs.argmax()) if differs.any() else len(waveform)
    return count if count > 1 else 0


def _edges(
    waveform: Waveform, starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Move the start and stop of each stretch to where its power is, shape ``(stretches, 2)``."""
    squares = np.square(waveform - waveform.mean(dtype=np.float64), dtype=np.float64)
    energy = np.concatenate([[0.0], np.cumsum(squares)])
    around = AROUND * CHUNK
    edges = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        begin, end = max(start - around, 0), min(stop + around, len(waveform))
        short, long = (_power(energy, begin, end, seconds) for seconds in (0.01, 0.25))
        loudest = min(long.max(), short[start - begin : stop - begin].max())  # not a neighbour's
        loud = np.flatnonzero(short >= loudest * 10 ** (EDGE_DB / 10))
        edges.append((begin + int(loud[0]), begin + int(loud[-1]) + 1))
    return np.array(edges, np.int64).reshape(-1, 2)


def _power(energy: NDArray[np.float64], start: int, stop: int, seconds: float) -> NDArray[Any]:
    """Mean power around each sample, from the energy up to each; zeros beyond the ends."""
    samples = round(seconds * SAMPLE_RATE)
    before = np.arange(start, stop) - samples // 2
    after = np.minimum(before + samples, len(energy) - 1)
    power: NDArray[np.float64] = (energy[after] - energy[np.maximum(before, 0)]) / samples
    return power


def speech_probabilities(waveform: Waveform) -> NDArray[np.float32]:
    """Probability of speech in each chunk of 32 ms, shape ``(chunks,)``."""
    if not len(waveform):
        return np.zeros(0, np.float32)
    centred = waveform - waveform.mean(dtype=np.float64)
    chunks = np.pad(centred, (0, -len(waveform) % CHUNK)).reshape(-1, CHUNK)
    levels = np.sort(np.square(chunks, dtype=np.float64).mean(axis=1) ** 0.5)
    level = max(float(levels[-min(LOUD, len(levels))]), 1e-12)
    gain = min(10 ** (LEVEL_DB / 20) / level, 10 ** (MAX_GAIN_DB / 20))
    chunks = (chunks * gain).astype(np.float32)
    context = np.zeros((len(chunks), CONTEXT), np.float32)
    context[1:] = chunks[:-1, -CONTEXT:]
    state = np.zeros(STATE, np.float32)
    inputs = {"input": np.concatenate([context, chunks], axis=1), "h": state, "c": state}
    probabilities: NDArray[np.float32] = _detector().run(["speech_probs"], inputs)[0]
    return probabilities.reshape(-1)


@cache
def _detector() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(str(DETECTOR), options, providers=["CPUExecutionProvider"])


def _hysteresis(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Between both thresholds a chunk is what the one before it is."""
    decided = (probabilities >= SPEECH_FROM) | (probabilities < SPEECH_UNTIL)
    last = np.maximum.accumulate(np.where(decided, np.arange(len(decided)), -1))
    return (last >= 0) & (probabilities[last] >= SPEECH_FROM)


def _runs(values: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and stop of each run of true values."""
    edges = np.diff(np.concatenate([[False], values, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
