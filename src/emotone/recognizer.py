"""Recognise emotion with a model folder; needs ONNX Runtime and no PyTorch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from emotone import audio, bundle
from emotone.audio import Waveform
from emotone.errors import AudioError, ModelError, UsageError

SHORTEST_S = 0.025  # a frame; less cannot show an emotion
BATCH = 16  # recordings that are recognised together
INPUTS = {"waveform": "tensor(float)", "lengths": "tensor(int64)"}

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


class Recognizer:
    """A trained model, ready to recognise. Safe to use from several threads at once.

    Args:
        folder: model folder, see :mod:`emotone.bundle`.
        threads: that one call uses.

    Raises:
        ModelError: if the folder is not a model of this version, or was changed.
    """

    def __init__(self, folder: str | Path, *, threads: int = 1) -> None:
        if threads < 1:
            raise UsageError(f"threads must be 1 or more, got {threads}")
        self.folder = Path(folder)
        self.config = bundle.read(self.folder)
        self.labels = list(self.config.labels)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        model = bundle.content(self.folder, bundle.ONNX, self.config)
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no public base of its errors
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"{self.folder / bundle.ONNX}: not a usable ONNX model ({reason})"
            ) from error
        found = {entry.name: entry.type for entry in self._session.get_inputs()}
        if found != INPUTS:
            raise ModelError(
                f"{self.folder / bundle.ONNX}: expected the inputs {', '.join(INPUTS)}, "
                f"got {', '.join(found)}"
            )

    def predict(self, speech: Speech) -> Prediction:
        """Recognise one recording.

        Args:
            speech: an audio file of any rate and channel count, or ``(samples, rate)``, see
                :func:`emotone.audio.from_array`.

        Raises:
            AudioError: if it is not usable as audio, shorter than 25 ms, or silent throughout.
        """
        return self._predict([self._waveform(speech)])[0]

    def predict_many(self, recordings: Iterable[Speech]) -> Iterator[Prediction | AudioError]:
        """Recognise many recordings, in batches and in their order.

        Yields:
            A prediction for each, or the error that tells why there is none.
        """
        batch: list[Waveform | AudioError] = []
        for speech in recordings:
            try:
                batch.append(self._waveform(speech))
            except AudioError as error:
                batch.append(error)
            if len(batch) == BATCH:
                yield from self._in_order(batch)
                batch = []
        yield from self._in_order(batch)

    def _in_order(
        self, batch: Sequence[Waveform | AudioError]
    ) -> Iterator[Prediction | AudioError]:
        answers = iter(self._predict([one for one in batch if not isinstance(one, AudioError)]))
        for one in batch:
            yield one if isinstance(one, AudioError) else next(answers)

    def _waveform(self, speech: Speech) -> Waveform:
        if isinstance(speech, tuple):
            name, waveform = "the array", audio.from_array(*speech)
        else:
            name, waveform = str(speech), audio.read(speech)
        if len(waveform) < SHORTEST_S * audio.SAMPLE_RATE:
            raise AudioError(
                f"{name}: {1000 * len(waveform) / audio.SAMPLE_RATE:.1f} ms are too short to show "
                f"an emotion; at least {1000 * SHORTEST_S:.0f} ms are needed"
            )
        if not waveform.any():
            raise AudioError(f"{name}: silent throughout (all samples are zero)")
        return waveform

    def _predict(self, waveforms: Sequence[Waveform]) -> list[Prediction]:
        if not waveforms:
            return []
        lengths = np.array([len(waveform) for waveform in waveforms], np.int64)
        padded = np.zeros((len(waveforms), lengths.max()), np.float32)
        for row, waveform in enumerate(waveforms):
            padded[row, : len(waveform)] = waveform
        (logits,) = self._session.run(["logits"], {"waveform": padded, "lengths": lengths})
        scaled = logits.astype(np.float64) / self.config.temperature
        shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return [self._prediction(row) for row in shares]

    def _prediction(self, shares: NDArray[np.float64]) -> Prediction:
        best = int(shares.argmax())
        probabilities = dict(zip(self.labels, shares.tolist(), strict=True))
        return Prediction(
            self.labels[best], probabilities, bool(shares[best] >= self.config.confident_from)
        )


def load(model: str | Path, *, threads: int = 1) -> Recognizer:
    """Load a model folder; see :class:`Recognizer`."""
    return Recognizer(model, threads=threads)
