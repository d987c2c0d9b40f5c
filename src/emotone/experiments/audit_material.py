"""The recordings that an audit mixes with speech: other speakers, noises, rooms."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from emotone import audio
from emotone.audio import Waveform, disturbances
from emotone.audio.folders import search
from emotone.errors import AudioError, UsageError
from emotone.evaluation.changes import BABBLE_SPEAKERS, SHORT_RT60_S, reverberation_s
from emotone.training.disturbances import LONGEST_S, half, lacking

ATTEMPTS = 20  # to draw utterances that can be decoded and are not silent
Item = TypeVar("Item")

# takes what is counted and how much; yields the function that advances it by one
Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


def no_progress(*_: object) -> AbstractContextManager[Callable[[], None]]:
    """Show nothing."""
    return nullcontext(lambda: None)


@dataclass(frozen=True)
class Utterance:
    """A row of a corpus: where its sound is, in seconds of a file, and whose it is."""

    name: str
    file: str
    start: float
    end: float | None
    speaker: str

    def read(self) -> Waveform:
        """Decode it.

        Raises:
            AudioError: see :func:`emotone.audio.read`.
        """
        return audio.read(self.file, self.start, self.end)


@dataclass(frozen=True)
class Recordings:
    """Files of noise, and of impulse responses with a short and with a long RT60."""

    noises: tuple[Path, ...] = ()
    short_rooms: tuple[Path, ...] = ()
    long_rooms: tuple[Path, ...] = ()


def find(
    noise: Path | None, rooms: Path | None, *, test_half: bool, progress: Progress = no_progress
) -> tuple[Recordings, list[str]]:
    """Find the files in a folder of noise and in one of impulse responses.

    Args:
        noise: folder of noise.
        rooms: folder of impulse responses.
        test_half: leave out what training uses, see :func:`emotone.training.disturbances.half`.
        progress: shows progress.

    Returns:
        The files, and a sentence about each file that cannot be used.

    Raises:
        UsageError: if a folder does not exist, no file in it can be used, or it has no test half.
    """
    if test_half and noise is None and rooms is None:
        raise UsageError("--test-half chooses among noises and rooms; give --noise or --rooms")
    problems: list[str] = []
    noises, times = [], {}
    for path, _ in _usable(noise, "noise", problems, test_half, progress):
        noises.append(path)
    for path, sound in _usable(rooms, "rooms", problems, test_half, progress):
        times[path] = reverberation_s(sound)
    short = [path for path, seconds in times.items() if seconds <= SHORT_RT60_S]
    long = [path for path in times if path not in short]
    return Recordings(tuple(noises), tuple(short), tuple(long)), problems


def _usable(
    folder: Path | None, what: str, problems: list[str], test_half: bool, progress: Progress
) -> Iterator[tuple[Path, Waveform]]:
    if folder is None:
        return
    if not folder.is_dir():
        raise UsageError(f"--{what}: the folder {folder} does not exist; give one of audio files")
    files, used = search(folder).files, 0
    if test_half and files:
        if problem := lacking(folder, halves=True):
            raise UsageError(f"--{what}: {problem}")
        files = half(files, test=True)
    with progress(f"reading {what}", len(files)) as advance:
        for path in files:
            advance()
            try:
                sound = recording(path)
            except AudioError as error:
                problems.append(str(error))
                continue
            if sound.any():
                used += 1
                yield path.absolute(), sound
            else:
                problems.append(f"{path}: silent throughout")
    if not used:
        why = problems[-1] if problems else "it holds no audio files"
        raise UsageError(f"--{what}: no file of {folder} can be used: {why}")


def recording(path: Path) -> Waveform:
    """Decode the first seconds of a file.

    Raises:
        AudioError: see :func:`emotone.audio.read`.
    """
    return audio.read(path, 0.0, LONGEST_S)


class CorpusMaterial:
    """The :class:`emotone.evaluation.changes.Material` for the utterances of a corpus.

    Args:
        utterances: of the corpus, for babble.
        recordings: files of noise and of impulse responses.
    """

    def __init__(self, utterances: Sequence[Utterance], recordings: Recordings) -> None:
        self.speaker = ""  # of the utterance that is changed; not heard in the babble
        self._utterances, self._recordings = utterances, recordings

    def babble(self, rng: Generator, samples: int) -> Waveform:
        """Several utterances at once, of other speakers if there are any."""
        voices: list[Waveform] = []
        for _ in range(ATTEMPTS):
            one = _drawn(rng, self._utterances)
            if one.speaker == self.speaker and self._has_others():
                continue
            try:
                sound = one.read()
            except AudioError:  # reported when it is its turn
                continue
            if sound.any():
                voices.append(sound)
            if len(voices) == BABBLE_SPEAKERS:
                break
        if not voices:
            raise AudioError("no other utterance of the corpus can be mixed to babble")
        return disturbances.babble(rng, voices, samples)

    def environment(self, rng: Generator, samples: int) -> Waveform:
        """A part of a file of noise."""
        noise = recording(_drawn(rng, self._recordings.noises))
        return np.resize(np.roll(noise, int(rng.integers(len(noise)))), samples)

    def response(self, rng: Generator, *, short: bool) -> Waveform:
        """An impulse response."""
        rooms = self._recordings.short_rooms if short else self._recordings.long_rooms
        return recording(_drawn(rng, rooms))

    def _has_others(self) -> bool:
        return any(one.speaker != self.speaker for one in self._utterances)


def _drawn(rng: Generator, items: Sequence[Item]) -> Item:
    return items[int(rng.integers(len(items)))]
