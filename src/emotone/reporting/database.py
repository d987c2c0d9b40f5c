"""Predictions of a results folder as a database in audformat."""

from pathlib import Path
from typing import Any

import pandas as pd

from emotone.errors import StorageError, UsageError
from emotone.evaluation.results import Results
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.scoring import PROBABILITY

COLUMNS = {"truth": "emotion", "prediction": "emotion", "speaker": "name", "fold": "name"}


def export(folder: Path, out: Path) -> Path:
    """Write the predictions of a results folder as a database in audformat.

    Each seed has a table with a segmented index and the columns ``truth``, ``prediction``,
    ``speaker``, ``fold`` and a probability per emotion. Audio is not copied; file paths are
    relative to the folder that all files of the corpus share.

    Args:
        folder: results folder of an experiment.
        out: folder to write, new or empty.

    Returns:
        ``out``.

    Raises:
        UsageError: if ``folder`` holds no finished experiment, or ``out`` holds other files.
        StorageError: if ``out`` cannot be written.
    """
    finished = ResultsFolder(folder)
    results, predictions = finished.results(), finished.predictions()
    refuse_other_files(out)
    try:
        _database(results, predictions).save(str(out), storage_format="csv")
    except OSError as error:
        raise StorageError(f"cannot write to {out}: {error.strerror}") from error
    return out


def refuse_other_files(out: Path) -> None:
    """Raise a :class:`UsageError` unless a folder is new or empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        what = "holds other files" if out.is_dir() else "is a file"
        raise UsageError(f"{out} {what}; choose an empty folder for --audformat")


def _database(results: Results, predictions: pd.DataFrame) -> Any:
    import audformat

    labels, seeds = results.setting.labels, results.setting.seeds
    database = audformat.Database(f"emotone-{results.setting.corpus}", source="emotone crossval")
    database.description = f"Predictions of emotone, {results.independence}"
    database.schemes["emotion"] = audformat.Scheme(labels=list(labels))
    database.schemes["probability"] = audformat.Scheme("float", minimum=0, maximum=1)
    database.schemes["name"] = audformat.Scheme("str")
    columns = COLUMNS | dict.fromkeys(labels, "probability")
    for seed, rows in predictions.groupby("seed"):
        starts = pd.to_timedelta(rows["start"], unit="s")
        ends = pd.to_timedelta(rows["end"], unit="s")
        index = audformat.segmented_index(rows["file"].tolist(), starts.tolist(), ends.tolist())
        name = "predictions" if len(seeds) == 1 else f"predictions-seed-{seed}"
        table = database[name] = audformat.Table(index)
        for column, scheme in columns.items():
            table[column] = audformat.Column(scheme_id=scheme)
            source = PROBABILITY + column if scheme == "probability" else column
            table[column].set(rows[source].to_numpy())
    return database
