"""Calibration: temperature and confidence threshold, fitted on unseen speakers or corpora.

Temperature scaling divides the logits by one number (Guo et al., "On Calibration of Modern Neural
Networks", ICML 2017). It is fitted on the predictions of a cross-validation: no network that
predicted an utterance was trained on its speaker, nor, with leave-one-corpus-out, on its corpus.
Then each corpus counts the same, whatever its size.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from emotone.errors import UsageError
from emotone.evaluation.label_selection import among
from emotone.evaluation.neutral import reference
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.run_folder import PROBABILITY
from emotone.evaluation.scoring import together
from emotone.inference.neutral import NEUTRAL
from emotone.text import plural

ACCURACY = 0.8  # of confident predictions
THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the curve
FEWEST = 20  # predictions needed to estimate an accuracy
BINS = 15
SMALLEST = 1e-6  # probability, so that its logarithm is finite
TEMPERATURES = (0.05, 20.0)

Probabilities = NDArray[np.float64]
Targets = NDArray[np.int64]
Weights = NDArray[np.float64]


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
        utterances: number of predictions, over all seeds; of networks that answer together, one
            for each utterance.
        speakers: number of speakers.
        left_out: what no network that predicted an utterance was trained on: its ``speaker``, or
            its ``corpus``.
        curve: for each of :data:`THRESHOLDS`, the threshold, the share of predictions that reach
            it, and the accuracy of these, ``None`` if there are none.
        neutral: what neutral speech is answered on average, with the temperature; see
            :mod:`emotone.inference.neutral`.
    """

    temperature: float
    confident_from: float
    error_before: float
    error_after: float
    confident: float
    confident_accuracy: float | None
    utterances: int
    speakers: int
    left_out: Literal["speaker", "corpus"] = "speaker"
    curve: tuple[tuple[float, float, float | None], ...] = ()
    neutral: tuple[float, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return how good it is, for ``config.json``, where :attr:`applied` stands beside it."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
            if name not in ("neutral", "curve")
        } | {"curve": [[None if one is None else round(one, 4) for one in p] for p in self.curve]}

    @property
    def applied(self) -> dict[str, Any]:
        """What recognition uses, for ``config.json``."""
        names = ("temperature", "confident_from", "neutral")
        return {name: getattr(self, name) for name in names}


def calibrate(folder: ResultsFolder, labels: Sequence[str], members: int = 1) -> Calibration:
    """Calibrate with the predictions of a cross-validation.

    Args:
        folder: results folder of ``emotone crossval``, of the same network.
        labels: labels of the network, all that were tested or some of them.
        members: number of networks that answer together; then it is the mean of their
            probabilities that is calibrated.

    Raises:
        UsageError: if the folder holds no results, they do not hold for new speakers, or they are
            not those of as many networks.
    """
    results = folder.results()
    seeds = results.setting.seeds
    if members > 1 and len(seeds) != members:
        raise UsageError(
            f"{folder} has results of {plural(len(seeds), 'seed')}, the model has {members} "
            f"networks; cross-validate with seeds={list(range(members))}"
        )
    if results.setting.protocol.speaker_dependent or results.system.transductive:
        raise UsageError(f"{folder}: these results do not hold for new speakers; give others")
    table = folder.predictions()
    if members > 1:
        table = together(table, results.setting.labels)
    table = among(table, labels)
    probabilities = table[[PROBABILITY + label for label in labels]].to_numpy(np.float64)
    targets = np.array([labels.index(label) for label in table["truth"]], np.int64)
    folds = table["fold"].to_numpy()
    speakers = table["speaker"].nunique()
    crosses = results.setting.protocol.name == "cross_corpus"
    sizes = table.groupby("fold")["fold"].transform("size").to_numpy(np.float64)
    weights = 1 / sizes if crosses else np.ones(len(table))
    found = fit(probabilities, targets, folds, weights, speakers)
    is_neutral = (table["truth"] == NEUTRAL).to_numpy()
    answered = reference(softened(probabilities, found.temperature), is_neutral, weights)
    return replace(found, left_out="corpus" if crosses else "speaker", neutral=answered)


def fit(
    probabilities: Probabilities,
    targets: Targets,
    folds: NDArray[Any],
    weights: Weights,
    speakers: int,
) -> Calibration:
    """Fit temperature and threshold, and evaluate them by cross-fitting over folds.

    Args:
        probabilities: shape ``(utterances, labels)``.
        targets: number of the true label of each utterance, shape ``(utterances,)``.
        folds: name of the fold of each utterance, shape ``(utterances,)``.
        weights: of the utterances, shape ``(utterances,)``.
        speakers: number of speakers of the utterances.
    """
    scaled, confident = np.empty_like(probabilities), np.zeros(len(targets), bool)
    for fold in np.unique(folds):
        here = folds == fold
        others = ~here if not here.all() else here
        known = probabilities[others], targets[others], weights[others]
        fitted = temperature(*known)
        scaled[here] = softened(probabilities[here], fitted)
        least = threshold(softened(probabilities[others], fitted), *known[1:])
        confident[here] = scaled[here].max(axis=1) >= least
    right, reached = scaled.argmax(axis=1) == targets, scaled.max(axis=1)
    final = temperature(probabilities, targets, weights)
    return Calibration(
        temperature=final,
        confident_from=threshold(softened(probabilities, final), targets, weights),
        error_before=calibration_error(probabilities, targets, weights),
        error_after=calibration_error(scaled, targets, weights),
        confident=float(np.average(confident, weights=weights)),
        confident_accuracy=_accuracy(right, confident, weights),
        utterances=len(targets),
        speakers=speakers,
        curve=tuple(
            (
                least,
                float(np.average(reached >= least, weights=weights)),
                _accuracy(right, reached >= least, weights),
            )
            for least in THRESHOLDS
        ),
    )


def _accuracy(right: NDArray[np.bool_], among: NDArray[np.bool_], weights: Weights) -> float | None:
    return float(np.average(right[among], weights=weights[among])) if among.any() else None


def softened(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Probabilities after dividing the logits by a temperature."""
    logits = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Probabilities = shares / shares.sum(axis=1, keepdims=True)
    return result


def temperature(probabilities: Probabilities, targets: Targets, weights: Weights) -> float:
    """Temperature that minimises the weighted cross-entropy."""

    def loss(logarithm: float) -> float:
        shares = softened(probabilities, float(np.exp(logarithm)))
        likelihood = np.maximum(shares[np.arange(len(targets)), targets], SMALLEST)
        return float(-np.average(np.log(likelihood), weights=weights))

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def binned(
    probabilities: Probabilities, targets: Targets
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return of each example the confidence, whether its answer is right, and the bin, from 0."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    return confidence, right, np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def calibration_error(probabilities: Probabilities, targets: Targets, weights: Weights) -> float:
    """Expected calibration error of the most probable label, in 15 bins of equal width, 0 … 1."""
    confidence, right, bins = binned(probabilities, targets)
    gaps = np.bincount(bins, weights * (right - confidence), minlength=BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def threshold(probabilities: Probabilities, targets: Targets, weights: Weights) -> float:
    """Lowest threshold at which four in five predictions are correct; 1 if there is none."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == targets)[order]
    accuracy = (weights[order] * right).cumsum() / weights[order].cumsum()
    enough = np.flatnonzero((accuracy >= ACCURACY) & (np.arange(len(right)) + 1 >= FEWEST))
    return float(confidence[order][enough[-1]]) if len(enough) else 1.0
