"""Dimensions through a whole project: cross-validation, report, model, predictions, service."""

import json
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from fastapi.testclient import TestClient

from emotone.audio.windows import WINDOW_S
from emotone.errors import ModelError, UsageError
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.config import ExperimentConfig, checked
from emotone.experiments.crossval import crossval
from emotone.experiments.shipping import export, train
from emotone.inference import model_folder
from emotone.inference.prediction import Prediction
from emotone.inference.recognizer import Recognizer, load
from emotone.models.export import check_parity
from emotone.models.weights import rebuilt
from emotone.reporting import report
from emotone.serve.app import create
from emotone.serve.options import ServeOptions
from tests.helpers import LOCAL, TINY, emotone, full_iemocap, one_line, predictions, spoken, wav

pytestmark = pytest.mark.slow

NAMES = ("arousal", "valence")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cross-validation, its reports, and a model."""
    root = tmp_path_factory.mktemp("dimensions")
    corpus = {"name": "synthetic", "root": root / "s", "speakers": 4, "utterances": 4}
    config = ExperimentConfig.model_validate(
        TINY
        | {
            "corpus": corpus | {"dimensions": NAMES},
            "protocol": {"name": "kfold", "folds": 2},
            "training": {"epochs": 2, "batch": 4},
            "runtime": {"jobs": 2},
        }
    )
    crossval(config, root / "results")
    report.write(root / "results")
    train(config, root / "model", calibrate=root / "results")
    return root


@pytest.fixture(scope="module")
def model(place: Path) -> Recognizer:
    return load(place / "model")


def test_results_and_report_have_the_concordance(place: Path) -> None:
    results = ResultsFolder(place / "results").results()
    assert tuple(results.dimensions) == NAMES
    table = predictions(place / "results")
    columns = ["truth_arousal", "d_arousal", "truth_valence", "d_valence"]
    assert list(table.columns[-4:]) == columns
    assert table[columns].notna().to_numpy().all()
    assert not results.only_dimensions
    assert all(epoch.validation_ccc is not None for run in results.runs for epoch in run.history)
    page = (place / "results" / "report.html").read_text()
    assert "predicted arousal" in page
    assert "predicted valence" in page
    for kind in ("md", "tex"):
        text = (place / "results" / f"report.{kind}").read_text()
        assert f"{results.dimensions['valence'].ccc:.3f}".replace("-", "−") in text.replace(
            "$-$", "−"
        )


def test_the_card_says_how_well_dimensions_are_predicted(place: Path) -> None:
    card = (place / "model" / model_folder.CARD).read_text()
    score = ResultsFolder(place / "results").results().dimensions["arousal"]
    assert f"| synthetic | arousal | {score.ccc:.3f}".replace("-", "−") in card
    assert "and arousal, valence from 0 to 1." in card


def test_a_prediction_has_the_network_s_values(place: Path, model: Recognizer) -> None:
    waveform = spoken(1, 2.0)
    network = rebuilt(place / "model")
    with torch.no_grad():
        features = network.features(torch.from_numpy(waveform)[None], torch.tensor([32_000]))
        expected = network.heads(network.backbone(*features))[1][0].tolist()
    found = model.predict((waveform, 16_000), embedding=True)
    assert found.dimensions == pytest.approx(dict(zip(NAMES, expected, strict=True)), abs=1e-4)
    assert found.to_dict()["dimensions"] == found.dimensions
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.embedding is not None
    assert len(found.embedding) == model.embedding_size


def test_parts_of_a_long_recording_are_averaged(model: Recognizer) -> None:
    waveform = spoken(0, 20.0)
    halves = [model.predict((half, 16_000)).dimensions for half in np.split(waveform, 2)]
    whole = model.predict((waveform, 16_000)).dimensions
    assert whole is not None
    for name in NAMES:
        assert whole[name] == pytest.approx(np.mean([half[name] for half in halves if half]))


def test_outputs_have_the_values(place: Path, model: Recognizer, tmp_path: Path) -> None:
    files = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for number, file in enumerate(files):
        file.write_bytes(wav(1.0, number))
    expected = [model.predict(file).dimensions for file in files]
    assert None not in expected
    for suffix in ("csv", "jsonl", "parquet"):
        out = tmp_path / f"answers.{suffix}"
        command: list[str | Path] = ["predict", *files, "--model", place / "model"]
        for _ in range(2):  # the second time it is continued
            done = emotone(*command, "--output", out)
            assert done.returncode == 0, done.stderr
        if suffix == "jsonl":
            found = [json.loads(line)["dimensions"] for line in out.read_text().splitlines()]
        else:
            table = pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)
            assert list(table.columns[-2:]) == ["d_arousal", "d_valence"]
            table.columns = table.columns.str.removeprefix("d_")
            found = table[list(NAMES)].to_dict("records")
        for one, wanted in zip(found, expected, strict=True):
            assert one == pytest.approx(wanted, abs=1e-4)
        sidecar = json.loads((tmp_path / f"answers.{suffix}.emotone.json").read_text())
        assert sidecar["settings"]["dimensions"] == list(NAMES)
    line = emotone("predict", files[0], "--model", place / "model").stdout
    assert expected[0] is not None
    assert f"arousal {expected[0]['arousal']:.2f}  valence {expected[0]['valence']:.2f}" in line


def test_a_window_without_sound_has_none(place: Path, tmp_path: Path) -> None:
    import soundfile

    file = tmp_path / "pause.wav"
    sound = np.concatenate([spoken(0, 3.0), np.zeros(round(16_000 * 2 * WINDOW_S), np.float32)])
    soundfile.write(file, sound, 16_000)
    out = tmp_path / "answers.jsonl"
    for _ in range(2):
        done = emotone(
            "predict", file, "--segments", "--model", place / "model", "--output", out
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert found[0]["dimensions"].keys() == set(NAMES)
    assert found[-1]["label"] is None
    assert found[-1]["dimensions"] is None


def test_the_graph_has_a_further_output(place: Path, tmp_path: Path) -> None:
    made = onnx.load_model(place / "model" / model_folder.ONNX)
    assert [one.name for one in made.graph.output] == ["logits", "embedding", "dimensions"]
    network = rebuilt(place / "model")
    assert network.dimensions == list(NAMES)
    content = (place / "model" / model_folder.ONNX).read_bytes()
    assert check_parity(network, content, [spoken(0, 1.0), spoken(1, 0.5)]) < 1e-3
    again = load(export(place / "model", tmp_path / "again"))
    speech = spoken(2, 1.0), 16_000
    assert again.predict(speech).dimensions == load(place / "model").predict(speech).dimensions


def test_a_graph_without_the_output_is_refused(place: Path, folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / model_folder.CONFIG).read_text())
    assert "dimensions" not in config  # so that older versions can read it
    content = (folder / model_folder.ONNX).read_bytes()
    card, files = "# made\n", {model_folder.ONNX: content}
    model_folder.write(tmp_path / "m", config | {"dimensions": ["arousal"]}, card, files)
    with pytest.raises(ModelError, match=r"expected the output dimensions of shape \(batch, 1\)"):
        load(tmp_path / "m")
    config = json.loads((place / "model" / model_folder.CONFIG).read_text())
    assert config["dimensions"] == list(NAMES)


def test_older_models_have_none(recognizer: Recognizer) -> None:
    answer = recognizer.predict((spoken(0, 1.0), 16_000))
    assert answer.dimensions is None
    assert "dimensions" not in answer.to_dict()
    assert Prediction("a", {"a": 1.0}, confident=True).dimensions is None


def test_the_service_answers_them(place: Path, model: Recognizer) -> None:
    options = ServeOptions(models=(str(place / "model"),), workers=1)
    with TestClient(create(options), headers=LOCAL) as client:
        assert client.get("/v1/models").json()[0]["dimensions"] == list(NAMES)
        sound = wav(1.0, 3)
        found = client.post("/v1/predict", files={"file": ("a.wav", sound)}).json()
        windows = client.post("/v1/segments", files={"file": ("a.wav", sound)}).json()
        schema = client.get("/openapi.json").json()["components"]["schemas"]["Answer"]
    assert found["dimensions"] == pytest.approx(model.predict(sound).dimensions, abs=1e-3)
    assert windows["segments"][0]["dimensions"].keys() == set(NAMES)
    assert "dimensions" in schema["properties"]


def test_what_cannot_have_dimensions_says_so(place: Path) -> None:
    corpus = {"name": "synthetic", "dimensions": list(NAMES)}
    with pytest.raises(UsageError, match=r"corpus\.dimensions: model\.kind=opensmile-svm learns"):
        checked({"corpus": corpus, "model": {"kind": "opensmile-svm"}}, "made")
    with pytest.raises(UsageError, match=r"training\.dimensions_weight: there are no dimensions"):
        checked({"corpus": {"name": "synthetic"}, "training": {"dimensions_weight": 1}}, "made")
    only = checked({"corpus": corpus, "training": {"dimensions_weight": 1}}, "made")
    with pytest.raises(UsageError, match="learns no emotions, which a model must answer"):
        train(only, place / "never")
    assert not (place / "never").exists()


def test_an_unknown_dimension_is_one_line(tmp_path: Path) -> None:
    done = emotone(
        "crossval", "synthetic", "corpus.dimensions=[power]", f"corpus.root={tmp_path / 's'}",
        "corpus.speakers=2", "corpus.utterances=4", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode != 0
    line = one_line(done)
    assert "corpus.dimensions has 'power', which the corpus has no column for" in line
    assert "arousal, valence" in line


def test_iemocap_s_dimensions_instead_of_classes(tmp_path: Path) -> None:
    full_iemocap(tmp_path / "iemocap", smaller=100)
    names = (*NAMES, "dominance")
    corpus = {"name": "iemocap", "root": tmp_path / "iemocap", "dimensions": names}
    training = {"epochs": 1, "batch": 8, "dimensions_weight": 1}
    protocol = {"name": "leave_one_session_out", "only": ["1"]}
    config = ExperimentConfig.model_validate(
        TINY | {"corpus": corpus, "protocol": protocol, "training": training}
    )
    results = crossval(config, tmp_path / "out")
    assert tuple(results.dimensions) == names
    assert results.only_dimensions
    assert results.runs[0].history[0].validation_uar is None
    report.write(tmp_path / "out")
    for kind in ("html", "md"):
        text = (tmp_path / "out" / f"report.{kind}").read_text()
        assert "Only dimensions were learnt" in text
