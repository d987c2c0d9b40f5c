from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotone.errors import UsageError
from emotone.evaluation import calibration
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.adaptation import adapt
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import crossval
from emotone.experiments.shipping import export, train
from emotone.inference.recognizer import Recognizer
from tests.helpers import Recorder, config, voice

pytestmark = pytest.mark.slow


def test_training_into_a_folder_in_use_is_refused(folder: Path, tmp_path: Path) -> None:
    asked = ExperimentConfig.model_validate({"corpus": {"name": "synthetic"}, "seeds": [0, 1]})
    with pytest.raises(UsageError, match=r"one model has one seed, got \[0, 1\]"):
        train(asked, tmp_path, Recorder())
    one = asked.model_copy(update={"seeds": (0,)})
    with pytest.raises(UsageError, match="holds a finished model"):
        train(one, folder, Recorder())
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(UsageError, match=r"holds other files \(thesis\.txt"):
        train(one, tmp_path, Recorder())


@pytest.mark.parametrize("name", ["MODEL_CARD.md", "model.onnx", "fingerprints.bin"])
def test_files_of_the_user_with_names_of_a_model_stay(
    make_table: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("precious")
    with pytest.raises(UsageError, match=f"holds other files \\({name}"):
        train(config(make_table()), out, Recorder())
    with pytest.raises(UsageError, match=f"holds other files \\({name}"):
        adapt("emotone-base", config(tmp_path / "corpus" / "table.csv"), out, Recorder())
    assert {path.name: path.read_text() for path in out.iterdir()} == {name: "precious"}


def test_an_export_overwrites_only_exports(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.docx; give --out a new folder, or a name"):
        export(folder, tmp_path / "thesis.docx")
    out = tmp_path / "model.onnx"
    out.write_text("precious")
    with pytest.raises(UsageError, match=r"model\.onnx exists and was not made by emotone"):
        export(folder, out)
    assert out.read_text() == "precious"
    export(folder, out, force=True)
    export(folder, out)  # its own
    assert export(folder, tmp_path / "model-v1.2").is_dir()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            {"kind": "opensmile-svm"},
            "model.kind=opensmile-svm cannot be shipped: it is not a network",
        ),
        (
            {"kind": "acrnn-3d"},
            "model.kind=acrnn-3d cannot be shipped: padding changes its answers",
        ),
    ],
)
def test_what_cannot_be_shipped_is_refused_before_training(
    tmp_path: Path, model: dict[str, str], reason: str
) -> None:
    asked = ExperimentConfig.model_validate({"corpus": {"name": "synthetic"}, "model": model})
    with pytest.raises(UsageError, match=reason):
        train(asked, tmp_path / "out", Recorder())
    assert not (tmp_path / "out").exists()


def test_a_model_of_fewer_labels_is_the_same_network_among_them(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    asked = config(make_table(emotions=("anger", "fear", "neutral")))
    tested, whole = tmp_path / "tested", tmp_path / "whole"
    crossval(asked, tested, Recorder())
    train(asked, whole, Recorder(), calibrate=tested)
    with pytest.raises(UsageError, match="give --calibrate as to train"):
        export(whole, tmp_path / "few", ["neutral", "anger"])
    for labels in (["anger", "joy"], ["anger"], ["anger", "anger"]):
        with pytest.raises(UsageError, match="two or more of anger, fear, neutral, each once"):
            export(whole, tmp_path / "few", labels, tested)
    export(whole, tmp_path / "few", ["neutral", "anger"], tested)
    all_three, two = Recognizer(whole), Recognizer(tmp_path / "few")
    assert two.labels == ["neutral", "anger"]
    found = calibration.calibrate(ResultsFolder(tested), two.labels)
    assert two.config.temperature == found.temperature
    assert two.config.training["calibration"] == found.as_dict()
    for seed in range(3):
        speech = voice(seed, 1.0), 16_000
        before, after = all_three.predict(speech).probabilities, two.predict(speech).probabilities
        odds = np.log(before["anger"] / before["neutral"]) * all_three.config.temperature
        expected = np.log(after["anger"] / after["neutral"]) * two.config.temperature
        assert odds == pytest.approx(expected, abs=1e-3)
    card = (tmp_path / "few" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("# few: neutral, anger\n")
