import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from emotone.training.loss import balancing_weights, weighted_cross_entropy


def test_weights_of_an_unbalanced_training_set() -> None:
    """Ten examples of three classes, of 10/3 each if they were balanced; class 2 is absent."""
    targets = np.array([0] * 6 + [1] * 3 + [3])
    found = balancing_weights(targets, 5)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, [10 / 18, 10 / 9, 0, 10 / 3, 0], rtol=1e-6)
    assert float(found[targets].mean()) == pytest.approx(1)
    assert balancing_weights(np.array([1, 1, 1]), 2).tolist() == [0, 1]


def test_the_loss_of_an_unbalanced_batch_with_smoothed_and_mixed_labels() -> None:
    """Probabilities are powers of two, so losses are multiples of ln 2."""
    probabilities = torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    logits = probabilities.log() + torch.tensor([[0.0], [3.0], [-2.0]])  # a shift changes nothing
    targets = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0.25, 0.75, 0]])
    class_weights = torch.tensor([1.0, 2.0, 4.0])
    # with a smoothing of 0.3 a label t becomes 0.7 t + 0.1; -log p is 1 or 2 times ln 2
    first = 0.8 * 1 + 0.1 * 2 + 0.1 * 2
    second = 0.1 * 1 + 0.1 * 2 + 0.8 * 2
    third = (0.175 + 0.1) * 2 + (0.525 + 0.1) * 1 + 0.1 * 2
    weights = 1, 4, 0.25 * 1 + 0.75 * 2
    expected = (weights[0] * first + weights[1] * second + weights[2] * third) / sum(weights)
    found = weighted_cross_entropy(logits, targets, class_weights, 0.3)
    assert float(found) == pytest.approx(expected * math.log(2), rel=1e-6)


def test_without_smoothing_the_loss_is_the_weighted_cross_entropy_of_pytorch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 4, generator=generator)
    classes = torch.tensor([0, 0, 0, 1, 1, 2, 3])
    class_weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    targets = functional.one_hot(classes, 4).float()
    expected = functional.cross_entropy(logits, classes, weight=class_weights)
    torch.testing.assert_close(weighted_cross_entropy(logits, targets, class_weights, 0), expected)
