"""Corpora as batches: spectrograms computed once, then drawn by length."""

import copy
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotone import audio
from emotone.corpora import Corpus
from emotone.features import FeatureOptions, Features
from emotone.features.utterances import cache_key, map_utterances
from emotone.files import replacing, suppress_os_errors

POOL_BATCHES = 8  # batches that are drawn together and then sorted by length

ClassBalance = Literal["none", "weights", "sampling"]


@dataclass(frozen=True)
class Example:
    """A stretch of an utterance: its number in the corpus and frames from ``start`` to ``stop``."""

    utterance: int
    start: int
    stop: int


class Spectrograms:
    """Log-mel spectrograms of a whole corpus, in one file that all processes map into memory.

    Attributes:
        hop_s: step from frame to frame in seconds.
        bounds: utterance ``i`` has the frames from ``bounds[i]`` to ``bounds[i + 1]``.
        targets: number of each utterance's emotion in ``labels``.
    """

    def __init__(
        self, path: Path, bounds: Sequence[int], corpus: Corpus, options: FeatureOptions
    ) -> None:
        self.hop_s = options.hop_ms / 1000
        self.path: Path | None = path
        self.values: NDArray[np.float32] = np.load(path, mmap_mode="r")
        self.bounds = np.asarray(bounds)
        self.labels = corpus.labels
        self.targets = np.array([self.labels.index(name) for name in corpus.table["emotion"]])
        self.speakers = corpus.table["speaker"].to_numpy()

    def __getstate__(self) -> dict[str, Any]:
        """Other processes map the file themselves."""
        return {key: value for key, value in self.__dict__.items() if key != "values"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if self.path is not None:
            self.values = np.load(self.path, mmap_mode="r")

    def carried(self) -> tuple["Spectrograms", NDArray[np.float32]]:
        """What another machine needs: this without its file, and the values for :meth:`loaded`."""
        light = copy.copy(self)
        light.path = None
        return light, np.array(self.values)

    def loaded(self, values: NDArray[np.float32]) -> "Spectrograms":
        """Spectrograms with their values again, on another machine."""
        whole = copy.copy(self)
        whole.values = values
        return whole

    def __getitem__(self, utterance: int) -> Tensor:
        """Log-mel of shape ``(frames, mels)``."""
        part = self.values[self.bounds[utterance] : self.bounds[utterance + 1]]
        return torch.from_numpy(np.array(part))

    @property
    def frames(self) -> NDArray[np.int64]:
        """Number of frames of each utterance."""
        return np.diff(self.bounds)

    def seconds(self, segment_s: float | None = None) -> float:
        """Seconds that a pass over the corpus takes in; in zero-padded segments if asked for."""
        seconds = self.frames * self.hop_s
        if segment_s is not None:
            seconds = np.ceil(seconds / segment_s) * segment_s
        return float(seconds.sum())

    def of_speakers(self, speakers: Sequence[str]) -> list[int]:
        """Numbers of the utterances of some speakers."""
        return [int(number) for number in np.flatnonzero(np.isin(self.speakers, list(speakers)))]

    def batch(self, examples: Sequence[Example], *, at_least: int = 0) -> tuple[Tensor, Tensor]:
        """Stack stretches, padded with zeros.

        Args:
            examples: what to stack.
            at_least: frames that the batch has at least.

        Returns:
            Log-mel of shape ``(batch, frames, mels)``, number of frames ``(batch,)``.
        """
        lengths = [example.stop - example.start for example in examples]
        stacked = torch.zeros(len(examples), max(*lengths, at_least, 0), self.values.shape[1])
        for row, example in enumerate(examples):
            first = self.bounds[example.utterance]
            part = self.values[first + example.start : first + example.stop]
            stacked[row, : len(part)] = torch.from_numpy(np.array(part))
        return stacked, torch.tensor(lengths)


def spectrograms(
    corpus: Corpus,
    options: FeatureOptions,
    folder: Path,
    *,
    threads: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> Spectrograms:
    """Compute the log-mel spectrograms of a corpus, or find them in ``folder`` from a run before.

    Args:
        corpus: whose audio to read.
        options: of the features.
        folder: where to keep them; they are found again if neither corpus, files nor options
            changed.
        threads: how many files to read at once.
        advance: called once per utterance.

    Raises:
        CorpusError: if audio is missing, damaged, silent or too short; names the files.
        StorageError: if the folder cannot be written.
    """
    shaping = {"hop_ms", "window_ms", "mels", "dynamic_range_db", "level"}
    key = cache_key(corpus, options.model_dump_json(include=shaping))
    path, index = folder / f"{key}.npy", folder / f"{key}.json"
    if path.is_file() and index.is_file():
        return Spectrograms(path, json.loads(index.read_text()), corpus, options)
    features = Features(options)

    @torch.no_grad()
    def compute(waveform: audio.Waveform) -> NDArray[np.float32]:
        log_mel, _ = features.log_mel(
            torch.from_numpy(waveform)[None], torch.tensor([len(waveform)])
        )
        return log_mel[0].numpy()

    with ThreadPoolExecutor(threads) as pool:
        arrays = map_utterances(corpus, compute, pool, advance)
    bounds = [0, *np.cumsum([len(array) for array in arrays]).tolist()]
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate(arrays))
    with replacing(index) as temporary:
        temporary.write_text(json.dumps(bounds), encoding="utf-8")
    return Spectrograms(path, bounds, corpus, options)


def forget(folder: Path) -> None:
    """Remove the spectrograms kept in ``folder``: speech could be heard again from them."""
    with suppress_os_errors():
        for path in folder.glob("*"):
            path.unlink()
        folder.rmdir()


def whole(data: Spectrograms, utterances: Sequence[int]) -> list[Example]:
    """Each utterance in one piece."""
    return [Example(number, 0, int(data.frames[number])) for number in utterances]


def cut(
    data: Spectrograms, utterances: Sequence[int], segment: int, *, overlapping: bool = False
) -> list[Example]:
    """Each utterance in pieces of ``segment`` frames.

    Args:
        data: spectrograms of the corpus.
        utterances: numbers of the utterances.
        segment: frames of a piece.
        overlapping: the last piece of an utterance is as long as the others and overlaps the one
            before; else it is what is left. Of an utterance shorter than a piece it is all.
    """
    pieces = []
    for number in utterances:
        frames = int(data.frames[number])
        for start in range(0, frames, segment):
            stop = min(start + segment, frames)
            pieces.append(Example(number, max(stop - segment, 0) if overlapping else start, stop))
    return pieces


def cropped(examples: Sequence[Example], share: float, rng: np.random.Generator) -> list[Example]:
    """Shorten each example to a share of its frames, at a random place."""
    result = []
    for example in examples:
        length = math.ceil(share * (example.stop - example.start))
        start = int(rng.integers(example.start, example.stop - length + 1))
        result.append(Example(example.utterance, start, start + length))
    return result


def fewer(
    examples: Sequence[Example],
    speakers: NDArray[np.object_],
    most: int,
    rng: np.random.Generator,
) -> list[Example]:
    """Draw ``most`` examples, without replacement, of each speaker who has more; keep the order.

    Args:
        examples: to draw from.
        speakers: of each utterance of the corpus.
        most: examples of a speaker.
        rng: draws.
    """
    theirs = pd.Series(rng.permutation(len(examples))).groupby(
        speakers[[example.utterance for example in examples]]
    )
    kept = theirs.rank() <= most
    return [example for example, is_kept in zip(examples, kept, strict=True) if is_kept]


def balanced(
    examples: Sequence[Example], targets: NDArray[np.int64], rng: np.random.Generator
) -> list[Example]:
    """Draw as many examples, with replacement, so that all classes are equally likely."""
    classes = targets[[example.utterance for example in examples]]
    weights = 1 / np.bincount(classes)[classes]
    drawn = rng.choice(len(examples), size=len(examples), p=weights / weights.sum())
    return [examples[number] for number in drawn]


def batches(
    examples: Sequence[Example], size: int, rng: np.random.Generator, *, at_least: int = 0
) -> Iterator[list[Example]]:
    """Yield batches in random order, each of examples of similar length.

    Args:
        examples: to divide.
        size: examples of a batch.
        rng: draws.
        at_least: frames that each is padded to, see :meth:`Spectrograms.batch`. What is padded to
            the same length is alike: were segments sorted by what is speech in them, those that
            are mostly silence would share batches, and batch normalisation statistics of their own.
            A single one that is left joins the batch before, as one vector cannot be normalised.
    """
    order = rng.permutation(len(examples))
    result = []
    for pool in range(0, len(order), size * POOL_BATCHES):
        members = [examples[number] for number in order[pool : pool + size * POOL_BATCHES]]
        members.sort(key=lambda example: max(example.stop - example.start, at_least))
        result += [members[start : start + size] for start in range(0, len(members), size)]
    if at_least and len(result) > 1 and len(result[-1]) == 1:
        result[-2:] = [result[-2] + result[-1]]
    for number in rng.permutation(len(result)):
        yield result[number]
