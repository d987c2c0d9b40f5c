from pathlib import Path

import pytest

from emotone.errors import UsageError
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.shipping import train
from tests.helpers import Recorder

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
