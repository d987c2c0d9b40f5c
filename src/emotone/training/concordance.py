"""Dimensions beside the classes: a loss from the concordance correlation of a batch."""

import torch
from torch import Tensor

LEAST = 2  # examples with a value; the correlation of fewer is undefined
TINY = 1e-8  # keeps the denominator from zero


def concordance(found: Tensor, wanted: Tensor) -> Tensor:
    """Concordance correlation coefficient (L. I. Lin, Biometrics 45 (1), 1989) of each dimension.

    Args:
        found: values of the network, shape ``(batch, dimensions)``.
        wanted: true values, of the same shape; examples with NaN do not count.

    Returns:
        Shape ``(known,)``, of the dimensions with a value for at least two examples. It is 0, with
        no gradient toward any value but the mean, where all true values are equal.
    """
    known = ~wanted.isnan()
    counts = known.sum(dim=0).clamp(min=1)
    found, wanted = found.float() * known, wanted.nan_to_num()
    mean, true_mean = found.sum(dim=0) / counts, wanted.sum(dim=0) / counts
    off, true_off = (found - mean) * known, (wanted - true_mean) * known
    covariance = (off * true_off).sum(dim=0) / counts
    variances = (off.square() + true_off.square()).sum(dim=0) / counts
    values = 2 * covariance / (variances + (mean - true_mean).square() + TINY)
    return values[known.sum(dim=0) >= LEAST]


def with_concordance(loss: Tensor, found: Tensor, wanted: Tensor, weight: float) -> Tensor:
    """Weigh a loss of the classes against 1 minus the mean concordance of the dimensions.

    Args:
        loss: of the classes.
        found: see :func:`concordance`; without dimensions ``loss`` is returned as it is.
        wanted: see :func:`concordance`.
        weight: of the dimensions; the classes have ``1 - weight``.
    """
    if found.shape[1] == 0:
        return loss
    values = concordance(found, wanted)
    lost = 1 - values.mean() if len(values) else torch.zeros_like(loss)
    return (1 - weight) * loss + weight * lost
