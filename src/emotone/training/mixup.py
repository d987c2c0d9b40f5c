"""Mixup: pairs of training utterances mixed with their labels (Zhang et al., ICLR 2018)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

MIXUP_STREAM = 1  # of random numbers, independent of those of augmentation


def mixup_shares(utterances: Sequence[int], *, seed: int, epoch: int, alpha: float) -> Tensor:
    """Share of the first of two utterances, at least a half; shape ``(batch,)``."""
    shares = [
        np.random.default_rng([seed, epoch, number, MIXUP_STREAM]).beta(alpha, alpha)
        for number in utterances
    ]
    return torch.tensor([max(share, 1 - share) for share in shares], dtype=torch.float32)


def mixup(features: Tensor, frames: Tensor, shares: Tensor, *targets: Tensor) -> tuple[Tensor, ...]:
    """Mix each utterance with the one before it in the batch, the first with the last.

    The mixture is as long as the longer of the two; features are normalised, so beyond the end of
    the shorter one it is mixed with the mean.

    Shape:
        features ``(batch, channels, frames, mels)``, frames ``(batch,)``, shares ``(batch,)``,
        each of the targets ``(batch, …)``, NaN where one of the two is; returns all but the shares,
        mixed.
    """
    shares = shares.to(features.device)

    def mix(values: Tensor) -> Tensor:
        share = shares.view(-1, *[1] * (values.dim() - 1))
        return share * values + (1 - share) * values.roll(1, dims=0)

    longer = torch.maximum(frames, frames.roll(1, dims=0))
    return mix(features), longer, *map(mix, targets)
