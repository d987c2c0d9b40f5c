"""Examples of an epoch: utterances or segments, cropped, capped, balanced and put into batches."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotone.training.options import TrainingOptions
from emotone.training.spectrograms import Spectrograms

POOL_BATCHES = 8  # batches that are drawn together and then sorted by length


@dataclass(frozen=True)
class Example:
    """A stretch of an utterance: its number in the corpus and frames from ``start`` to ``stop``.

    ``version`` is that of :meth:`emotone.training.spectrograms.Spectrograms.version`.
    """

    utterance: int
    start: int
    stop: int
    version: int = 0

    def __len__(self) -> int:
        return self.stop - self.start


def make_examples(
    data: Spectrograms, utterances: Sequence[int], options: TrainingOptions, version: int = 0
) -> tuple[list[Example], int]:
    """Make whole utterances or segments, as the options say.

    Args:
        data: spectrograms of the corpus.
        utterances: numbers of the utterances.
        options: of the training.
        version: of the utterances, see :meth:`Spectrograms.version`.

    Returns:
        The examples and the minimum number of frames to which each is padded.
    """
    if options.segment_s is None:
        return whole_utterances(data, utterances, version), 0
    segment = round(options.segment_s / data.hop_s)
    overlapping = options.segment_rest == "overlapping"
    examples = whole_utterances(data, utterances, version)
    return cut_segments(examples, segment, overlapping=overlapping), segment


def whole_utterances(
    data: Spectrograms, utterances: Sequence[int], version: int = 0
) -> list[Example]:
    """Make one example of each utterance."""
    return [
        Example(number, 0, len(data.version(number, version)), version) for number in utterances
    ]


def cut_segments(
    examples: Sequence[Example], segment: int, *, overlapping: bool = False
) -> list[Example]:
    """Cut whole utterances into segments of ``segment`` frames.

    Args:
        examples: from :func:`whole_utterances`.
        segment: number of frames of a segment.
        overlapping: whether the last segment of an utterance is as long as the others and overlaps
            the previous one; else it is shorter. An utterance shorter than a segment stays whole.
    """
    segments = []
    for whole in examples:
        for start in range(0, whole.stop, segment):
            stop = min(start + segment, whole.stop)
            first = max(stop - segment, 0) if overlapping else start
            segments.append(replace(whole, start=first, stop=stop))
    return segments


def crop(examples: Sequence[Example], share: float, rng: np.random.Generator) -> list[Example]:
    """Shorten each example to a share of its frames, at a random place."""
    result = []
    for example in examples:
        length = math.ceil(share * len(example))
        start = int(rng.integers(example.start, example.stop - length + 1))
        result.append(replace(example, start=start, stop=start + length))
    return result


def disturb(
    examples: Sequence[Example], data: Spectrograms, share: float, rng: np.random.Generator
) -> list[Example]:
    """Replace a share of the examples by a random disturbed version of the same stretch."""
    numbers = rng.integers(1, data.versions + 1, len(examples))
    chosen = rng.random(len(examples)) < share
    result = []
    for example, number, is_chosen in zip(examples, numbers.tolist(), chosen, strict=True):
        if not is_chosen:
            result.append(example)
            continue
        stretch = len(data.version(example.utterance, number)) / len(
            data.version(example.utterance, 0)
        )
        start, stop = round(example.start * stretch), round(example.stop * stretch)
        result.append(Example(example.utterance, start, max(stop, start + 1), number))
    return result


def cap_per_speaker(
    examples: Sequence[Example],
    speakers: NDArray[np.object_],
    most: int,
    rng: np.random.Generator,
) -> list[Example]:
    """Draw ``most`` examples, without replacement, of each speaker who has more; keep the order.

    Args:
        examples: to draw from.
        speakers: speaker of each utterance of the corpus.
        most: maximum number of examples of a speaker.
        rng: random generator.
    """
    by_speaker = pd.Series(rng.permutation(len(examples))).groupby(
        speakers[[example.utterance for example in examples]]
    )
    kept = by_speaker.rank() <= most
    return [example for example, is_kept in zip(examples, kept, strict=True) if is_kept]


def draw_weighted(
    examples: Sequence[Example], weights: NDArray[np.float64], rng: np.random.Generator
) -> list[Example]:
    """Draw the same number of examples with replacement, each with its own probability.

    Args:
        examples: to draw from.
        weights: to which the probabilities of the examples are proportional.
        rng: random generator.
    """
    drawn = rng.choice(len(examples), size=len(examples), p=weights / weights.sum())
    return [examples[number] for number in drawn]


def batches(
    examples: Sequence[Example], size: int, rng: np.random.Generator, *, at_least: int = 0
) -> Iterator[list[Example]]:
    """Yield batches in random order, each of examples of similar length.

    Args:
        examples: to divide.
        size: number of examples of a batch.
        rng: random generator.
        at_least: minimum number of frames to which each is padded, see :func:`stack`. Examples
            padded to the same length count as equally long: otherwise segments that are mostly
            silence would share batches, and thus batch normalisation statistics. A single remaining
            example joins the previous batch, because one vector cannot be normalised.
    """
    order = rng.permutation(len(examples))
    result = []
    for pool in range(0, len(order), size * POOL_BATCHES):
        members = [examples[number] for number in order[pool : pool + size * POOL_BATCHES]]
        members.sort(key=lambda example: max(len(example), at_least))
        result += [members[start : start + size] for start in range(0, len(members), size)]
    if at_least and len(result) > 1 and len(result[-1]) == 1:
        result[-2:] = [result[-2] + result[-1]]
    for number in rng.permutation(len(result)):
        yield result[number]


def stack(
    data: Spectrograms, examples: Sequence[Example], *, at_least: int = 0
) -> tuple[Tensor, Tensor]:
    """Stack examples, padded with zeros.

    Args:
        data: spectrograms of the corpus.
        examples: what to stack.
        at_least: minimum number of frames of the batch.

    Returns:
        Log-mel of shape ``(batch, frames, mels)``, number of frames ``(batch,)``.
    """
    lengths = [len(example) for example in examples]
    stacked = torch.zeros(len(examples), max(*lengths, at_least), data.values.shape[1])
    for row, example in enumerate(examples):
        part = data.version(example.utterance, example.version)[example.start : example.stop]
        stacked[row, : len(part)] = torch.from_numpy(np.array(part))
    return stacked, torch.tensor(lengths)
