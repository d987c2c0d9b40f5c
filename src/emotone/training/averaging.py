"""Averaging of weights over the last steps (Polyak & Juditsky 1992)."""

import torch
from torch import nn


def average_weights(average: nn.Module, current: nn.Module, *, step: int, window: float) -> None:
    """Update a bias-corrected exponential mean with the weights of a step, in place.

    After step ``t`` (from 0) the mean weights step ``i`` by ``decay ** (t - i)``, with
    ``decay = 1 - 1 / window``; the weights sum to one (Kingma & Ba, ICLR 2015, section 7.2). The
    values before step 0 have no influence. Statistics of batch normalisation are averaged, too;
    integers stay unchanged.

    Args:
        average: holds the mean.
        current: the network after the step, of the same structure.
        step: number of the step, from 0.
        window: number of steps to average over, at least 1.
    """
    decay = 1 - 1 / window
    share = (1 - decay) / (1 - decay ** (step + 1))
    new, mean = current.state_dict(), average.state_dict()
    names = [name for name, value in mean.items() if value.is_floating_point()]
    torch._foreach_lerp_([mean[name] for name in names], [new[name] for name in names], share)
