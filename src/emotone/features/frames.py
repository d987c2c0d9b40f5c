"""Frames along time: which ones of a padded batch are valid, and their slopes (deltas)."""

import torch
from torch import Tensor

DELTA_REACH = 2  # frames to each side


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """Return ``(batch, frames)``: true where a frame belongs to its clip."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def deltas(values: Tensor, frames: Tensor) -> Tensor:
    """Slope over time by regression, the first and last frame of each clip repeated.

    The regression takes two frames to each side, as in the HTK Book (S. Young et al., 2006,
    eq. 5.16).

    Shape:
        in: ``(batch, frames, mels)``, ``(batch,)``; out: ``(batch, frames, mels)``.
    """
    last = values.gather(1, (frames - 1)[:, None, None].expand(-1, 1, values.shape[2]))
    valid = frame_mask(frames, values.shape[1])[:, :, None]
    first, reach = values[:, :1], DELTA_REACH
    padded = torch.cat(
        [first.expand(-1, reach, -1), torch.where(valid, values, last), last.expand(-1, reach, -1)],
        dim=1,
    )
    count = values.shape[1]

    def shifted(by: int) -> Tensor:
        return padded[:, reach + by : reach + by + count]

    steps = range(1, reach + 1)
    slope = sum((n * (shifted(n) - shifted(-n)) for n in steps), torch.zeros_like(values))
    return slope / (2 * sum(n * n for n in steps))
