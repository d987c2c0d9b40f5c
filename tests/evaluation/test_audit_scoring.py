from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest

from emotone.evaluation import audit_scoring as scoring
from emotone.evaluation.audit_scoring import Answer, Answers

LABELS = ["anger", "neutral"]
NAMES = ("gain", "mu_law", "pitch_up_2")


def probabilities(label: int, confidence: float) -> list[float]:
    return [confidence, 1 - confidence] if label == 0 else [1 - confidence, confidence]


def made(
    truth: list[int], predicted: list[int], confidence: list[float], **columns: Sequence[object]
) -> Answers:
    """Answers of which each change leaves one more as it is, from none."""
    table = pd.DataFrame(
        {"emotion": [LABELS[label] for label in truth], "speaker": [f"s{n % 2}" for n in
         range(len(truth))], **columns}
    )  # fmt: skip
    answers = [
        Answer(
            str(row), probabilities(label, sure), sure >= 0.8, "",
            {"gain": (label, sure >= 0.8), "mu_law": (1 - label, False), "pitch_up_2": None},
        )
        for row, (label, sure) in enumerate(zip(predicted, confidence, strict=True))
    ]  # fmt: skip
    return scoring.gather(table, answers, LABELS, NAMES)


EIGHT = made([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1], [0.9] * 4 + [0.7] * 4)


def test_rates_of_the_unchanged_utterances() -> None:
    found = scoring.clean(EIGHT)
    assert found.uar == pytest.approx((3 / 4 + 1) / 2)
    assert found.war == pytest.approx(7 / 8)
    assert found.recall == {"anger": 0.75, "neutral": 1.0}
    assert found.confusion == ((3, 1), (0, 4))
    assert found.uar_interval_95[0] <= found.uar <= found.uar_interval_95[1]


def test_effects_count_what_changes_and_what_gets_no_answer() -> None:
    same, other, none = (scoring.effect(EIGHT, name) for name in NAMES)
    assert (same.unchanged, same.uar_change, same.answered, same.confident) == (1, 0, 1, 0.5)
    assert same.passed is True
    assert (other.unchanged, other.answered, other.confident) == (0, 1, 0)
    assert other.uar == pytest.approx((1 / 4 + 0) / 2)
    assert other.uar_change == pytest.approx(1 / 8 - 7 / 8)
    assert other.interval_95[0] <= other.uar_change <= other.interval_95[1]
    assert other.passed is False
    assert (none.unchanged, none.answered, none.uar, none.confident) == (0, 0, 0, 0)
    assert none.passed is None  # pitch has no criterion


@pytest.mark.parametrize(("sure", "passed"), [(0, True), (1, True), (2, False)])
def test_of_unusual_voices_few_answers_should_be_confident(sure: int, passed: bool) -> None:
    """Whether the answers change does not matter."""
    table = pd.DataFrame({"emotion": ["anger", "neutral"] * 5, "speaker": ["s0"] * 10})
    answers = [
        Answer(str(row), probabilities(row % 2, 0.9), True, "", {"whispered": (0, row < sure)})
        for row in range(10)
    ]
    found = scoring.effect(scoring.gather(table, answers, LABELS, ["whispered"]), "whispered")
    assert (found.confident, found.unchanged) == (sure / 10, 0.5)
    assert found.passed is passed


def test_utterances_with_a_problem_are_left_out() -> None:
    table = pd.DataFrame({"emotion": LABELS, "speaker": ["a", "b"]})
    answers = [
        Answer("0", problem="0: empty"),
        Answer("1", [0.2, 0.8], False, "", {"gain": (1, False)}),
    ]
    found = scoring.gather(table, answers, LABELS, ["gain"])
    assert found.table["speaker"].tolist() == ["b"]
    assert found.truth.tolist() == [1]
    clean = scoring.clean(found)
    assert clean.recall == {"anger": None, "neutral": 1.0}
    assert clean.uar == 1.0


def test_fairness_by_sex_leaves_out_what_is_not_known() -> None:
    sexes = ["female"] * 20 + ["male"] * 20 + [""] * 4
    truth = [0, 1] * 22
    predicted = [0, 1] * 10 + [0, 0] * 10 + [0, 1] * 2
    found = scoring.fairness(made(truth, predicted, [0.9] * 44, sex=sexes))
    assert [one.column for one in found] == ["sex", "speaker"]
    sex = found[0]
    female, male = sex.parts
    assert (female.name, female.utterances, female.uar, female.confident) == ("female", 20, 1.0, 1)
    assert (male.uar, male.predicted) == (0.5, {"anger": 1.0, "neutral": 0.0})
    assert male.truth == {"anger": 0.5, "neutral": 0.5}
    assert (sex.uar_gap, sex.lowest_uar, sex.share_shift) == (0.5, 0.5, 0.5)


def test_small_parts_are_shown_and_not_compared() -> None:
    sexes = ["female"] * 20 + ["male"] * 4
    found = scoring.fairness(made([0, 1] * 12, [0, 1] * 10 + [0, 0] * 2, [0.9] * 24, sex=sexes))
    sex = found[0]
    assert [part.compared for part in sex.parts] == [True, False]
    assert sex.uar_gap is None
    assert sex.lowest_uar == 1.0
    assert sex.share_shift == 0.0


def test_ages_are_grouped() -> None:
    ages: list[object] = [17, 18, 29, 30, 64, 65, 90, None]
    found = scoring.fairness(made([0, 1] * 4, [0, 1] * 4, [0.9] * 8, age=ages))
    age = next(one for one in found if one.column == "age")
    assert {part.name: part.utterances for part in age.parts} == {
        "0 to 17": 1, "18 to 29": 2, "30 to 49": 1, "50 to 64": 1, "65 and over": 2,
    }  # fmt: skip


def test_reliability_bins_and_likelihood() -> None:
    found = scoring.reliability(EIGHT)
    low, high = found.bins
    assert astuple(low) == pytest.approx((4, 0.7, 1.0))
    assert astuple(high) == pytest.approx((4, 0.9, 0.75))
    assert found.error == pytest.approx(0.5 * 0.3 + 0.5 * 0.15)
    expected = -(3 * np.log(0.9) + np.log(0.1) + 4 * np.log(0.7)) / 8
    assert found.negative_log_likelihood == pytest.approx(expected)


def test_coverage_goes_from_the_most_confident_answer_to_all() -> None:
    found = scoring.coverage(EIGHT)
    assert [point.coverage for point in found.curve] == pytest.approx(np.arange(1, 9) / 8)
    expected = [1, 1, 1, 3 / 4, 4 / 5, 5 / 6, 6 / 7, 7 / 8]
    assert [point.accuracy for point in found.curve] == pytest.approx(expected)
    assert found.curve[3].probability == pytest.approx(0.9)
    assert found.curve[4].probability == pytest.approx(0.7)
    assert (found.confident, found.accuracy) == (0.5, 0.75)
    assert found.area == pytest.approx(np.mean(expected))


def test_without_confident_answers_there_is_no_accuracy() -> None:
    found = scoring.coverage(made([0, 1], [0, 1], [0.6, 0.7]))
    assert (found.confident, found.accuracy) == (0.0, None)


def test_a_long_curve_has_a_hundred_points_and_ends_with_all() -> None:
    many = made([0, 1] * 200, [0, 1] * 200, np.linspace(0.5, 1, 400).tolist())
    curve = scoring.coverage(many).curve
    assert len(curve) == 100
    assert curve[-1].coverage == 1.0


def test_sounds_that_get_an_answer() -> None:
    (found,) = scoring.sounds({"tone": [True, False, None, None]})
    assert (found.title, found.sounds, found.answered, found.confident) == (
        "pure tone",
        4,
        0.5,
        0.25,
    )
