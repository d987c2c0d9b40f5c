from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotone.errors import UsageError
from emotone.evaluation import calibration
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import crossval
from tests.helpers import TINY, Recorder


def answers(count: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a model that says of its odds that they are ``sharpness`` times as long."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((count, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = np.array([rng.choice(4, p=row) for row in true])
    return calibration.softened(true, 1 / sharpness), targets


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_wrong_confidence(sharpness: float) -> None:
    probabilities, targets = answers(20_000, sharpness)
    assert calibration.temperature(probabilities, targets) == pytest.approx(sharpness, rel=0.05)
    folds = np.arange(20_000) % 5
    found = calibration.fit(probabilities, targets, folds, speakers=5)
    assert found.error_after < 0.02
    if sharpness != 1:
        assert found.error_before > 0.08
    assert found.sure_accuracy == pytest.approx(calibration.ACCURACY, abs=0.02)
    assert 0 < found.sure < 1


def test_the_error_is_counted_by_hand() -> None:
    # two answers of 0.9, one right; two of 0.6, both right
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    error = calibration.calibration_error(probabilities, np.array([0, 1, 0, 0]))
    assert error == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)


def test_the_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    confidence = np.linspace(1, 0.5, 100)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    targets = np.zeros(100, int)
    assert calibration.threshold(probabilities, targets) == 0.5
    targets[45:50] = 1  # 45 of 50 are right, then all
    targets[60:] = 1
    assert calibration.threshold(probabilities, targets) == pytest.approx(confidence[59], abs=0.04)
    assert calibration.threshold(probabilities, np.ones(100, int)) == 1.0


def test_only_results_of_the_same_network_for_new_speakers_calibrate(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    values = {
        "corpus": {"name": "table", "root": str(make_table())},
        "protocol": {"validation_speakers": 0},
        **TINY,
    }
    config = ExperimentConfig.model_validate(values)
    crossval(config, tmp_path / "out", Recorder())
    found = calibration.calibrate(tmp_path / "out", config, ["anger", "neutral"])
    assert (found.utterances, found.speakers) == (16, 4)
    assert found.temperature > 0
    other = ExperimentConfig.model_validate(values | {"model": {"lstm": 5}})
    with pytest.raises(UsageError, match=r"of another network: model\."):
        calibration.calibrate(tmp_path / "out", other, ["anger", "neutral"])
    with pytest.raises(UsageError, match="holds no finished results"):
        calibration.calibrate(tmp_path, config, ["anger", "neutral"])
