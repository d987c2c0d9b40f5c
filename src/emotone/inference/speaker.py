"""Enrolment: the statistics of a speaker's features, for models with ``norm: enrol``."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.errors import AudioError, UsageError
from emotone.files import MARK, read_regular, refuse_foreign, write_text

MOST_BYTES = 16_000_000  # of a file with statistics


@dataclass(frozen=True)
class Speaker:
    """Average features of a speaker; they do not contain what was said.

    Attributes:
        recordings: number of recordings enrolled with; longer ones count once per 3 s.
        statistics: mean and standard deviation of the features, shape ``(2, channels, mels)``.
        features: options of the front end that computed the features.
    """

    recordings: int
    statistics: NDArray[np.float32]
    features: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        """Identity of the statistics, as :meth:`save` rounds them."""
        return fingerprint(json.dumps(self._values(), sort_keys=True))

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write a small JSON file.

        Args:
            path: file to write; its name ends in ``.json``.
            force: overwrite a file that emotone did not make.

        Raises:
            UsageError: see :func:`check_speaker_file`.
            StorageError: if it cannot be written.
        """
        check_speaker_file(Path(path), force=force)
        write_text(Path(path), json.dumps({"comment": MARK} | self._values()) + "\n")

    def _values(self) -> dict[str, Any]:
        rounded = [[[round(float(x), 4) for x in row] for row in rows] for rows in self.statistics]
        return {
            "features": self.features,
            "recordings": self.recordings,
            "mean": rounded[0],
            "std": rounded[1],
        }

    @classmethod
    def load(cls, path: str | Path) -> "Speaker":
        """Read what :meth:`save` wrote.

        Raises:
            UsageError: if it is something else.
        """
        try:
            values = json.loads(read_regular(Path(path), MOST_BYTES))
            statistics = np.array([values["mean"], values["std"]], np.float32)
            recordings, features = int(values["recordings"]), dict(values["features"])
        except OSError as error:
            raise UsageError(f"{path}: cannot read this speaker ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise UsageError(
                f"{path} is not a speaker file of emotone; give recordings of the speaker"
            ) from error
        if not np.isfinite(statistics).all() or not (statistics[1] >= 0).all() or recordings < 1:
            raise UsageError(f"{path}: damaged: the statistics are not usable; enrol again")
        return cls(recordings, statistics, features)


def check_speaker_file(path: Path, *, force: bool = False) -> None:
    """Check the name of a file for the statistics of a speaker.

    Raises:
        UsageError: if it does not end in ``.json``, or emotone did not make the file that exists.
    """
    if path.suffix.lower() != ".json":
        raise UsageError(f"--save-speaker: expected a name ending in .json, got {path}")
    refuse_foreign(path, force=force)


def fingerprint(text: str) -> str:
    """Return a short hash of text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Enrolment:
    """Accumulates the features of a speaker over windows.

    Args:
        shape: shape of the statistics, ``(2, channels, mels)``.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._moments = np.zeros(shape, np.float64)
        self._samples = 0
        self._windows = 0

    def add(self, moments: NDArray[np.float32], lengths: NDArray[np.int64]) -> None:
        """Add windows.

        Args:
            moments: mean and mean square of each window's features, shape
                ``(windows, 2, channels, mels)``.
            lengths: length of each window in samples, shape ``(windows,)``.
        """
        self._moments += (moments * lengths[:, None, None, None]).sum(axis=0)
        self._samples += int(lengths.sum())
        self._windows += len(lengths)

    @property
    def has_windows(self) -> bool:
        """Whether there was a window with sound."""
        return self._windows > 0

    def speaker(self, features: dict[str, Any]) -> Speaker:
        """Return the statistics.

        Args:
            features: options of the front end.

        Raises:
            AudioError: if there was no window with sound.
        """
        if not self.has_windows:
            raise AudioError("none of the recordings of the speaker has sound; give others")
        mean, square = self._moments / self._samples
        std = np.sqrt(np.maximum(square - mean**2, 0))
        statistics = np.stack([mean, std]).astype(np.float32)
        return Speaker(self._windows, statistics, features)
