"""Cross-entropy over the labels that are possible, with weights, smoothing and mixed labels."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def label_sets(possible: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Find the different sets of labels.

    Args:
        possible: whether an utterance can have a label, shape ``(utterances, classes)``.

    Returns:
        The sets, shape ``(sets, classes)``, and the number of each utterance's set.
    """
    sets, numbers = np.unique(possible, axis=0, return_inverse=True)
    return sets, numbers.reshape(-1)


def mixed_labels(
    targets: NDArray[np.int64],
    possible: NDArray[np.bool_],
    soft: NDArray[np.float32] | None,
    weight: float,
) -> NDArray[np.float32]:
    """Mix the true label of each utterance with a teacher's soft label.

    Args:
        targets: number of each utterance's label, shape ``(utterances,)``.
        possible: the labels over which its loss runs, shape ``(utterances, labels)``; only they
            keep a share of the soft label.
        soft: soft labels, shape ``(utterances, labels)``; ``None`` for the true ones alone.
        weight: share of the soft labels.

    Returns:
        Shares, shape ``(utterances, labels)``.
    """
    true = np.eye(possible.shape[1], dtype=np.float32)[targets]
    if soft is None:
        return true
    soft = soft * possible
    soft = soft / np.maximum(soft.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray((1 - weight) * true + weight * soft, np.float32)


def weighted_cross_entropy(
    logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float, sets: Tensor
) -> Tensor:
    """Weighted mean of the cross-entropies of a batch, in nats.

    Each label is compared with the probabilities of its own set of labels alone, so the gradient
    of a logit that is in none of an example's sets is zero. For a mixture of utterances with
    different sets this is the mixture of their losses, as everywhere in mixup. The union of both
    sets instead would teach that an utterance has none of the labels that only the other one's
    corpus has, however small the other one's share is.

    Args:
        logits: shape ``(batch, classes)``.
        targets: share of each class of each set of labels in each example, shape
            ``(batch, sets, classes)``.
        weights: of the examples, shape ``(batch,)``.
        smoothing: share of each label that is spread evenly over its set.
        sets: which labels are in each set, shape ``(sets, classes)``; boolean, on the CPU.
    """
    sizes = sets.sum(dim=1, keepdim=True, dtype=torch.float64)
    even = (smoothing / sizes).float().to(targets.device)
    others = ~sets.to(targets.device)
    smoothed = (1 - smoothing) * targets + even * targets.sum(dim=2, keepdim=True)
    log_probabilities = logits[:, None].masked_fill(others, -torch.inf).log_softmax(dim=2)
    losses = -(smoothed * log_probabilities).masked_fill(others, 0).sum(dim=(1, 2))
    return (weights * losses).sum() / weights.sum()
