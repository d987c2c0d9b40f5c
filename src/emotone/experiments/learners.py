"""The two families of model in an experiment: networks that are trained, estimators that fit.

What a model sees of a corpus, and how it is fitted on the training utterances of a fold.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.corpora import Corpus
from emotone.evaluation.folds import Fold
from emotone.evaluation.results import Epoch, RunRecord
from emotone.experiments.config import ExperimentConfig
from emotone.models.network import Network, multiply_adds
from emotone.training import loop as training
from emotone.training.datasets import Spectrograms, spectrograms

Data = Spectrograms | Any


@dataclass(frozen=True)
class Fitted:
    """A model that was fitted on a fold.

    Attributes:
        record: how that went.
        probabilities: of utterances, given by their numbers in the corpus; shape
            ``(utterances, labels)``.
        network: the network, for models that are one.
    """

    record: RunRecord
    probabilities: Callable[[Sequence[int]], NDArray[np.float32]]
    network: Network | None = None
