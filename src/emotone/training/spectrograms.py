"""Log-mel spectrograms of a corpus, computed once and kept on disk."""

import copy
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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


class Spectrograms:
    """Log-mel spectrograms of a whole corpus, in one file that all processes map into memory.

    Attributes:
        hop_s: step from frame to frame in seconds.
        bounds: utterance ``i`` has the frames from ``bounds[i]`` to ``bounds[i + 1]``.
        targets: number of each utterance's emotion in ``labels``.
        corpora: name of each utterance's corpus.
        possible: whether the corpus of an utterance has a label, in training or elsewhere; shape
            ``(utterances, labels)``.
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

    def detach(self) -> tuple["Spectrograms", NDArray[np.float32]]:
        """Split into a copy without file and the values, to send both to another machine."""
        light = copy.copy(self)
        light.path = None
        return light, np.array(self.values)

    def attach(self, values: NDArray[np.float32]) -> "Spectrograms":
        """Return a copy with its values after :meth:`detach`, on another machine."""
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
    options: FeatureOptions,
    folder: Path,
    *,
    threads: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> Spectrograms:
    """Load the spectrograms of a corpus from ``folder``, or compute them and keep them there.

    Those in ``folder`` are used if corpus, files and options are unchanged.

    Args:
        corpus: corpus whose audio is read.
        options: options of the features.
        folder: cache.
        threads: number of files to read at once.
        advance: called once per utterance that is computed.

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


def delete_cache(folder: Path) -> None:
    """Remove the spectrograms kept in ``folder``: speech could be reconstructed from them."""
    with suppress_os_errors():
        for path in folder.glob("*"):
            path.unlink()
        folder.rmdir()
