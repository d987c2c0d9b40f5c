"""The kind ssl, from the corpus to the ONNX model."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from emotone import corpora
from emotone.audio import read
from emotone.errors import UsageError
from emotone.evaluation.folds import make_folds
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments import learners
from emotone.experiments.adaptation import adapt
from emotone.experiments.config import ExperimentConfig, changed
from emotone.experiments.crossval import crossval
from emotone.experiments.shipping import train
from emotone.inference.graph import fault
from emotone.inference.recognizer import Recognizer
from emotone.models.export import to_onnx
from emotone.reporting.report import write
from emotone.training.spectrograms import Spectrograms
from tests.helpers import Recorder, voice
from tests.models.encoders import save_encoder

pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

NO_AUGMENTATION = {"warp": 0, "level_db": 0, "equaliser_db": 0}


def config(table: Path, encoder: Path | str, **model: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate({
        "corpus": {"name": "table", "root": str(table)},
        "protocol": {"name": "kfold", "folds": 2},
        "model": {"kind": "ssl", "encoder": str(encoder), "hidden": 4} | model,
        "training": {"epochs": 2, "batch": 8, "augment": NO_AUGMENTATION},
        "runtime": {"jobs": 1},
    })  # fmt: skip


@pytest.mark.parametrize("name", ["wav2vec2-large", "hubert", "wavlm", "data2vec", "whisper"])
def test_each_family_is_tuned_and_exported(
    name: str, make_table: Callable[..., Path], tmp_path: Path
) -> None:
    asked = config(make_table(), save_encoder(name, tmp_path), tune="last_1")
    corpus = corpora.read_all(asked.corpus)
    data = learners.read_data(asked, corpus, tmp_path / "cache", lambda: None)
    assert isinstance(data, Spectrograms)
    assert data.values.dtype == np.float16
    assert data.values.shape[1] == 2 * 16  # the input of the layers and the first layer's output
    fold = make_folds(corpus, asked.protocol)[0]
    fitted = learners.fit(asked, data, fold, 0, None, tmp_path / "checkpoint")
    assert fitted.network is not None
    # what waveforms give is what the cached states gave in training
    waveform = torch.from_numpy(read(corpus.table.iloc[fold.test[0]]["file"]))[None]
    with torch.no_grad():
        logits = fitted.network(waveform, torch.tensor([waveform.shape[1]]))
    wanted = fitted.probabilities([fold.test[0]])
    np.testing.assert_allclose(logits.softmax(dim=1).numpy(), wanted, atol=5e-3)
    model = to_onnx(fitted.network, [voice(1, 0.03), voice(2, 0.9), voice(3, 1.7)])
    assert fault(model) is None


def test_crossval_resume_and_report(make_table: Callable[..., Path], tmp_path: Path) -> None:
    asked = config(make_table(), save_encoder("wavlm-large", tmp_path))
    out = tmp_path / "out"
    results = crossval(asked, out, Recorder())
    assert results.system.title == "wavlm-large, frozen"
    assert not list(out.glob("spectrograms/*"))
    again = Recorder()
    assert crossval(asked, out, again) == results
    assert again.runs == []
    assert ResultsFolder(out).results() == results
    assert results.runs[0].parameters == results.system.parameters
    assert (results.system.parameters or 0) > 5_000  # the head alone has 145
    report = write(out, changed=changed)[0].read_text()
    assert "wavlm-large, frozen" in report
    assert "model.hidden" in report
    path = tmp_path / "wavlm-large" / "config.json"
    path.write_text(path.read_text().replace('"attention_dropout": 0.1', '"attention_dropout": 0'))
    with pytest.raises(UsageError, match="holds another experiment"):
        crossval(config(tmp_path / "corpus" / "table.csv", path.parent), out)
    with pytest.raises(UsageError, match="has changed since this was started"):
        asked.model.require()


def test_a_model_is_adapted_to_other_speakers(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    encoder = save_encoder("hubert", tmp_path)
    train(config(make_table(), encoder), tmp_path / "model")
    path = make_table(emotions=("boredom", "sadness"), folder="other")
    table = path.rename(path.with_name("mine.csv"))
    found = adapt(str(tmp_path / "model"), config(table, encoder), tmp_path / "adapted")
    scratch, adapted = found.results.rows
    assert (scratch.system.pretrained_on, adapted.system.pretrained_on) == (None, "table")
    assert scratch.system.title == "hubert, frozen"
    assert Recognizer(found.folder).labels == ["boredom", "sadness"]


def test_no_encoder_is_said_before_anything_is_written(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"model\.encoder: give a folder, or an id such as"):
        crossval(config(make_table(), ""), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.yaml"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": {"mels": 40, "norm": "utterance"}}, "features.mels, features.norm: options"),
        ({"training": {}}, "training.augment: warp, level_db, equaliser_db change log-mel"),
        ({"model": {"tune": "last_3"}}, r"has 2 layers, got last_3"),
        ({"model": {"tune": "some"}}, "should match pattern"),
        ({"model": {"encoder": "nobody/has-this"}}, "is not on this machine"),
    ],
)
def test_what_does_not_apply_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    values: dict[str, Any] = {
        "corpus": {"name": "emodb"},
        "training": {"augment": NO_AUGMENTATION},
        "model": {"kind": "ssl", "encoder": str(save_encoder("hubert", tmp_path))},
    }
    values |= changes | {"model": values["model"] | changes.get("model", {})}
    with pytest.raises(ValidationError, match=message) as error:
        ExperimentConfig.model_validate(values)
    assert not re.search("\n", error.value.errors()[0]["msg"])
