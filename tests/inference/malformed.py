"""Model folders with one fault each, made of a small model that is whole."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load, save

from emotone.inference.model_folder import CARD, CONFIG, FINGERPRINTS, ONNX, WEIGHTS

Change = Callable[[Path], None]
FILES = (CONFIG, ONNX, WEIGHTS, CARD, FINGERPRINTS)
HUGE = 1 << 42
WRONG: dict[str, Any] = {
    "null": None, "text": "x", "negative": -1, "huge": 10**30, "float": 1e300, "list": [],
    "nested": {"a": [{}]},
}  # fmt: skip
USED = ("corpora", "speakers")  # of what is said about the training
BIT_FLIPS = 8


def copied(folder: Path, place: Path, change: Change) -> Path:
    """Copy a model folder, with a fault."""
    place.mkdir()
    for name in FILES:
        shutil.copy(folder / name, place / name)
    change(place)
    return place


def changes(folder: Path) -> Iterator[tuple[str, Change]]:
    """Yield all faults by name; ``folder`` is the whole model."""
    for name in FILES:
        for kind, change in OF_FILES.items():
            yield f"{name} {kind}", partial(change, name=name)
    config = json.loads((folder / CONFIG).read_text())
    paths: list[tuple[str, ...]] = [(key,) for key in config]
    paths += [(part, key) for part in ("features", "model", "sha256") for key in config[part]]
    for path in [*paths, *(("training", key) for key in USED)]:
        yield f"{'.'.join(path)} removed", partial(_edited, path=path, remove=True)
        for kind, value in WRONG.items():
            yield f"{'.'.join(path)} {kind}", partial(_edited, path=path, value=value)
    yield from ((f"{CONFIG} {kind}", partial(_with, CONFIG, data)) for kind, data in TEXTS.items())
    yield from ((kind, partial(_edited, path=p, value=value)) for kind, p, value in VALUES)
    yield from ((f"{ONNX} {kind}", partial(_graph, edit=edit)) for kind, edit in GRAPHS.items())
    yield from ((f"{WEIGHTS} {kind}", partial(_tensors, edit=e)) for kind, e in TENSORS.items())
    yield f"{WEIGHTS} with a huge header", partial(_with, WEIGHTS, (1 << 62).to_bytes(8, "little"))
    for name in (ONNX, WEIGHTS):
        for seed in range(BIT_FLIPS):
            yield f"{name} flipped {seed}", partial(_flipped, name=name, seed=seed)


def _edited(
    folder: Path, *, path: tuple[str, ...], value: Any = None, remove: bool = False
) -> None:
    place = folder / CONFIG
    config = part = json.loads(place.read_text())
    for key in path[:-1]:
        part = part[key]
    if remove:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    place.write_text(json.dumps(config))


def _with(name: str, data: bytes, folder: Path) -> None:
    """Replace a file; its hash is right."""
    (folder / name).write_bytes(data)
    if name != CONFIG:
        _edited(folder, path=("sha256", name), value=sha256(data).hexdigest())


def _graph(folder: Path, edit: Callable[[onnx.ModelProto], object]) -> None:
    model = onnx.load_from_string((folder / ONNX).read_bytes())
    edit(model)
    _with(ONNX, model.SerializeToString(), folder)


def _tensors(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    tensors = load((folder / WEIGHTS).read_bytes())
    edit(tensors)
    _with(WEIGHTS, save(tensors), folder)


def _flipped(folder: Path, name: str, seed: int) -> None:
    data, rng = bytearray((folder / name).read_bytes()), random.Random(seed)
    for _ in range(8):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    _with(name, bytes(data), folder)


def _replaced(make: Callable[[Path], object]) -> Callable[..., None]:
    def change(folder: Path, name: str) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def _cut(folder: Path, name: str) -> None:
    _with(name, (folder / name).read_bytes()[:-7], folder)


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, HUGE)


OF_FILES: dict[str, Callable[..., None]] = {
    "missing": _replaced(lambda path: None),
    "empty": lambda folder, name: _with(name, b"", folder),
    "noise": lambda folder, name: _with(name, random.Random(0).randbytes(5000), folder),
    "changed": _replaced(lambda path: path.write_bytes(b"x")),
    "truncated": _cut,
    "a folder": _replaced(Path.mkdir),
    "a pipe": _replaced(os.mkfifo),
    "a device": _replaced(lambda path: path.symlink_to("/dev/zero")),
    "a link to nothing": _replaced(lambda path: path.symlink_to("gone")),
    "4 TB": _replaced(_sparse),
}
TEXTS = {
    "null": b"null",
    "list": b"[1]",
    "deep": b"[" * 200_000,
    "bytes": b"\xff\xfe{",
    "digits": b'{"format": ' + b"9" * 5000 + b"}",
}
VALUES: list[tuple[str, tuple[str, ...], Any]] = [
    ("unknown key", ("more",), 1),
    ("unknown feature", ("features", "colour"), 1),
    ("unknown option", ("model", "colour"), 1),
    ("labels twice", ("labels",), ["anger", "anger"]),
    ("labels too many", ("labels",), [str(number) for number in range(5000)]),
    ("labels one more", ("labels",), ["anger", "neutral", "fear"]),
    ("labels with escapes", ("labels",), ["\x1b[31m", "neutral"]),
    ("labels surrogate", ("labels",), ["\ud800", "neutral"]),
    ("other sample rate", ("sample_rate",), 8000),
    ("NaN temperature", ("temperature",), float("nan")),
    ("tiny temperature", ("temperature",), 1e-300),
    ("NaN in neutral", ("neutral",), [float("nan"), 0.0]),
    ("huge neutral", ("neutral",), [1e300, 0.0]),
    ("neutral of other labels", ("neutral",), [0.0, 0.0, 0.0]),
    ("infinite option", ("features", "dynamic_range_db"), float("inf")),
    ("other features", ("features", "mels"), 24),
    ("other kind", ("model", "kind"), "opensmile-svm"),
    ("other network", ("model", "lstm"), 5),
    ("more members", ("members",), 3),
    ("no member", ("members",), 0),
    ("too many members", ("members",), 10**9),
    ("network of a petabyte", ("model", "lstm"), 10**7),
    ("network of many blocks", ("model", "channels"), [4] * 10_000),
    ("corpora of numbers", ("training", "corpora"), [1, 2]),
]


def _set(tensors: dict[str, Any], change: Callable[[Any], Any]) -> None:
    name = "backbone.hidden.weight"
    tensors[name] = change(tensors[name])


TENSORS: dict[str, Callable[[dict[str, Any]], object]] = {
    "missing": lambda tensors: tensors.pop("backbone.hidden.weight"),
    "more": lambda tensors: tensors.update(more=np.zeros(3, np.float32)),
    "none": lambda tensors: tensors.clear(),
    "NaN": lambda tensors: _set(tensors, lambda value: value * np.float32(np.nan)),
    "infinite": lambda tensors: _set(tensors, lambda value: value + np.float32(np.inf)),
    "shape": lambda tensors: _set(tensors, lambda value: value[:-1].copy()),
    "type": lambda tensors: _set(tensors, lambda value: value.astype(np.float64)),
    "integers": lambda tensors: _set(tensors, lambda value: value.astype(np.int64)),
}


def _first_weights(model: onnx.ModelProto) -> TensorProto:
    """The largest weights of a graph."""
    largest: TensorProto = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    return largest


def _weights(change: Callable[[Any], Any]) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        tensor = _first_weights(model)
        changed = numpy_helper.from_array(change(numpy_helper.to_array(tensor)), tensor.name)
        tensor.CopyFrom(changed)

    return edit


def _elsewhere(model: onnx.ModelProto) -> None:
    tensor = _first_weights(model)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../../../../../etc/passwd")


def _endless(model: onnx.ModelProto) -> None:
    """Pass the lengths through a loop that does not end."""
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    number = helper.make_tensor_value_info("number", TensorProto.INT64, [])
    carried = helper.make_tensor_value_info("carried", TensorProto.INT64, None)
    again = helper.make_tensor_value_info("again", TensorProto.BOOL, [])
    out = helper.make_tensor_value_info("out", TensorProto.INT64, None)
    body = helper.make_graph(
        [helper.make_node("Identity", ["flag"], ["again"]),
         helper.make_node("Identity", ["carried"], ["out"])],
        "body", [number, flag, carried], [again, out],
    )  # fmt: skip
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "forever"))
    for node in model.graph.node:
        node.input[:] = ["looped" if name == "lengths" else name for name in node.input]
    loop = helper.make_node("Loop", ["", "forever", "lengths"], ["looped"], body=body)
    model.graph.node.insert(0, loop)


def _before_logits(*operators: str) -> Callable[[onnx.ModelProto], None]:
    """Pass the logits through further operators."""

    def edit(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            node.output[:] = ["before0" if name == "logits" else name for name in node.output]
            node.input[:] = ["before0" if name == "logits" else name for name in node.input]
        for number, operator in enumerate(operators):
            last = number == len(operators) - 1
            to = "logits" if last else f"before{number + 1}"
            domain = "com.microsoft" if operator == "Gelu" else ""
            inputs = [f"before{number}"] * (2 if operator in ("Sub", "Div") else 1)
            model.graph.node.append(helper.make_node(operator, inputs, [to], domain=domain))
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))

    return edit


def _renamed(old: str, new: str) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
            value.name = new if value.name == old else value.name
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [new if name == old else name for name in names]

    return edit


def _sized(which: str, *sizes: int | str) -> Callable[[onnx.ModelProto], None]:
    """Claim other sizes of an input or output."""

    def edit(model: onnx.ModelProto) -> None:
        for value in [*model.graph.input, *model.graph.output]:
            if value.name == which:
                kind = value.type.tensor_type.elem_type
                value.CopyFrom(helper.make_tensor_value_info(which, kind, list(sizes)))

    return edit


def _without_output(name: str) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        kept = [value for value in model.graph.output if value.name != name]
        del model.graph.output[:]
        model.graph.output.extend(kept)

    return edit


def _with_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    opset = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("own", "F", ["x"], ["y"], [node], opset))


def _with_claim(model: onnx.ModelProto) -> None:
    _first_weights(model).dims[0] = HUGE


def _with_many_nodes(model: onnx.ModelProto) -> None:
    node = helper.make_node("Relu", ["waveform"], ["unused"])
    for number in range(10_001):
        model.graph.node.add().CopyFrom(node)
        model.graph.node[-1].output[0] = f"unused{number}"


GRAPHS: dict[str, Callable[[onnx.ModelProto], object]] = {
    "endless loop": _endless,
    "no graph": lambda model: model.ClearField("graph"),
    "unknown operator": _before_logits("Cosh"),
    "operator of others": _before_logits("Gelu"),
    "operator that is none": _before_logits("Nonsense"),
    "functions": _with_function,
    "too many nodes": _with_many_nodes,
    "weights elsewhere": _elsewhere,
    "weights NaN": _weights(lambda value: value * np.float32(np.nan)),
    "weights infinite": _weights(lambda value: value + np.float32(np.inf)),
    "weights cut": _weights(lambda value: value[:-1].copy()),
    "weights of a petabyte": _with_claim,
    "answers NaN": _before_logits("Sub", "Div"),  # 0 / 0
    "answers infinite": _before_logits("Sub", "Log"),  # of 0
    "other input": _renamed("waveform", "image"),
    "other output": _renamed("logits", "image"),
    "other speaker": _renamed("speaker", "weights"),
    "fixed input": _sized("waveform", 1, 16_000),
    "flat input": _sized("waveform", "samples"),
    "narrow logits": _sized("logits", "batch", 1),
    "wide logits": _sized("logits", "batch", 3),
    "flat logits": _sized("logits", 2),
    "embedding of any size": _sized("embedding", "batch", "size"),
    "no moments": _without_output("moments"),
    "no embedding": _without_output("embedding"),
}
