from collections.abc import Callable

import numpy as np
import pytest

from emotone.training.balancing import balance, balance_utterances
from emotone.training.options import TrainingOptions
from emotone.training.spectrograms import Spectrograms

# corpus a: speaker p has anger 3 times and neutral once, speaker q anger twice; corpus b: speaker r
# has anger and fear once each
CORPORA = np.array(list("aaaaaabb"), object)
CLASSES = np.array([0, 0, 0, 2, 0, 0, 0, 1])
SPEAKERS = np.array(list("ppppqqrr"), object)


@pytest.fixture
def unbalanced(two_corpora: Spectrograms) -> Spectrograms:
    two_corpora.corpora, two_corpora.targets = CORPORA, CLASSES
    two_corpora.speakers = SPEAKERS
    return two_corpora


EXPECTED: list[tuple[dict[str, str], list[float]]] = [
    ({}, [1] * 8),
    # 8/3 for each of three classes
    ({"class": "all"}, [4 / 9] * 3 + [8 / 3] + [4 / 9] * 3 + [8 / 3]),
    # 4 for each of two corpora
    ({"corpus": "all"}, [2 / 3] * 6 + [2] * 2),
    # 8/3 for each of three speakers
    ({"speaker": "all"}, [2 / 3] * 4 + [4 / 3] * 4),
    # corpora keep 6 and 2; each class has half of that
    ({"class": "corpus"}, [3 / 5] * 3 + [3] + [3 / 5] * 2 + [1, 1]),
    # corpora have 4 and 4; each class has half of that
    ({"corpus": "all", "class": "all"}, [2 / 5] * 3 + [2] + [2 / 5] * 2 + [2, 2]),
    # in a speakers have 2 each, in b the only one has 4
    ({"corpus": "all", "speaker": "all"}, [1 / 2] * 4 + [1] * 2 + [2, 2]),
    # each class has 8/3, which its two, one, or three speakers share
    ({"class": "all", "speaker": "all"}, [8 / 27] * 3 + [8 / 3] + [4 / 9] * 2 + [8 / 9, 8 / 3]),
    # anger of a has 2, half for p and half for q; neutral of a has 2; in b each class has 2
    (
        {"corpus": "all", "class": "all", "speaker": "all"},
        [1 / 3] * 3 + [2] + [1 / 2] * 2 + [2, 2],
    ),
]


@pytest.mark.parametrize("how", ["weights", "sampling"])
@pytest.mark.parametrize(("asked", "expected"), EXPECTED)
def test_weights_of_an_unbalanced_set(
    unbalanced: Spectrograms, asked: dict[str, str], expected: list[float], how: str
) -> None:
    balances = {f"{name}_balance": how for name in asked}
    labels = "corpus" if "corpus" in asked.values() else "all"
    options = TrainingOptions.model_validate({"class_balance": "none", "labels": labels} | balances)
    assert options.samples == (how == "sampling" and bool(asked))
    found = balance_utterances(unbalanced, range(8), options)
    one, other = found.in_loss[found.strata], found.in_drawing[found.strata]
    if how == "sampling":
        one, other = other, one
    np.testing.assert_allclose(one, expected, rtol=1e-12)
    np.testing.assert_array_equal(other, 1)


def test_drawing_and_weights_in_the_loss_multiply_to_the_balance_of_both(
    unbalanced: Spectrograms,
) -> None:
    """Corpora and speakers are drawn, classes weighted: a class has 3 of corpus a's 6."""
    options = TrainingOptions(
        corpus_balance="sampling", class_balance="weights", speaker_balance="sampling"
    )
    found = balance_utterances(unbalanced, range(8), options)
    in_loss, in_drawing = found.in_loss[found.strata], found.in_drawing[found.strata]
    np.testing.assert_allclose(in_loss, [3 / 5] * 3 + [3] + [3 / 5] * 2 + [1, 1])
    np.testing.assert_allclose(in_drawing, [5 / 9] * 3 + [2 / 3] + [5 / 6] * 2 + [2, 2])
    np.testing.assert_allclose(in_loss * in_drawing, EXPECTED[-1][1])
    assert in_loss.mean() == pytest.approx(1)
    assert in_drawing.mean() == pytest.approx(1)


def test_only_the_utterances_given_count_and_each_as_often_as_it_occurs(
    unbalanced: Spectrograms,
) -> None:
    found = balance_utterances(unbalanced, [3, 0, 0, 1], TrainingOptions())
    assert found.in_loss[found.strata].tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])


def test_strata_of_balanced_classes_are_the_classes() -> None:
    """Ten examples of three classes, of 10/3 each if they were balanced; class 2 is absent."""
    found = balance(10, [(np.array([0] * 6 + [1] * 3 + [3]), "weights")])
    assert found.strata.tolist() == [0] * 6 + [1] * 3 + [2]
    np.testing.assert_allclose(found.in_loss, [10 / 18, 10 / 9, 10 / 3], rtol=1e-12)


def test_labels_of_corpora_alone_change_no_weight(
    two_corpora: Spectrograms, make_options: Callable[..., TrainingOptions]
) -> None:
    options = make_options(labels="corpus", class_balance="none")
    assert balance_utterances(two_corpora, range(5), options).in_loss.tolist() == [1]
