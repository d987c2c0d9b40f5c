"""Recognition rates with intervals that respect speakers.

UAR is the unweighted average recall, also called balanced accuracy or UA; WAR is the weighted
average recall, which is the accuracy, also called WA. Point values come from audmetric.
"""

from collections.abc import Callable, Sequence

import audmetric
import numpy as np
from numpy.typing import ArrayLike, NDArray

BOOTSTRAP_SAMPLES = 2000


def uar(truth: Sequence[str], prediction: Sequence[str]) -> float:
    """Unweighted average recall in 0 … 1 over the classes that occur in ``truth``.

    >>> uar(["anger", "anger", "calm"], ["anger", "fear", "calm"])
    0.75
    """
    recalls = audmetric.recall_per_class(truth, prediction)
    return float(np.mean([recalls[label] for label in sorted(set(truth))]))


def war(truth: Sequence[str], prediction: Sequence[str]) -> float:
    """Weighted average recall (accuracy) in 0 … 1."""
    return float(audmetric.accuracy(truth, prediction))


def confusion(
    truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]
) -> NDArray[np.int64]:
    """Counts of shape ``(labels, labels)``: rows are the truth, columns the prediction."""
    return np.asarray(audmetric.confusion_matrix(truth, prediction, labels=list(labels)), np.int64)


def uar_of(counts: ArrayLike) -> NDArray[np.float64]:
    """UAR of confusion counts of shape ``(…, labels, labels)`` over the classes that occur."""
    counts = np.asarray(counts, dtype=float)
    totals = counts.sum(axis=-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    recalls = np.divide(hits, totals, out=np.zeros_like(hits), where=totals > 0)
    present = np.maximum((totals > 0).sum(axis=-1), 1)
    return np.asarray(recalls.sum(axis=-1) / present)


def war_of(counts: ArrayLike) -> NDArray[np.float64]:
    """WAR of confusion counts of shape ``(…, labels, labels)``."""
    counts = np.asarray(counts, dtype=float)
    hits = np.trace(counts, axis1=-2, axis2=-1)
    return np.asarray(hits / np.maximum(counts.sum(axis=(-2, -1)), 1))


def uar_standard_error(counts: ArrayLike) -> float:
    """Standard error of a UAR as of a mean of independent binomial proportions.

    Args:
        counts: confusion counts of shape ``(labels, labels)``.
    """
    counts = np.asarray(counts, dtype=float)
    totals = counts.sum(axis=1)
    totals, hits = totals[totals > 0], np.diagonal(counts)[totals > 0]
    recalls = hits / totals
    return float(np.sqrt((recalls * (1 - recalls) / totals).sum()) / len(totals))


def speaker_interval(
    counts_by_speaker: ArrayLike,
    rate_of: Callable[[ArrayLike], NDArray[np.float64]] = uar_of,
    *,
    level: float = 0.95,
    samples: int = BOOTSTRAP_SAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a pooled rate, resampling whole speakers.

    Utterances of one speaker are not independent, so speakers are drawn, not utterances
    (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13).

    Args:
        counts_by_speaker: confusion counts of shape ``(speakers, labels, labels)``.
        rate_of: confusion counts to a rate, :func:`uar_of` or :func:`war_of`.
        level: coverage.
        samples: number of bootstrap samples.
        seed: of the random draws.

    Returns:
        Lower and upper end, in 0 … 1.
    """
    counts = np.asarray(counts_by_speaker, dtype=float)
    speakers = len(counts)
    draws = np.random.default_rng(seed).multinomial(
        speakers, np.full(speakers, 1 / speakers), size=samples
    )
    rates = rate_of(np.tensordot(draws, counts, axes=1))
    tail = (1 - level) / 2
    low, high = np.quantile(rates, [tail, 1 - tail])
    return float(low), float(high)
