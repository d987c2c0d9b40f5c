"""The folder of one run: file names, and how its contents are written and read."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from emotone.errors import UsageError
from emotone.evaluation.results import RUN_RECORD, Epoch, RunRecord
from emotone.files import replacing, suppress_os_errors, write_text

PREDICTIONS, ENROLMENT, DISTURBED = "predictions", "enrolment", "disturbed"  # names of tables
CSV, PARQUET = ".csv", ".parquet"
CURVES = "curves.csv"
PROBABILITY, DIGITS = "p_", 6  # prefix of the columns of probabilities, and their decimal places
TRUE, VALUE = "truth_", "d_"  # prefixes of the columns of dimensions: true, and predicted
RUN, CHECKPOINT, WEIGHTS = "run.json", "checkpoint.safetensors", "weights.safetensors"
TEXT = ("utterance", "file", "fold", "speaker", "truth", "prediction", "protocol")  # columns


class PredictionsFolder:
    """A folder with predictions of test utterances.

    Args:
        path: a folder, which need not exist yet.
        packed: whether to write new tables as Parquet, a third of the size, instead of CSV; both
            are read, and a table is written as it is there.
    """

    def __init__(self, path: Path, *, packed: bool = False) -> None:
        self.path = path
        self._packed = packed

    def predictions(self) -> pd.DataFrame:
        """Predictions of the test utterances, a row per utterance and seed."""
        return self._table(PREDICTIONS)

    def enrolment(self) -> pd.DataFrame | None:
        """Predictions of enrolled speakers, if there are any."""
        return self._table(ENROLMENT) if self._place(ENROLMENT).is_file() else None

    def disturbed(self) -> pd.DataFrame | None:
        """Predictions of disturbed test utterances, if there are any."""
        return self._table(DISTURBED) if self._place(DISTURBED).is_file() else None

    def write_predictions(
        self,
        predictions: pd.DataFrame,
        enrolment: pd.DataFrame | None = None,
        disturbed: pd.DataFrame | None = None,
    ) -> None:
        """Write the predictions of the test utterances.

        Args:
            predictions: of the utterances as they are.
            enrolment: of enrolled speakers.
            disturbed: of disturbed utterances.

        Raises:
            StorageError: if they cannot be written.
        """
        tables = {PREDICTIONS: predictions, ENROLMENT: enrolment, DISTURBED: disturbed}
        for name, table in tables.items():
            if table is not None:
                place = self._place(name)
                write_table(place.with_suffix(PARQUET) if self._packed else place, table)

    def _table(self, name: str) -> pd.DataFrame:
        return read_table(self._place(name))

    def _place(self, name: str) -> Path:
        """The file of a table, as it was written."""
        packed = (self.path / name).with_suffix(PARQUET)
        return packed if packed.is_file() else packed.with_suffix(CSV)


class RunFolder(PredictionsFolder):
    """Folder of one run: first its checkpoint, then its predictions, last its record."""

    @property
    def is_finished(self) -> bool:
        """Whether the run is finished: its record is written last."""
        return (self.path / RUN).is_file()

    @property
    def checkpoint(self) -> Path:
        """Checkpoint of a training in progress."""
        return self.path / CHECKPOINT

    @property
    def weights(self) -> Path:
        """Weights of a run without test utterances."""
        return self.path / WEIGHTS

    def record(self) -> RunRecord:
        """Record of the run.

        Raises:
            UsageError: if it is damaged, or another version of emotone wrote it.
        """
        try:
            values = json.loads((self.path / RUN).read_text(encoding="utf-8"))
            return RUN_RECORD.validate_python(_current(values))
        except (ValueError, TypeError, AttributeError) as error:
            raise self._unusable(RUN) from error

    def _table(self, name: str) -> pd.DataFrame:
        """Read a table.

        Raises:
            UsageError: if it cannot be read.
        """
        try:
            return super()._table(name)
        except (OSError, ValueError) as error:
            raise self._unusable(self._place(name).name) from error

    def _unusable(self, name: str) -> UsageError:
        return UsageError(
            f"{self.path / name} is damaged, or of another version of emotone; remove "
            f"{self.path}, then the same command makes this run again"
        )

    def write_curves(self, history: Sequence[Epoch]) -> None:
        """Write all epochs so far as ``curves.csv``.

        Raises:
            StorageError: if it cannot be written.
        """
        write_table(self.path / CURVES, curves(history))

    def write_weights(self, weights: bytes) -> None:
        """Write the weights of a run without test utterances.

        Raises:
            StorageError: if they cannot be written.
        """
        with replacing(self.weights) as temporary:
            temporary.write_bytes(weights)

    def finish(self, record: RunRecord) -> None:
        """Write the record, last of all, and remove the checkpoint.

        Raises:
            StorageError: if it cannot be written.
        """
        write_text(self.path / RUN, RUN_RECORD.dump_json(record, indent=1).decode())
        self.remove_checkpoint()

    def remove_checkpoint(self) -> None:
        """Remove the checkpoint, which a kill in :meth:`finish` can leave behind."""
        with suppress_os_errors():
            self.checkpoint.unlink(missing_ok=True)

    def contents(self) -> dict[str, bytes]:
        """Contents of all files by name, to send to another machine."""
        return {path.name: path.read_bytes() for path in self.path.iterdir()}

    def restore(self, contents: dict[str, bytes]) -> None:
        """Write the files of a run from another machine, the record last.

        Raises:
            StorageError: if they cannot be written.
        """
        for name in sorted(contents, key=lambda name: name == RUN):
            with replacing(self.path / name) as temporary:
                temporary.write_bytes(contents[name])


def curves(history: Sequence[Epoch]) -> pd.DataFrame:
    """Return the epochs of a run as a table, a row each, numbered from 1."""
    table = pd.DataFrame([asdict(epoch) for epoch in history])
    if table["validation_ccc"].isna().all():  # there are no dimensions
        del table["validation_ccc"]
    table.insert(0, "epoch", range(1, len(history) + 1))
    return table


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table of predictions as CSV or Parquet, atomically.

    Raises:
        StorageError: if it cannot be written.
    """
    with replacing(path) as temporary:
        if path.suffix == CSV:
            table.to_csv(temporary, index=False)
        else:
            short = dict.fromkeys(_probabilities(table), "float32")
            table.astype(short).to_parquet(temporary, index=False, compression="zstd")


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of predictions; names that look like numbers or ``NA`` stay text.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is damaged.
    """
    if path.suffix == PARQUET:
        table = pd.read_parquet(path)
        long = dict.fromkeys(_probabilities(table), "float64")
        return _checked(table.astype(long).round(dict.fromkeys(long, DIGITS)))
    columns = pd.read_csv(path, nrows=0).columns
    text = [name for name in TEXT if name in columns]
    table = pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values={
        name: [""] for name in columns if name not in text
    })  # fmt: skip
    return _checked(table)


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    for name in _probabilities(table):
        if not (is_numeric_dtype(table[name]) and np.isfinite(table[name]).all()):
            raise ValueError(f"{name} is not a number in every row")
    return table


def _probabilities(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith(PROBABILITY)]


def concatenated(tables: Sequence[pd.DataFrame | None]) -> pd.DataFrame | None:
    """Concatenate the tables that are not ``None``; return ``None`` if there are none."""
    existing = [table for table in tables if table is not None]
    return pd.concat(existing, ignore_index=True) if existing else None


def _current(values: dict[str, object]) -> dict[str, object]:
    """Convert the record of a run that emotone 0.1 wrote."""
    if "validation_UAR" not in values:
        return values
    history = values.get("history", [])
    known = {"fold", "seed", "seconds", "parameters", "multiply_adds_per_s", "kept_epoch"}
    choices = {name: values[name] for name in ("C", "precision") if name in values}
    return {name: value for name, value in values.items() if name in known} | {
        "validation_uar": values["validation_UAR"],
        "history": history,
        "choices": choices,
    }
