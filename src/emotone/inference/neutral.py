"""Neutral speech of a speaker as a reference for all other speech.

The neutral voice of some speakers, microphones and languages sounds like an emotion to a network.
What it answers to a few neutral recordings shows by how much, and the logits of all other answers
are moved back as far. Busso, Metallinou and Narayanan ("Iterative feature normalization for
emotional speech detection", ICASSP 2011) normalise features by neutral speech instead.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone.errors import UsageError
from emotone.text import shortened

Answers = tuple[Mapping[str, float], ...]  # probabilities of each label

NEUTRAL = "neutral"  # the label
PRIOR = 1.0  # recordings that the reference of other speakers counts as
SMALLEST = 1e-9  # probability, so that its logarithm is finite
SUM_WITHIN = 0.01  # of 1, since answers are rounded


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


def answers_of(values: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> NDArray[np.float64]:
    """Read probabilities that a model gave before, shape ``(recordings, labels)``.

    Args:
        values: probability of each label, for each neutral recording.
        labels: of the model.

    Raises:
        UsageError: if they are not probabilities of these labels.

    >>> answers_of([{"sadness": 0.25, "neutral": 0.75}], ["neutral", "sadness"])
    array([[0.75, 0.25]])
    """
    rows = []
    for number, one in enumerate(values, start=1):
        expected = f"neutral: expected probabilities of {', '.join(labels)}, got "
        if set(one) != set(labels):
            got = shortened(", ".join(map(str, one))) or "none"
            raise UsageError(f"{expected}{got} in answer {number}")
        row = [one[label] for label in labels]
        if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in row):
            raise UsageError(f"neutral: a probability is no number from 0 to 1 in answer {number}")
        if abs(sum(row) - 1) > SUM_WITHIN:
            raise UsageError(
                f"neutral: the probabilities of answer {number} add up to {sum(row):.3g}, not to 1"
            )
        rows.append(row)
    return np.array(rows, np.float64).reshape(len(rows), len(labels))
