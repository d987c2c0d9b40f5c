"""Log-mel spectrograms of a corpus, computed once and kept on disk.

A model with another front end (:meth:`emotone.models.kinds.NetworkKind.front_end`) has what that
computes from an utterance in their place, such as the hidden states of an encoder.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotone import audio
from emotone.audio import activity
from emotone.corpora import Corpus
from emotone.features import Features
from emotone.features.utterances import cache_key, each_utterance, kept_array
from emotone.files import replacing, suppress_os_errors
from emotone.training.disturbances import DisturbanceOptions, Disturber, disturbers


class Spectrograms:
    """Log-mel spectrograms of a whole corpus, in one file that all processes map into memory.

    Attributes:
        hop_s: step from frame to frame in seconds.
        versions: number of disturbed versions of each utterance for training.
        test_version: number of the disturbed version for tests; ``None`` without one.
        bounds: spectrogram ``i`` has the frames from ``bounds[i]`` to ``bounds[i + 1]``. Each
            utterance is followed by its disturbed versions.
        targets: number of each utterance's emotion in ``labels``.
        dimensions: names of the dimensions that are learnt beside the emotions.
        wanted: their values in 0 … 1, NaN where there is none; shape
            ``(utterances, dimensions)``.
        corpora: name of each utterance's corpus.
        possible: whether the corpus of an utterance has a label, in training or elsewhere; shape
            ``(utterances, labels)``.
    """

    def __init__(
        self,
        path: Path,
        bounds: Sequence[int],
        corpus: Corpus,
        hop_s: float,
        disturbances: DisturbanceOptions,
    ) -> None:
        self.hop_s = hop_s
        self.path: Path | None = path
        self.values: NDArray[np.floating] = np.load(path, mmap_mode="r")
        self.bounds = np.asarray(bounds)
        self.labels = corpus.labels
        self.versions = disturbances.versions
        self.test_version = disturbances.versions + 1 if disturbances.test else None
        self.targets = np.array([self.labels.index(name) for name in corpus.table["emotion"]])
        self.dimensions = corpus.dimensions
        self.wanted = corpus.table[list(self.dimensions)].to_numpy(np.float32)
        self.speakers = corpus.table["speaker"].to_numpy()
        self.corpora = corpus.table["corpus"].to_numpy()
        occurs = pd.crosstab(self.corpora, self.targets) > 0
        self.possible: NDArray[np.bool_] = occurs.loc[self.corpora].to_numpy()

    def __getstate__(self) -> dict[str, Any]:
        """Other processes map the file themselves."""
        return {key: value for key, value in self.__dict__.items() if key != "values"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if self.path is not None:
            self.values = np.load(self.path, mmap_mode="r")

    def detach(self) -> tuple["Spectrograms", NDArray[np.floating]]:
        """Split into a copy without file and the values, to send both to another machine."""
        light = copy.copy(self)
        light.path = None
        return light, np.array(self.values)

    def attach(self, values: NDArray[np.floating]) -> "Spectrograms":
        """Return a copy with its values after :meth:`detach`, on another machine."""
        whole = copy.copy(self)
        whole.values = values
        return whole

    def __getitem__(self, utterance: int) -> Tensor:
        """Log-mel of an undisturbed utterance, shape ``(frames, mels)``."""
        return torch.from_numpy(np.array(self.version(utterance, 0)))

    def version(self, utterance: int, number: int) -> NDArray[np.floating]:
        """Log-mel of a version of an utterance, 0 for itself; shape ``(frames, mels)``."""
        place = utterance * self._each + number
        return self.values[self.bounds[place] : self.bounds[place + 1]]

    @property
    def frames(self) -> NDArray[np.int64]:
        """Number of frames of each undisturbed utterance."""
        return np.diff(self.bounds)[:: self._each]

    @property
    def _each(self) -> int:
        """Spectrograms of an utterance, itself and its disturbed versions."""
        return 1 + self.versions + (self.test_version is not None)

    def seconds(self, segment_s: float | None = None) -> float:
        """Seconds of audio in a pass over the corpus; with zero-padded segments if given."""
        seconds = self.frames * self.hop_s
        if segment_s is not None:
            seconds = np.ceil(seconds / segment_s) * segment_s
        return float(seconds.sum())

    def of_speakers(self, speakers: Sequence[str]) -> list[int]:
        """Numbers of the utterances of some speakers."""
        return [int(number) for number in np.flatnonzero(np.isin(self.speakers, list(speakers)))]


def load_or_compute(
    corpus: Corpus,
    features: Features,
    folder: Path,
    *,
    disturbances: DisturbanceOptions | None = None,
    workers: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> Spectrograms:
    """Load the spectrograms of a corpus from ``folder``, or compute them and keep them there.

    Those in ``folder`` are used if corpus, files and options are unchanged.

    Args:
        corpus: corpus whose audio is read.
        features: front end.
        folder: cache.
        disturbances: of the disturbed versions; ``None`` for none.
        workers: number of files to read at once; processes if there are disturbed versions.
        advance: called once per utterance that is computed.

    Raises:
        CorpusError: if audio is missing, damaged, silent or too short; names the files.
        StorageError: if the folder cannot be written.
    """
    shape = features.key
    if features.options.frames == "speech":
        shape += f" activity {activity.VERSION}"
    disturbances = disturbances or DisturbanceOptions()
    if disturbances.versions or disturbances.test:
        shape += disturbances.model_dump_json(exclude={"share"}) + "by utterance"
    path = folder / f"{cache_key(corpus, shape)}.npy"
    index = path.with_suffix(".json")
    versions = 1 + disturbances.versions + disturbances.test
    bounds = _kept_bounds(path, index, versions * len(corpus.table))
    if bounds is None:
        computed = each_utterance(
            corpus, _Versions(features, disturbances), advance,
            workers=1 if features.uses_all_cores else workers, processes=versions > 1,
        )  # fmt: skip
        with replacing(path) as temporary:
            bounds = _write(temporary, computed, features)
        with replacing(index) as temporary:
            temporary.write_text(json.dumps(bounds), encoding="utf-8")
    return Spectrograms(path, bounds, corpus, features.hop_s, disturbances)


def _kept_bounds(path: Path, index: Path, count: int) -> list[int] | None:
    """Bounds of the spectrograms that are kept; ``None`` if not all are, or they are damaged."""
    values = kept_array(path, mapped=True)
    try:
        bounds = json.loads(index.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = (
        values is not None
        and isinstance(bounds, list)
        and all(isinstance(bound, int) for bound in bounds)
        and len(bounds) == count + 1
        and bounds[-1] == len(values)
    )
    return bounds if is_whole else None


def _write(
    path: Path, computed: Iterable[Sequence[NDArray[np.floating]]], features: Features
) -> list[int]:
    """Write arrays of shape ``(frames, width)`` one after another as one; return their bounds.

    They go to disk as they come, because all of them may be more than memory holds.
    """
    bounds = [0]

    def write_header() -> None:  # NumPy leaves space in it for a longer first axis
        kept_as = np.dtype(features.kept_as).str
        shape = bounds[-1], features.width
        header = {"descr": kept_as, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)

    with path.open("wb") as file:
        write_header()
        for array in chain.from_iterable(computed):
            file.write(array.tobytes())
            bounds.append(bounds[-1] + len(array))
        file.seek(0)
        write_header()
    return bounds


class _Versions:
    """Computes log-mel spectrograms of an utterance and of its disturbed versions."""

    def __init__(self, features: Features, disturbances: DisturbanceOptions) -> None:
        self.features, self.disturbances = features, disturbances

    @cached_property
    def disturb(self) -> list[Disturber]:
        return disturbers(self.disturbances)

    def __reduce__(self) -> tuple[Any, ...]:
        """Other processes read noises and rooms themselves."""
        return type(self), (self.features, self.disturbances)

    def __call__(self, waveform: audio.Waveform) -> list[NDArray[np.floating]]:
        """Return arrays of shape ``(frames, mels)``, that of the utterance itself first."""
        heard, *others = map(self._heard, (waveform, *(one(waveform) for one in self.disturb)))
        # unusual speech, if none was found: that it is speech, the label says
        clean = self._log_mel(heard if len(heard) else waveform)
        return [clean, *(self._log_mel(other) if len(other) else clean for other in others)]

    def _heard(self, waveform: audio.Waveform) -> audio.Waveform:
        return (
            activity.only_speech(waveform) if self.features.options.frames == "speech" else waveform
        )

    def _log_mel(self, waveform: audio.Waveform) -> NDArray[np.floating]:
        log_mel, _ = self.features.log_mel(
            torch.from_numpy(waveform)[None], torch.tensor([len(waveform)])
        )
        values: NDArray[np.floating] = log_mel[0].numpy()
        largest = np.finfo(self.features.kept_as).max  # of float16 it is 65,504
        return values.clip(-largest, largest).astype(self.features.kept_as, copy=False)


def versions_in_turn(data: Spectrograms, utterances: Sequence[int]) -> Iterator[Tensor]:
    """Yield one version of each utterance, itself or a disturbed one, in turn."""
    count = 1 + data.versions
    for place, number in enumerate(utterances):
        yield torch.from_numpy(np.array(data.version(number, place % count)))


def delete_cache(folder: Path) -> None:
    """Remove the spectrograms kept in ``folder``: speech could be reconstructed from them."""
    with suppress_os_errors():
        for path in folder.glob("*"):
            path.unlink()
        folder.rmdir()
