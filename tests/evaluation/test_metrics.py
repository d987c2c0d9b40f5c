import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from emotone.evaluation import metrics


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
    # a class of one utterance counts, one without any does not
    assert metrics.uar_standard_error([[2, 2, 0], [0, 1, 0], [0, 0, 0]]) == pytest.approx(0.125)


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


def counts_of(seed: int, right: float, seeds: int = 2, speakers: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    counts = np.zeros((seeds, speakers, 2, 2), np.int64)
    counts[..., 0, 0] = rng.binomial(10, right, (seeds, speakers))
    counts[..., 1, 1] = rng.binomial(10, right, (seeds, speakers))
    counts[..., 0, 1] = 10 - counts[..., 0, 0]
    counts[..., 1, 0] = 10 - counts[..., 1, 1]
    return counts


def test_equal_systems_do_not_differ() -> None:
    counts = counts_of(0, 0.7)
    same = metrics.compare(counts, counts)
    assert (same.difference, same.interval_95, same.p) == (0, (0, 0), 1)


def test_the_p_value_is_the_share_of_swaps_that_differ_as_much() -> None:
    ours, theirs = counts_of(0, 0.8), counts_of(1, 0.6)
    found = metrics.compare(ours, theirs)
    # by hand: with equal class sizes the UAR is the share of right answers
    right = [np.trace(c.sum(axis=0), axis1=1, axis2=2) for c in (ours, theirs)]
    differences = (right[0] - right[1]) / ours.sum()
    assert found.difference == pytest.approx(differences.sum())
    signs = np.array(np.meshgrid(*[[1, -1]] * 6)).reshape(6, -1).T
    as_large = np.abs(signs @ differences) >= abs(differences.sum()) - 1e-12
    assert found.p == pytest.approx(as_large.mean())
    low, high = found.interval_95
    assert low < found.difference < high
    other_way = metrics.compare(theirs, ours)
    assert other_way.difference == -found.difference
    assert other_way.interval_95 == pytest.approx((-high, -low))


def test_the_interval_of_a_difference_draws_seeds_as_well() -> None:
    # all speakers alike; against 5 of 10 right with both seeds, ours has 5 and 10
    def counts(*right: int) -> np.ndarray:
        of_seeds = [[[n, 10 - n], [10 - n, n]] for n in right]
        return np.repeat(np.array(of_seeds)[:, None], 4, axis=1)

    found = metrics.compare(counts(5, 10), counts(5, 5))
    # two seeds drawn from two: 0, 0.25 and 0.5 with probability 1/4, 1/2, 1/4
    assert found.difference == pytest.approx(0.25)
    assert found.interval_95 == pytest.approx((0.0, 0.5))
    alone = metrics.compare(counts(10), counts(5))
    assert alone.interval_95 == pytest.approx((0.5, 0.5))


def test_both_systems_are_drawn_with_the_same_speakers_and_seeds() -> None:
    # very different speakers and seeds, but ours is always one better of ten: no spread is left
    right = np.array([[1, 5, 8], [2, 6, 9]])

    def counts(right: np.ndarray) -> np.ndarray:
        return np.stack([np.stack([right, 10 - right], -1), np.stack([10 - right, right], -1)], -2)

    found = metrics.compare(counts(right + 1), counts(right))
    assert found.interval_95 == pytest.approx((0.1, 0.1))


def test_p_values_of_equal_systems_are_uniform() -> None:
    """A true null hypothesis is rejected about as often as the level says."""
    rejected = [
        metrics.compare(counts_of(2 * n, 0.7), counts_of(2 * n + 1, 0.7), samples=10).p <= 0.1
        for n in range(200)
    ]
    assert 0.03 < np.mean(rejected) < 0.17


def test_many_speakers_are_swapped_at_random() -> None:
    found = metrics.compare(counts_of(0, 0.9, speakers=24), counts_of(1, 0.5, speakers=24))
    assert 0 < found.p < 0.001
    again = metrics.compare(counts_of(0, 0.9, speakers=24), counts_of(1, 0.5, speakers=24))
    assert again == found


def test_holm_agrees_with_a_worked_example() -> None:
    # ordered 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, never falling
    assert metrics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert metrics.holm([]) == []
    assert metrics.holm([0.9, 0.8]) == [1.0, 1.0]
