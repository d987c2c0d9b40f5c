from typing import Any

import pytest

from emotone.evaluation.results import Epoch
from emotone.training.history import History
from emotone.training.options import TrainingOptions


def epochs(*uars: float, error: float = 0.05) -> History:
    return History([Epoch(1.0, 1.0, uar, error) for uar in uars])


def test_the_kept_epoch_follows_the_tolerance() -> None:
    history = epochs(0.3, 0.6, 0.52, 0.56, 0.49)
    assert history.best_epoch() == 1
    assert history.kept_epoch(0) == 1
    assert history.kept_epoch(1) == 3
    assert history.kept_epoch(3) == 4
    assert epochs(0.5, 0.5).best_epoch() == 0
    assert epochs(0.5, 0.5).kept_epoch(0) == 1


def test_the_tolerance_is_in_standard_errors_of_the_best_epoch() -> None:
    history = History([Epoch(1.0, 1.0, 0.6, 0.125), Epoch(1.0, 1.0, 0.35, 1.0)])
    assert history.kept_epoch(1.9) == 0
    assert history.kept_epoch(2.1) == 1


@pytest.mark.parametrize("number", [1, 5])
def test_without_validation_the_last_epoch_is_kept(number: int) -> None:
    assert History([Epoch(1.0)] * number).kept_epoch(2.0) == number - 1


def options(**changes: Any) -> TrainingOptions:
    return TrainingOptions.model_validate({"epochs": 10, "patience": 2} | changes)


def test_patience_ends_training() -> None:
    assert not History().is_over(options())
    assert not epochs(0.5).is_over(options())
    assert not epochs(0.5, 0.4).is_over(options())
    assert epochs(0.5, 0.4, 0.4).is_over(options())
    assert epochs(0.5, 0.5, 0.5).is_over(options())  # as good is not better
    assert not epochs(0.5, 0.4, 0.6).is_over(options())
    assert not epochs(0.5, 0.4, 0.6, 0.5).is_over(options())
    assert epochs(0.5, 0.4, 0.6, 0.5, 0.5).is_over(options())


def test_the_number_of_epochs_ends_training() -> None:
    rising = [n / 10 for n in range(10)]
    assert epochs(*rising).is_over(options())
    assert not epochs(*rising[:9]).is_over(options())
    assert epochs(0.5).is_over(options(epochs=1))


def test_without_validation_only_the_number_of_epochs_ends_training() -> None:
    assert not History([Epoch(1.0)] * 9).is_over(options(patience=1))
    assert History([Epoch(1.0)] * 10).is_over(options(patience=1))


def test_the_duration_of_an_epoch_does_not_count_in_comparisons() -> None:
    assert Epoch(1.0, seconds=1.0) == Epoch(1.0, seconds=2.0)
    assert Epoch(1.0) != Epoch(2.0)
