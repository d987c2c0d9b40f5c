"""Makes emotone's graph of Silero VAD from the published one, and times them side by side.

    git show 883aef6:src/emotone/audio/silero_vad.onnx > published.onnx
    python benchmarks/detector.py published.onnx

The published graph convolves the four frames of each chunk of 32 ms, and ONNX Runtime does so chunk
by chunk. Here the frames of all chunks are multiplied by the same weights at once. Writes
``src/emotone/audio/silero_vad.onnx`` and ``benchmarks/RESULTS-detector.md``.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from emotone.audio.activity import CHUNK, CONTEXT, DETECTOR, STATE
from emotone.corpora import synthetic
from emotone.files import replacing

HOP = 128  # samples from frame to frame; a frame has two hops
FRAMES = 4  # of each chunk
SECONDS = (3, 30, 300)
TURNS = 15
OUT = Path(__file__).with_name("RESULTS-detector.md")
PAGE = """# Voice activity: emotone's graph beside the published one

`python benchmarks/detector.py published.onnx`, one thread, the two in turn, median of {turns} turns. Same weights; the probabilities of speech differ by {difference:.0e} at most.

| seconds of audio | published, ms | emotone's, ms | ratio |
|---|---|---|---|
{rows}
"""  # noqa: E501
Array = NDArray[np.float32]


class Graph:
    """Collects nodes and constants; values have the shape ``(chunks, frames, width)``."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def weight(self, name: str, values: Array) -> str:
        """Add weights; return their name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def sizes(self, *values: int) -> str:
        """Add whole numbers; return their name."""
        name = f"sizes_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        """Add a node; return the name of its output."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def cut(self, value: str, start: int, stop: int, step: int = 1) -> str:
        """Cut out along the second axis."""
        return self.add("Slice", value, *map(self.sizes, (start, stop, 1, step)))

    def reshaped(self, value: str, frames: int, width: int) -> str:
        """Give each chunk ``frames`` frames of ``width``."""
        return self.add("Reshape", value, self.sizes(-1, frames, width))

    def padded(self, value: str, before: int, after: int) -> str:
        """Put frames of zeros around those of each chunk."""
        return self.add("Pad", value, self.sizes(0, before, 0, 0, after, 0))

    def affine(self, value: str, name: str, matrix: Array, bias: Array) -> str:
        """Multiply by a matrix of shape ``(width, out)`` and add a bias of shape ``(out,)``."""
        product = self.add("MatMul", value, self.weight(f"{name}.weight", matrix))
        return self.add("Add", product, self.weight(f"{name}.bias", bias))

    def layer(self, value: str, name: str, weight: Array, bias: Array) -> str:
        """Convolve frames that stand side by side already, shape ``(chunks, frames, taps * in)``.

        Args:
            value: what is convolved.
            name: of the layer.
            weight: shape ``(out, in, taps)``.
            bias: shape ``(out,)``.
        """
        matrix = weight.transpose(2, 1, 0).reshape(-1, len(bias))
        return self.add("Relu", self.affine(value, name, matrix, bias))


def rewritten(published: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph of the same inputs, weights and probabilities."""
    weights = {one.name: numpy_helper.to_array(one) for one in published.graph.initializer}
    graph = Graph()
    end = CONTEXT + CHUNK - 2
    mirrored = graph.cut("input", end, end - HOP // 2, -1)
    hops = graph.reshaped(graph.add("Concat", "input", mirrored, axis=1), FRAMES + 1, HOP)
    halves = [graph.cut(hops, start, start + FRAMES) for start in (0, 1)]
    frames = graph.add("Concat", *halves, axis=2)
    bases = np.split(weights["stft.forward_basis_buffer"][:, 0].T, 2, axis=1)
    parts = [
        graph.add("MatMul", frames, graph.weight(f"stft.{name}", basis))
        for name, basis in zip(("real", "imaginary"), bases, strict=True)
    ]
    power = graph.add("Add", *(graph.add("Mul", part, part) for part in parts))
    value = graph.padded(graph.add("Sqrt", power), 1, 1)
    taps = [graph.cut(value, tap, tap + FRAMES) for tap in range(3)]
    value = graph.add("Concat", *taps, axis=2)
    for layer in range(4):
        name = f"encoder.{layer}"
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        width = weight.shape[1]
        if layer == 1:  # every second frame
            value = graph.padded(value, 1, 0)
            flat = [graph.reshaped(graph.cut(value, n, n + 3), 1, 3 * width) for n in (0, 2)]
            value = graph.add("Concat", *flat, axis=1)
        elif layer == 2:  # one frame is left; the tap before it meets none
            value, weight = graph.reshaped(value, 1, 2 * width), weight[:, :, 1:]
        elif layer == 3:
            weight = weight[:, :, 1:2]
        value = graph.layer(value, name, weight, bias)
    (recurrent,) = (node for node in published.graph.node if node.op_type == "LSTM")
    ours = [
        graph.weight(f"recurrent.{name}", weights[theirs])
        for name, theirs in zip("WRB", recurrent.input[1:4], strict=True)
    ]
    value = graph.add("LSTM", value, *ours, "", "h", "c", hidden_size=STATE[-1])
    value = graph.add("Relu", graph.reshaped(value, 1, STATE[-1]))
    value = graph.affine(value, "output", weights["output.weight"][0], weights["output.bias"])
    value = graph.add("Sigmoid", value)
    graph.nodes.append(helper.make_node("Reshape", [value, graph.sizes(-1)], ["speech_probs"]))
    shapes = {"input": ("chunks", CONTEXT + CHUNK), "h": STATE, "c": STATE}
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    output = helper.make_tensor_value_info("speech_probs", TensorProto.FLOAT, ("chunks",))
    made = helper.make_graph(graph.nodes, "silero_vad", inputs, [output], graph.constants)
    model = helper.make_model(
        made, opset_imports=published.opset_import, ir_version=published.ir_version
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Return a session of one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def main() -> None:
    """Make the graph, compare and time it, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("published", type=Path)
    published = onnx.load(parser.parse_args().published)
    model = rewritten(published)
    sessions = [session(published), session(model)]
    speech = np.concatenate([synthetic.utterance(n, "happiness", 0) for n in range(1, 9)])
    difference, rows = 0.0, []
    for seconds in SECONDS:
        chunks = np.resize(speech, (seconds * 1000 // 32, CONTEXT + CHUNK))
        inputs = {"input": chunks, "h": np.zeros(STATE, np.float32)}
        inputs["c"] = inputs["h"]
        times: list[list[float]] = [[], []]
        for _ in range(TURNS):
            found = []
            for one, taken in zip(sessions, times, strict=True):
                start = time.perf_counter()
                found += one.run(["speech_probs"], inputs)
                taken.append(1000 * (time.perf_counter() - start))
            difference = max(difference, float(abs(found[0] - found[1]).max()))
        old, new = map(np.median, times)
        rows.append(f"| {seconds} | {old:.1f} | {new:.1f} | {old / new:.1f} |")
        print(rows[-1])
    with replacing(DETECTOR) as temporary:
        onnx.save(model, temporary)
    page = PAGE.format(turns=TURNS, difference=difference, rows="\n".join(rows))
    OUT.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
