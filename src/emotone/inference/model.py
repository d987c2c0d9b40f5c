"""A loaded model with what its user chose: speech heard in parts in, probabilities out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emotone.audio import Waveform
from emotone.audio.windows import WINDOW_S, Windows
from emotone.errors import ModelError, UsageError
from emotone.inference import model_folder
from emotone.inference.enrolling import Enroller
from emotone.inference.hearing import Hearing
from emotone.inference.prediction import Prediction
from emotone.inference.session import Session
from emotone.inference.speaker import Speaker
from emotone.inference.speech import Speech, pieces, several
from emotone.options import nearest
from emotone.text import shown

LEAST = np.finfo(np.float64).tiny  # so that emotions without any probability are equally probable


class Model:
    """The network of a model folder, its threshold, emotions, speaker and neutral reference.

    Args:
        folder: model folder, see :mod:`emotone.inference.model_folder`.
        threads: number of threads of one call.

    Raises:
        ModelError: if the folder is not a model of this version, or was changed.
    """

    def __init__(self, folder: str | Path, *, threads: int = 1) -> None:
        if threads < 1:
            raise UsageError(f"threads must be 1 or more, got {threads}")
        self.folder = Path(folder)
        self.config = model_folder.read(self.folder)
        self.labels, self.dimensions = list(self.config.labels), list(self.config.dimensions)
        self._origin, self.threads = self.folder.absolute(), threads  # for copies
        self.speaker: Speaker | None = None
        self.offsets: NDArray[np.float64] | None = None  # of the logits, from neutral speech
        self.hearing = Hearing(self.config.features.get("frames", "all"))
        self.threshold = self.config.confident_from
        self._extra = 0  # size of the embeddings in the predictions
        model = model_folder.content(self.folder, model_folder.ONNX, self.config)
        path = self.folder / model_folder.ONNX
        sizes = {"labels": len(self.labels), "dimensions": len(self.dimensions)}
        self._session = Session(model, path, threads=threads, **sizes)

    @property
    def embedding_size(self) -> int:
        """Size of an embedding.

        Raises:
            ModelError: if the model has none.
        """
        if self._session.embedding_size is None:
            raise ModelError(
                f"{self.folder}: this model gives no embeddings, since an older emotone exported "
                f"it; export it again (emotone export {self.folder} --out NEW_FOLDER)"
            )
        return self._session.embedding_size

    def for_speaker(self, speech: Sequence[Speech] | Speaker) -> Self:
        """Return a recogniser adapted to a speaker.

        Args:
            speech: a few recordings of the speaker, the more the better, without labels; or the
                ``speaker`` of another recogniser of the same model.

        Returns:
            A recogniser that shares the model with this one.

        Raises:
            ModelError: if the model does not support speaker enrolment, or the speaker was enrolled
                with another model.
            SpeechTypeError: if ``speech`` is a single recording.
            AudioError: if a recording is not usable, or none has sound.

        >>> hers = recognizer.for_speaker(["her1.wav", "her2.wav"])
        >>> hers.predict("her3.wav").label in hers.labels
        True
        """
        shape = self._speaker_shape
        speaker = speech if isinstance(speech, Speaker) else self._enrolled(speech)
        if speaker.statistics.shape != shape or speaker.features != self.config.features:
            raise ModelError(
                "the speaker was enrolled with a model that uses different features; enrol again "
                "with this one"
            )
        return self._changed(speaker=speaker, offsets=None)

    def with_threshold(self, threshold: float | None) -> Self:
        """Return a recogniser whose answers are confident from another probability on.

        Args:
            threshold: from 0 to 1; ``None`` for ``confident_from`` of the model's ``config.json``.

        Raises:
            UsageError: if the threshold is not from 0 to 1.

        >>> recognizer.with_threshold(0).predict("call.wav").confident
        True
        """
        if threshold is None:
            threshold = self.config.confident_from
        if not isinstance(threshold, Real) or not 0 <= threshold <= 1:
            raise UsageError(f"the threshold must be a number from 0 to 1, got {threshold!r}")
        return self._changed(threshold=float(threshold))

    def with_only(self, labels: Iterable[str] | str | None) -> Self:
        """Return a recogniser that chooses among some of the model's emotions.

        Probabilities are divided by their sum over these emotions, so they add up to 1 again. The
        threshold stays. It was chosen for all emotions, and among fewer more answers reach it.

        Args:
            labels: two or more of the model's emotions, as a list or as text with commas; ``None``
                for all.

        Raises:
            UsageError: if there are fewer than two, or the model does not know one.

        >>> recognizer.with_only(["neutral", "anger"]).predict("call.wav").probabilities.keys()
        dict_keys(['anger', 'neutral'])
        """
        known = self.config.labels
        if isinstance(labels, str):
            labels = [label.strip() for label in labels.split(",")]
        asked = list(known if labels is None else dict.fromkeys(labels))
        for label in asked:
            if label not in known:
                raise UsageError(
                    f"only: this model does not know {shown(label)}{nearest(str(label), known)}; "
                    f"it knows {', '.join(known)}"
                )
        if len(asked) < 2:
            raise UsageError(
                f"only: expected two or more of {', '.join(known)} to choose among, got "
                f"{', '.join(asked) or 'none'}"
            )
        return self._changed(labels=[label for label in known if label in asked])

    def _changed(self, **attributes: Any) -> Self:
        """Return one that shares the network with this one and differs in attributes."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__ | attributes)
        return other

    __copy__ = _changed

    @property
    def choices(self) -> dict[str, Any]:
        """What its user chose, in addition to the model, for :meth:`chosen`."""
        names = ("speaker", "offsets", "threshold", "labels")
        return {name: getattr(self, name) for name in names}

    def chosen(self, choices: Mapping[str, Any]) -> Self:
        """Return a recogniser with the choices of another one of the same model."""
        return self._changed(**choices)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path of the model folder, from which the network is loaded again."""
        return _loaded_again, (type(self), self._origin, self.threads, self.choices)

    def __repr__(self) -> str:
        what = f"{str(self.folder)!r}, labels={self.labels}, threshold={self.threshold:.4g}"
        if self.speaker is not None:
            what += f", speaker=<{self.speaker.recordings} recordings>"
        if self.offsets is not None:
            what += ", with_neutral"
        return f"{type(self).__name__}({what})"

    def enroller(self, seconds: float = math.inf) -> Enroller:
        """Return what enrols a speaker with speech that comes in pieces.

        Args:
            seconds: speech that is enough.

        Raises:
            ModelError: if the model does not support speaker enrolment.
        """

        def moments(waveforms: Sequence[Waveform]) -> NDArray[np.float32]:
            (found,) = self._session.run(["moments"], waveforms)
            return found

        return Enroller(moments, self._speaker_shape, self.hearing, seconds)

    @property
    def can_enrol(self) -> bool:
        """Whether the model supports speaker enrolment."""
        return self._session.speaker_shape is not None

    @property
    def _speaker_shape(self) -> tuple[int, ...]:
        if self._session.speaker_shape is None:
            raise ModelError(
                f"{self.folder}: this model does not support speaker enrolment; train one with "
                "features.norm=enrol"
            )
        return self._session.speaker_shape

    def _enrolled(self, recordings: Sequence[Speech]) -> Speaker:
        enroller = self.enroller()
        for speech in several(recordings, "for_speaker"):
            for window in Windows(WINDOW_S, WINDOW_S).of(pieces(speech)):
                enroller.add(self.hearing.window(window.samples))
        return enroller.speaker(self.config.features)

    def rows(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        """Return a row for each waveform: probabilities, dimensions and the embedding, if any.

        The probabilities are those of all emotions of the model.
        """
        if not waveforms:
            width = len(self.config.labels) + len(self.dimensions) + self._extra
            return np.zeros((0, width))
        further = {"dimensions": self.dimensions, "embedding": self._extra}
        outputs = ["logits", *(name for name, wanted in further.items() if wanted)]
        logits, *others = self._run(outputs, waveforms)
        scaled = logits.astype(np.float64) / self.config.temperature
        if self.offsets is not None:
            scaled += self.offsets
        exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.hstack([exponentials / exponentials.sum(axis=1, keepdims=True), *others])

    def prediction(self, row: NDArray[np.float64]) -> Prediction:
        """Return the prediction of a row of :meth:`rows`, or of a mean of rows."""
        known = self.config.labels
        found, values, embedding = np.split(row, np.cumsum([len(known), len(self.dimensions)]))
        if self.labels != list(known):
            found = np.maximum(found[[known.index(label) for label in self.labels]], LEAST)
            found = found / found.sum()
        best = int(found.argmax())
        return Prediction(
            self.labels[best],
            dict(zip(self.labels, found.tolist(), strict=True)),
            bool(found[best] >= self.threshold),
            embedding.astype(np.float32) if self._extra else None,
            dict(zip(self.dimensions, values.tolist(), strict=True)) if self.dimensions else None,
        )

    def _run(self, outputs: Sequence[str], waveforms: Sequence[Waveform]) -> list[NDArray[Any]]:
        if self.speaker is None:
            return self._session.run(outputs, waveforms)
        recordings = self.speaker.recordings
        weight = recordings / (recordings + float(self.config.features["enrol_prior"]))
        return self._session.run(outputs, waveforms, (self.speaker.statistics, weight))


def _loaded_again(
    kind: type[Model], folder: Path, threads: int, choices: Mapping[str, Any]
) -> Model:
    """Load a model that was pickled."""
    return kind(folder, threads=threads).chosen(choices)
