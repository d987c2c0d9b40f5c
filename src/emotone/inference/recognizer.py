"""The recogniser: speech in, emotions out; needs ONNX Runtime and no PyTorch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from emotone import audio
from emotone.audio import Truncated, Waveform
from emotone.audio.windows import HOP_S, WINDOW_S, Window, Windows, batches
from emotone.errors import AudioError, ModelError, UsageError
from emotone.inference import model_folder
from emotone.inference.hearing import PART_S, Hearing
from emotone.inference.prediction import Prediction, Segment
from emotone.inference.session import Session
from emotone.inference.speaker import Enrolment, Speaker
from emotone.inference.speech import SHORTEST_S, Speech, pieces, several, too_short
from emotone.inference.stream import Stream

__all__ = ["Recognizer", "load"]

BATCH = 8  # recordings or windows that are recognised together; more measured no faster
BATCH_S = BATCH * PART_S  # most audio of windows that are recognised together

Value = TypeVar("Value")


class Recognizer:
    """A trained model, ready to recognise. Safe to use from several threads at once.

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
        self._hearing = Hearing(self.config.features.get("frames", "all"))
        self.threshold = self.config.confident_from
        self._extra = 0  # size of the embeddings in this recogniser's predictions
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

    def predict(
        self, speech: Speech, *, embedding: bool = False, truncated: Truncated = "error"
    ) -> Prediction:
        """Recognise one recording.

        Only its speech counts, whatever is before, between and after, if the model was trained so.
        Probabilities, dimensions and embedding are the mean over parts of 10 s, see
        :mod:`emotone.inference.hearing`.

        Args:
            speech: path, bytes or binary file object of an audio file of any rate and channel
                count, or samples and rate, see :func:`emotone.inference.speech.pieces`.
            embedding: whether the prediction has its ``embedding``.
            truncated: what to do with a file whose end is missing, see :func:`emotone.audio.read`.

        Raises:
            ModelError: if ``embedding`` is asked for and the model has none.
            SpeechTypeError: if it is no speech at all; a kind of :class:`AudioError`.
            AudioError: if it is not usable as audio, shorter than 25 ms, silent, or without speech.

        >>> answer = recognizer.predict("call.wav")
        >>> list(answer.probabilities)
        ['anger', 'happiness', 'neutral', 'sadness']
        >>> recognizer.predict((samples, 16_000)) == answer
        True
        """
        (answer,) = self.predict_many([speech], embedding=embedding, truncated=truncated)
        if isinstance(answer, AudioError):
            raise answer
        return answer

    def embed(self, speech: Speech) -> NDArray[np.float32]:
        """Return the embedding of a recording, shape ``(embedding_size,)``; see :meth:`predict`.

        >>> recognizer.embed("call.wav").shape
        (384,)
        """
        vector = self.predict(speech, embedding=True).embedding
        assert vector is not None
        return vector

    def predict_many(
        self,
        recordings: Iterable[Speech],
        *,
        embedding: bool = False,
        truncated: Truncated = "error",
    ) -> Iterator[Prediction | AudioError]:
        """Recognise many recordings, in batches and in their order.

        Args:
            recordings: see :meth:`predict`.
            embedding: whether the predictions have their ``embedding``.
            truncated: see :meth:`predict`.

        Returns:
            An iterator over a prediction for each recording, or the error that explains why there
            is none.

        Raises:
            SpeechTypeError: if ``recordings`` is a single recording.
            ModelError: if ``embedding`` is asked for and the model has none.

        >>> answers = recognizer.predict_many(["call.wav", "her1.wav", "lost.wav"])
        >>> [type(answer).__name__ for answer in answers]
        ['Prediction', 'Prediction', 'AudioError']
        """
        recognizer = self._changed(_extra=self.embedding_size) if embedding else self
        return recognizer._in_batches(several(recordings, "predict_many"), truncated)

    def _in_batches(
        self, recordings: Iterable[Speech], truncated: Truncated
    ) -> Iterator[Prediction | AudioError]:
        batch: list[Waveform | Prediction | AudioError] = []
        for speech in recordings:
            try:
                batch.append(self._short_or_answered(speech, truncated))
            except AudioError as error:
                batch.append(error)
            if len(batch) == BATCH:
                yield from self._in_order(batch)
                batch = []
        yield from self._in_order(batch)

    def segments(
        self,
        speech: Speech,
        *,
        window: float = WINDOW_S,
        hop: float = HOP_S,
        truncated: Truncated = "error",
        advance: Callable[[float], None] = lambda seconds: None,
    ) -> list[Segment]:
        """Recognise a recording of any length in windows; see :mod:`emotone.audio.windows`.

        Args:
            speech: see :meth:`predict`.
            window: length of a window in seconds.
            hop: time between the starts of two windows, in seconds.
            truncated: see :meth:`predict`.
            advance: called with the seconds of audio just processed.

        Raises:
            UsageError: if window or hop is out of its range.
            AudioError: if it is not usable as audio, or shorter than 25 ms.

        >>> [(one.start, one.end) for one in recognizer.segments("call.wav", window=3, hop=1.5)]
        [(0.0, 3.0), (1.5, 4.5), (3.0, 6.0)]
        """
        found: list[Segment] = []
        for segment in self.recognise(Windows(window, hop).of(pieces(speech, truncated))):
            advance(segment.end - (found[-1].end if found else 0.0))
            found.append(segment)
        if not found or found[-1].end < SHORTEST_S:
            raise too_short(speech, found[-1].end if found else 0.0)
        return found

    def stream(self, rate: int, *, window: float = WINDOW_S, hop: float = HOP_S) -> Stream:
        """Recognise live audio; the segments are those of :meth:`segments` on the same samples.

        Args:
            rate: sampling rate in Hz.
            window: length of a window in seconds.
            hop: time between the starts of two windows, in seconds.

        Raises:
            AudioError: if the rate is not a positive whole number.
            UsageError: if window or hop is out of its range.

        >>> stream = recognizer.stream(rate=16_000, hop=1.5)
        >>> live = stream.push(samples[:32_000]) + stream.push(samples[32_000:]) + stream.close()
        >>> [one.end for one in live]
        [3.0, 4.5, 6.0]
        """
        return Stream(self.recognise, rate, window, hop)

    def recognise(self, windows: Iterable[Window]) -> Iterator[Segment]:
        """Recognise windows, in batches that are cut when they are needed."""
        for batch in batches(windows, BATCH, BATCH_S):
            yield from self._segments(batch)

    def for_speaker(self, speech: Sequence[Speech] | Speaker) -> "Recognizer":
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
        shape = self._session.speaker_shape
        if shape is None:
            raise ModelError(
                f"{self.folder}: this model does not support speaker enrolment; train one with "
                "features.norm=enrol"
            )
        speaker = speech if isinstance(speech, Speaker) else self._enrolled(speech, shape)
        if speaker.statistics.shape != shape or speaker.features != self.config.features:
            raise ModelError(
                "the speaker was enrolled with a model that uses different features; enrol again "
                "with this one"
            )
        return self._changed(speaker=speaker)

    def with_threshold(self, threshold: float | None) -> "Recognizer":
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

    def _changed(self, **attributes: Any) -> "Recognizer":
        """Return a recogniser that shares the network with this one and differs in attributes."""
        other = object.__new__(Recognizer)
        other.__dict__.update(self.__dict__ | attributes)
        return other

    __copy__ = _changed

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path of the model folder, from which the network is loaded again."""
        return _loaded_again, (self._origin, self.threads, self.speaker, self.threshold)

    def __repr__(self) -> str:
        what = f"{str(self.folder)!r}, labels={self.labels}, threshold={self.threshold:.4g}"
        if self.speaker is not None:
            what += f", speaker=<{self.speaker.recordings} recordings>"
        return f"Recognizer({what})"

    def _enrolled(self, recordings: Sequence[Speech], shape: tuple[int, ...]) -> Speaker:
        enrolment = Enrolment(shape)
        for speech in several(recordings, "for_speaker"):
            for batch in _batches(Windows(WINDOW_S, WINDOW_S).of(pieces(speech))):
                heard = [self._hearing.window(window.samples) for window in batch]
                waveforms = [waveform for waveform in heard if len(waveform)]
                if waveforms:
                    (moments,) = self._run(["moments"], waveforms)
                    enrolment.add(moments, np.array([len(waveform) for waveform in waveforms]))
        return enrolment.speaker(self.config.features)

    def _in_order(
        self, batch: Sequence[Waveform | Prediction | AudioError]
    ) -> Iterator[Prediction | AudioError]:
        predictions = iter(self._predictions([one for one in batch if isinstance(one, np.ndarray)]))
        for one in batch:
            yield next(predictions) if isinstance(one, np.ndarray) else one

    def _short_or_answered(self, speech: Speech, truncated: Truncated) -> Waveform | Prediction:
        """Return what is heard of a short recording, or the prediction for a longer one."""
        parts = self._hearing.parts(speech, truncated)
        head = list(islice(parts, 2))
        return head[0][0] if len(head) == 1 else self._over_parts(chain(head, parts))

    def _over_parts(self, parts: Iterator[tuple[Waveform, int]]) -> Prediction:
        """Average probabilities, dimensions and embeddings over the parts of a recording."""
        total, samples = np.zeros(self._width), 0
        for batch in _batches(parts):
            waveforms, added = zip(*batch, strict=True)
            total += np.array(added) @ self._rows(waveforms)
            samples += sum(added)
        return self._prediction(total / samples)

    def _segments(self, batch: Sequence[Window]) -> list[Segment]:
        heard = [self._hearing.window(window.samples) for window in batch]
        predictions = iter(self._predictions([one for one in heard if len(one)]))
        rate = audio.SAMPLE_RATE
        answers = (next(predictions) if len(one) else None for one in heard)
        spans = ((window.start / rate, window.stop / rate) for window in batch)
        return [Segment(*span, answer) for span, answer in zip(spans, answers, strict=True)]

    def _predictions(self, waveforms: Sequence[Waveform]) -> list[Prediction]:
        return [self._prediction(row) for row in self._rows(waveforms)]

    @property
    def _width(self) -> int:
        return len(self.labels) + len(self.dimensions) + self._extra

    def _rows(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        """Return a row for each waveform: probabilities, dimensions and the embedding, if any."""
        if not waveforms:
            return np.zeros((0, self._width))
        further = {"dimensions": self.dimensions, "embedding": self._extra}
        outputs = ["logits", *(name for name, wanted in further.items() if wanted)]
        logits, *others = self._run(outputs, waveforms)
        scaled = logits.astype(np.float64) / self.config.temperature
        exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.hstack([exponentials / exponentials.sum(axis=1, keepdims=True), *others])

    def _run(self, outputs: Sequence[str], waveforms: Sequence[Waveform]) -> list[NDArray[Any]]:
        if self.speaker is None:
            return self._session.run(outputs, waveforms)
        recordings = self.speaker.recordings
        weight = recordings / (recordings + float(self.config.features["enrol_prior"]))
        return self._session.run(outputs, waveforms, (self.speaker.statistics, weight))

    def _prediction(self, row: NDArray[np.float64]) -> Prediction:
        """Return the prediction of a row of :meth:`_rows`, or of a mean of rows."""
        probabilities, values, embedding = np.split(
            row, np.cumsum([len(self.labels), len(self.dimensions)])
        )
        best = int(probabilities.argmax())
        return Prediction(
            self.labels[best],
            dict(zip(self.labels, probabilities.tolist(), strict=True)),
            bool(probabilities[best] >= self.threshold),
            embedding.astype(np.float32) if self._extra else None,
            dict(zip(self.dimensions, values.tolist(), strict=True)) if self.dimensions else None,
        )


def _batches(values: Iterable[Value]) -> Iterator[list[Value]]:
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _loaded_again(
    folder: Path, threads: int, speaker: Speaker | None, threshold: float
) -> Recognizer:
    """Load a recogniser that was pickled."""
    recognizer = Recognizer(folder, threads=threads).with_threshold(threshold)
    return recognizer if speaker is None else recognizer.for_speaker(speaker)


def load(model: str | Path | None = None, *, threads: int = 1) -> Recognizer:
    """Load a model: the one that ships with emotone, a folder, or one of the Hugging Face Hub.

    Args:
        model: see :func:`emotone.inference.model_folder.locate`.
        threads: see :class:`Recognizer`.

    Raises:
        ModelError: if there is no such model, or it cannot be used.

    >>> emotone.load("emotone-base").labels
    ['anger', 'happiness', 'neutral', 'sadness']
    """
    return Recognizer(model_folder.locate(model), threads=threads)
