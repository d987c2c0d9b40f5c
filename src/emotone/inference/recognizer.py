"""Recognise emotion with a model folder; needs ONNX Runtime and no PyTorch."""

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone import audio
from emotone.audio import Waveform
from emotone.audio.windows import HOP_S, SILENCE_DB, WINDOW_S, Window, Windows, has_sound
from emotone.errors import AudioError, ModelError, UsageError
from emotone.files import write_text
from emotone.inference import model_folder
from emotone.inference.runtime import onnxruntime

SHORTEST_S = 0.025  # a frame; less cannot show an emotion
LONGEST_S = 30.0  # what is longer is heard in windows
BATCH = 8  # recordings or windows that are recognised together; more measured no faster
INPUTS = {"waveform": "tensor(float)", "lengths": "tensor(int64)"}
ERRORS_ONLY = 3  # log level of ONNX Runtime

Speech = str | Path | tuple[NDArray[Any], int]


@dataclass(frozen=True)
class Prediction:
    """An answer.

    Attributes:
        label: the most probable emotion.
        probabilities: of each emotion, in the order of the model's labels.
        confident: whether the model is sure enough, by its own threshold.
    """

    label: str
    probabilities: dict[str, float]
    confident: bool

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return self.probabilities[self.label]


@dataclass(frozen=True)
class Segment:
    """What was recognised in a window of a recording.

    Attributes:
        start: in seconds.
        end: in seconds.
        prediction: the answer; ``None`` where there is no sound, see
            :func:`emotone.audio.windows.has_sound`.
    """

    start: float
    end: float
    prediction: Prediction | None


@dataclass(frozen=True)
class Speaker:
    """How a speaker sounds on average; no words can be heard from it.

    Attributes:
        recordings: how many it was made from; longer ones count once per 3 s.
        statistics: mean and standard deviation of the features, shape ``(2, channels, mels)``.
        features: options of the front end that they are of.
    """

    recordings: int
    statistics: NDArray[np.float32]
    features: dict[str, Any]

    def save(self, path: str | Path) -> None:
        """Write a small JSON file.

        Raises:
            StorageError: if it cannot be written.
        """
        rounded = [[[round(float(x), 4) for x in row] for row in rows] for rows in self.statistics]
        values = {
            "features": self.features,
            "recordings": self.recordings,
            "mean": rounded[0],
            "std": rounded[1],
        }
        write_text(Path(path), json.dumps(values) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "Speaker":
        """Read what :meth:`save` wrote.

        Raises:
            UsageError: if it is something else.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            statistics = np.array([values["mean"], values["std"]], np.float32)
            recordings, features = int(values["recordings"]), dict(values["features"])
        except OSError as error:
            raise UsageError(f"{path}: cannot read this speaker ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path} is not a speaker as emotone writes it; give recordings of the speaker"
            ) from error
        if not np.isfinite(statistics).all() or not (statistics[1] > 0).all() or recordings < 1:
            raise UsageError(f"{path}: damaged: the statistics are not usable; enrol again")
        return cls(recordings, statistics, features)


class Recognizer:
    """A trained model, ready to recognise. Safe to use from several threads at once.

    Args:
        folder: model folder, see :mod:`emotone.inference.model_folder`.
        threads: that one call uses.

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
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        model = model_folder.content(self.folder, model_folder.ONNX, self.config)
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no public base of its errors
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"{self.folder / model_folder.ONNX}: not a usable ONNX model ({reason})"
            ) from error
        found = {entry.name: entry.type for entry in self._session.get_inputs()}
        if found != INPUTS:
            raise ModelError(
                f"{self.folder / model_folder.ONNX}: expected the inputs {', '.join(INPUTS)}, "
                f"got {', '.join(found)}"
            )
        optional = self._session.get_overridable_initializers()
        self._speaker_shape = {entry.name: tuple(entry.shape) for entry in optional}.get("speaker")

    def predict(self, speech: Speech) -> Prediction:
        """Recognise one recording.

        One that is longer than 30 s is heard in windows of 3 s, whose probabilities are averaged
        but for those without sound.

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
            A prediction for each, or the error that tells why there is none.
        """
        batch: list[Waveform | Prediction | AudioError] = []
        for speech in recordings:
            try:
                batch.append(self._heard(speech))
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
            hop: from the start of one window to the start of the next, in seconds.
            advance: called with the seconds of audio that are done.

        Raises:
            UsageError: if window or hop is out of its range.
            AudioError: if it is not usable as audio, or shorter than 25 ms.
        """
        found: list[Segment] = []
        for part in _batches(Windows(window, hop).of(_pieces(speech))):
            before = found[-1].end if found else 0.0
            found += self._segments(part)
            advance(found[-1].end - before)
        if not found or found[-1].end < SHORTEST_S:
            raise _too_short(speech, found[-1].end if found else 0.0)
        return found

    def stream(self, rate: int, *, window: float = WINDOW_S, hop: float = HOP_S) -> "Stream":
        """Recognise live audio; the answers are those of :meth:`segments` on the same samples.

        Args:
            rate: of the samples, in Hz.
            window: length of a window in seconds.
            hop: from the start of one window to the start of the next, in seconds.

        Raises:
            AudioError: if the rate is none.
            UsageError: if window or hop is out of its range.
        """
        return Stream(self, rate, window, hop)

    def for_speaker(self, speech: Sequence[Speech] | Speaker) -> "Recognizer":
        """Return a recogniser that knows how a speaker sounds.

        Args:
            speech: a few recordings of the speaker, the more the better, nothing said of their
                emotions; or what another recogniser of the same model has as ``speaker``.

        Returns:
            A recogniser that shares the model with this one.

        Raises:
            ModelError: if the model was not trained for it, or the speaker is of another model.
            AudioError: if a recording is not usable, or none has sound.
        """
        if self._speaker_shape is None:
            raise ModelError(
                f"{self.folder}: this model cannot be told about a speaker; train one with "
                "features.norm=enrol"
            )
        speaker = speech if isinstance(speech, Speaker) else self._enrolled(speech)
        fits = speaker.statistics.shape == self._speaker_shape
        if not fits or speaker.features != self.config.features:
            raise ModelError(
                "the speaker was enrolled with a model that hears other features; enrol again "
                "with this one"
            )
        known = copy.copy(self)
        known.speaker = speaker
        return known

    def _enrolled(self, recordings: Sequence[Speech]) -> Speaker:
        if isinstance(recordings, str | Path):
            raise UsageError(f"for_speaker takes a list of recordings, got {recordings}")
        frames, moments = 0.0, np.zeros(self._speaker_shape or (), np.float64)
        count = 0
        for speech in recordings:
            for part in _batches(Windows(WINDOW_S, WINDOW_S).of(_pieces(speech))):
                heard = [window.samples for window in part if has_sound(window.samples)]
                if not heard:
                    continue
                lengths = np.array([len(samples) for samples in heard])
                (of_each,) = self._run(["moments"], heard)
                moments += (of_each * lengths[:, None, None, None]).sum(axis=0)
                frames += lengths.sum()
                count += len(heard)
        if count == 0:
            raise AudioError("none of the recordings of the speaker has sound; give others")
        mean, square = moments / frames
        std = np.sqrt(np.maximum(square - mean**2, model_folder.SMALLEST_STD**2))
        statistics = np.stack([mean, std]).astype(np.float32)
        return Speaker(count, statistics, self.config.features)

    def _in_order(
        self, batch: Sequence[Waveform | Prediction | AudioError]
    ) -> Iterator[Prediction | AudioError]:
        answers = iter(self._predict([one for one in batch if isinstance(one, np.ndarray)]))
        for one in batch:
            yield next(answers) if isinstance(one, np.ndarray) else one

    def _heard(self, speech: Speech) -> Waveform | Prediction:
        """Read what is short; recognise what is long."""
        pieces, head, length = _pieces(speech), [], 0
        for piece in pieces:
            head.append(piece)
            length += len(piece)
            if length > LONGEST_S * audio.SAMPLE_RATE:
                return self._over_windows(speech, chain(head, pieces))
        waveform = np.concatenate(head)
        if len(waveform) < SHORTEST_S * audio.SAMPLE_RATE:
            raise _too_short(speech, len(waveform) / audio.SAMPLE_RATE)
        if not has_sound(waveform):
            raise _silent(speech)
        return waveform

    def _over_windows(self, speech: Speech, pieces: Iterable[Waveform]) -> Prediction:
        windows = Windows(WINDOW_S, WINDOW_S)
        total, count = np.zeros(len(self.labels)), 0
        for part in _batches(windows.of(pieces)):
            heard = [window.samples for window in part if has_sound(window.samples)]
            total += self._probabilities(heard).sum(axis=0)
            count += len(heard)
        if count == 0:
            raise _silent(speech)
        return self._prediction(total / count)

    def _segments(self, windows: Sequence[Window]) -> list[Segment]:
        sound = [has_sound(window.samples) for window in windows]
        heard = [window.samples for window, one in zip(windows, sound, strict=True) if one]
        answers = iter(self._predict(heard))
        rate = audio.SAMPLE_RATE
        return [
            Segment(window.start / rate, window.stop / rate, next(answers) if one else None)
            for window, one in zip(windows, sound, strict=True)
        ]

    def _predict(self, waveforms: Sequence[Waveform]) -> list[Prediction]:
        return [self._prediction(row) for row in self._probabilities(waveforms)]

    def _probabilities(self, waveforms: Sequence[Waveform]) -> NDArray[np.float64]:
        if not waveforms:
            return np.zeros((0, len(self.labels)))
        (logits,) = self._run(["logits"], waveforms)
        scaled = logits.astype(np.float64) / self.config.temperature
        shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
        return probabilities

    def _run(self, outputs: list[str], waveforms: Sequence[Waveform]) -> list[NDArray[Any]]:
        lengths = np.array([len(waveform) for waveform in waveforms], np.int64)
        padded = np.zeros((len(waveforms), lengths.max()), np.float32)
        for row, waveform in enumerate(waveforms):
            padded[row, : len(waveform)] = waveform
        inputs = {"waveform": padded, "lengths": lengths}
        if self.speaker is not None:
            known = self.speaker.recordings
            weight = known / (known + float(self.config.features["enrol_prior"]))
            inputs["speaker"] = self.speaker.statistics
            inputs["speaker_weight"] = np.array([weight], np.float32)
        results: list[NDArray[Any]] = self._session.run(outputs, inputs)
        return results

    def _prediction(self, shares: NDArray[np.float64]) -> Prediction:
        best = int(shares.argmax())
        probabilities = dict(zip(self.labels, shares.tolist(), strict=True))
        return Prediction(
            self.labels[best], probabilities, bool(shares[best] >= self.config.confident_from)
        )


class Stream:
    """Live audio, recognised as it comes; made by :meth:`Recognizer.stream`."""

    def __init__(self, recognizer: Recognizer, rate: int, window: float, hop: float) -> None:
        self._recognizer = recognizer
        self._resampler = audio.Resampler(rate)
        self._windows = Windows(window, hop)

    def push(self, samples: NDArray[Any]) -> list[Segment]:
        """Take samples, of shape ``(samples,)`` or ``(samples, channels)``.

        Returns:
            What was recognised in the windows that are whole now, often nothing.

        Raises:
            AudioError: if they are not usable as audio, see :func:`emotone.audio.from_array`.
        """
        return self._recognised(self._windows.push(self._resampler.push(samples)))

    def close(self) -> list[Segment]:
        """End the audio; return what was recognised in the windows that are left."""
        last = self._windows.push(self._resampler.close())
        return self._recognised([*last, *self._windows.close()])

    def _recognised(self, windows: Sequence[Window]) -> list[Segment]:
        parts = [self._recognizer._segments(part) for part in _batches(windows)]
        return [segment for part in parts for segment in part]


def _batches(windows: Iterable[Window]) -> Iterator[list[Window]]:
    rest = iter(windows)
    while part := list(islice(rest, BATCH)):
        yield part


def _pieces(speech: Speech) -> Iterator[Waveform]:
    if isinstance(speech, tuple):
        samples, rate = speech
        resampler = audio.Resampler(rate)
        if np.size(samples) == 0:
            raise AudioError("the array holds no samples")
        yield resampler.push(samples)
        yield resampler.close()
    else:
        yield from audio.blocks(speech)


def _name(speech: Speech) -> str:
    return "the array" if isinstance(speech, tuple) else str(speech)


def _too_short(speech: Speech, seconds: float) -> AudioError:
    return AudioError(
        f"{_name(speech)}: {1000 * seconds:.1f} ms are too short to show an emotion; at least "
        f"{1000 * SHORTEST_S:.0f} ms are needed"
    )


def _silent(speech: Speech) -> AudioError:
    return AudioError(
        f"{_name(speech)}: silent throughout (nothing above {SILENCE_DB:.0f} dBFS); if there is "
        "speech in it, make it louder"
    )


def load(model: str | Path | None = None, *, threads: int = 1) -> Recognizer:
    """Load a model: the one that ships with emotone, a folder, or one of the Hugging Face Hub.

    Args:
        model: see :func:`emotone.inference.model_folder.locate`.
        threads: see :class:`Recognizer`.

    Raises:
        ModelError: if there is no such model, or it cannot be used.
    """
    return Recognizer(model_folder.locate(model), threads=threads)
