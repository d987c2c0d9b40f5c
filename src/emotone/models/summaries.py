"""Summaries over time: how the BLSTM's output sequence becomes one vector.

A new one is a class and its entry in :data:`SUMMARIES`, whose keys are the values of
``model.summary``.
"""

from collections.abc import Callable
from typing import Annotated, cast

import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from emotone.features import frame_mask
from emotone.options import nearest
from emotone.text import shown


class _Summary(nn.Module):
    """Summary of the BLSTM's outputs: ``(batch, frames, inputs)`` to ``(batch, size)``."""

    size: int

    def __init__(self, inputs: int, copies: int = 1) -> None:
        super().__init__()
        self.size = copies * inputs


class Last(_Summary):
    """Last state of each direction: the end of the forward, the start of the backward one."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        units = x.shape[2] // 2
        end = (lengths - 1)[:, None, None].expand(-1, 1, units)
        return torch.cat([x[:, :, :units].gather(1, end)[:, 0], x[:, 0, units:]], dim=1)


class Mean(_Summary):
    """Mean over time."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        return _mean(x, lengths)


class Max(_Summary):
    """Maximum over time."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        return _max(x, lengths)


class MeanStd(_Summary):
    """Mean and standard deviation over time."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, copies=2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        return torch.cat([_mean(x, lengths), _std(x, lengths)], dim=1)


class MeanStdMax(_Summary):
    """Mean, standard deviation and maximum over time."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, copies=3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        return torch.cat([_mean(x, lengths), _std(x, lengths), _max(x, lengths)], dim=1)


class Attention(_Summary):
    """Mean weighted by a learned score of each frame (Mirsamadi et al., ICASSP 2017, eq. 7)."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs)
        self.score = nn.Linear(inputs, 1, bias=False)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        outside = ~frame_mask(lengths, x.shape[1])
        scores = self.score(x)[:, :, 0].masked_fill(outside, -torch.inf)
        return cast(Tensor, (scores.softmax(dim=1)[:, :, None] * x).sum(dim=1))


def _mean(x: Tensor, lengths: Tensor) -> Tensor:
    mask = frame_mask(lengths, x.shape[1])[:, :, None]
    return (x * mask).sum(dim=1) / lengths[:, None]


def _std(x: Tensor, lengths: Tensor) -> Tensor:
    mask = frame_mask(lengths, x.shape[1])[:, :, None]
    deviation = (x - _mean(x, lengths)[:, None]) * mask
    # the small number keeps the gradient finite where nothing varies
    return (deviation.square().sum(dim=1) / lengths[:, None] + 1e-6).sqrt()


def _max(x: Tensor, lengths: Tensor) -> Tensor:
    outside = ~frame_mask(lengths, x.shape[1])[:, :, None]
    return x.masked_fill(outside, -torch.inf).amax(dim=1)


SUMMARIES: dict[str, Callable[[int], _Summary]] = {
    "last": Last,
    "mean": Mean,
    "max": Max,
    "mean_std": MeanStd,
    "mean_std_max": MeanStdMax,
    "attention": Attention,
}


def _known(name: str) -> str:
    if name not in SUMMARIES:
        raise ValueError(
            f"must be one of {', '.join(SUMMARIES)}, got {shown(name)}{nearest(name, SUMMARIES)}"
        )
    return name


Summary = Annotated[str, AfterValidator(_known)]
