"""A trained network as ONNX, features inside the graph: waveform in, logits and embedding out."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, cast

import numpy as np
import onnx
import onnxscript.optimizer
import torch
from numpy.typing import NDArray
from onnxscript import opset20
from torch import Tensor, nn
from torch.export import Dim

from emotone.audio import Waveform
from emotone.audio.runtime import onnxruntime
from emotone.errors import ModelError
from emotone.features import frame_mask
from emotone.models.layers import BLSTM
from emotone.models.network import Network

op: Any = opset20  # its types are too narrow for constants
OPSET = 20
# largest difference of an output between PyTorch and ONNX Runtime, and what messages call it
TOLERANCES = {"logits": 1e-4, "embedding": 1e-3, "dimensions": 1e-4}
OUTPUTS = {"logits": "logits", "embedding": "embeddings", "dimensions": "dimensions"}
LONGEST = 2**24  # samples; the exporter needs a bound
SPEAKER = ("speaker", "speaker_weight")  # optional inputs
MOST_TRACED = 8
_TRACED: dict[tuple[str, ...], bytes] = {}  # the latest graphs by structure


def to_onnx(network: Network, speech: Sequence[Waveform]) -> bytes:
    """Export a network and check that ONNX Runtime gives the same logits and embeddings.

    Args:
        network: to export; of the features only ``norm`` ``train``, ``utterance`` and ``enrol``
            without enrolment can be exported.
        speech: recordings of different lengths on which both must agree, each alone and all in a
            padded batch.

    Returns:
        The ONNX model with the inputs ``waveform``, shape ``(batch, samples)`` at 16 kHz, and
        ``lengths``, shape ``(batch,)`` in samples, and the outputs ``logits``, ``(batch, labels)``,
        and ``embedding``, ``(batch, size)``, see :meth:`emotone.models.kinds.Backbone.embed`.
        A network with dimensions has the output ``dimensions``, ``(batch, dimensions)``, in 0 … 1.
        With ``norm: enrol`` there are also the output ``moments``, mean and mean square over time
        of the features before normalisation, ``(batch, 2, channels, mels)``, and the inputs
        ``speaker``, mean and standard deviation of a speaker, ``(2, channels, mels)``, and
        ``speaker_weight``, ``(1,)``; without them the training set's statistics are used.

    Raises:
        ModelError: if the network cannot be exported, or an output differs from PyTorch's by more
            than :func:`check_parity` allows.
    """
    if network.features.options.norm == "speaker":
        raise ModelError(
            "features.norm=speaker needs all of a speaker's recordings in advance and cannot be "
            "exported; train with another norm"
        )
    network = network.to("cpu").eval()
    exported = copy.deepcopy(network)
    exported.features.complete()
    for module in exported.backbone.modules():
        for name, child in module.named_children():
            if isinstance(child, BLSTM):
                setattr(module, name, _OnnxBLSTM(child))
    enrolling = network.features.options.norm == "enrol"
    program = onnx.load_from_string(_traced(exported, enrolling=enrolling))
    weights = _wrapped(exported, enrolling=enrolling).state_dict()
    for tensor in program.graph.initializer:
        if tensor.name in weights:
            value = weights[tensor.name].numpy()
            tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    with _quiet():
        optimised = onnxscript.optimizer.optimize(program)
    model = _without_traces(optimised)
    if enrolling:
        defaults = [value.numpy() for value in _no_speaker(exported)]
        model = _with_defaults(model, dict(zip(SPEAKER, defaults, strict=True)))
    check_parity(network, model, speech)
    return model


def _traced(exported: Network, *, enrolling: bool) -> bytes:
    """Return the graph of a network, not optimised, with the weights of the first of its structure.

    Tracing takes seconds and does not depend on the weights, so that a process traces networks
    of the same options once: a cross-validation with scikit-learn exports one in each fold.
    """
    structure = _structure(exported)
    if structure not in _TRACED:
        while len(_TRACED) >= MOST_TRACED:
            _TRACED.pop(next(iter(_TRACED)))
        _TRACED[structure] = _trace(exported, enrolling=enrolling)
    return _TRACED[structure]


def _structure(network: Network) -> tuple[str, ...]:
    """All that a graph depends on, apart from the weights."""
    parts = network.features.options, network.kind
    sizes = len(network.labels), len(network.dimensions), len(network.backbone.each)
    return *(part.model_dump_json() for part in parts), *map(str, sizes)


def _trace(exported: Network, *, enrolling: bool) -> bytes:
    example: tuple[Tensor, ...] = torch.zeros(2, 8000), torch.tensor([8000, 6000])
    batch, samples = Dim("batch", min=1, max=2**15), Dim("samples", min=1, max=LONGEST)
    shapes: tuple[dict[int, Any], ...] = {0: batch, 1: samples}, {0: batch}
    inputs, outputs = ["waveform", "lengths"], _outputs(exported)
    if enrolling:
        example, shapes = (*example, *_no_speaker(exported)), (*shapes, {}, {})
        inputs, outputs = [*inputs, *SPEAKER], [*outputs, "moments"]
    with _quiet():
        program = torch.onnx.export(
            _wrapped(exported, enrolling=enrolling),
            example,
            dynamo=True,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes,
            opset_version=OPSET,
            custom_translation_table={torch.ops.emotone.blstm.default: _blstm_in_onnx},
            optimize=False,
        )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def _wrapped(exported: Network, *, enrolling: bool) -> "_Plain":
    return _Enrolling(exported) if enrolling else _Plain(exported)


def _no_speaker(network: Network) -> tuple[Tensor, Tensor]:
    """Statistics of a speaker and their weight where no speaker is known."""
    return torch.zeros(2, *network.features.mean.shape), torch.zeros(1)


def check_parity(network: Network, model: bytes, speech: Sequence[Waveform]) -> float:
    """Compare the outputs of PyTorch and of ONNX Runtime, each alone and in a padded batch.

    Returns:
        The largest difference of logits, embeddings and dimensions.

    Raises:
        ModelError: if logits or dimensions differ by more than 1e-4, embeddings by more than 1e-3,
            or one of them is not a number.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; otherwise it warns of inputs with defaults
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    lengths = np.array([len(waveform) for waveform in speech], np.int64)
    padded = np.zeros((len(speech), lengths.max()), np.float32)
    for row, waveform in enumerate(speech):
        padded[row, : len(waveform)] = waveform
    names = _outputs(network)
    together = session.run(names, {"waveform": padded, "lengths": lengths})
    differences: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for row, waveform in enumerate(speech):
        inputs = waveform[None], lengths[row : row + 1]
        with torch.no_grad():
            heard = network.features.log_mel(*map(torch.from_numpy, inputs))
            expected = _outputs_of(network, *heard)
        alone = session.run(names, dict(zip(("waveform", "lengths"), inputs, strict=True)))
        for name, wanted, one, batch in zip(names, expected, alone, together, strict=True):
            differences[name] += [np.abs(x - wanted.numpy()) for x in (one, batch[row : row + 1])]
    # NumPy's maximum is NaN if any value is: the builtin max would lose it
    largest = {name: float(np.max(values)) for name, values in differences.items()}
    for name, difference in largest.items():
        if not difference <= TOLERANCES[name]:
            raise ModelError(
                f"the exported model's {OUTPUTS[name]} differ from PyTorch's by {difference:.1e}, "
                f"more than {TOLERANCES[name]:.0e}; nothing was written. This is a defect; please "
                "report it"
            )
    return max(largest.values())


def _outputs(network: Network) -> list[str]:
    """Names of the outputs, in the order of :func:`_outputs_of`."""
    return [name for name in OUTPUTS if name != "dimensions" or network.dimensions]


def _outputs_of(
    network: Network, log_mel: Tensor, frames: Tensor, statistics: Tensor | None = None
) -> tuple[Tensor, ...]:
    logits, embedding, dimensions = network.outputs(log_mel, frames, statistics)
    return (logits, embedding, dimensions) if network.dimensions else (logits, embedding)


class _Plain(nn.Module):
    """A network with its embedding as a further output."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.features = network, network.features

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """See :func:`to_onnx` for shapes."""
        return _outputs_of(self.network, *self.features.log_mel(waveform, lengths))


class _Enrolling(_Plain):
    """A network with a speaker's statistics as input and the moments to compute them as output."""

    def forward(  # type: ignore[override]
        self, waveform: Tensor, lengths: Tensor, speaker: Tensor, weight: Tensor
    ) -> tuple[Tensor, ...]:
        """See :func:`to_onnx` for shapes."""
        log_mel, frames = self.features.log_mel(waveform, lengths)
        channels = self.features.channels(log_mel, frames)
        valid = channels * frame_mask(frames, log_mel.shape[1])[:, None, :, None]
        count = frames[:, None, None]
        moments = torch.stack([valid.sum(dim=2) / count, valid.square().sum(dim=2) / count], dim=1)
        statistics = self.features.blended(speaker, weight)[None]
        return *_outputs_of(self.network, log_mel, frames, statistics), moments


def _without_traces(program: onnx.ModelProto) -> bytes:
    """Remove the exporter's notes about the code and its paths on this machine."""
    graphs = [program.graph, *program.functions]
    for part in [program, *graphs, *(node for graph in graphs for node in graph.node)]:
        del part.metadata_props[:]
        part.ClearField("doc_string")
    for value in [*program.graph.value_info, *program.graph.input, *program.graph.output]:
        del value.metadata_props[:]
        value.ClearField("doc_string")
    for weights in program.graph.initializer:
        del weights.metadata_props[:]
    return bytes(program.SerializeToString())


def _with_defaults(model: bytes, defaults: dict[str, NDArray[np.float32]]) -> bytes:
    """Give inputs a default value, which makes them optional."""
    program = onnx.load_from_string(model)
    for name, value in defaults.items():
        program.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    return bytes(program.SerializeToString())


@torch.library.custom_op("emotone::blstm", mutates_args=())
def _blstm(x: Tensor, lengths: Tensor, w: Tensor, r: Tensor, b: Tensor) -> Tensor:
    """Placeholder of ONNX's bidirectional LSTM in an exported graph; computes nothing."""
    raise NotImplementedError


@_blstm.register_fake
def _blstm_shape(x: Tensor, lengths: Tensor, w: Tensor, r: Tensor, b: Tensor) -> Tensor:  # noqa: ARG001
    return x.new_empty(x.shape[0], x.shape[1], 2 * r.shape[2])


def _blstm_in_onnx(x, lengths, w, r, b):  # type: ignore[no-untyped-def]
    units = r.shape[2]
    ends = op.Cast(lengths, to=6)  # int32
    by_frame = op.Transpose(x, perm=[1, 0, 2])
    y, _, _ = op.LSTM(by_frame, w, r, b, ends, direction="bidirectional", hidden_size=units)
    by_batch = op.Transpose(y, perm=[2, 0, 1, 3])
    return op.Reshape(by_batch, op.Constant(value_ints=[0, 0, -1]))


class _OnnxBLSTM(nn.Module):
    """A :class:`emotone.models.layers.BLSTM` with the weights in ONNX's layout.

    PyTorch's own export of an LSTM over sequences of varying length is not always correct for
    lengths other than the example's.
    """

    def __init__(self, blstm: BLSTM) -> None:
        super().__init__()
        both = [dict(lstm.named_parameters()) for lstm in (blstm.forwards, blstm.backwards)]
        self.register_buffer("w", torch.stack([_gates(one["weight_ih_l0"]) for one in both]))
        self.register_buffer("r", torch.stack([_gates(one["weight_hh_l0"]) for one in both]))
        biases = [[_gates(one["bias_ih_l0"]), _gates(one["bias_hh_l0"])] for one in both]
        self.register_buffer("b", torch.stack([torch.cat(pair) for pair in biases]))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """See :class:`emotone.models.layers.BLSTM` for shapes."""
        return cast(Tensor, torch.ops.emotone.blstm(x, lengths, self.w, self.r, self.b))


def _gates(weights: Tensor) -> Tensor:
    """Order the gates as ONNX does: input, output, forget, cell; PyTorch has the output last."""
    i, f, g, o = weights.detach().chunk(4)
    return torch.cat([i, o, f, g])


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the messages of PyTorch's exporter."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
