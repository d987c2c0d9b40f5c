"""Malformed ONNX graphs, made from a valid one."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Graph = Callable[[onnx.ModelProto], None]


def weights_of(value: float) -> Graph:
    """Set a weight to a value that is not finite, or enormous."""

    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor).copy()
            if array.dtype == np.float32 and array.size > 10:
                array.flat[:] = value
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))

    return change


def _behind_logits(model: onnx.ModelProto, *nodes: onnx.NodeProto) -> None:
    """Put nodes between the network and its output; they read ``before`` and write ``logits``."""
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == "logits":
                    names[place] = "before"
    model.graph.node.extend(nodes)


def _constant(model: onnx.ModelProto, name: str, value: object, kind: type) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(value, kind), name))


def endless_loop(model: onnx.ModelProto) -> None:
    """Add a Loop of 2^62 rounds."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["state"], ["state_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_on", TensorProto.FLOAT, None),
        ],
    )
    _constant(model, "rounds", 1 << 62, np.int64)
    _constant(model, "yes", True, np.bool_)
    _behind_logits(model, helper.make_node("Loop", ["rounds", "yes", "before"], ["logits"],
                                           body=body))  # fmt: skip


def huge_constant(model: onnx.ModelProto) -> None:
    """Add a tensor of 40 GB."""
    _constant(model, "size", [10_000_000_000], np.int64)
    _constant(model, "no", [False], np.bool_)
    _behind_logits(
        model,
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["most"], keepdims=0),
        helper.make_node("Add", ["before", "most"], ["logits"]),
    )


def large_constant(model: onnx.ModelProto) -> None:
    """Add a tensor of 2 GB."""
    huge_constant(model)
    (size,) = [one for one in model.graph.initializer if one.name == "size"]
    size.CopyFrom(numpy_helper.from_array(np.array([500_000_000], np.int64), "size"))


def operator(name: str, domain: str = "") -> Graph:
    """Apply an operator to the logits."""

    def change(model: onnx.ModelProto) -> None:
        if domain:
            model.opset_import.append(helper.make_opsetid(domain, 1))
        _behind_logits(model, helper.make_node(name, ["before"], ["logits"], domain=domain))

    return change


def external_data(path: str) -> Graph:
    """Let weights be in another file."""

    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) > 64:
                tensor.ClearField("raw_data")
                tensor.data_location = TensorProto.EXTERNAL
                for key, value in (("location", path), ("offset", "0")):
                    entry = tensor.external_data.add()
                    entry.key, entry.value = key, value
                return

    return change


def without(part: str) -> Graph:
    """Remove all of a part of the graph: nodes, inputs, outputs or initializers."""
    return lambda model: model.graph.ClearField(part)


def only_first_output(model: onnx.ModelProto) -> None:
    """Remove all outputs but one, and rename that."""
    del model.graph.output[1:]
    model.graph.output[0].name = "something"


def other_inputs(model: onnx.ModelProto) -> None:
    """Change the type of an input."""
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def fewer_labels(model: onnx.ModelProto) -> None:
    """Leave out all logits but one."""
    _constant(model, "first", [0], np.int64)
    _behind_logits(model, helper.make_node("Gather", ["before", "first"], ["logits"], axis=1))


def flat(model: onnx.ModelProto) -> None:
    """Give logits of one dimension."""
    _constant(model, "flat_shape", [-1], np.int64)
    _behind_logits(model, helper.make_node("Reshape", ["before", "flat_shape"], ["logits"]))


def words(model: onnx.ModelProto) -> None:
    """Give logits that are text."""
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    _behind_logits(model, helper.make_node("Cast", ["before"], ["logits"], to=TensorProto.STRING))


def not_a_number(model: onnx.ModelProto) -> None:
    """Add NaN to the logits."""
    _constant(model, "nan", float("nan"), np.float32)
    _behind_logits(model, helper.make_node("Add", ["before", "nan"], ["logits"]))


def cycle(model: onnx.ModelProto) -> None:
    """Let the first node need the last."""
    model.graph.node[0].input.append(model.graph.node[-1].output[0])


def deep(model: onnx.ModelProto) -> None:
    """Chain 20,000 nodes."""
    names = ["before", *(f"deep{number}" for number in range(20_000)), "logits"]
    _behind_logits(
        model,
        *(helper.make_node("Identity", [a], [b]) for a, b in pairwise(names)),
    )


def newer(model: onnx.ModelProto) -> None:
    """Claim an opset of the future."""
    model.opset_import[0].version = 9999


GRAPHS: dict[str, Graph] = {
    "nan-weights": weights_of(float("nan")),
    "infinite-weights": weights_of(float("inf")),
    "enormous-weights": weights_of(3e38),
    "endless-loop": endless_loop,
    "huge-constant": huge_constant,
    "large-constant": large_constant,
    "nan-logits": not_a_number,
    "log-of-logits": operator("Log"),
    "unknown-operator": operator("Nothing"),
    "foreign-domain": operator("Shell", "com.example"),
    "python-operator": operator("PyOp", "ai.onnx.contrib"),
    "random": operator("RandomNormalLike"),
    "dropout": operator("Dropout"),
    "external": external_data("model.safetensors"),
    "external-outside": external_data("../../../../../../etc/hostname"),
    "external-absolute": external_data("/dev/zero"),
    "no-nodes": without("node"),
    "no-inputs": without("input"),
    "no-outputs": without("output"),
    "no-weights": without("initializer"),
    "other-output": only_first_output,
    "other-input": other_inputs,
    "one-logit": fewer_labels,
    "flat-logits": flat,
    "text-logits": words,
    "cycle": cycle,
    "deep": deep,
    "newer": newer,
}
