"""What predictions are worth: rates with intervals, per class, per speaker, per fold."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emotone import metrics
from emotone.corpora import Corpus

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
    return f"{text}, transductive" if results["transductive"] else text


def summarise(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    """Compute all figures of a results folder from its predictions.

    Rates are pooled over all test utterances. With several seeds the pooled rate is the mean over
    seeds. Mean and standard deviation over folds are of each fold's rate, averaged over seeds; a
    fold's UAR is over the classes that its test speakers show. The interval is the speaker
    bootstrap of :func:`emotone.metrics.speaker_interval`.

    Args:
        predictions: as of :func:`predictions_table`, of all runs.
        labels: order of the classes.
    """
    by_speaker = {
        str(speaker): _counts(group, labels) for speaker, group in predictions.groupby("speaker")
    }
    total = np.sum(list(by_speaker.values()), axis=0)
    summary: dict[str, Any] = {}
    for name, rate_of in RATES.items():
        folds = _rates(predictions, ["fold"], labels, rate_of)
        seeds = _rates(predictions, ["seed"], labels, rate_of)
        low, high = metrics.speaker_interval(np.stack(list(by_speaker.values())), rate_of)
        summary[name] = {
            "pooled": float(rate_of(total)),
            "interval_95": [low, high],
            "fold_mean": float(np.mean(folds)),
            "fold_std": float(np.std(folds, ddof=1)) if len(folds) > 1 else 0.0,
            "seed_std": float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None,
        }
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


def _relative(table: pd.DataFrame) -> "pd.Series[str]":
    parts = []
    for _, files in table.groupby("corpus")["file"]:
        folder = os.path.commonpath([str(Path(file).parent) for file in files])
        parts.append(files.map(lambda file, start=folder: Path(file).relative_to(start).as_posix()))
    relative: pd.Series[str] = pd.concat(parts).sort_index()
    return relative


def _counts(predictions: pd.DataFrame, labels: Sequence[str]) -> NDArray[np.int64]:
    return metrics.confusion(
        predictions["truth"].tolist(), predictions["prediction"].tolist(), labels
    )


def _rates(
    predictions: pd.DataFrame, keys: list[str], labels: Sequence[str], rate_of: Any
) -> list[float]:
    return [float(rate_of(_counts(group, labels))) for _, group in predictions.groupby(keys)]
