"""What a few neutral recordings of a speaker are worth; see :mod:`emotone.inference.neutral`."""

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from emotone.evaluation.run_folder import PROBABILITY
from emotone.inference.neutral import NEUTRAL, centred, offsets

SET_ASIDE = 5  # neutral recordings of each speaker that are not scored; one is, at least


def reference(
    probabilities: NDArray[np.float64], is_neutral: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, ...] | None:
    """What neutral speech is answered on average, as ``neutral`` of a model's ``config.json``.

    Args:
        probabilities: of answers to new speakers, shape ``(utterances, labels)``.
        is_neutral: whether each utterance is neutral.
        weights: of the utterances.

    Returns:
        A number for each label; ``None`` if no utterance is neutral.
    """
    if not is_neutral.any():
        return None
    mean = np.average(centred(probabilities[is_neutral]), axis=0, weights=weights[is_neutral])
    return tuple(round(float(value), 4) for value in mean)


def with_recordings(
    predictions: pd.DataFrame, labels: Sequence[str], recordings: int, seed: int = 0
) -> pd.DataFrame:
    """Answers again, each speaker's with some neutral recordings of theirs, which are not scored.

    The reference of a fold is that of the other folds, each of which counts the same. Up to
    ``SET_ASIDE`` recordings of each speaker are set aside, whatever their number here, so that all
    numbers are compared on the same utterances. Folds without neutral speech are left out.

    Args:
        predictions: rows of :func:`emotone.evaluation.scoring.predictions_table`.
        labels: labels of the predictions, neutral among them.
        recordings: at most so many are used of each speaker.
        seed: of the draw.
    """
    folds = predictions.groupby("fold", sort=True)
    spoken = {fold: rows for fold, rows in folds if (rows["truth"] == NEUTRAL).any()}
    parts = []
    for fold, rows in spoken.items():
        others = pd.concat([other for name, other in spoken.items() if name != fold])
        weights = 1 / others.groupby("fold")["fold"].transform("size").to_numpy(np.float64)
        heard = others["truth"].to_numpy() == NEUTRAL
        found = reference(_probabilities(others, labels), heard, weights)
        assert found is not None
        parts += list(_answered(rows, labels, recordings, seed, found))
    return pd.concat(parts, ignore_index=True)


def _answered(
    rows: pd.DataFrame,
    labels: Sequence[str],
    recordings: int,
    seed: int,
    found: Sequence[float],
) -> Iterator[pd.DataFrame]:
    """Answers to each speaker of a fold, by each network; all set the same recordings aside."""
    for (speaker, _), own in rows.groupby(["speaker", "seed"], sort=True):
        rng = np.random.default_rng([seed, zlib.crc32(str(speaker).encode())])
        neutral = rng.permutation(np.flatnonzero(own["truth"] == NEUTRAL))
        aside = neutral[: min(SET_ASIDE, max(len(neutral) - 1, 0))]
        answers = _probabilities(own, labels)
        used = aside[:recordings]
        added = offsets(found, answers[used]) if len(used) else 0.0
        scored = np.setdiff1d(np.arange(len(own)), aside)
        probabilities = softmax(centred(answers[scored]) + added, axis=1)
        columns = dict(zip(_columns(labels), probabilities.T, strict=True))
        best = np.array(labels)[probabilities.argmax(axis=1)]
        yield own.iloc[scored].assign(prediction=best, **columns)


def _columns(labels: Sequence[str]) -> list[str]:
    return [PROBABILITY + label for label in labels]


def _probabilities(rows: pd.DataFrame, labels: Sequence[str]) -> NDArray[np.float64]:
    return rows[_columns(labels)].to_numpy(np.float64)
