"""A scikit-learn classifier over recordings: paths or arrays in, emotions out.

Training needs ``emotone[train]``. A fitted classifier holds a model folder, as ``emotone train``
writes it: its pickle consists of the files of that folder, and :meth:`EmotionClassifier.save`
copies them.
"""

import csv
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from emotone.audio import SAMPLE_RATE
from emotone.corpora.labels import canonical, normalised
from emotone.errors import AudioError, CorpusError, EmotoneError, UsageError
from emotone.experiments.config import ExperimentConfig, checked
from emotone.experiments.overrides import located, read_yaml, set_option
from emotone.experiments.plan import SILENT
from emotone.experiments.shipping import train
from emotone.files import replacing
from emotone.inference.recognizer import Recognizer
from emotone.inference.speech import Speech, pieces, several
from emotone.text import agree, encodable, plural, printable, shown

ARRAY = "emotone-array-"  # files of recordings that are no paths, with their number


class EmotionClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Trains a network of emotone on recordings and recognises with it.

    Recordings are paths of audio files, ``(samples, rate)`` pairs, arrays of samples at
    ``sample_rate``, or the rows of a two-dimensional array. They may differ in length.

    Args:
        config: configuration whose sections ``features``, ``model``, ``training``, ``pretraining``
            and ``runtime`` apply: a mapping, a file, or the name of one that ships; ``None`` for
            the defaults.
        overrides: options such as ``training.epochs=20``, applied last.
        sample_rate: rate in Hz of arrays that come without one.
        validation_speakers: number of speakers that choose the epoch; they need ``groups``.
        random_state: seed of the training.

    Attributes:
        classes_: labels in the order of the columns of :meth:`predict_proba`.
        recognizer_: the trained model as a :class:`emotone.Recognizer`.
    """

    def __init__(
        self,
        config: str | Path | Mapping[str, Any] | None = None,
        overrides: Sequence[str] = (),
        *,
        sample_rate: int = SAMPLE_RATE,
        validation_speakers: int = 0,
        random_state: int = 0,
    ) -> None:
        self.config = config
        self.overrides = overrides
        self.sample_rate = sample_rate
        self.validation_speakers = validation_speakers
        self.random_state = random_state

    def fit(
        self,
        X: Any,  # noqa: N803
        y: ArrayLike,
        groups: ArrayLike | None = None,
    ) -> "EmotionClassifier":
        """Train on all recordings except those of the validation speakers.

        Args:
            X: recordings.
            y: label of each.
            groups: speaker of each; ``None`` if every recording is of another one.

        Raises:
            UsageError: if there is one label only, two labels are names of one emotion, a label or
                speaker is empty or not printable, or validation speakers are asked for without
                ``groups``.
            ValueError: if the numbers of recordings, labels and speakers differ.
            CorpusError, AudioError, FoldError: if a recording cannot be used, or no speaker is left
                for training.
        """
        recordings, labels = self._recordings(X, "fit"), column_or_1d(y, warn=True)
        if labels.dtype.kind != "f":  # scikit-learn refuses numbers that are not finite
            _check_names("y", labels, "label")
        check_classification_targets(labels)
        if groups is None and self.validation_speakers:
            raise UsageError("validation_speakers needs to know who speaks; give groups to fit")
        speakers = np.arange(len(recordings)) if groups is None else column_or_1d(groups)
        check_consistent_length(recordings, labels, speakers)
        _check_names("groups", speakers, "speaker")
        classes, names = np.unique(labels), [_name(label) for label in labels]
        if len(set(names)) != len(classes) or len(classes) < 2:
            raise UsageError(
                "fit needs two or more labels, each of another emotion; got the classes "
                f"{', '.join(map(str, classes))}"
            )
        _check_paths(recordings)
        with tempfile.TemporaryDirectory(prefix="emotone-") as work:
            folder = Path(work) / "recordings"
            with _said_of_arguments(folder):
                table = _written(recordings, names, speakers, folder)
                model = train(self._configuration(table), Path(work) / "model", SILENT)
            self._use(_contents(model))
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label of each recording, shape ``(recordings,)``."""
        probabilities = self.predict_proba(X)
        best: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return best

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return probabilities, shape ``(recordings, classes)``, in the order of ``classes_``.

        Raises:
            NotFittedError: before :meth:`fit`.
            AudioError: if a recording cannot be used.
        """
        check_is_fitted(self)
        names = [_name(label) for label in self.classes_]
        rows = []
        for answer in self.recognizer_.predict_many(self._recordings(X, "predict")):
            if isinstance(answer, AudioError):
                raise answer
            rows.append([answer.probabilities[name] for name in names])
        return np.array(rows, np.float64).reshape(-1, len(names))

    def save(self, folder: str | Path) -> Path:
        """Copy the model folder of a fitted classifier, for :func:`emotone.load` and the commands.

        Raises:
            UsageError: if the folder exists.
            StorageError: if it cannot be written.
        """
        check_is_fitted(self)
        if Path(folder).exists():
            raise UsageError(f"{folder} exists; give a new folder")
        return _restored(_contents(self.recognizer_.folder), Path(folder))

    def __sklearn_tags__(self) -> Any:
        """Describe the input: text (paths) or arrays, of any length."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the files of the model folder."""
        state: dict[str, Any] = dict(super().__getstate__())
        if (recognizer := state.pop("recognizer_", None)) is not None:
            state["_files"] = _contents(recognizer.folder)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop("_files", None)
        super().__setstate__(state)
        if files is not None:
            self._use(files)

    def _use(self, files: Mapping[str, bytes]) -> None:
        """Load a model from a temporary folder that is removed with the recogniser."""
        home = tempfile.mkdtemp(prefix="emotone-")
        self.recognizer_ = Recognizer(_restored(files, Path(home) / "model"))
        weakref.finalize(self.recognizer_, shutil.rmtree, home, ignore_errors=True)

    def _configuration(self, table: Path) -> ExperimentConfig:
        if self.config is None or isinstance(self.config, Mapping):
            values, source = deepcopy(dict(self.config or {})), "config"
        else:
            values, source = read_yaml(located(self.config)), str(self.config)
        for override in self.overrides:
            set_option(values, override)
        return checked(
            values
            | {
                "corpus": {"name": "table", "root": str(table)},
                "protocol": {"validation_speakers": self.validation_speakers},
                "seeds": [self.random_state],
            },
            source,
        )

    def _recordings(self, X: Any, method: str) -> list[Speech]:  # noqa: N803
        """Recordings as the recogniser takes them."""
        if getattr(X, "ndim", 1) == 2 and not isinstance(X, np.ndarray):
            X = X.to_numpy()  # noqa: N806  (a data frame)
        rows: Iterable[Any]
        if isinstance(X, np.ndarray) and X.ndim == 2:
            rows = X[:, 0] if X.dtype.kind in "OUT" and X.shape[1] == 1 else X
        else:
            rows = several(X, f"EmotionClassifier.{method}")
        return [self._recording(one) for one in rows]

    def _recording(self, one: Any) -> Speech:
        is_samples = getattr(one, "ndim", 0) > 0 or (
            isinstance(one, list) and all(isinstance(value, int | float) for value in one)
        )
        return (np.asarray(one), self.sample_rate) if is_samples else one


def _name(label: Any) -> str:
    """Name that emotone gives to a label."""
    return canonical(str(label)) or normalised(str(label))


def _check_names(argument: str, names: Iterable[Any], what: str) -> None:
    for number, name in enumerate(names):
        if name is None or name != name or not normalised(str(name)):  # NaN is not itself
            raise UsageError(f"fit: {argument}[{number}] is empty; give each recording a {what}")
        if not str(name).isprintable():
            raise UsageError(f"fit: {argument}[{number}] must be printable, got {shown(str(name))}")


def _check_paths(recordings: Iterable[Speech]) -> None:
    paths = {n: str(one) for n, one in enumerate(recordings) if isinstance(one, str | Path)}
    missing = [n for n, path in paths.items() if not os.path.exists(path)]  # noqa: PTH110
    if missing:
        raise CorpusError(
            f"fit: {plural(len(missing), 'file')} {agree(len(missing), 'do')} not exist, the first "
            f"is X[{missing[0]}], {_readable(paths[missing[0]])}; relative paths start from "
            f"{Path.cwd()}"
        )
    for number, path in paths.items():
        if not os.path.isfile(path):  # noqa: PTH113
            raise CorpusError(f"fit: X[{number}], {_readable(path)}, is not a file")
        if encodable(path) != path:
            raise CorpusError(
                f"fit: the path X[{number}], {_readable(path)}, must be UTF-8; rename the folder "
                "or file"
            )


def _readable(path: str) -> str:
    return printable(encodable(path))


@contextmanager
def _said_of_arguments(folder: Path) -> Iterator[None]:
    """Let errors name recordings as ``X[3]``, not the files that are made of them."""
    try:
        yield
    except EmotoneError as error:
        files = rf"({re.escape(str(folder))}[\\/])?{ARRAY}(\d+)(\.wav)?"
        raise type(error)(re.sub(files, r"X[\2]", str(error))) from None


def _written(
    recordings: Iterable[Speech], names: Sequence[str], speakers: Iterable[Any], folder: Path
) -> Path:
    """Write a table of the recordings; those that are no paths become files beside it."""
    folder.mkdir()
    rows = [("file", "emotion", "speaker")]
    for number, (one, name, speaker) in enumerate(zip(recordings, names, speakers, strict=True)):
        path = folder / f"{ARRAY}{number}.wav"
        if isinstance(one, str | Path):
            path = Path(one).absolute()
        else:
            try:
                samples = np.concatenate([*pieces(one), np.zeros(0, np.float32)])
            except AudioError as error:
                raise type(error)(f"{path}: {error}") from error
            soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")
        rows.append((str(path), name, str(speaker)))
    table = folder / "recordings.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return table


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _restored(files: Mapping[str, bytes], folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)
    return folder
