"""The weights of an ONNX graph with fewer bits, for a smaller file; it computes in float32.

Operators that every version of emotone accepts, ``Cast`` and ``Mul``, restore float32 weights when
ONNX Runtime loads the graph, so answers take as long as before. ``benchmarks/precision.py`` says
what it costs.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from emotone.errors import UsageError
from emotone.text import shown

Precision = Literal["float32", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
Stored = tuple[list[TensorProto], list[NodeProto]]  # what is in the file, and what restores it
Store = Callable[[str, NDArray[np.float32], int], Stored]

FRONT_END = "features."  # names of weights that start so make spectra; 8 bits would add noise
WEIGHTED = {"Conv": (1,), "Gemm": (1,), "LSTM": (1, 2), "MatMul": (1,)}  # inputs with weights
FEWEST = 1024  # smaller weights stay as they are
MOST_INT8 = 127


def with_precision(model: bytes, precision: str) -> bytes:
    """Store the weights of a graph with a precision.

    Args:
        model: ONNX graph of a model folder.
        precision: ``float32``, as it is; or ``int8``, two fifths of the size: see :func:`compact`.

    Raises:
        UsageError: if the precision is another one.
    """
    if precision not in PRECISIONS:
        raise UsageError(
            f"precision must be one of {', '.join(PRECISIONS)}, got {shown(precision)}"
        )
    return model if precision == "float32" else compact(model)


def as_float16(name: str, values: NDArray[np.float32], _first: int = 0) -> Stored:
    """Store weights as float16."""
    kept = numpy_helper.from_array(values.astype(np.float16), f"{name}.float16")
    return [kept], [helper.make_node("Cast", [kept.name], [name], to=TensorProto.FLOAT)]


def as_int8(name: str, values: NDArray[np.float32], first: int) -> Stored:
    """Store weights as int8, with one factor for all axes from ``first`` on."""
    axes = tuple(range(first % values.ndim, values.ndim))
    factor = np.abs(values).max(axis=axes, keepdims=True) / np.float32(MOST_INT8)
    whole = np.round(values / np.where(factor > 0, factor, 1)).astype(np.int8)
    kept = numpy_helper.from_array(whole, f"{name}.int8")
    factors = numpy_helper.from_array(factor, f"{name}.factor")
    cast = helper.make_node("Cast", [kept.name], [f"{name}.cast"], to=TensorProto.FLOAT)
    return [kept, factors], [cast, helper.make_node("Mul", [f"{name}.cast", factors.name], [name])]


def compact(model: bytes, network: Store = as_int8) -> bytes:
    """Store the weights of convolutions, LSTMs and linear layers with fewer bits.

    Args:
        model: ONNX graph.
        network: how to store the weights of the network; those of the front end become float16.
    """
    program = onnx.load_model_from_string(model)
    graph = program.graph
    firsts = _weights(graph.node)
    inputs = {entry.name for entry in graph.input}
    tensors: list[TensorProto] = []
    nodes: list[NodeProto] = []
    for tensor in graph.initializer:
        stored: Stored = [tensor], []
        is_large = tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= FEWEST
        if is_large and tensor.name in firsts and tensor.name not in inputs:
            store = as_float16 if tensor.name.startswith(FRONT_END) else network
            values: NDArray[Any] = numpy_helper.to_array(tensor)
            stored = store(tensor.name, values, firsts[tensor.name])
        tensors += stored[0]
        nodes += stored[1]
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensors)
    graph.node.extend(nodes)
    return bytes(program.SerializeToString())


def _weights(nodes: Any) -> dict[str, int]:
    """Return the names of weights, with the first of their axes that shares a factor of int8.

    For convolutions, these are the axes of input channels and time, for others the last one.
    """
    return {
        node.input[place]: 1 if node.op_type == "Conv" else -1
        for node in nodes
        for place in WEIGHTED.get(node.op_type, ())
    }
