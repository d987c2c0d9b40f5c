from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotone.errors import UsageError
from emotone.evaluation import calibration
from emotone.evaluation.results import RunRecord
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.adaptation import adapt
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import crossval
from emotone.experiments.plan import Run
from emotone.experiments.shipping import export, train
from emotone.inference.recognizer import Recognizer
from tests.helpers import Recorder, config, voice

pytestmark = pytest.mark.slow


def test_training_into_a_folder_in_use_is_refused(folder: Path, tmp_path: Path) -> None:
    many = {"corpus": {"name": "synthetic"}, "seeds": list(range(17))}
    with pytest.raises(UsageError, match=r"at most 16 networks, got 17 seeds; .* seeds=\[0,1,2\]"):
        train(ExperimentConfig.model_validate(many), tmp_path, Recorder())
    one = ExperimentConfig.model_validate({"corpus": {"name": "synthetic"}})
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
    (tmp_path / "other.ONNX").write_text("precious")
    with pytest.raises(UsageError, match=r"other\.ONNX exists and was not made by emotone"):
        export(folder, tmp_path / "other.ONNX")
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


def test_several_seeds_are_networks_that_answer_together(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    asked, table = config(make_table()), tmp_path / "corpus" / "table.csv"
    both = config(table, seeds=[0, 1], runtime={"jobs": 1})

    class Impatient(Recorder):
        def finished(self, run: Run, record: RunRecord) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(both, tmp_path / "both", Impatient())
    resumed = Recorder()
    train(both, tmp_path / "both", resumed)
    assert len(resumed.runs) == 1
    alone = []
    for seed in both.seeds:
        train(asked.model_copy(update={"seeds": (seed,)}), tmp_path / str(seed), Recorder())
        alone.append(Recognizer(tmp_path / str(seed)))
    ensemble = Recognizer(tmp_path / "both")
    assert ensemble.config.members == len(alone)
    assert ensemble.config.training["seeds"] == [0, 1]
    for number in range(3):
        speech = voice(number, 1.0), 16_000
        expected = [list(one.predict(speech).probabilities.values()) for one in alone]
        found = list(ensemble.predict(speech).probabilities.values())
        assert found == pytest.approx(np.mean(expected, axis=0), abs=1e-4)
    export(tmp_path / "both", tmp_path / "again")
    assert Recognizer(tmp_path / "again").config.members == len(alone)


def test_an_ensemble_is_calibrated_with_the_mean_of_as_many_seeds(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    one, table = config(make_table()), tmp_path / "corpus" / "table.csv"
    both = config(table, seeds=[0, 1])
    crossval(one, tmp_path / "one", Recorder())
    crossval(both, tmp_path / "two", Recorder())
    with pytest.raises(UsageError, match=r"1 seed, the model has 2 networks; .* seeds=\[0, 1\]"):
        train(both, tmp_path / "model", Recorder(), calibrate=tmp_path / "one")
    train(both, tmp_path / "model", Recorder(), calibrate=tmp_path / "two")
    results = ResultsFolder(tmp_path / "two")
    labels = results.results().setting.labels
    found = calibration.calibrate(results, labels, members=2)
    assert found.utterances == results.results().setting.utterances
    assert found != calibration.calibrate(results, labels)
    model = Recognizer(tmp_path / "model").config
    assert (model.temperature, model.confident_from) == (found.temperature, found.confident_from)
    card = (tmp_path / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")
    together = results.results().scores.ensemble
    assert together is not None
    assert f"| CRNN, 2 together | {100 * together.uar.mean:.1f} [" in card


def test_what_is_no_network_is_refused_before_training(tmp_path: Path) -> None:
    asked = ExperimentConfig.model_validate(
        {"corpus": {"name": "synthetic"}, "model": {"kind": "opensmile-svm"}}
    )
    with pytest.raises(UsageError, match="kind=opensmile-svm cannot be shipped: it is not a netwo"):
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
