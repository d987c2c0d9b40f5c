"""The learning rate of each step."""

import math

from emotone.training.options import TrainingOptions


def learning_rate(step: int, steps: int, options: TrainingOptions) -> float:
    """Learning rate of a step: a linear rise, then constant or half a cosine down to zero.

    Args:
        step: number of the step, from 0 to ``steps - 1``.
        steps: of the whole training.
        options: ``learning_rate``, ``warmup`` and ``schedule`` apply.
    """
    warmup = max(round(options.warmup * steps), 1)
    share = min((step + 1) / warmup, 1.0)
    if options.schedule == "cosine" and step >= warmup:
        share = 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
    return options.learning_rate * share
