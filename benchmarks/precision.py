"""Measures emotone-base with fewer bits: size, answers, UAR and speed against float32 as shipped.

Run ``python benchmarks/precision.py FOLDER``, where FOLDER holds corpora as their owners ship them.
It makes the variants in a temporary folder and writes ``benchmarks/RESULTS-precision.md``.
"""

import argparse
import gzip
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType
from onnxruntime.quantization import quantize_dynamic as dynamic
from onnxruntime.quantization import quantize_static as static
from onnxruntime.transformers.float16 import convert_float_to_float16
from training_corpora import CORPORA

import emotone
from emotone import Prediction, Recognizer, corpora
from emotone.audio import Waveform
from emotone.errors import AudioError
from emotone.evaluation.metrics import uar
from emotone.experiments.corpus_arguments import corpus_options
from emotone.inference import graph, model_folder
from emotone.publishing.precision import as_float16, compact

SCORED = 200  # utterances of each corpus, at most
CALIBRATED = 10  # others of each corpus
TIMED = 6  # of those scored, of each corpus
ROUNDS = 9
FASTEST, SMALLEST, MOST_POINTS = 1.2, 0.5, 0.5  # the rule: a variant pays, or does not
LINEAR = ["LSTM", "MatMul", "Gemm"]
OUT = Path(__file__).parent / "RESULTS-precision.md"
FLOAT32 = "float32, as shipped"
PROCESSOR = Path("/proc/cpuinfo")

Speech = list[Waveform]


def float16(model: bytes, _speech: Speech) -> bytes:
    """Compute in float16 from the first convolution on."""
    program = onnx.load_model_from_string(model)
    front = front_end(program)
    converted = convert_float_to_float16(
        program, keep_io_types=True, op_block_list=[], node_block_list=front
    )
    return bytes(converted.SerializeToString())


def front_end(program: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that do not depend on a convolution."""
    names, after = [], set()
    for node in program.graph.node:
        if node.op_type == "Conv" or after.intersection(node.input):
            after.update(node.output)
        else:
            names.append(node.name)
    return names


def int8_dynamic(*kinds: str) -> Callable[[bytes, Speech], bytes]:
    """Return what computes some kinds of nodes in int8, activations scaled as they come."""

    def converted(model: bytes, _speech: Speech) -> bytes:
        front = front_end(onnx.load_model_from_string(model))
        return through_files(
            lambda source, target: dynamic(
                source,
                target,
                op_types_to_quantize=[*kinds],
                nodes_to_exclude=front,
                weight_type=QuantType.QInt8,
            ),
            model,
        )

    return converted


def int8_static(model: bytes, speech: Speech) -> bytes:
    """Compute convolutions in int8, activations scaled by the ranges in some speech."""
    return through_files(
        lambda source, target: static(
            source, target, Ranges(speech), op_types_to_quantize=["Conv"], per_channel=True
        ),
        model,
    )


def int8_both(model: bytes, speech: Speech) -> bytes:
    """Compute convolutions in int8 with fixed ranges, LSTM and linear layers with dynamic ones."""
    return int8_dynamic(*LINEAR)(int8_static(model, speech), speech)


def through_files(convert: Callable[[Path, Path], object], model: bytes) -> bytes:
    """Convert a graph with a function that reads and writes files."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        source.write_bytes(model)
        convert(source, target)
        return target.read_bytes()


class Ranges(CalibrationDataReader):
    """Speech on which the ranges of activations are found."""

    def __init__(self, speech: Speech) -> None:
        self._speech = iter(speech)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the inputs of the graph for the next utterance."""
        one = next(self._speech, None)
        return None if one is None else {"waveform": one[None], "lengths": np.array([len(one)])}


VARIANTS: dict[str, Callable[[bytes, Speech], bytes]] = {
    FLOAT32: lambda model, _: model,
    "float16 weights, computed in float32": lambda model, _: compact(model, as_float16),
    "int8 weights, computed in float32": lambda model, _: compact(model),
    "float16 from the first convolution on": float16,
    "int8, dynamic: LSTM, linear": int8_dynamic(*LINEAR),
    "int8, dynamic: LSTM, linear, convolutions": int8_dynamic(*LINEAR, "Conv"),
    "int8, static: convolutions": int8_static,
    "int8, static: convolutions; dynamic: LSTM, linear": int8_both,
}
INTRODUCTION = f"""# Precision

`python benchmarks/precision.py FOLDER_OF_DATA`: emotone-base as it ships and with fewer bits, side by side. At most {SCORED} utterances of each corpus, drawn with a seed; the model was trained on
these speakers, so only differences to float32 count. The front end stays in float32, but for the variants that only store weights with fewer bits, which have its weights in float16. Ranges of static
int8 come from {CALIBRATED} other utterances of each corpus.

| variant | file, kB | gzip, kB | gzip relative to float32 | largest difference of a probability | same answers, % | UAR, % | Δ UAR, points | speed, file to answer | speed, network alone | further operators | pays |
|---|---|---|---|---|---|---|---|---|---|---|---|"""  # noqa: E501
RULE = f"""
A variant pays if it is at least {FASTEST:g} times as fast from file to answer, or at most {SMALLEST:g} times as large with gzip, at a cost of less than {MOST_POINTS:g} points of UAR (mean over corpora).
Further operators are those that `emotone.load` [refuses](../docs/model-folders.md)."""  # noqa: E501


@dataclass
class Measured:
    """A variant and what was measured of it."""

    recognizer: Recognizer
    graph: bytes
    answers: list[Prediction] = field(default_factory=list)
    seconds: dict[str, list[list[float]]] = field(default_factory=dict)  # by way and file

    @property
    def zipped(self) -> int:
        """Size of the graph with gzip."""
        return len(gzip.compress(self.graph))

    @property
    def further(self) -> list[str]:
        """Operators that exports of emotone do not have."""
        nodes = onnx.load_model_from_string(self.graph).graph.node
        return sorted({node.op_type for node in nodes} - OURS)

    def speed(self, other: "Measured", way: str) -> float:
        """Return how many times as fast as another one: the median over files of medians."""
        pairs = zip(other.seconds[way], self.seconds[way], strict=True)
        return statistics.median(
            statistics.median(theirs) / statistics.median(own) for theirs, own in pairs
        )


OURS = set(graph.OPERATORS)


def utterances(folder: Path, labels: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return utterances to score, and the files of others for ranges, of the corpora there."""
    scored, others = [], []
    for name in CORPORA:
        if (folder / name).is_dir():
            table = corpora.read(corpus_options(name, [str(folder / name)])).table
            table = table[table["emotion"].isin(labels)].sample(frac=1, random_state=0)
            others += table["file"][:CALIBRATED].tolist()
            scored.append(table[CALIBRATED : CALIBRATED + SCORED].assign(corpus=name))
    return pd.concat(scored, ignore_index=True), others


def heard(recognizer: Recognizer, file: str) -> Speech:
    """Return the parts of a recording that the network gets; none if it has no speech."""
    try:
        return [part for part, _ in recognizer.hearing.parts(file, "error")]
    except AudioError:
        return []


def made(folder: Path, others: list[str]) -> dict[str, Measured]:
    """Write a model folder for each variant, and load it."""
    base = emotone.load()
    config = model_folder.read(base.folder)
    values = config.model_dump(mode="json")
    shipped = model_folder.content(base.folder, model_folder.ONNX, config)
    speech = [part for file in others for part in heard(base, file)]
    found = {}
    for number, (name, convert) in enumerate(VARIANTS.items()):
        model = convert(shipped, speech)
        place = folder / str(number)
        model_folder.write(place, values, "", {model_folder.ONNX: model})
        found[name] = Measured(emotone.load(place), model)
    return found


def take_times(variants: dict[str, Measured], files: list[str]) -> None:
    """Take the CPU time of each variant and file, again and again, variants in turn."""
    first = variants[FLOAT32].recognizer
    parts = [heard(first, file) for file in files]
    for measured in variants.values():
        measured.seconds = {way: [[] for _ in files] for way in ("whole", "network")}
    for _ in range(ROUNDS):
        for number, file in enumerate(files):
            for measured in variants.values():
                recognizer = measured.recognizer
                start = time.process_time()
                recognizer.predict(file)
                between = time.process_time()
                recognizer.rows(parts[number])
                end = time.process_time()
                measured.seconds["whole"][number].append(between - start)
                measured.seconds["network"][number].append(end - between)


def rates(table: pd.DataFrame, answers: list[Prediction]) -> pd.Series:
    """Return UAR in % by corpus."""
    asked = table.assign(answer=[answer.label for answer in answers])
    return pd.Series(
        {
            name: 100 * uar(rows["emotion"].tolist(), rows["answer"].tolist())
            for name, rows in asked.groupby("corpus", sort=False)
        }
    )


def main(folder: Path) -> None:
    """Measure, and write the page."""
    logging.disable(logging.WARNING)  # of the quantiser
    onnxruntime.set_default_logger_severity(3)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    graph.OPERATORS += ("ConvInteger", "DequantizeLinear", "DynamicQuantizeLSTM",
                        "DynamicQuantizeLinear", "MatMulInteger", "QuantizeLinear")  # fmt: skip
    graph.OWN_DOMAINS += (b"com.microsoft",)
    table, others = utterances(folder, emotone.load().labels)
    with tempfile.TemporaryDirectory() as temporary:
        variants = made(Path(temporary), others)
        first = variants[FLOAT32].recognizer
        has_speech = [bool(heard(first, file)) for file in table["file"]]
        table = table[has_speech].reset_index(drop=True)
        for measured in variants.values():
            measured.answers = list(measured.recognizer.predict_many(table["file"]))
        timed = table.groupby("corpus", sort=False).head(TIMED)
        take_times(variants, timed["file"].tolist())
    OUT.write_text(page(table, variants, len(timed)), encoding="utf-8")


def page(table: pd.DataFrame, variants: dict[str, Measured], timed: int) -> str:
    """Return the results as Markdown."""
    first = variants[FLOAT32]
    by_corpus = {name: rates(table, measured.answers) for name, measured in variants.items()}
    base = by_corpus[FLOAT32]
    lines, paying = [INTRODUCTION], []
    before = np.array([list(answer.probabilities.values()) for answer in first.answers])
    for name, measured in variants.items():
        after = np.array([list(answer.probabilities.values()) for answer in measured.answers])
        points = (by_corpus[name] - base).mean()
        small = measured.zipped / first.zipped
        speeds = [measured.speed(first, way) for way in ("whole", "network")]
        pays = (speeds[0] >= FASTEST or small <= SMALLEST) and -points < MOST_POINTS
        if pays:
            paying.append(name)
        cells = [
            name,
            f"{len(measured.graph) / 1000:.0f}",
            f"{measured.zipped / 1000:.0f}",
            f"{small:.3f}",
            f"{np.abs(after - before).max():.1e}",
            f"{100 * np.mean(after.argmax(axis=1) == before.argmax(axis=1)):.2f}",
            f"{by_corpus[name].mean():.2f}",
            f"{points:+.2f}",
            *(f"{speed:.2f}" for speed in speeds),
            ", ".join(f"`{one}`" for one in measured.further) or "none",
            "" if measured is first else "yes" if pays else "no",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [RULE, verdict(variants, paying), ""]
    lines += [f"| Δ UAR, points | {' | '.join(base.index)} |", "|---" * (len(base) + 1) + "|"]
    lines.append(f"| *UAR of float32, %* | {' | '.join(f'{one:.1f}' for one in base)} |")
    for name, own in by_corpus.items():
        if name != FLOAT32:
            lines.append(f"| {name} | {' | '.join(f'{one:+.2f}' for one in own - base)} |")
    return "\n".join([*lines, conditions(table, first, timed)]) + "\n"


def verdict(variants: dict[str, Measured], paying: list[str]) -> str:
    """Say which variants pay, and which is offered."""
    ours = [name for name in paying if not variants[name].further]
    if not ours:
        return "None that `emotone.load` takes pays, so none is offered."
    best = min(ours, key=lambda name: variants[name].zipped)
    return (
        f"These pay: {'; '.join(f'“{name}”' for name in paying)}. Offered is “{best}”, the "
        "smallest of those without further operators."
    )


def conditions(table: pd.DataFrame, first: Measured, timed: int) -> str:
    """Say on what was measured."""
    shares = [
        statistics.median(network) / statistics.median(whole)
        for whole, network in zip(first.seconds["whole"], first.seconds["network"], strict=True)
    ]
    processor = PROCESSOR.read_text() if PROCESSOR.is_file() else ""
    has = "with" if "vnni" in processor else "without"
    return (
        f"\n{len(table)} utterances. Speed: CPU time of one thread relative to float32's, on "
        f"{timed} files, variants in turn, medians of {ROUNDS} rounds. The network takes "
        f"{100 * statistics.median(shares):.0f} % of the time from file to answer in float32; the "
        "rest, such as voice activity detection, stays as it is. ONNX Runtime "
        f"{onnxruntime.__version__}, a processor {has} VNNI instructions for int8. Load of the "
        f"machine meanwhile: {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of corpora")
    main(parser.parse_args().folder)
