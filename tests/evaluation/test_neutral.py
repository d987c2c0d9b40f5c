import numpy as np
import pandas as pd
import pytest

from emotone.evaluation import neutral

LABELS = ("anger", "neutral")


def made(shift: float = 3.0, folds: tuple[str, ...] = ("a", "b")) -> pd.DataFrame:
    """Speakers whose anger and neutral differ by 2, from logits that are shifted for each of them.

    The first speaker of each fold sounds angry by ``shift``, the second one neutral.
    """
    rows = []
    for fold in folds:
        for speaker, sign in (("s0", 1), ("s1", -1)):
            for take in range(8):
                truth = LABELS[take % 2]
                logit = sign * shift + (1 if truth == "anger" else -1)
                anger = 1 / (1 + np.exp(-logit))
                rows.append((f"{fold}{speaker}{take}", fold, 0, f"{fold}/{speaker}", truth, anger))
    table = pd.DataFrame(
        rows, columns=["utterance", "fold", "seed", "speaker", "truth", "p_anger"]
    ).assign(p_neutral=lambda rows: 1 - rows["p_anger"])
    return table.assign(prediction=np.where(table["p_anger"] > 0.5, *LABELS))


def right(table: pd.DataFrame) -> float:
    return float((table["prediction"] == table["truth"]).mean())


def test_the_reference_is_the_mean_over_neutral_speech() -> None:
    probabilities = np.array([[0.5, 0.5], [0.1, 0.9], [0.9, 0.1]])
    is_neutral = np.array([True, True, False])
    found = neutral.reference(probabilities, is_neutral, np.array([1.0, 3.0, 1.0]))
    assert found is not None
    half = 3 / 4 * np.log(9) / 2
    assert found == pytest.approx((-half, half), abs=1e-4)
    assert neutral.reference(probabilities, is_neutral & False, np.ones(3)) is None


def test_neutral_recordings_undo_what_a_voice_adds() -> None:
    table = made()
    none, one, three = (neutral.with_recordings(table, LABELS, count) for count in (0, 1, 3))
    # a speaker gets one answer to all: with 3 of 4 neutral ones set aside, 4 of 5 are right, or 1
    assert right(none) == 0.5
    assert set(none["utterance"]) == set(one["utterance"]) == set(three["utterance"])
    assert right(one) == 0.5  # a voice that adds 3 still adds 1.5, and the emotion 1
    assert right(three) == 1
    assert len(three) == 2 * 2 * 5
    assert (three["p_anger"] + three["p_neutral"]).to_numpy() == pytest.approx(1)


def test_other_speakers_of_the_fold_and_other_networks_change_nothing() -> None:
    table = made()
    alone = table[table["speaker"] != "a/s0"]
    twice = pd.concat([table, table.assign(seed=1)])
    every, one, two = (neutral.with_recordings(each, LABELS, 2) for each in (table, alone, twice))
    columns = ["utterance", "p_anger"]
    mine, theirs, first, second = (
        rows.loc[rows["speaker"] == "a/s1", columns].reset_index(drop=True)
        for rows in (every, one, two[two["seed"] == 0], two[two["seed"] == 1])
    )
    assert len(mine) == 5
    for same in (theirs, first, second):
        pd.testing.assert_frame_equal(same, mine)


def test_a_speaker_with_one_neutral_recording_and_a_fold_without_are_no_error() -> None:
    table = made(folds=("a", "b", "c"))
    table = table[(table["fold"] != "c") | (table["truth"] == "anger")]
    first = table.index[(table["speaker"] == "a/s0") & (table["truth"] == "neutral")][0]
    few = table[(table["speaker"] != "a/s0") | (table["truth"] == "anger") | (table.index == first)]
    found = neutral.with_recordings(few, LABELS, 5)
    assert set(found["fold"]) == {"a", "b"}
    kept = found[found["speaker"] == "a/s0"]
    assert len(kept) == 5  # nothing is set aside
    pd.testing.assert_series_equal(
        kept.set_index("utterance")["p_anger"],
        few.set_index("utterance")["p_anger"].loc[kept["utterance"]],
        check_exact=False,
    )
