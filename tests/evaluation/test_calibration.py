from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotone.errors import UsageError
from emotone.evaluation import calibration
from emotone.evaluation.protocol import ProtocolOptions
from emotone.evaluation.results import Results
from emotone.evaluation.results_folder import ResultsFolder
from tests.made_results import (
    LABELS,
    made_predictions,
    made_results,
    made_setting,
    made_system,
)


def answers(count: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a model that says of its odds that they are ``sharpness`` times as long."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((count, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = np.array([rng.choice(4, p=row) for row in true])
    return calibration.softened(true, 1 / sharpness), targets


def ones(targets: np.ndarray) -> np.ndarray:
    return np.ones(len(targets))


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_wrong_confidence(sharpness: float) -> None:
    probabilities, targets = answers(20_000, sharpness)
    assert calibration.temperature(probabilities, targets, ones(targets)) == pytest.approx(
        sharpness, rel=0.05
    )
    folds = np.arange(20_000) % 5
    found = calibration.fit(probabilities, targets, folds, ones(targets), speakers=5)
    assert found.error_after < 0.02
    if sharpness != 1:
        assert found.error_before > 0.08
    assert found.confident_accuracy == pytest.approx(calibration.ACCURACY, abs=0.02)
    assert 0 < found.confident < 1


def test_the_error_is_counted_by_hand() -> None:
    # two answers of 0.9, one right; two of 0.6, both right
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    error = calibration.calibration_error(probabilities, np.array([0, 1, 0, 0]), np.ones(4))
    assert error == pytest.approx((2 * 0.4 + 2 * 0.4) / 4)
    weights = np.array([1, 3, 1, 1])  # as if the wrong answer were given three times
    error = calibration.calibration_error(probabilities, np.array([0, 1, 0, 0]), weights)
    assert error == pytest.approx((4 * 0.65 + 2 * 0.4) / 6)


def test_the_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    confidence = np.linspace(1, 0.5, 100)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    targets = np.zeros(100, int)
    assert calibration.threshold(probabilities, targets, ones(targets)) == 0.5
    targets[40:50] = 1  # 40 of 50 are right, then all
    targets[60:] = 1
    assert calibration.threshold(probabilities, targets, ones(targets)) == pytest.approx(
        confidence[61], abs=0.001
    )
    assert calibration.threshold(probabilities, np.ones(100, int), np.ones(100)) == 1.0


def test_a_folds_own_answers_never_fit_its_temperature() -> None:
    # answers that are not exchangeable: one fold is overconfident, the other underconfident
    over, one = answers(4000, 3.0, seed=1)
    under, other = answers(4000, 0.5, seed=2)
    found = calibration.fit(
        np.concatenate([over, under]),
        np.concatenate([one, other]),
        np.repeat([0, 1], 4000),
        np.ones(8000),
        2,
    )
    # scaled with the temperature of the other fold, each becomes worse than it was
    swapped = [calibration.softened(over, 0.5), calibration.softened(under, 3.0)]
    expected = calibration.calibration_error(
        np.concatenate(swapped), np.concatenate([one, other]), np.ones(8000)
    )
    assert found.error_after == pytest.approx(expected, abs=0.01)
    assert found.error_after > found.error_before
    assert 0.5 < found.temperature < 3  # that of all answers, for use


def test_a_folds_own_answers_never_set_its_threshold() -> None:
    # whatever the first fold answers is right, and nothing of the second
    probabilities = np.tile([0.9, 0.1], (100, 1))
    targets = np.repeat([0, 1], 50)
    found = calibration.fit(probabilities, targets, targets, ones(targets), 2)
    # so no threshold makes the first confident, and any makes the second
    assert found.confident == 0.5
    assert found.confident_accuracy == 0.0


def test_it_is_fitted_on_the_predictions_of_a_cross_validation(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    rng = np.random.default_rng(0)
    table = made_predictions(seeds=2)
    columns = [f"p_{label}" for label in LABELS]
    table[columns] = rng.dirichlet(np.ones(3), len(table))
    folder.write_predictions(table)
    folder.write_results(made_results(seeds=2))
    found = calibration.calibrate(folder, LABELS)
    targets = np.array([LABELS.index(label) for label in table["truth"]])
    probabilities = table[columns].to_numpy()
    fitted = calibration.fit(probabilities, targets, table["fold"].to_numpy(), ones(targets), 6)
    assert replace(found, neutral=None) == fitted
    softened = calibration.softened(probabilities, found.temperature)
    is_neutral = targets == LABELS.index("neutral")
    logits = np.log(softened[is_neutral])
    wanted = (logits - logits.mean(axis=1, keepdims=True)).mean(axis=0)
    assert found.neutral == pytest.approx(tuple(wanted), abs=1e-4)
    assert found.applied == {
        "temperature": found.temperature,
        "confident_from": found.confident_from,
        "neutral": found.neutral,
    }
    assert "neutral" not in found.as_dict()
    assert (found.utterances, found.speakers) == (240, 6)
    assert found.as_dict()["confident"] == round(found.confident, 4)
    assert found.as_dict()["curve"][-1] == [0.9, 0, None]  # the probabilities are random


def test_the_curve_says_what_each_threshold_gives() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 300)
    probabilities = rng.dirichlet(np.ones(3), 300)
    probabilities[np.arange(200), targets[:200]] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    weights = rng.uniform(0.5, 2, 300)
    found = calibration.fit(probabilities, targets, np.zeros(300), weights, 6)
    softened = calibration.softened(probabilities, found.temperature)
    right = softened.argmax(axis=1) == targets
    assert [least for least, _, _ in found.curve] == [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    for least, share, accuracy in found.curve:
        reached = softened.max(axis=1) >= least
        assert share == pytest.approx(weights[reached].sum() / weights.sum())
        assert accuracy == pytest.approx(np.average(right[reached], weights=weights[reached]))
    assert found.curve[0][1] > found.curve[-1][1] > 0


@pytest.mark.parametrize(
    "results",
    [
        made_results(system=made_system(transductive=True)),
        made_results(
            setting=made_setting(
                protocol=ProtocolOptions(name="fold_column", speaker_dependent=True)
            )
        ),
    ],
)
def test_only_results_for_new_speakers_calibrate(tmp_path: Path, results: Results) -> None:
    folder = ResultsFolder(tmp_path)
    folder.write_results(results)
    with pytest.raises(UsageError, match="do not hold for new speakers"):
        calibration.calibrate(folder, LABELS)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished experiment"):
        calibration.calibrate(ResultsFolder(tmp_path), LABELS)


def test_twenty_answers_are_enough_for_a_threshold() -> None:
    probabilities = np.tile([0.8, 0.2], (20, 1))
    right = np.zeros(20, np.int64)
    assert calibration.threshold(probabilities, right, np.ones(20)) == pytest.approx(0.8)
    assert calibration.threshold(probabilities[1:], right[1:], np.ones(19)) == 1.0


def test_left_out_corpora_count_the_same_whatever_their_size(tmp_path: Path) -> None:
    """A large corpus is overconfident, a small one underconfident."""
    (over, one), (under, other) = answers(3000, 3.0, seed=1), answers(300, 0.5, seed=2)
    table = pd.DataFrame(np.concatenate([over, under]), columns=list(map("p_{}".format, "abcd")))
    table["truth"] = np.array(list("abcd"))[np.concatenate([one, other])]
    table["fold"] = np.repeat(["large", "small"], [3000, 300])
    table = table.assign(prediction="a", speaker="s", seed=0, utterance="u", file="f")
    found = {}
    for protocol in ("kfold", "cross_corpus"):
        folder = ResultsFolder(tmp_path / protocol)
        folder.write_predictions(table)
        setting = made_setting(protocol=ProtocolOptions(name=protocol), labels=tuple("abcd"))
        folder.write_results(made_results(setting=setting))
        found[protocol] = calibration.calibrate(folder, list("abcd")).temperature
    repeated = np.concatenate([over, *[under] * 10]), np.concatenate([one, *[other] * 10])
    expected = calibration.temperature(*repeated, np.ones(6000))
    assert found["cross_corpus"] == pytest.approx(expected, rel=0.01)
    assert found["kfold"] > found["cross_corpus"] + 0.5
