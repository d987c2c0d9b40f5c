"""Results of an experiment as they are if only some of its labels are possible."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from emotone.errors import UsageError
from emotone.evaluation import scoring
from emotone.evaluation.results import Results
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.run_folder import PROBABILITY


def among(predictions: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Predictions as they are if only some labels are possible, of utterances that have one.

    Args:
        predictions: rows of :func:`predictions_table`, with these labels and others.
        labels: the possible labels.
    """
    columns = [PROBABILITY + label for label in labels]
    rows = predictions[predictions["truth"].isin(list(labels))]
    others = [name for name in rows if str(name).startswith(PROBABILITY) and name not in columns]
    if not others:  # all are possible
        return rows
    rows = rows.drop(columns=others).reset_index(drop=True)
    probabilities = rows[columns].to_numpy(np.float64).clip(1e-9)
    rows[columns] = (probabilities / probabilities.sum(axis=1, keepdims=True)).round(6)
    return rows.assign(prediction=np.array(labels)[probabilities.argmax(axis=1)])


def results_among(folder: ResultsFolder, labels: Sequence[str]) -> Results:
    """Score an experiment with only some labels; its results as they are if these are all.

    Args:
        folder: results folder of the experiment.
        labels: the possible labels.

    Raises:
        UsageError: if the folder holds no results, or a label was not tested.
    """
    results = folder.results()
    setting = results.setting
    if set(labels) == set(setting.labels):
        return results
    unknown = [label for label in labels if label not in setting.labels]
    if unknown:
        raise UsageError(
            f"{folder} has no results for {unknown[0]}; its labels are {', '.join(setting.labels)}"
        )
    rows = among(folder.predictions(), labels)
    return replace(
        results,
        setting=replace(setting, labels=tuple(labels)),
        scores=scoring.score(rows, labels),
        by_corpus=scoring.by_corpus(rows, labels, setting.corpus.split("+")),
        enrolment=(),
        disturbed=None,
    )
