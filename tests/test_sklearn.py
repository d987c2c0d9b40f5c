"""The classifier for scikit-learn."""

import pickle
import pickletools
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.utils import estimator_checks as checks

import emotone
from emotone.corpora import synthetic
from emotone.errors import AudioError, CorpusError, FoldError, SpeechTypeError, UsageError
from emotone.sklearn import EmotionClassifier
from tests.helpers import TINY, voice

pytestmark = pytest.mark.slow

LABELS = ["sad", "angry"] * 4
SPEAKERS = np.repeat(["ann", "bob", "eve", "dan"], 2)


def tiny(**changes: Any) -> EmotionClassifier:
    return EmotionClassifier(TINY, **changes)


def recordings(count: int = 8) -> list[Any]:
    return [voice(number, 0.3 + 0.05 * number) for number in range(count)]


@pytest.fixture(scope="module")
def fitted() -> EmotionClassifier:
    return tiny().fit(recordings(), LABELS, groups=SPEAKERS)


def test_answers_are_those_of_the_model_folder(fitted: EmotionClassifier, tmp_path: Path) -> None:
    assert fitted.classes_.tolist() == ["angry", "sad"]
    probabilities = fitted.predict_proba(recordings(5))
    assert probabilities.shape == (5, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    answers = fitted.predict(recordings(5))
    assert answers.tolist() == fitted.classes_[probabilities.argmax(axis=1)].tolist()
    assert fitted.score(recordings(), LABELS) == np.mean(fitted.predict(recordings()) == LABELS)
    recognizer = emotone.load(fitted.save(tmp_path / "model"))
    assert recognizer.labels == ["anger", "sadness"]
    found = recognizer.predict((voice(0, 0.3), 16_000)).probabilities
    np.testing.assert_allclose(probabilities[0], [found["anger"], found["sadness"]], atol=1e-6)
    assert (tmp_path / "model" / "MODEL_CARD.md").is_file()
    with pytest.raises(UsageError, match="model exists; give a new folder"):
        fitted.save(tmp_path / "model")


def test_a_recording_may_be_given_in_any_way(fitted: EmotionClassifier, tmp_path: Path) -> None:
    samples = voice(3, 0.5)
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    ways: list[Any] = [
        [str(path)], [path], np.array([str(path)]), pd.Series([str(path)]),
        pd.DataFrame({"file": [str(path)]}), np.array([[str(path)]], object),
        [samples], [(samples, 16_000)], samples[None], [samples.tolist()],
    ]  # fmt: skip
    expected = fitted.predict_proba([path])
    for way in ways:
        np.testing.assert_allclose(fitted.predict_proba(way), expected, atol=1e-6)
    assert fitted.predict_proba([]).shape == (0, 2)


def test_pickled_by_its_model_folder(fitted: EmotionClassifier) -> None:
    stored = pickle.dumps(fitted)
    again = pickle.loads(stored)
    expected = fitted.predict_proba(recordings())
    np.testing.assert_array_equal(again.predict_proba(recordings()), expected)
    assert again.recognizer_.folder != fitted.recognizer_.folder
    modules = {
        str(argument).partition(".")[0]
        for opcode, argument, _ in pickletools.genops(stored)
        if opcode.name in ("GLOBAL", "SHORT_BINUNICODE") and str(argument).startswith("torch")
    }
    assert not modules  # files of a model folder, no objects of PyTorch
    folder = again.recognizer_.folder
    del again
    assert not folder.exists()


def test_clone_and_parameters(fitted: EmotionClassifier) -> None:
    config = deepcopy(TINY)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert set(copy.get_params()) == {
        "config", "overrides", "sample_rate", "validation_speakers", "random_state",
    }  # fmt: skip
    with pytest.raises(NotFittedError):
        copy.predict(recordings())
    copy.set_params(overrides=["training.epochs=1"], random_state=3).fit(recordings(), LABELS)
    training = copy.recognizer_.config.training
    assert training["training"]["epochs"] == 1
    assert training["seeds"] == [3]
    assert config == TINY  # what was given is not changed


def test_grouped_cross_validation_learns_synthetic_emotions() -> None:
    speech, labels, speakers = [], [], []
    for speaker in range(4):
        for emotion in ("anger", "sadness"):
            for take in range(4):
                speech.append(synthetic.utterance(speaker, emotion, take))
                labels.append(emotion)
                speakers.append(speaker)
    classifier = tiny(
        overrides=["training.epochs=80", "training.learning_rate=0.01", "training.augment.mixup=0"]
    )
    scores = cross_val_score(
        classifier, speech, labels, groups=speakers, cv=GroupKFold(2), scoring="balanced_accuracy",
        error_score="raise",
    )  # fmt: skip
    assert len(scores) == 2
    assert min(scores) > 0.8


def test_validation_speakers_are_held_out_of_the_training() -> None:
    fitted = tiny(validation_speakers=1).fit(recordings(), LABELS, groups=SPEAKERS)
    speakers = fitted.recognizer_.config.training["speakers"]
    assert len(speakers["training"]) == 3
    assert len(speakers["validation"]) == 1


def test_labels_may_be_numbers() -> None:
    fitted = tiny().fit(recordings(), [10, 9] * 4)
    assert fitted.classes_.tolist() == [9, 10]
    assert set(fitted.predict(recordings())) <= {9, 10}


@pytest.mark.parametrize(
    ("changes", "arguments", "error", "message"),
    [
        ({}, (["a.wav"], ["sad", "angry"]), ValueError, "inconsistent numbers of samples"),
        ({}, ("a.wav", ["sad"]), SpeechTypeError, "fit takes several recordings, got one, a.wav"),
        ({}, (recordings(2), ["sad", "sad"]), UsageError, "two or more labels.* got the .* sad$"),
        ({}, (recordings(2), ["sad", "sadness"]), UsageError, "each of another emotion"),
        ({}, (["none.wav", "no.wav"], ["sad", "angry"]), CorpusError, "2 files do not exist"),
        (
            {"validation_speakers": 1},
            (recordings(2), ["sad", "angry"]),
            UsageError,
            "needs to know who speaks; give groups",
        ),
        (
            {"validation_speakers": 4},
            (recordings(), LABELS, SPEAKERS),
            FoldError,
            "no speaker is left for training",
        ),
        (
            {"overrides": ["training.epoch=1"]},
            (recordings(2), ["sad", "angry"]),
            UsageError,
            "unknown option 'training.epoch'; did you mean 'epochs'",
        ),
        (
            {},
            (recordings(2), ["sad", " "]),
            UsageError,
            r"^fit: y\[1\] is empty; give each recording",
        ),
        (
            {},
            (recordings(2), ["sad", "angry"], ["", "ann"]),
            UsageError,
            r"^fit: groups\[0\] is empty; give each recording a speaker",
        ),
        (
            {},
            (recordings(2), ["sad", None]),
            UsageError,
            r"^fit: y\[1\] is empty; give each recording a label",
        ),
        (
            {},
            (recordings(2), ["sad", "ang\0ry"]),
            UsageError,
            r"^fit: y\[1\] must be printable, got 'ang\\x00ry'",
        ),
        (
            {},
            (recordings(2), ["sad", "angry"], ["ann", None]),
            UsageError,
            r"^fit: groups\[1\] is empty; give each recording a speaker",
        ),
        (
            {},
            (["/", voice(0)], ["sad", "angry"]),
            CorpusError,
            r"^fit: X\[0\], /, is not a file",
        ),
        (
            {},
            (["a\nb.wav", voice(0)], ["sad", "angry"]),
            CorpusError,
            r"the first is X\[0\], a\\u000ab\.wav",
        ),
        (
            {},
            ([voice(0), "no.wav"], ["sad", "angry"]),
            CorpusError,
            r"^fit: 1 file does not exist, the first is X\[1\], no.wav",
        ),
        (
            {},
            ([np.zeros(8000), voice(0)], ["sad", "angry"]),
            CorpusError,
            r": X\[0\]: holds only z",
        ),
        (
            {},
            ([voice(0), np.zeros(0)], ["sad", "angry"]),
            AudioError,
            r"^X\[1\]: the array holds no",
        ),
        (
            {"validation_speakers": 1},
            ([voice(0)] * 8, LABELS, SPEAKERS),
            FoldError,
            r"^fold all: X\[\d\] \(\w+\) and X\[\d\] \(\w+\) have the same content",
        ),
        ({"config": "emodbb"}, (recordings(2), ["sad", "angry"]), UsageError, "emodbb: cannot"),
    ],
)
def test_bad_input_is_one_clear_line(
    changes: dict[str, Any],
    arguments: tuple[Any, ...],
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(error, match=message) as raised:
        EmotionClassifier(**({"config": TINY} | changes)).fit(*arguments)
    assert "\n" not in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


class Rows(EmotionClassifier):
    """The rows of scikit-learn's checks are shorter than speech; here each is repeated."""

    def _recordings(self, X: Any, method: str) -> Any:  # noqa: N803
        if getattr(X, "ndim", 0) == 2:
            X = np.tile(1 + np.asarray(X, float), (1, -(-1600 // X.shape[1])))  # noqa: N806
        return super()._recordings(X, method)


CHECKS = [
    checks.check_estimator_cloneable,
    checks.check_estimator_tags_renamed,
    checks.check_valid_tag_types,
    checks.check_estimator_repr,
    checks.check_no_attributes_set_in_init,
    checks.check_do_not_raise_errors_in_init_or_set_params,
    checks.check_parameters_default_constructible,
    checks.check_get_params_invariance,
    checks.check_set_params,
    checks.check_estimators_unfitted,
    checks.check_estimators_fit_returns_self,
    checks.check_estimators_overwrite_params,
    checks.check_dict_unchanged,
    checks.check_estimators_pickle,
    checks.check_fit_score_takes_y,
    checks.check_classifiers_classes,
    checks.check_supervised_y_2d,
    checks.check_supervised_y_no_nan,
    checks.check_requires_y_none,
    checks.check_classifiers_regression_target,
    checks.check_methods_sample_order_invariance,
    checks.check_methods_subset_invariance,
    checks.check_fit_idempotent,
    checks.check_positive_only_tag_during_fit,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_checks_of_scikit_learn(check: Any) -> None:
    check("EmotionClassifier", Rows(TINY, ["training.epochs=1"]))
