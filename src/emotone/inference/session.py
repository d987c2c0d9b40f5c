"""The network of a model folder in ONNX Runtime: waveforms in, logits and more out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.audio import Waveform
from emotone.audio.runtime import onnxruntime
from emotone.errors import ModelError

INPUTS = {"waveform": "tensor(float)", "lengths": "tensor(int64)"}
ERRORS_ONLY = 3  # log level of ONNX Runtime


class Session:
    """A loaded network.

    Args:
        model: content of an ONNX file.
        name: name of the file, for error messages.
        threads: number of threads of one call.

    Raises:
        ModelError: if it is not a network of emotone.
    """

    def __init__(self, model: bytes, name: str, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no public base of its errors
            reason = str(error).splitlines()[0]
            raise ModelError(f"{name}: not a usable ONNX model ({reason})") from error
        found = {entry.name: entry.type for entry in self._session.get_inputs()}
        if found != INPUTS:
            raise ModelError(
                f"{name}: expected the inputs {', '.join(INPUTS)}, got {', '.join(found)}"
            )
        optional = self._session.get_overridable_initializers()
        shapes = {entry.name: tuple(entry.shape) for entry in optional}
        self.speaker_shape: tuple[int, ...] | None = shapes.get("speaker")
        outputs = {entry.name: entry.shape for entry in self._session.get_outputs()}
        self.embedding_size: int | None = (
            outputs["embedding"][1] if "embedding" in outputs else None
        )

    def run(
        self,
        outputs: Sequence[str],
        waveforms: Sequence[Waveform],
        speaker: tuple[NDArray[np.float32], float] | None = None,
    ) -> list[NDArray[Any]]:
        """Run the network on a batch.

        Args:
            outputs: names among ``logits``, shape ``(batch, labels)``, ``embedding``, shape
                ``(batch, embedding_size)``, and ``moments``, shape ``(batch, 2, channels, mels)``.
            waveforms: at 16 kHz, at least one.
            speaker: statistics of the speaker, shape ``(2, channels, mels)``, and their weight
                against those of training.

        Returns:
            An array for each output.
        """
        lengths = np.array([len(waveform) for waveform in waveforms], np.int64)
        padded = np.zeros((len(waveforms), lengths.max()), np.float32)
        for row, waveform in enumerate(waveforms):
            padded[row, : len(waveform)] = waveform
        inputs: dict[str, Any] = {"waveform": padded, "lengths": lengths}
        if speaker is not None:
            inputs["speaker"] = speaker[0]
            inputs["speaker_weight"] = np.array([speaker[1]], np.float32)
        arrays: list[NDArray[Any]] = self._session.run(outputs, inputs)
        return arrays
