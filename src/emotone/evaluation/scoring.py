"""Predictions to scores: rates with intervals, per class, per speaker, per corpus."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emotone.corpora import Corpus
from emotone.errors import ModelError
from emotone.evaluation import metrics
from emotone.evaluation.results import (
    CorpusRates,
    DisturbedRates,
    EnrolmentPoint,
    Rate,
    Rates,
    Scores,
    SpeakerRates,
)
from emotone.evaluation.run_folder import DIGITS, PROBABILITY, TRUE, VALUE

Counts = dict[int, NDArray[np.int64]]  # by seed, shape (speakers, labels, labels)


def predictions_table(
    corpus: Corpus, utterances: Sequence[int], fold: str, seed: int, probabilities: NDArray[Any]
) -> pd.DataFrame:
    """Build the rows of ``predictions.csv`` of one run.

    File paths are relative to the folder that all files of their corpus share.

    Args:
        corpus: corpus of the utterances.
        utterances: their numbers in the corpus.
        fold: name of the fold in which they were tested.
        seed: seed of the run.
        probabilities: shape ``(utterances, labels)``, or ``(utterances, labels + dimensions)``.

    Raises:
        ModelError: if a probability is not finite.
    """
    if not np.isfinite(probabilities).all():
        raise ModelError(
            f"fold {fold}, seed {seed}: some probabilities are not numbers, so the training "
            "diverged; use a lower training.learning_rate"
        )
    rows = corpus.table.iloc[list(utterances)]
    labels = np.array(corpus.labels)
    probabilities, values = np.split(probabilities, [len(labels)], axis=1)
    table = pd.DataFrame(
        {
            "utterance": rows["utterance"].to_numpy(),
            "file": _relative(corpus.table).iloc[list(utterances)].to_numpy(),
            "start": rows["start"].to_numpy(),
            "end": rows["end"].to_numpy(),
            "fold": fold,
            "seed": seed,
            "speaker": rows["speaker"].to_numpy(),
            "truth": rows["emotion"].to_numpy(),
            "prediction": labels[probabilities.argmax(axis=1)],
        }
    )
    for column, label in enumerate(corpus.labels):
        table[PROBABILITY + label] = probabilities[:, column].round(DIGITS)
    for column, name in enumerate(corpus.dimensions):
        table[TRUE + name] = rows[name].to_numpy().round(DIGITS)
        table[VALUE + name] = values[:, column].round(DIGITS)
    return table


def score(predictions: pd.DataFrame, labels: Sequence[str]) -> Scores:
    """Compute all rates of an experiment from its predictions.

    Args:
        predictions: rows of :func:`predictions_table` of all runs.
        labels: order of the classes.
    """
    by_speaker = {
        str(speaker): confusion_of(group, labels)
        for speaker, group in predictions.groupby("speaker")
    }
    total = np.sum(list(by_speaker.values()), axis=0)
    tested = total.sum(axis=1)
    seeds = predictions["seed"].nunique()
    return Scores(
        **vars(rates(predictions, labels)),
        ensemble=ensemble(predictions, labels),
        recall={
            label: float(total[row, row] / tested[row]) if tested[row] else None
            for row, label in enumerate(labels)
        },
        confusion=tuple(tuple(row) for row in total.tolist()),
        by_speaker={
            speaker: SpeakerRates(
                int(counts.sum()) // seeds,
                float(metrics.uar_of(counts)),
                float(metrics.war_of(counts)),
            )
            for speaker, counts in by_speaker.items()
        },
    )


def rates(predictions: pd.DataFrame, labels: Sequence[str]) -> Rates:
    """UAR and WAR of predictions, see :class:`emotone.evaluation.results.Rate`."""
    return Rates(
        _rate(predictions, labels, metrics.uar_of), _rate(predictions, labels, metrics.war_of)
    )


def ensemble(predictions: pd.DataFrame, labels: Sequence[str]) -> Rates | None:
    """Rates of the mean posteriors of all seeds, or ``None`` if there is only one."""
    if predictions["seed"].nunique() < 2:
        return None
    return rates(together(predictions, labels), labels)


def together(predictions: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Predictions by the mean posteriors of all seeds, as if they were one seed's.

    Args:
        predictions: rows of :func:`predictions_table` of all runs.
        labels: order of the classes.

    Returns:
        A row for each tested utterance of each fold.
    """
    columns = [PROBABILITY + label for label in labels]
    keys = ["fold", "utterance", "speaker", "truth"]
    mean = predictions.groupby(keys, as_index=False)[columns].mean()
    prediction = np.array(labels)[mean[columns].to_numpy().argmax(axis=1)]
    return mean.assign(prediction=prediction, seed=0)


def by_corpus(
    predictions: pd.DataFrame, labels: Sequence[str], corpora: Sequence[str]
) -> dict[str, CorpusRates]:
    """Rates of each corpus that was tested in an experiment over several.

    Args:
        predictions: rows of :func:`predictions_table` of all runs.
        labels: order of the classes.
        corpora: names of the corpora, which prefix the names of their speakers.

    Returns:
        Empty if there is only one corpus.
    """
    seeds = predictions["seed"].nunique()
    return {
        name: CorpusRates(
            **vars(rates(rows, labels)),
            utterances=len(rows) // seeds,
            ensemble=ensemble(rows, labels),
        )
        for name, rows in split_by_corpus(predictions, corpora).items()
    }


def disturbed(
    predictions: pd.DataFrame, labels: Sequence[str], corpora: Sequence[str]
) -> DisturbedRates:
    """Rates on disturbed utterances; see :func:`by_corpus` for the arguments."""
    of_corpora = by_corpus(predictions, labels, corpora)
    return DisturbedRates(
        **vars(rates(predictions, labels)),
        by_corpus=of_corpora,
        ensemble=ensemble(predictions, labels),
    )


def split_by_corpus(predictions: pd.DataFrame, corpora: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Predictions of each corpus that was tested; empty if there is only one corpus."""
    if len(corpora) == 1:
        return {}
    tested = predictions.groupby(predictions["speaker"].str.partition("/")[0])
    return {str(name): rows for name, rows in tested if name in corpora}


def enrolment_curve(scored: pd.DataFrame, labels: Sequence[str]) -> tuple[EnrolmentPoint, ...]:
    """UAR over the number of enrolment utterances.

    Args:
        scored: predictions with the columns ``enrolled`` (that number) and ``draw``.
        labels: order of the classes.

    Returns:
        A point for each number, from 0.
    """
    counts: dict[int, NDArray[np.int64]] = {}
    for number in sorted(set(scored["enrolled"])):
        rows = scored[scored["enrolled"] == number]
        counts[int(number)] = np.stack(list(confusions_by_seed(rows, labels).values()))
    return tuple(
        EnrolmentPoint(
            number,
            float(metrics.uar_of(of_seeds.sum(axis=(0, 1)))),
            metrics.compare(of_seeds, counts[0]),
        )
        for number, of_seeds in counts.items()
    )


def _relative(table: pd.DataFrame) -> "pd.Series[str]":
    parts = []
    for _, files in table.groupby("corpus")["file"]:
        folder = os.path.commonpath([str(Path(file).parent) for file in files])
        parts.append(files.map(lambda file, start=folder: Path(file).relative_to(start).as_posix()))
    relative: pd.Series[str] = pd.concat(parts).sort_index()
    return relative


def confusion_of(predictions: pd.DataFrame, labels: Sequence[str]) -> NDArray[np.int64]:
    """Confusion counts of predictions, see :func:`emotone.evaluation.metrics.confusion`."""
    return metrics.confusion(
        predictions["truth"].tolist(), predictions["prediction"].tolist(), labels
    )


def confusions_by_speaker(predictions: pd.DataFrame, labels: Sequence[str]) -> NDArray[np.int64]:
    """Confusion counts of each speaker, in the order of their names.

    Returns:
        Shape ``(speakers, labels, labels)``.
    """
    return np.stack([confusion_of(group, labels) for _, group in predictions.groupby("speaker")])


def confusions_by_seed(predictions: pd.DataFrame, labels: Sequence[str]) -> Counts:
    """Confusion counts of each seed, see :func:`confusions_by_speaker`."""
    return {
        int(seed): confusions_by_speaker(predictions[predictions["seed"] == seed], labels)
        for seed in sorted(predictions["seed"].unique())
    }


def paired_difference(ours: Counts, theirs: Counts) -> metrics.Comparison:
    """UAR of one system minus that of another, over the seeds that both have.

    Args:
        ours: confusion counts, see :func:`confusions_by_seed`.
        theirs: the same, of the other system, which was tested on the same utterances.
    """
    seeds = sorted(ours.keys() & theirs.keys())
    return metrics.compare(
        np.stack([ours[seed] for seed in seeds]), np.stack([theirs[seed] for seed in seeds])
    )


def _rate(predictions: pd.DataFrame, labels: Sequence[str], rate_of: metrics.RateOf) -> Rate:
    counts = confusions_by_speaker(predictions, labels)
    of_seeds = _by(predictions, "seed", labels, rate_of)
    folds = _by(predictions, "fold", labels, rate_of)
    return Rate(
        mean=float(np.mean(of_seeds)),
        interval_95=metrics.speaker_interval(counts, rate_of),
        of_seeds=of_seeds,
        fold_mean=float(np.mean(folds)),
        fold_std=metrics.standard_deviation(folds) or 0.0,
    )


def _by(
    predictions: pd.DataFrame, key: str, labels: Sequence[str], rate_of: metrics.RateOf
) -> tuple[float, ...]:
    groups = predictions.groupby(key)
    return tuple(float(rate_of(confusion_of(group, labels))) for _, group in groups)
