"""Cross-entropy with class weights, label smoothing and mixed labels."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def balancing_weights(targets: NDArray[np.int64], classes: int) -> Tensor:
    """Weights of classes by inverse frequency; they average one over the examples.

    A class without examples has weight zero.

    Args:
        targets: number of each example's class; at least one example.
        classes: number of classes.

    Returns:
        Shape ``(classes,)``, float32.
    """
    counts = np.bincount(targets, minlength=classes)
    present = counts > 0
    inverse = np.where(present, 1 / np.maximum(counts, 1), 0.0)
    return torch.tensor(inverse * len(targets) / present.sum(), dtype=torch.float32)


def weighted_cross_entropy(
    logits: Tensor, targets: Tensor, class_weights: Tensor, smoothing: float
) -> Tensor:
    """Weighted mean of the cross-entropies of a batch, in nats.

    An example's weight is that of its class, or of its mixture of classes. Labels are smoothed
    after that, so smoothing changes no weight.

    Args:
        logits: shape ``(batch, classes)``.
        targets: share of each class in each example, shape ``(batch, classes)``.
        class_weights: shape ``(classes,)``.
        smoothing: share of each label that is spread evenly over all classes.
    """
    weights = targets @ class_weights
    targets = (1 - smoothing) * targets + smoothing / targets.shape[1]
    losses = -(targets * logits.log_softmax(dim=1)).sum(dim=1)
    return (weights * losses).sum() / weights.sum()
