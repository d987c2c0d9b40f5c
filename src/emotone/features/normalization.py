"""Statistics that normalise features: over all frames of several clips, or of one clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST_STD = 1e-3  # of a feature, so that nearly constant features are not amplified


@dataclass(frozen=True)
class Moments:
    """Mean and mean square over time of several clips.

    Attributes:
        frames: number of frames of each clip, shape ``(clips,)``.
        values: mean and mean square, shape ``(clips, 2, channels, mels)``.
    """

    frames: Tensor
    values: Tensor

    def __getitem__(self, clips: Sequence[int]) -> "Moments":
        """Choose clips."""
        return Moments(self.frames[list(clips)], self.values[list(clips)])

    def statistics(self) -> Tensor:
        """Mean and standard deviation over all frames, shape ``(2, channels, mels)``."""
        shares = (self.frames / self.frames.sum())[:, None, None, None]
        mean, square = (shares * self.values).sum(dim=0)
        std = (square - mean.square()).clamp_min(0).sqrt().clamp_min(SMALLEST_STD)
        return torch.stack([mean, std]).float()


def utterance_statistics(channels: Tensor, valid: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each clip over its valid frames.

    Shape:
        in: ``(batch, channels, frames, mels)``, ``(batch, 1, frames, 1)``, ``(batch,)``; out: two
        of ``(batch, channels, 1, mels)``.
    """
    count = frames[:, None, None, None]
    mean = (channels * valid).sum(dim=2, keepdim=True) / count
    variance = ((channels - mean) * valid).square().sum(dim=2, keepdim=True) / count
    return mean, variance.sqrt().clamp_min(SMALLEST_STD)
