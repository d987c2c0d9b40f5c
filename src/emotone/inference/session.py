"""The network of a model folder in ONNX Runtime: waveforms in, logits and more out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.audio import Waveform
from emotone.audio.runtime import onnxruntime
from emotone.errors import ModelError
from emotone.inference.graph import fault

FLOATS, INTEGERS = "tensor(float)", "tensor(int64)"
INPUTS = {"waveform": (FLOATS, 2), "lengths": (INTEGERS, 1)}  # type and number of dimensions
MOST_SHOWN = 300  # characters of a reason
ERRORS_ONLY = 3  # log level of ONNX Runtime


class Session:
    """A loaded network.

    Args:
        model: content of an ONNX file.
        path: of the file, for error messages.
        threads: number of threads of one call.
        labels: number of emotions.
        dimensions: number of dimensions.

    Raises:
        ModelError: if it is not a network of emotone.
    """

    def __init__(
        self, model: bytes, path: Path, *, threads: int, labels: int, dimensions: int = 0
    ) -> None:
        if reason := fault(model):
            raise ModelError(f"{path}: not a usable ONNX model ({reason})")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no public base of its errors
            reason = str(error).splitlines()[0][:MOST_SHOWN]
            raise ModelError(f"{path}: not a usable ONNX model ({reason})") from error
        self._path = path
        self._check_inputs()
        optional = self._session.get_overridable_initializers()
        shapes = {entry.name: tuple(entry.shape) for entry in optional}
        self.speaker_shape: tuple[int, ...] | None = shapes.get("speaker")
        outputs = {entry.name: tuple(entry.shape) for entry in self._session.get_outputs()}
        # of the outputs, for one recording
        self._shapes: dict[str, tuple[int, ...]] = {"logits": (labels,)}
        if dimensions:
            self._shapes["dimensions"] = (dimensions,)
        if "embedding" in outputs:
            self._shapes["embedding"] = outputs["embedding"][1:]
        if self.speaker_shape is not None:
            self._shapes["moments"] = self.speaker_shape
        self._check_outputs(outputs, shapes)
        self.embedding_size: int | None = (
            self._shapes["embedding"][0] if "embedding" in outputs else None
        )

    def _check_inputs(self) -> None:
        entries = self._session.get_inputs()
        found = {entry.name: (entry.type, len(entry.shape)) for entry in entries}
        sizes = [size for entry in entries for size in entry.shape]
        if found != INPUTS or any(isinstance(size, int) for size in sizes):
            got = ", ".join(f"{one.name} {one.type}{one.shape}" for one in entries)
            raise ModelError(
                f"{self._path}: expected the inputs {', '.join(INPUTS)} of any size, got {got}"
            )

    def _check_outputs(
        self, outputs: dict[str, tuple[Any, ...]], optional: dict[str, tuple[Any, ...]]
    ) -> None:
        for name, shape in self._shapes.items():
            whole = all(isinstance(size, int) and size > 0 for size in shape)
            if not whole or outputs.get(name, ())[1:] != shape:
                raise ModelError(
                    f"{self._path}: expected the output {name} of shape (batch, "
                    f"{', '.join(map(str, shape))}), got {outputs.get(name, 'none')}"
                )
        if self.speaker_shape is not None and (
            optional.get("speaker_weight") != (1,)
            or len(self.speaker_shape) != 3
            or self.speaker_shape[0] != 2
        ):
            raise ModelError(
                f"{self._path}: expected speaker of shape (2, channels, mels) and speaker_weight "
                f"of shape (1,), got {optional}"
            )

    def run(
        self,
        outputs: Sequence[str],
        waveforms: Sequence[Waveform],
        speaker: tuple[NDArray[np.float32], float] | None = None,
    ) -> list[NDArray[Any]]:
        """Run the network on a batch.

        Args:
            outputs: names among ``logits``, shape ``(batch, labels)``, ``dimensions``, shape
                ``(batch, dimensions)``, ``embedding``, shape ``(batch, embedding_size)``, and
                ``moments``, shape ``(batch, 2, channels, mels)``.
            waveforms: at 16 kHz, at least one.
            speaker: statistics of the speaker, shape ``(2, channels, mels)``, and their weight
                against those of training.

        Returns:
            An array for each output.

        Raises:
            ModelError: if the network cannot be run, or an output is not finite or not of its
                shape.
            MemoryError: if there is too little memory.
        """
        lengths = np.array([len(waveform) for waveform in waveforms], np.int64)
        padded = np.zeros((len(waveforms), lengths.max()), np.float32)
        for row, waveform in enumerate(waveforms):
            padded[row, : len(waveform)] = waveform
        inputs: dict[str, Any] = {"waveform": padded, "lengths": lengths}
        if speaker is not None:
            inputs["speaker"] = speaker[0]
            inputs["speaker_weight"] = np.array([speaker[1]], np.float32)
        try:
            arrays: list[NDArray[Any]] = self._session.run(outputs, inputs)
        except Exception as error:  # ONNX Runtime has no public base of its errors
            reason = str(error).splitlines()[0][:MOST_SHOWN]
            if "allocate memory" in reason or "bad_alloc" in reason:
                raise MemoryError(reason) from error
            raise ModelError(f"{self._path}: the network fails ({reason})") from error
        for name, array in zip(outputs, arrays, strict=True):
            shape = len(waveforms), *self._shapes[name]
            is_whole = array.dtype == np.float32 and array.shape == shape
            if not is_whole or not np.isfinite(array).all():
                raise ModelError(
                    f"{self._path}: the network's {name} are not {shape} finite numbers; the model "
                    "is damaged, train or copy it again"
                )
        return arrays
