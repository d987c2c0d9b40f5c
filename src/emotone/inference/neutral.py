"""Neutral speech of a speaker as a reference for all other speech.

The neutral voice of some speakers, microphones and languages sounds like an emotion to a network.
What it answers to a few neutral recordings shows by how much, and the logits of all other answers
are moved back as far. Busso, Metallinou and Narayanan ("Iterative feature normalization for
emotional speech detection", ICASSP 2011) normalise features by neutral speech instead.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NEUTRAL = "neutral"  # the label
PRIOR = 1.0  # recordings that the reference of other speakers counts as
SMALLEST = 1e-9  # probability, so that its logarithm is finite


def centred(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of probabilities, less their mean over the labels; shape ``(…, labels)``."""
    logarithms = np.log(np.maximum(probabilities, SMALLEST))
    result: NDArray[np.float64] = logarithms - logarithms.mean(axis=-1, keepdims=True)
    return result


def offsets(reference: Sequence[float], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """What to add to the logits of a speaker, shape ``(labels,)``.

    Args:
        reference: what neutral speech of other speakers is answered on average, :func:`centred`.
        answers: probabilities of the speaker's neutral recordings, shape ``(recordings, labels)``.

    >>> offsets([-1.0, 1.0], np.array([[0.5, 0.5]]))
    array([-0.5,  0.5])
    """
    weight = len(answers) / (len(answers) + PRIOR)
    result: NDArray[np.float64] = weight * (np.array(reference) - centred(answers).mean(axis=0))
    return result
