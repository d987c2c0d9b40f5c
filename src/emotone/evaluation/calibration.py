"""Calibration: temperature and confidence threshold, fitted on unseen speakers.

Temperature scaling divides the logits by one number (Guo et al., "On Calibration of Modern Neural
Networks", ICML 2017). It is fitted on the predictions of a cross-validation: no network that
predicted an utterance was trained on its speaker.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from emotone.errors import UsageError
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.scoring import PROBABILITY

ACCURACY = 0.9  # of confident predictions
FEWEST = 20  # predictions needed to estimate an accuracy
BINS = 15
SMALLEST = 1e-6  # probability, so that its logarithm is finite
TEMPERATURES = (0.05, 20.0)

Probabilities = NDArray[np.float64]
Targets = NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """Temperature and confidence threshold of a model, and how well they work on unseen speakers.

    The figures after calibration are cross-fitted: temperature and threshold of each fold are
    fitted on the other folds.

    Attributes:
        temperature: divides the logits.
        confident_from: confidence threshold, a probability.
        error_before: expected calibration error of the network's own probabilities, 0 … 1.
        error_after: the same with the temperature.
        confident: share of predictions that are confident.
        confident_accuracy: accuracy of these; ``None`` if no prediction is confident.
        utterances: number of predictions, over all seeds.
        speakers: number of speakers.
    """

    temperature: float
    confident_from: float
    error_before: float
    error_after: float
    confident: float
    confident_accuracy: float | None
    utterances: int
    speakers: int

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, for ``config.json``."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def calibrate(folder: ResultsFolder, labels: Sequence[str]) -> Calibration:
    """Calibrate with the predictions of a cross-validation.

    Args:
        folder: results folder of ``emotone crossval``, of the same network.
        labels: labels of the network.

    Raises:
        UsageError: if the folder holds no results, or they do not hold for new speakers.
    """
    results = folder.results()
    if results.setting.protocol.speaker_dependent or results.system.transductive:
        raise UsageError(f"{folder}: these results do not hold for new speakers; give others")
    table = folder.predictions()
    probabilities = table[[PROBABILITY + label for label in labels]].to_numpy(np.float64)
    targets = np.array([labels.index(label) for label in table["truth"]], np.int64)
    return fit(probabilities, targets, table["fold"].to_numpy(), table["speaker"].nunique())


def fit(
    probabilities: Probabilities, targets: Targets, folds: NDArray[Any], speakers: int
) -> Calibration:
    """Fit temperature and threshold, and evaluate them by cross-fitting over folds.

    Args:
        probabilities: shape ``(utterances, labels)``.
        targets: number of the true label of each utterance, shape ``(utterances,)``.
        folds: name of the fold of each utterance, shape ``(utterances,)``.
        speakers: number of speakers of the utterances.
    """
    scaled, confident = np.empty_like(probabilities), np.zeros(len(targets), bool)
    for fold in np.unique(folds):
        here = folds == fold
        others = ~here if not here.all() else here
        fitted = temperature(probabilities[others], targets[others])
        scaled[here] = softened(probabilities[here], fitted)
        least = threshold(softened(probabilities[others], fitted), targets[others])
        confident[here] = scaled[here].max(axis=1) >= least
    right = scaled.argmax(axis=1) == targets
    final = temperature(probabilities, targets)
    return Calibration(
        temperature=final,
        confident_from=threshold(softened(probabilities, final), targets),
        error_before=calibration_error(probabilities, targets),
        error_after=calibration_error(scaled, targets),
        confident=float(confident.mean()),
        confident_accuracy=float(right[confident].mean()) if confident.any() else None,
        utterances=len(targets),
        speakers=speakers,
    )


def softened(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Probabilities after dividing the logits by a temperature."""
    logits = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Probabilities = shares / shares.sum(axis=1, keepdims=True)
    return result


def temperature(probabilities: Probabilities, targets: Targets) -> float:
    """Temperature that minimises the cross-entropy."""

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
    """Lowest threshold at which nine in ten predictions are correct; 1 if there is none."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == targets)[order]
    accuracy = right.cumsum() / np.arange(1, len(right) + 1)
    enough = np.flatnonzero((accuracy >= ACCURACY) & (np.arange(len(right)) + 1 >= FEWEST))
    return float(confidence[order][enough[-1]]) if len(enough) else 1.0
