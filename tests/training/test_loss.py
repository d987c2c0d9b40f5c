import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from emotone.training.loss import label_sets, weighted_cross_entropy

ALL = torch.ones(1, 4, dtype=torch.bool)


def test_label_sets_are_those_that_differ() -> None:
    possible = np.array([[1, 0, 1], [0, 1, 1], [1, 0, 1]], bool)
    sets, numbers = label_sets(possible)
    assert sets.shape == (2, 3)
    np.testing.assert_array_equal(sets[numbers], possible)
    assert label_sets(np.ones((3, 2), bool))[0].tolist() == [[True, True]]


def test_the_loss_of_an_unbalanced_batch_with_smoothed_and_mixed_labels() -> None:
    """Probabilities are powers of two, so losses are multiples of ln 2."""
    probabilities = torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    logits = probabilities.log() + torch.tensor([[0.0], [3.0], [-2.0]])  # a shift changes nothing
    targets = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0.25, 0.75, 0]])
    weights = torch.tensor([1, 4, 0.25 * 1 + 0.75 * 2])
    # with a smoothing of 0.3 a label t becomes 0.7 t + 0.1; -log p is 1 or 2 times ln 2
    first = 0.8 * 1 + 0.1 * 2 + 0.1 * 2
    second = 0.1 * 1 + 0.1 * 2 + 0.8 * 2
    third = (0.175 + 0.1) * 2 + (0.525 + 0.1) * 1 + 0.1 * 2
    expected = (1 * first + 4 * second + 1.75 * third) / (1 + 4 + 1.75)
    found = weighted_cross_entropy(logits, targets[:, None], weights, 0.3, ALL[:, :3])
    assert float(found) == pytest.approx(expected * math.log(2), rel=1e-6)


def test_without_smoothing_the_loss_is_the_weighted_cross_entropy_of_pytorch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 4, generator=generator)
    classes = torch.tensor([0, 0, 0, 1, 1, 2, 3])
    class_weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    targets = functional.one_hot(classes, 4).float()[:, None]
    expected = functional.cross_entropy(logits, classes, weight=class_weights)
    found = weighted_cross_entropy(logits, targets, class_weights[classes], 0, ALL)
    torch.testing.assert_close(found, expected)


# two corpora: the labels of the first are 0, 1, 2, those of the second are 0, 3
SETS = torch.tensor([[True, True, True, False], [True, False, False, True]])


def test_the_loss_runs_over_the_labels_of_the_corpus() -> None:
    """Among its own labels the first has 1/2, 1/4, 1/4, the second 1/4, 3/4."""
    logits = torch.tensor([[2.0, 1, 1, 9], [1, 7, 8, 3]]).log().requires_grad_()
    targets = torch.zeros(2, 2, 4)
    targets[0, 0, 1] = targets[1, 1, 3] = 1
    weights = torch.tensor([1.0, 3.0])
    loss = weighted_cross_entropy(logits, targets, weights, 0.3, SETS)
    # with a smoothing of 0.3 a label of three is 0.8, others 0.1; one of two 0.85, the other 0.15
    first = 0.1 * math.log(2) + (0.8 + 0.1) * math.log(4)
    second = 0.15 * math.log(4) + 0.85 * math.log(4 / 3)
    assert loss.item() == pytest.approx((first + 3 * second) / 4, rel=1e-6)
    loss.backward()
    # of each logit: weight times probability less smoothed label
    expected = [
        [0.25 * (0.5 - 0.1), 0.25 * (0.25 - 0.8), 0.25 * (0.25 - 0.1), 0],
        [0.75 * (0.25 - 0.15), 0, 0, 0.75 * (0.75 - 0.85)],
    ]
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad, expected, atol=1e-6)
    assert logits.grad[~SETS].tolist() == [0, 0, 0]


def test_the_loss_of_a_mixture_of_two_corpora_is_the_mixture_of_their_losses() -> None:
    """0.75 of label 1 among 0, 1, 2, which has 1/4 there; 0.25 of label 3 among 0, 3, with 3/4."""
    logits = torch.tensor([[2.0, 1, 1, 6]]).log().requires_grad_()
    targets = torch.zeros(1, 2, 4)
    targets[0, 0, 1], targets[0, 1, 3] = 0.75, 0.25
    loss = weighted_cross_entropy(logits, targets, torch.ones(1), 0, SETS)
    expected = 0.75 * math.log(4) + 0.25 * math.log(4 / 3)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    loss.backward()
    # each loss's gradient, probability less label, times its share
    expected_gradient = [
        0.75 * 0.5 + 0.25 * 0.25, 0.75 * (0.25 - 1), 0.75 * 0.25, 0.25 * (0.75 - 1),
    ]  # fmt: skip
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad[0], expected_gradient, atol=1e-6)


def test_smoothing_of_a_mixture_spreads_over_the_labels_of_each_corpus() -> None:
    """With a smoothing of 0.6, label 0 of three becomes 0.6, 0.2, 0.2; of two 0.7, 0.3."""
    logits = torch.tensor([[2.0, 1, 1, 6]]).log()
    targets = torch.zeros(1, 2, 4)
    targets[0, 0, 0] = targets[0, 1, 0] = 0.5
    loss = weighted_cross_entropy(logits, targets, torch.ones(1), 0.6, SETS)
    first = 0.6 * math.log(2) + 0.4 * math.log(4)
    second = 0.7 * math.log(4) + 0.3 * math.log(4 / 3)
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-6)
