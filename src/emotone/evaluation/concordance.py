"""How well dimensions such as arousal are predicted, with intervals that respect speakers.

CCC is the concordance correlation coefficient (L. I. Lin, "A concordance correlation coefficient to
evaluate reproducibility", Biometrics 45 (1), 1989). Point values come from audmetric.
"""

from collections.abc import Sequence
from typing import Any

import audmetric
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from emotone.evaluation import metrics
from emotone.evaluation.results import DimensionScore
from emotone.evaluation.run_folder import TRUE, VALUE


def ccc(truth: Sequence[float], prediction: Sequence[float]) -> float | None:
    """CCC in −1 … 1; ``None`` if there are no two different true values.

    >>> ccc([0, 1, 2], [0, 1, 1])
    0.6666666666666665
    >>> ccc([1, 1], [0, 1]) is None
    True
    """
    return float(audmetric.concordance_cc(truth, prediction)) if len(set(truth)) > 1 else None


def mean_ccc(truth: NDArray[Any], prediction: NDArray[Any]) -> float | None:
    """Mean CCC of dimensions, of the utterances that have a value.

    Args:
        truth: shape ``(utterances, dimensions)``, NaN where there is no value.
        prediction: of the same shape.

    Returns:
        ``None`` if it is undefined for all dimensions.
    """
    values = []
    for true, found in zip(truth.T, prediction.T, strict=True):
        known = ~np.isnan(true)
        values.append(ccc(true[known].tolist(), found[known].tolist()))
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def dimension_scores(
    predictions: pd.DataFrame, dimensions: Sequence[str]
) -> dict[str, DimensionScore]:
    """Score each dimension over all test utterances that have a value.

    Args:
        predictions: rows of :func:`emotone.evaluation.scoring.predictions_table` of all runs.
        dimensions: their names.
    """
    return {name: _score(predictions.dropna(subset=[TRUE + name]), name) for name in dimensions}


def _score(rows: pd.DataFrame, name: str) -> DimensionScore:
    of_seeds, pearson, errors = [], [], []
    for _, group in rows.groupby("seed"):
        truth, found = group[TRUE + name].tolist(), group[VALUE + name].tolist()
        of_seeds.append(ccc(truth, found))
        varies = len(set(truth)) > 1 and len(set(found)) > 1
        pearson.append(audmetric.pearson_cc(truth, found) if varies else None)
        errors.append(audmetric.mean_absolute_error(truth, found))
    values = tuple(value for value in of_seeds if value is not None)
    correlations = [value for value in pearson if value is not None]
    return DimensionScore(
        utterances=len(rows) // max(rows["seed"].nunique(), 1),
        ccc=float(np.mean(values)) if values else None,
        interval_95=metrics.speaker_interval(_moments(rows, name), _mean_of_seeds)
        if values
        else None,
        of_seeds=values,
        pearson=float(np.mean(correlations)) if correlations else None,
        mean_absolute_error=float(np.mean(errors)) if errors else None,
    )


def _moments(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Sums from which the CCC of any speakers follows, shape ``(speakers, seeds, 6)``."""
    true, found = rows[TRUE + name], rows[VALUE + name]
    sums = pd.DataFrame(
        {"n": 1.0, "t": true, "f": found, "tt": true**2, "ff": found**2, "tf": true * found}
    )
    keys = [rows["speaker"], rows["seed"]]
    table = sums.groupby(keys).sum().unstack("seed", fill_value=0.0)
    return table.to_numpy().reshape(len(table), len(sums.columns), -1).transpose(0, 2, 1)


def _mean_of_seeds(moments: ArrayLike) -> NDArray[np.float64]:
    """Mean over seeds of the CCC, shape ``(…, seeds, 6)`` to ``(…,)``.

    It is 0 where all true values are equal, as the formula gives if the predictions differ.
    """
    n, true, found, *products = np.moveaxis(np.asarray(moments, dtype=float), -1, 0)
    n = np.maximum(n, 1)
    true, found = true / n, found / n
    tt, ff, tf = (product / n for product in products)
    denominator = (tt - true**2) + (ff - found**2) + (true - found) ** 2
    covariance = tf - true * found
    values = np.divide(
        2 * covariance, denominator, out=np.zeros_like(covariance), where=denominator > 1e-12
    )
    return np.asarray(values.mean(axis=-1))
