import pytest

from emotone.training.options import TrainingOptions
from emotone.training.schedule import learning_rate

# 100 steps at 0.8 with a warm-up of 10: (step, constant, cosine). Cosines of 30, 60, 90, 120 and
# 178 degrees have been passed at the steps 25, 40, 55, 70 and 99.
PHASES = [
    (0, 0.08, 0.08),
    (4, 0.4, 0.4),
    (8, 0.72, 0.72),
    (9, 0.8, 0.8),
    (10, 0.8, 0.8),
    (25, 0.8, 0.7464101615),
    (40, 0.8, 0.6),
    (55, 0.8, 0.4),
    (70, 0.8, 0.2),
    (99, 0.8, 0.0002436692),
]


@pytest.mark.parametrize(("step", "constant", "cosine"), PHASES)
def test_the_rate_at_each_phase(step: int, constant: float, cosine: float) -> None:
    for schedule, expected in (("constant", constant), ("cosine", cosine)):
        options = TrainingOptions.model_validate(
            {"learning_rate": 0.8, "warmup": 0.1, "schedule": schedule}
        )
        assert learning_rate(step, 100, options) == pytest.approx(expected, rel=1e-6)


def test_the_rate_without_warmup() -> None:
    constant = TrainingOptions(learning_rate=0.8, warmup=0)
    cosine = TrainingOptions(learning_rate=0.8, warmup=0, schedule="cosine")
    assert [learning_rate(step, 3, constant) for step in range(3)] == [0.8, 0.8, 0.8]
    # the first step counts as warm-up; two are left for half a cosine
    expected = [0.8, 0.8, 0.4]
    assert [learning_rate(step, 3, cosine) for step in range(3)] == pytest.approx(expected)


def test_the_warmup_is_rounded_to_whole_steps() -> None:
    options = TrainingOptions(learning_rate=1, warmup=0.1)
    # 0.1 * 26 is rounded up to 3 steps, 0.1 * 24 down to 2
    assert learning_rate(0, 26, options) == pytest.approx(1 / 3)
    assert learning_rate(0, 24, options) == pytest.approx(1 / 2)
