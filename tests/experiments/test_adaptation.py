import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from emotone.errors import UsageError
from emotone.experiments.adaptation import adapt
from emotone.experiments.config import ExperimentConfig, load
from emotone.experiments.shipping import train
from emotone.inference import model_folder
from emotone.inference.recognizer import Recognizer
from emotone.models.weights import rebuilt
from tests.helpers import TINY, Recorder, emotone, one_line, values

pytestmark = pytest.mark.slow

THREE = ("boredom", "fear", "sadness")
OTHER_THREE = ("anger", "happiness", "neutral")  # as many: graphs of one structure are traced once


@pytest.fixture
def table(make_table: Callable[..., Path]) -> Path:
    """A corpus of one's own, with other emotions than the model's."""
    path = make_table(speakers=3, emotions=THREE, takes=1)
    return path.rename(path.with_name("mine.csv"))


def config(table: Path, **training: Any) -> ExperimentConfig:
    values = {
        "corpus": {"name": "table", "root": str(table)},
        "protocol": {"validation_speakers": 0},
        "training": TINY["training"] | training,
    }
    return ExperimentConfig.model_validate(values)


def test_with_several_seeds_an_ensemble_is_adapted_to_an_ensemble(
    make_table: Callable[..., Path], table: Path, tmp_path: Path
) -> None:
    asked = ExperimentConfig.model_validate(
        values(make_table(emotions=OTHER_THREE, folder="first")) | {"seeds": [0, 1]}
    )
    start = train(asked, tmp_path / "start", Recorder())
    several = config(table).model_copy(update={"seeds": (0, 1)})
    still = several.training.model_copy(update={"learning_rate": 1e-9})
    asked = several.model_copy(update={"training": still})
    found = adapt(str(start), asked, tmp_path / "adapted", Recorder())
    assert Recognizer(found.folder).config.training["calibration"]["utterances"] == 9
    for after, before in zip(
        rebuilt(found.folder).backbone.each, rebuilt(start).backbone.each, strict=True
    ):  # each from its own member
        torch.testing.assert_close(
            after.get_submodule("hidden").weight, before.get_submodule("hidden").weight
        )


def test_an_adapted_model_knows_new_emotions_and_what_it_gained(
    folder: Path, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "adapted"
    found = adapt(str(folder), config(table), out, Recorder())
    scratch, adapted = found.results.rows
    assert (scratch.variant, adapted.variant) == ("from scratch", "adapted")
    assert adapted.rates is not None
    assert scratch.rates is not None
    gain = adapted.differences["from scratch"]
    assert gain.difference == pytest.approx(adapted.rates.uar.mean - scratch.rates.uar.mean)
    assert (scratch.system.pretrained_on, adapted.system.pretrained_on) == (None, "table")
    recognizer = Recognizer(found.folder)
    assert recognizer.labels == ["boredom", "fear", "sadness"]
    assert recognizer.config.training["pretrained_on"] == "table"
    assert recognizer.config.training["calibration"]["speakers"] == 3
    card = (out / model_folder.CARD).read_text()
    assert "| pre-trained on | table |" in card
    assert "leave-one-speaker-out" in card
    with pytest.raises(UsageError, match="holds a finished model"):
        adapt(str(folder), config(table), out, Recorder())


def test_training_begins_with_the_model(folder: Path, table: Path, tmp_path: Path) -> None:
    still = config(table, epochs=1, learning_rate=1e-9, averaging=0)
    adapt(str(folder), still, tmp_path / "out", Recorder())
    before, after = rebuilt(folder).state_dict(), rebuilt(tmp_path / "out").state_dict()
    weights = [name for name in before if "weight" in name and "output" not in name]
    assert weights
    for name in weights:
        torch.testing.assert_close(after[name], before[name], atol=1e-5, rtol=0)


def test_models_that_do_not_fit_are_refused(
    folder: Path, table: Path, tmp_path: Path, make_table: Callable[..., Path]
) -> None:
    def refused(message: str, model: str, asked: ExperimentConfig) -> None:
        with pytest.raises(UsageError, match=message):
            adapt(model, asked, tmp_path / "out", Recorder())

    refused(
        r"was trained on 2 speakers of table \(s0, s1\); leave them out",
        str(folder),
        config(make_table(folder="again")),
    )
    both = config(table).model_copy(update={"pretraining": config(table)})
    refused("leave it out", str(folder), both)
    path = tmp_path / "e.yaml"
    path.write_text(json.dumps({"corpus": {"name": "table", "root": str(table)}}))
    with pytest.raises(UsageError, match="nor a model that ships"):
        load(path, ["pretraining.model=nobody"])
    done = emotone("crossval", path, f"pretraining.model={folder}", "--out", tmp_path / "no")
    assert done.returncode == 2
    assert "has another network" in one_line(done)


def test_other_speakers_of_a_corpus_of_the_same_name_are_taken(
    folder: Path, make_table: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_table(speakers=3, emotions=("boredom", "sadness"), takes=1, folder="again")
    path.write_text(re.sub(r",s(\d)", r",t\1", path.read_text()))
    results = adapt(str(folder), config(path), tmp_path / "out", Recorder()).results
    assert results.setting.corpus == "table"


def test_a_model_that_does_not_name_its_speakers_may_have_heard_all_of_a_corpus(
    folder: Path, make_table: Callable[..., Path], tmp_path: Path
) -> None:
    unnamed = tmp_path / "unnamed"
    shutil.copytree(folder, unnamed)
    path = unnamed / model_folder.CONFIG
    values = json.loads(path.read_text())
    del values["training"]["speakers"]
    path.write_text(json.dumps(values))
    table = make_table(speakers=3, takes=1, folder="again")
    table.write_text(re.sub(r",s(\d)", r",t\1", table.read_text()))
    with pytest.raises(UsageError, match=r"trained on 3 speakers of table \(t0, t1, t2\)"):
        adapt(str(unnamed), config(table), tmp_path / "out")


def test_the_commands(folder: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = emotone(
        "adapt", folder, table, "training.epochs=1", "protocol.validation_speakers=0", "--out", out
    )
    assert done.returncode == 0, done.stderr
    assert "from scratch" in done.stdout
    assert f"model: {out}" in done.stdout
    done = emotone("export", out, "--out", tmp_path / "model.onnx")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.onnx").stat().st_size > 10_000
    for option in ("features.mels=40", "model.summary=mean"):
        other = emotone("adapt", folder, table, option, "--out", tmp_path / "other")
        assert f"{option}: an adapted network has the features and the sizes of" in one_line(other)
    (tmp_path / "bad.csv").write_text("file,emotion\na.wav,anger\n")
    assert one_line(emotone("adapt", folder, tmp_path / "bad.csv", "--out", tmp_path / "other"))
    assert not (tmp_path / "other").exists()
    missing = emotone("export", tmp_path, "--out", tmp_path / "no.onnx")
    assert "is not a model folder" in one_line(missing)
    assert not (tmp_path / "no.onnx").exists()
