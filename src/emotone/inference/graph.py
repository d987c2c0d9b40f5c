"""What an ONNX file may hold, read without running it: the operators of our exports, and weights.

The file is a message of Protocol Buffers (onnx/onnx.proto of ONNX); of its fields only those that
matter here are read. Loops, branches, functions and data in other files are refused, so what a
graph does is bounded by its size.
"""

import math
from collections.abc import Iterator

import numpy as np

OPERATORS = (  # of all exports so far; DFT and ReduceL2 are those of emotone 0.1
    *("Abs", "Add", "And", "Cast", "Clip", "Concat", "Conv", "DFT", "Div", "Equal", "Exp"),
    *("Expand", "Gather", "GatherElements", "Gelu", "Gemm", "Greater", "LSTM"),
    *("LayerNormalization", "Less", "Log", "MatMul", "Max", "MaxPool", "Min"),
    *("Mod", "Mul", "Not", "Pad", "Pow", "Range", "ReduceL2", "ReduceMax", "ReduceSum", "Relu"),
    *("Reshape", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub"),
    *("Tile", "Transpose", "Unsqueeze", "Where"),
)
MOST_NODES = 10_000  # our exports have some 300, with an encoder of 24 layers some 2,000
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # how a field is written
GRAPH, TRAINING, FUNCTIONS = 7, 20, 25  # fields of a model
NODE, INITIALIZER, SPARSE_INITIALIZER = 1, 5, 15  # of a graph
OPERATOR, DOMAIN = 4, 7  # of a node
DIMENSIONS, TYPE, FLOATS, NAME, RAW, EXTERNAL, LOCATION = 1, 2, 4, 8, 9, 13, 14  # of a tensor
FLOAT = 1  # the type of float32
OWN_DOMAINS = (b"", b"ai.onnx")  # whose operators are those of ONNX itself

Field = tuple[int, "int | memoryview"]  # number and content


def fault(model: bytes) -> str | None:
    """Say why a file is not the network of a model, or return ``None`` if it may be one."""
    graphs = []
    try:
        for number, content in _fields(memoryview(model)):
            if number in (TRAINING, FUNCTIONS):
                return "functions and training steps are not accepted"
            if number == GRAPH:
                graphs.append(_part(content))
        if len(graphs) == 1:
            return _fault_of_graph(graphs[0])
    except (ValueError, IndexError):
        return "not an ONNX file, or damaged"
    return f"expected one graph, got {len(graphs)}"


def _fault_of_graph(graph: memoryview) -> str | None:
    nodes = 0
    for number, content in _fields(graph):
        reason = None
        if number == NODE:
            nodes += 1
            reason = _fault_of_node(_part(content))
        elif number == INITIALIZER:
            reason = _fault_of_weights(_part(content))
        elif number == SPARSE_INITIALIZER:
            reason = "sparse weights are not accepted"
        if reason:
            return reason
    return f"{nodes} nodes, at most {MOST_NODES} are accepted" if nodes > MOST_NODES else None


def _fault_of_node(node: memoryview) -> str | None:
    operator, domain = "", b""
    for number, content in _fields(node):
        if number == OPERATOR:
            operator = bytes(_part(content)).decode("ascii", "replace")
        elif number == DOMAIN:
            domain = bytes(_part(content))
    if operator in OPERATORS and domain in OWN_DOMAINS:
        return None
    return f"it uses the operator {operator[:40]!r}, which no export of emotone has"


def _fault_of_weights(tensor: memoryview) -> str | None:
    """Say what is wrong with weights: they are elsewhere, not all there, or not numbers."""
    kind, name, sizes, data = 0, "", [], memoryview(b"")
    for number, content in _fields(tensor):
        if number == EXTERNAL or (number == LOCATION and content):
            return "its weights are in another file"
        if number == TYPE:
            kind = _number(content)
        elif number == NAME:
            name = bytes(_part(content)).decode("utf-8", "replace")
        elif number == DIMENSIONS:
            sizes += _numbers(content)
        elif number in (RAW, FLOATS) and not isinstance(content, int):
            data = content
    if kind != FLOAT:
        return None
    values = np.frombuffer(data, "<f4")
    if len(values) != math.prod(sizes):
        return f"{name[:40]!r} has {len(values)} of {math.prod(sizes)} weights"
    if np.isnan(values).any() or (len(values) > 1 and np.isinf(values).any()):
        return f"{name[:40]!r} has weights that are not finite"
    return None


def _fields(data: memoryview) -> Iterator[Field]:
    """Yield the fields of a message."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            length, at = _varint(data, at)
        else:
            length = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(kind, end)
        if length > end - at:
            raise ValueError
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Read a whole number; return it and where it ends."""
    byte = data[at]
    value, shift = byte & 127, 7
    while byte > 127:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        shift += 7
        if shift > 70:  # ten bytes are the most
            raise ValueError
    return value, at + 1


def _part(content: "int | memoryview") -> memoryview:
    if isinstance(content, int):
        raise ValueError
    return content


def _number(content: "int | memoryview") -> int:
    if not isinstance(content, int):
        raise ValueError
    return content


def _numbers(content: "int | memoryview") -> list[int]:
    """Return the numbers of a repeated field, which may be packed."""
    if isinstance(content, int):
        return [content]
    numbers, at = [], 0
    while at < len(content):
        number, at = _varint(content, at)
        numbers.append(number)
    return numbers
