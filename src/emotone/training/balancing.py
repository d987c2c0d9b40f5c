"""Weights that balance corpora, classes and speakers, in the loss or in drawing examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotone.training.options import Balancing, TrainingOptions
from emotone.training.spectrograms import Spectrograms


@dataclass(frozen=True)
class Balance:
    """Utterances in strata, each of which is weighted as a whole.

    Weights average one over the utterances. The product of both balances all that is asked for.

    Attributes:
        strata: number of each utterance's stratum, shape ``(utterances,)``.
        in_loss: weight of an utterance of each stratum in the loss, shape ``(strata,)``.
        in_drawing: the same, for the probability of being drawn.
    """

    strata: NDArray[np.int64]
    in_loss: NDArray[np.float64]
    in_drawing: NDArray[np.float64]


def balance_utterances(
    data: Spectrograms, utterances: Sequence[int], options: TrainingOptions
) -> Balance:
    """Balance corpora, classes and speakers as far as the options ask; see :func:`balance`.

    The levels are corpora, then classes, then speakers. A level that is not balanced is left out,
    but classes are balanced within each corpus where corpora are balanced or have labels of their
    own.

    Args:
        data: spectrograms of the corpus.
        utterances: numbers of the utterances; one counts as often as it occurs.
        options: of the training.
    """
    numbers = list(utterances)
    levels: list[tuple[NDArray[np.generic], Balancing]] = []
    within_corpus = options.labels == "corpus" and options.class_balance != "none"
    if options.corpus_balance != "none" or within_corpus:
        levels.append((data.corpora[numbers], options.corpus_balance))
    if options.class_balance != "none":
        levels.append((data.targets[numbers], options.class_balance))
    if options.speaker_balance != "none":
        levels.append((data.speakers[numbers], options.speaker_balance))
    return balance(len(numbers), levels)


def balance(count: int, levels: Sequence[tuple[NDArray[np.generic], Balancing]]) -> Balance:
    """Divide utterances into strata, level by level, and weight them.

    At each level, the groups that a stratum divides into share its weight equally. It is as if one
    drew a corpus, then one of its classes, then one of the speakers who have that class, then an
    utterance. This is defined whatever is missing, while weights that balance classes and speakers
    over all utterances need not exist.

    Args:
        count: of the utterances.
        levels: group of each utterance and how to balance the groups, from coarse to fine;
            ``none`` divides and leaves each group the weight of its utterances.
    """
    strata = np.zeros(count, np.int64)
    weights = {"weights": np.ones(count), "sampling": np.ones(count)}
    for groups, balancing in levels:
        names, codes = np.unique(groups, return_inverse=True)
        _, first, finer = np.unique(
            strata * len(names) + codes, return_index=True, return_inverse=True
        )
        if balancing != "none":
            sizes, parts = np.bincount(strata)[strata], np.bincount(strata[first])[strata]
            weights[balancing] *= 1 / np.bincount(finer)[finer] * sizes / parts
        strata = finer
    _, first = np.unique(strata, return_index=True)
    return Balance(strata, weights["weights"][first], weights["sampling"][first])
