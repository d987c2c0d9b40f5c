"""Recognition rates with intervals that respect speakers.

UAR is the unweighted average recall, also called balanced accuracy or UA; WAR is the weighted
average recall, which is the accuracy, also called WA. Point values come from audmetric.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import audmetric
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["confusion", "uar", "war"]

BOOTSTRAP_SAMPLES = 2000
TAILS = (0.025, 0.975)  # of a 95 % interval
MOST_SWAPS = 2**13  # with more than 13 speakers, swaps are drawn at random

RateOf = Callable[[ArrayLike], NDArray[np.float64]]  # confusion counts to a rate


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


def standard_deviation(values: Sequence[float]) -> float | None:
    """Standard deviation of a sample, as of the rates of seeds; ``None`` of less than two values.

    >>> standard_deviation([0.25, 0.75]), standard_deviation([0.5])
    (0.3535533905932738, None)
    """
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


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
    rate_of: RateOf = uar_of,
    *,
    samples: int = BOOTSTRAP_SAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a pooled rate, resampling whole speakers.

    Utterances of one speaker are not independent, so speakers are drawn, not utterances
    (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13).

    Args:
        counts_by_speaker: confusion counts of shape ``(speakers, labels, labels)``.
        rate_of: maps confusion counts to a rate: :func:`uar_of` or :func:`war_of`.
        samples: number of bootstrap samples.
        seed: seed of the random draws.

    Returns:
        Lower and upper end, in 0 … 1.
    """
    counts = np.asarray(counts_by_speaker, dtype=float)
    speakers = len(counts)
    draws = np.random.default_rng(seed).multinomial(
        speakers, np.full(speakers, 1 / speakers), size=samples
    )
    rates = rate_of(np.tensordot(draws, counts, axes=1))
    low, high = np.quantile(rates, TAILS)
    return float(low), float(high)


@dataclass(frozen=True)
class Comparison:
    """Paired difference of two systems' rates.

    Attributes:
        difference: difference of the pooled rates.
        interval_95: bootstrap interval over speakers and seeds.
        p: two-sided p-value of a randomisation test over speakers.
    """

    difference: float
    interval_95: tuple[float, float]
    p: float


def compare(
    ours: ArrayLike,
    theirs: ArrayLike,
    rate_of: RateOf = uar_of,
    *,
    samples: int = BOOTSTRAP_SAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two systems that were tested on the same utterances with the same seeds.

    The interval is a percentile bootstrap that draws speakers and seeds, the same for both systems
    (Efron & Tibshirani 1993, chapters 8 and 13). The p-value is two-sided, of a randomisation test
    that swaps the systems' predictions for all utterances of a speaker (E. W. Noreen,
    "Computer-Intensive Methods for Testing Hypotheses", 1989; A. Yeh, "More accurate tests for the
    statistical significance of result differences", COLING 2000): all swaps up to 13 speakers,
    a random sample of them beyond. Speakers are swapped as a whole, because neither the utterances
    of a speaker nor seeds are independent.

    Args:
        ours: confusion counts of shape ``(seeds, speakers, labels, labels)``.
        theirs: the same, of the reference.
        rate_of: maps confusion counts to a rate: :func:`uar_of` or :func:`war_of`.
        samples: number of bootstrap samples.
        seed: seed of the random draws.
    """
    one, other = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    seeds, speakers = one.shape[:2]
    rng = np.random.default_rng(seed)
    by_speaker = rng.multinomial(speakers, np.full(speakers, 1 / speakers), size=samples)
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=samples)

    def drawn(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return rate_of(np.einsum("ns,np,sp...->n...", by_seed, by_speaker, counts, optimize=True))

    low, high = np.quantile(drawn(one) - drawn(other), TAILS)
    one, other = one.sum(axis=0), other.sum(axis=0)
    difference = float(rate_of(one.sum(axis=0)) - rate_of(other.sum(axis=0)))
    exhaustive = 2**speakers <= MOST_SWAPS
    if exhaustive:
        swaps = np.arange(2**speakers)[:, None] >> np.arange(speakers) & 1
    else:
        swaps = rng.integers(0, 2, (MOST_SWAPS, speakers))
    change = np.tensordot(swaps, other - one, axes=1)
    swapped = rate_of(one.sum(axis=0) + change) - rate_of(other.sum(axis=0) - change)
    as_large = int((np.abs(swapped) >= abs(difference) - 1e-12).sum())
    p = as_large / len(swaps) if exhaustive else (as_large + 1) / (len(swaps) + 1)
    return Comparison(difference, (float(low), float(high)), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for several comparisons (S. Holm, Scandinavian Journal of Statistics, 1979).

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    corrected = np.empty(len(p_values))
    highest = 0.0
    for rank, number in enumerate(order):
        highest = max(highest, min((len(p_values) - rank) * p_values[number], 1.0))
        corrected[number] = highest
    return corrected.tolist()
