"""Probabilities that mean what they say, fitted on speakers whom the network has not learnt.

Temperature scaling divides the logits by one number (Guo et al., "On Calibration of Modern Neural
Networks", ICML 2017). It is fitted on the predictions of a cross-validation: each utterance was
predicted by a network that had not heard its speaker, as the shipped network has not heard those
who will use it.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from emotone.errors import UsageError
from emotone.evaluation.summary import PROBABILITY
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import CONFIG, differences
from emotone.experiments.runs import PREDICTIONS

ACCURACY = 0.9  # of the answers that count as sure
FEWEST = 20  # answers that an accuracy is estimated from
BINS = 15
SMALLEST = 1e-6  # probability, so that its logarithm is finite
TEMPERATURES = (0.05, 20.0)

Probabilities = NDArray[np.float64]
Targets = NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """How a model's answers are to be read, and how well that works on unseen speakers.

    The errors and the share of sure answers after calibration are cross-fitted: what is said of a
    fold was fitted on the others.

    Attributes:
        temperature: divides the logits.
        confident_from: probability from which an answer counts as sure.
        error_before: expected calibration error of the network's own probabilities, 0 … 1.
        error_after: the same with the temperature.
        sure: share of answers that count as sure.
        sure_accuracy: share of those that are right; ``None`` if none is sure.
        utterances: how many were predicted, over all seeds.
        speakers: of how many speakers.
    """

    temperature: float
    confident_from: float
    error_before: float
    error_after: float
    sure: float
    sure_accuracy: float | None
    utterances: int
    speakers: int

    def as_dict(self) -> dict[str, Any]:
        """All of it, for ``config.json``."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def calibrate(folder: Path, config: ExperimentConfig, labels: list[str]) -> Calibration:
    """Calibrate with the results of a cross-validation of the same network.

    Args:
        folder: results folder of ``emotone crossval``.
        config: of the network that is to be calibrated.
        labels: of it.

    Raises:
        UsageError: if the folder holds no results, or results of another network, or they are
            speaker-dependent.
    """
    try:
        values = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        found = ExperimentConfig.model_validate(values)
        table = pd.read_csv(folder / PREDICTIONS, dtype={"fold": str, "speaker": str})
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(
            f"{folder} holds no finished results; give the --out of emotone crossval"
        ) from error
    if found.protocol.speaker_dependent or found.features.norm == "speaker":
        raise UsageError(f"{folder}: these results do not hold for new speakers; give others")
    ours, theirs = config.identity(), found.identity()
    kept = ("corpus", "features", "model", "training", "pretraining")
    if differing := differences(
        {key: theirs[key] for key in kept}, {key: ours[key] for key in kept}
    ):
        raise UsageError(f"{folder} holds results of another network: {'; '.join(differing[:3])}")
    probabilities = table[[PROBABILITY + label for label in labels]].to_numpy(np.float64)
    targets = np.array([labels.index(name) for name in table["truth"]])
    return fit(probabilities, targets, table["fold"].to_numpy(), table["speaker"].nunique())


def fit(
    probabilities: Probabilities, targets: Targets, folds: NDArray[Any], speakers: int
) -> Calibration:
    """Fit temperature and threshold, and estimate by cross-fitting over folds how good they are.

    Args:
        probabilities: shape ``(utterances, labels)``.
        targets: number of the true label of each, shape ``(utterances,)``.
        folds: name of the fold of each, shape ``(utterances,)``.
        speakers: how many speakers the utterances are of.
    """
    scaled, sure = np.empty_like(probabilities), np.zeros(len(targets), bool)
    for fold in np.unique(folds):
        here = folds == fold
        others = ~here if not here.all() else here
        cooled = temperature(probabilities[others], targets[others])
        scaled[here] = softened(probabilities[here], cooled)
        least = threshold(softened(probabilities[others], cooled), targets[others])
        sure[here] = scaled[here].max(axis=1) >= least
    right = scaled.argmax(axis=1) == targets
    final = temperature(probabilities, targets)
    return Calibration(
        temperature=final,
        confident_from=threshold(softened(probabilities, final), targets),
        error_before=calibration_error(probabilities, targets),
        error_after=calibration_error(scaled, targets),
        sure=float(sure.mean()),
        sure_accuracy=float(right[sure].mean()) if sure.any() else None,
        utterances=len(targets),
        speakers=speakers,
    )


def softened(probabilities: Probabilities, temperature: float) -> Probabilities:
    """What the probabilities would be with the logits divided by a temperature."""
    logits = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Probabilities = shares / shares.sum(axis=1, keepdims=True)
    return result


def temperature(probabilities: Probabilities, targets: Targets) -> float:
    """Temperature of the lowest cross-entropy."""

    def loss(logarithm: float) -> float:
        shares = softened(probabilities, float(np.exp(logarithm)))
        return float(-np.log(np.maximum(shares[np.arange(len(targets)), targets], SMALLEST)).mean())

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def calibration_error(probabilities: Probabilities, targets: Targets) -> float:
    """Expected calibration error of the most probable label, in 15 bins of equal width, 0 … 1."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(targets))


def threshold(probabilities: Probabilities, targets: Targets) -> float:
    """Lowest probability from which nine of ten answers are right; 1 if there is none."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == targets)[order]
    accuracy = right.cumsum() / np.arange(1, len(right) + 1)
    enough = np.flatnonzero((accuracy >= ACCURACY) & (np.arange(len(right)) + 1 >= FEWEST))
    return float(confidence[order][enough[-1]]) if len(enough) else 1.0
