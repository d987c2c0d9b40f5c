"""What predictions are worth: rates with intervals, per class, per speaker, per fold."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emotone.corpora import Corpus
from emotone.evaluation import metrics

PROBABILITY = "p_"  # prefix of the columns of probabilities

RATES = {"UAR": metrics.uar_of, "WAR": metrics.war_of}


def predictions_table(
    corpus: Corpus, utterances: Sequence[int], fold: str, seed: int, probabilities: NDArray[Any]
) -> pd.DataFrame:
    """Build the rows of ``predictions.csv`` of one run.

    Files are given from the folder that all files of their corpus share.

    Args:
        corpus: the utterances are of.
        utterances: their numbers in the corpus.
        fold: name of the fold in which they were tested.
        seed: of the run.
        probabilities: shape ``(utterances, labels)``.
    """
    rows = corpus.table.iloc[list(utterances)]
    labels = np.array(corpus.labels)
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
        table[PROBABILITY + label] = probabilities[:, column].round(6)
    return table


def independence(results: dict[str, Any]) -> str:
    """Say whether the figures of ``results.json`` hold for new speakers, and at what price."""
    text = "speaker-dependent" if results["speaker_dependent"] else "speaker-independent"
    if results["transductive"]:
        text += ", transductive"
    if results["pretrained_on"]:
        text += f", pre-trained on {results['pretrained_on']}"
    return text


def summarise(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    """Compute all figures of a results folder from its predictions.

    Rates are pooled over all test utterances. With several seeds the pooled rate is the mean over
    seeds. Mean and standard deviation over folds are of each fold's rate, averaged over seeds; a
    fold's UAR is over the classes that its test speakers show. The interval is the speaker
    bootstrap of :func:`emotone.evaluation.metrics.speaker_interval`.

    Args:
        predictions: as of :func:`predictions_table`, of all runs.
        labels: order of the classes.
    """
    by_speaker = {
        str(speaker): confusion_of(group, labels)
        for speaker, group in predictions.groupby("speaker")
    }
    total = np.sum(list(by_speaker.values()), axis=0)
    summary: dict[str, Any] = {}
    for name, rate_of in RATES.items():
        folds = _rates(predictions, ["fold"], labels, rate_of)
        low, high = metrics.speaker_interval(np.stack(list(by_speaker.values())), rate_of)
        summary[name] = {
            "pooled": float(rate_of(total)),
            "interval_95": [low, high],
            "fold_mean": float(np.mean(folds)),
            "fold_std": float(np.std(folds, ddof=1)) if len(folds) > 1 else 0.0,
            "seed_std": _std_of_seeds(predictions, labels, rate_of),
        }
    summary["ensemble"] = ensemble(predictions, labels)
    totals = total.sum(axis=1)
    summary["recall"] = {
        label: float(total[row, row] / totals[row]) if totals[row] else None
        for row, label in enumerate(labels)
    }
    summary["confusion"] = total.tolist()
    summary["by_speaker"] = {
        speaker: {
            "utterances": int(counts.sum()) // predictions["seed"].nunique(),
            "UAR": float(metrics.uar_of(counts)),
            "WAR": float(metrics.war_of(counts)),
        }
        for speaker, counts in by_speaker.items()
    }
    return summary


def ensemble(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any] | None:
    """Rates of the mean posteriors of all seeds, or ``None`` if there is only one."""
    if predictions["seed"].nunique() < 2:
        return None
    columns = [PROBABILITY + label for label in labels]
    keys = ["fold", "utterance", "speaker", "truth"]
    mean = predictions.groupby(keys, as_index=False)[columns].mean()
    mean["prediction"] = np.array(labels)[mean[columns].to_numpy().argmax(axis=1)]
    return _pooled(confusions_by_speaker(mean, labels))


def by_corpus(
    predictions: pd.DataFrame, labels: Sequence[str], corpora: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Rates of each corpus in an experiment over several; nothing if there is only one.

    Args:
        predictions: as of :func:`predictions_table`, of all runs.
        labels: order of the classes.
        corpora: their names, with which those of their speakers begin.

    Returns:
        Of each corpus that was tested the number of utterances, and UAR and WAR as shares: pooled,
        the speaker bootstrap's interval, and the standard deviation over seeds if there are some.
    """
    seeds = predictions["seed"].nunique()
    found = {}
    for name, rows in split_by_corpus(predictions, corpora).items():
        rates = _pooled(confusions_by_speaker(rows, labels))
        for rate, rate_of in RATES.items():
            rates[rate]["seed_std"] = _std_of_seeds(rows, labels, rate_of)
        found[name] = {"utterances": len(rows) // seeds} | rates
    return found


def split_by_corpus(predictions: pd.DataFrame, corpora: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Predictions of each corpus that was tested; nothing if there is only one corpus."""
    if len(corpora) == 1:
        return {}
    tested = predictions.groupby(predictions["speaker"].str.partition("/")[0])
    return {str(name): rows for name, rows in tested if name in corpora}


def _pooled(by_speaker: NDArray[np.int64]) -> dict[str, Any]:
    """Rates over all speakers, from :func:`confusions_by_speaker`."""
    return {
        name: {
            "pooled": float(rate_of(by_speaker.sum(axis=0))),
            "interval_95": list(metrics.speaker_interval(by_speaker, rate_of)),
        }
        for name, rate_of in RATES.items()
    }


def enrolment(scored: pd.DataFrame, labels: Sequence[str]) -> list[dict[str, Any]]:
    """UAR over the number of utterances that speakers enrolled with.

    Args:
        scored: predictions with the columns ``enrolled`` (that number) and ``draw``.
        labels: order of the classes.

    Returns:
        For each number, from 0: the pooled UAR over all draws and seeds, and its paired difference
        to that of 0 with interval and p-value, see :func:`emotone.evaluation.metrics.compare`.
    """
    counts: dict[int, NDArray[np.int64]] = {}
    for number in sorted(set(scored["enrolled"])):
        rows = scored[scored["enrolled"] == number]
        counts[int(number)] = np.stack(list(confusions_by_seed(rows, labels).values()))
    curve = []
    for number, of_seeds in counts.items():
        comparison = metrics.compare(of_seeds, counts[0])
        curve.append(
            {
                "enrolled": number,
                "UAR": float(metrics.uar_of(of_seeds.sum(axis=(0, 1)))),
                "difference": comparison.difference,
                "interval_95": [comparison.low, comparison.high],
                "p": comparison.p,
            }
        )
    return curve


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


def confusions_by_seed(
    predictions: pd.DataFrame, labels: Sequence[str]
) -> dict[int, NDArray[np.int64]]:
    """Confusion counts of each seed, as of :func:`confusions_by_speaker`."""
    return {
        int(seed): confusions_by_speaker(predictions[predictions["seed"] == seed], labels)
        for seed in sorted(predictions["seed"].unique())
    }


def _std_of_seeds(predictions: pd.DataFrame, labels: Sequence[str], rate_of: Any) -> float | None:
    rates = _rates(predictions, ["seed"], labels, rate_of)
    return float(np.std(rates, ddof=1)) if len(rates) > 1 else None


def _rates(
    predictions: pd.DataFrame, keys: list[str], labels: Sequence[str], rate_of: Any
) -> list[float]:
    return [float(rate_of(confusion_of(group, labels))) for _, group in predictions.groupby(keys)]
