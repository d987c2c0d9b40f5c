"""The recogniser: speech in, emotions out; needs ONNX Runtime and no PyTorch."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone import audio
from emotone.audio import Waveform
from emotone.audio.windows import HOP_S, WINDOW_S, Window, Windows, has_sound
from emotone.errors import AudioError, ModelError, UsageError
from emotone.inference import model_folder
from emotone.inference.prediction import Prediction, Segment
from emotone.inference.session import Session
from emotone.inference.speaker import Enrolment, Speaker
from emotone.inference.speech import SHORTEST_S, Speech, pieces, silent, too_short
from emotone.inference.stream import Stream

LONGEST_S = 30.0  # longer recordings are processed in windows
BATCH = 8  # recordings or windows that are recognised together; more measured no faster


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
        self.labels = list(self.config.labels)
        self.speaker: Speaker | None = None
        model = model_folder.content(self.folder, model_folder.ONNX, self.config)
        self._session = Session(model, str(self.folder / model_folder.ONNX), threads)

    def predict(self, speech: Speech) -> Prediction:
        """Recognise one recording.

        If it is longer than 30 s, the probabilities are the mean over its windows of 3 s that have
        sound.

        Args:
            speech: an audio file of any rate and channel count, or ``(samples, rate)``, see
                :func:`emotone.audio.from_array`.

        Raises:
            AudioError: if it is not usable as audio, shorter than 25 ms, or silent throughout, see
                :func:`emotone.audio.windows.has_sound`.
        """
        (answer,) = self.predict_many([speech])
        if isinstance(answer, AudioError):
            raise answer
        return answer

    def predict_many(self, recordings: Iterable[Speech]) -> Iterator[Prediction | AudioError]:
        """Recognise many recordings, in batches and in their order.

        Yields:
            A prediction for each recording, or the error that explains why there is none.
        """
        batch: list[Waveform | Prediction | AudioError] = []
        for speech in recordings:
            try:
                batch.append(self._load_or_window(speech))
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
        advance: Callable[[float], None] = lambda seconds: None,
    ) -> list[Segment]:
        """Recognise a recording of any length in windows; see :mod:`emotone.audio.windows`.

        Args:
            speech: see :meth:`predict`.
            window: length of a window in seconds.
            hop: time between the starts of two windows, in seconds.
            advance: called with the seconds of audio just processed.

        Raises:
            UsageError: if window or hop is out of its range.
            AudioError: if it is not usable as audio, or shorter than 25 ms.
        """
        found: list[Segment] = []
        for batch in _batches(Windows(window, hop).of(pieces(speech))):
            before = found[-1].end if found else 0.0
            found += self._segments(batch)
            advance(found[-1].end - before)
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
        """
        return Stream(self._segments_in_batches, rate, window, hop)

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
            AudioError: if a recording is not usable, or none has sound.
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
        adapted = copy.copy(self)
        adapted.speaker = speaker
        return adapted

    def _enrolled(self, recordings: Sequence[Speech], shape: tuple[int, ...]) -> Speaker:
        if isinstance(recordings, str | Path):
            raise UsageError(f"for_speaker takes a list of recordings, got {recordings}")
        enrolment = Enrolment(shape)
        for speech in recordings:
            for batch in _batches(Windows(WINDOW_S, WINDOW_S).of(pieces(speech))):
                waveforms = _with_sound(batch)
                if waveforms:
                    moments = self._run("moments", waveforms)
                    enrolment.add(moments, np.array([len(waveform) for waveform in waveforms]))
        return enrolment.speaker(self.config.features)

    def _in_order(
        self, batch: Sequence[Waveform | Prediction | AudioError]
    ) -> Iterator[Prediction | AudioError]:
        predictions = iter(self._predictions([one for one in batch if isinstance(one, np.ndarray)]))
        for one in batch:
            yield next(predictions) if isinstance(one, np.ndarray) else one

    def _load_or_window(self, speech: Speech) -> Waveform | Prediction:
        """Return the waveform of a short recording, or the prediction for a long one."""
        rest, head, length = pieces(speech), [], 0
        for piece in rest:
            head.append(piece)
            length += len(piece)
            if length > LONGEST_S * audio.SAMPLE_RATE:
                return self._over_windows(speech, chain(head, rest))
        waveform = np.concatenate(head)
        if len(waveform) < SHORTEST_S * audio.SAMPLE_RATE:
            raise too_short(speech, len(waveform) / audio.SAMPLE_RATE)
        if not has_sound(waveform):
            raise silent(speech)
        return waveform

    def _over_windows(self, speech: Speech, waveform: Iterable[Waveform]) -> Prediction:
        """Average the probabilities of the windows of a long recording."""
        total, count = np.zeros(len(self.labels)), 0
        for batch in _batches(Windows(WINDOW_S, WINDOW_S).of(waveform)):
            waveforms = _with_sound(batch)
            total += self._probabilities(waveforms).sum(axis=0)
            count += len(waveforms)
        if count == 0:
            raise silent(speech)
        return self._prediction(total / count)

    def _segments_in_batches(self, windows: Sequence[Window]) -> list[Segment]:
        return [segment for batch in _batches(windows) for segment in self._segments(batch)]

    def _segments(self, batch: Sequence[Window]) -> list[Segment]:
        sound = [has_sound(window.samples) for window in batch]
        waveforms = [window.samples for window, one in zip(batch, sound, strict=True) if one]
        predictions = iter(self._predictions(waveforms))
        rate = audio.SAMPLE_RATE
        return [
            Segment(window.start / rate, window.stop / rate, next(predictions) if one else None)
            for window, one in zip(batch, sound, strict=True)
        ]

    def _predictions(self, waveforms: Sequence[Waveform]) -> list[Prediction]:
        return [self._prediction(row) for row in self._probabilities(waveforms)]

    def _probabilities(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        if not waveforms:
            return np.zeros((0, len(self.labels)))
        scaled = self._run("logits", waveforms).astype(np.float64) / self.config.temperature
        exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities

    def _run(self, output: str, waveforms: Sequence[Waveform]) -> NDArray[Any]:
        if self.speaker is None:
            return self._session.run(output, waveforms)
        recordings = self.speaker.recordings
        weight = recordings / (recordings + float(self.config.features["enrol_prior"]))
        return self._session.run(output, waveforms, (self.speaker.statistics, weight))

    def _prediction(self, probabilities: NDArray[np.float64]) -> Prediction:
        best = int(probabilities.argmax())
        return Prediction(
            self.labels[best],
            dict(zip(self.labels, probabilities.tolist(), strict=True)),
            bool(probabilities[best] >= self.config.confident_from),
        )


def _batches(windows: Iterable[Window]) -> Iterator[list[Window]]:
    rest = iter(windows)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _with_sound(windows: Sequence[Window]) -> list[Waveform]:
    return [window.samples for window in windows if has_sound(window.samples)]


def load(model: str | Path | None = None, *, threads: int = 1) -> Recognizer:
    """Load a model: the one that ships with emotone, a folder, or one of the Hugging Face Hub.

    Args:
        model: see :func:`emotone.inference.model_folder.locate`.
        threads: see :class:`Recognizer`.

    Raises:
        ModelError: if there is no such model, or it cannot be used.
    """
    return Recognizer(model_folder.locate(model), threads=threads)
