"""Graphs with fewer bits: small, and with nearly the same answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

import emotone
from emotone import Recognizer
from emotone.audio import SAMPLE_RATE
from emotone.cli.app import app
from emotone.errors import UsageError
from emotone.inference import graph, model_folder
from emotone.publishing import npm
from emotone.publishing.precision import as_float16, as_int8, compact, with_precision
from emotone.publishing.web import write_page
from tests.helpers import spoken

BASE = model_folder.MODELS / "emotone-base"
SHIPPED = (BASE / "model.onnx").read_bytes()


def folder_of(model: bytes, out: Path) -> Recognizer:
    values = model_folder.read(BASE).model_dump(mode="json")
    model_folder.write(out, values, "", {model_folder.ONNX: model})
    return emotone.load(out)


@pytest.mark.parametrize(
    ("store", "size", "tolerance"), [(as_float16, 0.55, 1e-3), (as_int8, 0.4, 1e-2)]
)
def test_answers_and_enrolment_stay(
    tmp_path: Path, store: object, size: float, tolerance: float
) -> None:
    model = compact(SHIPPED, store)  # type: ignore[arg-type]
    assert len(model) < size * len(SHIPPED)
    assert graph.fault(model) is None
    small, large = folder_of(model, tmp_path / "small"), emotone.load()
    for seed in range(6):
        speech = spoken(seed, 2.0), SAMPLE_RATE
        expected = large.predict(speech).probabilities
        assert small.predict(speech).probabilities == pytest.approx(expected, abs=tolerance)
        expected = large.for_speaker([speech]).predict(speech).probabilities
        enrolled = small.for_speaker([speech]).predict(speech).probabilities
        assert enrolled == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(("shape", "first"), [((4, 3, 3, 3), 1), ((2, 8, 5), -1), ((6, 4), -1)])
def test_int8_is_within_half_a_step(shape: tuple[int, ...], first: int) -> None:
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    weights[1] = 0
    (whole, factors), nodes = as_int8("w", weights, first)
    assert [node.op_type for node in nodes] == ["Cast", "Mul"]
    factor = numpy_helper.to_array(factors)
    restored = numpy_helper.to_array(whole) * factor
    assert restored.shape == weights.shape
    assert (np.abs(restored - weights) <= 0.5001 * factor).all()


def test_what_is_small_stays_and_nothing_is_stored_twice() -> None:
    small = with_precision(SHIPPED, "int8")
    assert compact(small) == small
    assert with_precision(SHIPPED, "float32") == SHIPPED
    program = onnx.load_model_from_string(small)
    kinds = {tensor.name: tensor.data_type for tensor in program.graph.initializer}
    assert kinds["network.backbone.lstm.b"] == onnx.TensorProto.FLOAT
    assert kinds["features.cosines.float16"] == onnx.TensorProto.FLOAT16
    assert kinds["network.backbone.lstm.w.int8"] == onnx.TensorProto.INT8


def test_another_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one of float32, int8, got 'int4'"):
        with_precision(SHIPPED, "int4")
    arguments = ["export", "emotone-base", "--out", str(tmp_path / "out"), "--precision", "int4"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "'int4' is not one of 'float32', 'int8'" in " ".join(result.output.split())


def test_a_page_has_the_small_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm, "runtime", lambda registry, advance: {})
    write_page(BASE, tmp_path / "page", precision="int8")
    assert (tmp_path / "page" / "model.onnx").read_bytes() == compact(SHIPPED)
    with pytest.raises(UsageError, match="precision must be one of"):
        write_page(BASE, tmp_path / "another", precision="int4")


@pytest.mark.slow
def test_export_writes_a_folder_with_the_small_graph(tmp_path: Path) -> None:
    out = tmp_path / "small"
    arguments = ["export", "emotone-base", "--out", str(out), "--precision", "int8"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "agree within 1e-4, before weights were stored as int8" in " ".join(
        result.output.split()
    )
    assert (out / "model.onnx").stat().st_size < 0.4 * len(SHIPPED)
    speech = spoken(1, 2.0), SAMPLE_RATE
    expected = emotone.load().predict(speech).probabilities
    assert emotone.load(out).predict(speech).probabilities == pytest.approx(expected, abs=1e-2)
