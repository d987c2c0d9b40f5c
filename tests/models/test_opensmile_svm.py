import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from emotone import audio
from emotone.errors import UsageError
from emotone.experiments.crossval import crossval
from emotone.models.kinds import Vectors
from emotone.models.opensmile_svm import OpensmileSvmOptions
from tests.helpers import Recorder, config, voice

pytestmark = pytest.mark.slow

SVM = {"kind": "opensmile-svm", "functionals": "egemaps", "c": [0.01, 1.0]}
TRAINING, VALIDATION, TEST = range(60), range(60, 90), range(90, 120)


def two_emotions(size: int = 5) -> Vectors:
    """120 vectors of 12 speakers; the first number separates the emotions."""
    rng = np.random.default_rng(0)
    targets = np.tile([0, 1], 60)
    values = rng.normal(size=(120, size)).astype(np.float32)
    values[:, 0] += 4 * targets
    return Vectors(values, targets, np.repeat(np.arange(12), 10), ["anger", "neutral"])


def test_vectors_are_the_functionals_of_opensmile(make_table: Callable[..., Path]) -> None:
    opensmile = pytest.importorskip("opensmile")
    file = make_table().parent / "s0_anger_1.wav"
    found = OpensmileSvmOptions.model_validate(SVM).extract(audio.read(file))
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02)
    expected = smile.process_file(str(file)).to_numpy()[0]
    assert found.shape == (88,)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_it_is_cross_validated_over_the_same_folds(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("opensmile")
    asked = config(make_table(), model=SVM)
    results = crossval(asked, tmp_path / "out", Recorder())
    assert [run.choices["C"] in (0.01, 1.0) for run in results.runs] == [True, True]
    assert results.system.parameters == 2 * 89
    assert results.system.multiply_adds_per_s is None


@pytest.mark.parametrize("validation", [VALIDATION, ()])
def test_c_is_chosen_without_test_utterances(validation: Sequence[int]) -> None:
    data, options = two_emotions(), OpensmileSvmOptions(c=(1e-9, 1.0))
    fitted = options.fit(data, TRAINING, validation)
    assert fitted.record["C"] in options.c
    probabilities = fitted.probabilities(TEST)
    assert (probabilities.argmax(axis=1) == data.targets[90:]).mean() > 0.9
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    data.values[90:] = 1e6
    again = options.fit(data, TRAINING, validation)
    assert (again.record, again.validation_uar) == (fitted.record, fitted.validation_uar)


def test_the_last_fit_is_to_training_utterances_alone() -> None:
    data, options = two_emotions(), OpensmileSvmOptions(c=(0.1,))
    scaler = StandardScaler().fit(data.values[:60])
    svm = LinearSVC(C=0.1, dual=False, class_weight="balanced", random_state=0)
    svm.fit(scaler.transform(data.values[:60]), data.targets[:60])
    margins = svm.decision_function(scaler.transform(data.values[90:]))
    fitted = options.fit(data, TRAINING, VALIDATION)
    assert fitted.parameters == 2 * 6
    np.testing.assert_allclose(
        fitted.probabilities(TEST)[:, 1], 1 / (1 + np.exp(-2 * margins)), atol=1e-5
    )


def test_a_class_without_validation_utterances_does_not_count_in_the_choice() -> None:
    """The one validation speaker is never sad; the larger C, which knows sadness, is better."""
    rng = np.random.default_rng(0)
    targets = np.array([0, 1, 2] * 20 + [0, 1] * 15)
    values = rng.normal(size=(90, 3)).astype(np.float32)
    values[np.arange(90), targets] += 3
    values[60:63, 2] += 6  # so that some validation utterances are classified as sad
    data = Vectors(values, targets, np.repeat(np.arange(9), 10), ["anger", "neutral", "sadness"])
    fitted = OpensmileSvmOptions(c=(1.0,)).fit(data, range(60), range(60, 90))
    predicted = fitted.probabilities(range(60, 90)).argmax(axis=1)
    assert (predicted == 2).any()
    recalls = [(predicted[targets[60:] == label] == label).mean() for label in (0, 1)]
    assert fitted.validation_uar == pytest.approx(np.mean(recalls))


def test_a_class_without_training_utterances_has_the_probability_zero() -> None:
    data = two_emotions()
    three = Vectors(data.values, data.targets * 2, data.speakers, ["anger", "neutral", "sadness"])
    found = OpensmileSvmOptions(c=(1.0,)).fit(three, TRAINING, ()).probabilities(TEST)
    assert found.shape == (30, 3)
    assert not found[:, 1].any()


@pytest.mark.parametrize("validation", [VALIDATION, ()])
def test_what_does_not_depend_on_c_is_computed_once(
    validation: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[int] = []

    def fit_transform(_self: PCA, x: Any, y: Any = None) -> Any:
        fits.append(len(x))
        return x

    monkeypatch.setattr(PCA, "fit_transform", fit_transform)
    monkeypatch.setattr(PCA, "transform", lambda self, x: x)
    options = OpensmileSvmOptions(c=(0.01, 0.1, 1.0, 10.0))
    options.fit(two_emotions(size=80), TRAINING, validation)
    assert sorted(fits) == ([60] if len(validation) else [40, 50, 50, 50, 50, 60])


def test_without_opensmile_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(UsageError, match=r"pip install 'emotone\[opensmile\]'"):
        OpensmileSvmOptions().extract(voice(0))
