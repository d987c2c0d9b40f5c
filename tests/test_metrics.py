import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from emotone import metrics


def random_answers(seed: int, size: int = 200) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(["a", "b", "c"], size, p=[0.6, 0.3, 0.1])
    wrong = rng.random(size) < 0.4
    return truth.tolist(), np.where(wrong, rng.choice(["a", "b", "c"], size), truth).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_uar_agrees_with_scikit_learn(seed: int) -> None:
    truth, prediction = random_answers(seed)
    assert metrics.uar(truth, prediction) == pytest.approx(
        balanced_accuracy_score(truth, prediction)
    )


def test_rates_of_a_worked_example() -> None:
    truth = ["a", "a", "a", "b"]
    prediction = ["a", "a", "b", "b"]
    counts = metrics.confusion(truth, prediction, ["a", "b", "c"])
    assert counts.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert metrics.uar_of(counts) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.uar(truth, prediction) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.war_of(counts) == metrics.war(truth, prediction) == pytest.approx(3 / 4)


def test_a_prediction_of_a_class_that_never_occurs_is_an_error_of_the_recogniser() -> None:
    assert metrics.uar(["a", "a"], ["a", "b"]) == pytest.approx(0.5)


def test_standard_error_of_a_worked_example() -> None:
    # recalls 0.5 of 4 and 1.0 of 2: sqrt(0.25 / 4 + 0) / 2
    assert metrics.uar_standard_error([[2, 2], [0, 2]]) == pytest.approx(0.125)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(100):
        recalls = np.clip(rng.normal(0.7, 0.1, 20), 0, 1)
        counts = np.array([[[rng.binomial(50, r), 0], [0, 0]] for r in recalls], dtype=float)
        counts[:, 0, 1] = 50 - counts[:, 0, 0]
        low, high = metrics.speaker_interval(counts, samples=400, seed=trial)
        hits += low <= 0.7 <= high
    assert 85 <= hits <= 99


def test_interval_is_wider_when_speakers_differ() -> None:
    alike = np.array([[[7, 3], [0, 0]]] * 10)
    differing = np.array([[[10, 0], [0, 0]], [[4, 6], [0, 0]]] * 5)
    low, high = metrics.speaker_interval(alike)
    assert low == high == pytest.approx(0.7)
    low, high = metrics.speaker_interval(differing)
    assert high - low > 0.2
