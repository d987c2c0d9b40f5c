"""History of a training: epochs, early stopping and the kept epoch."""

from dataclasses import dataclass, field

import numpy as np

from emotone.evaluation.results import Epoch
from emotone.training.options import TrainingOptions


@dataclass
class History:
    """All epochs so far."""

    epochs: list[Epoch] = field(default_factory=list)

    def best_epoch(self) -> int:
        """Number of the first epoch with the highest validation UAR, from 0.

        Where only dimensions are learnt, with the highest concordance correlation.
        """
        if any(epoch.validation_uar is not None for epoch in self.epochs):
            return int(np.argmax([epoch.validation_uar or 0.0 for epoch in self.epochs]))
        return int(np.argmax([epoch.validation_ccc or -1.0 for epoch in self.epochs]))

    def kept_epoch(self, tolerance: float) -> int:
        """Number of the last epoch within ``tolerance`` standard errors of the best, from 0.

        Without validation it is the last one. Where only dimensions are learnt, it is the best one.
        """
        best = self.epochs[self.best_epoch()]
        if best.validation_uar is None and best.validation_ccc is not None:
            return self.best_epoch()
        if best.validation_uar is None or best.standard_error is None:
            return len(self.epochs) - 1
        least = best.validation_uar - tolerance * best.standard_error
        return max(
            number
            for number, epoch in enumerate(self.epochs)
            if epoch.validation_uar is not None and epoch.validation_uar >= least
        )

    def is_over(self, options: TrainingOptions) -> bool:
        """Whether training has ended, by number of epochs or by patience."""
        done = len(self.epochs)
        if done == 0 or done >= options.epochs:
            return done > 0
        last = self.epochs[-1]
        has_validation = (last.validation_uar, last.validation_ccc) != (None, None)
        return has_validation and done - 1 - self.best_epoch() >= options.patience
