"""The results folder: file names, lock, and how its contents are written and read.

Only this module and :mod:`emotone.evaluation.run_folder` know the names of its files. ``runs``
exists while an experiment runs. Once all runs are finished, their predictions and records are in
``predictions.csv`` and ``results.json``.
"""

import json
import shutil
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from emotone.errors import StorageError, UsageError
from emotone.evaluation.results import (
    ABLATION_RESULTS,
    FORMAT,
    RESULTS,
    AblationResults,
    Results,
    RunRecord,
)
from emotone.evaluation.run_folder import (
    CURVES,
    PredictionsFolder,
    RunFolder,
    curves,
    write_table,
)
from emotone.files import TEMPORARY, locked, suppress_os_errors, write_text

CONFIG = "config.yaml"
FOLDS = "folds.json"
RESULTS_FILE = "results.json"
RUNS = "runs"
SPECTROGRAMS = ".spectrograms"
ABLATION = "ablation.yaml"
VARIANTS = "variants"
LOCK = ".lock"
Stored = TypeVar("Stored")


class UnusableResultsError(UsageError):
    """Results are missing, damaged or of emotone 0.1; the same command makes them again."""


class ResultsFolder(PredictionsFolder):
    """A results folder, of an experiment or of an ablation.

    Its tables raise a :class:`UsageError` if they cannot be read.

    Args:
        path: a folder, which need not exist yet.
    """

    def __str__(self) -> str:
        return str(self.path)

    @property
    def is_experiment(self) -> bool:
        """Whether an experiment was started in the folder."""
        return (self.path / CONFIG).is_file()

    @property
    def is_ablation(self) -> bool:
        """Whether an ablation was started in the folder."""
        return (self.path / ABLATION).is_file()

    @property
    def is_complete(self) -> bool:
        """Whether all runs are finished and merged; :meth:`reopen` undoes it."""
        return (self.path / RESULTS_FILE).is_file() and not (self.path / RUNS).exists()

    def started_seeds(self) -> set[int] | None:
        """Seeds of which a run has begun; ``None`` if results cannot be read, so any may have."""
        runs = self.path / RUNS
        names = [path.name for path in runs.iterdir()] if runs.is_dir() else []
        seeds = {int(end) for end in (name.rpartition("-")[2] for name in names) if end.isdecimal()}
        if not (self.path / RESULTS_FILE).is_file():
            return seeds
        try:
            return seeds | set(self.results().setting.seeds)
        except UsageError:
            return None

    @property
    def spectrograms(self) -> Path:
        """Cache of spectrograms while an experiment runs."""
        return self.path / SPECTROGRAMS

    def variant(self, folder: str) -> "ResultsFolder":
        """Folder of a variant of an ablation, by the ``folder`` of its row, with packed tables."""
        return ResultsFolder(self.path / folder, packed=True)

    def run(self, fold: str, seed: int) -> "RunFolder":
        """Folder of one run."""
        return RunFolder(self.path / RUNS / f"{fold}-{seed}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Reserve the folder for this process.

        Raises:
            UsageError: if another process uses it.
            StorageError: if it cannot be written.
        """
        lock = self.path / LOCK
        new = [path for path in (self.path, *self.path.parents) if not path.exists()]
        was_ours = lock.exists()
        with locked(lock, self.path, "--out"):
            try:
                yield
            except UsageError:
                if not was_ours:  # a folder of the user stays as it was
                    lock.unlink(missing_ok=True)
                raise
            finally:
                with suppress_os_errors():
                    if new and {path.name for path in self.path.iterdir()} <= {LOCK}:
                        lock.unlink(missing_ok=True)  # nothing was started
                        for path in new:
                            path.rmdir()

    def refuse_other_files(self, *known: str) -> None:
        """Raise a :class:`UsageError` if the folder holds files that emotone did not make.

        Args:
            known: names of files that are allowed.
        """
        there = sorted(self.path.iterdir()) if self.path.is_dir() else []
        ours = (*known, LOCK, SPECTROGRAMS)
        strangers = [
            item.name
            for item in there
            if item.name not in ours and not item.name.endswith(TEMPORARY)
        ]
        if strangers:
            raise UsageError(f"{self} holds other files ({strangers[0]}, …); choose an empty --out")

    def remove_leftovers(self) -> None:
        """Remove temporary files of processes that were killed."""
        for leftover in list(self.path.rglob(f".*{TEMPORARY}")):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    def configuration(self) -> str:
        """The configuration of the experiment, as YAML.

        Raises:
            UsageError: if there is none.
        """
        return self._read(CONFIG)

    def ablation(self) -> str:
        """The configurations of an ablation's variants, as YAML.

        Raises:
            UsageError: if there are none.
        """
        return self._read(ABLATION)

    def folds(self) -> str | None:
        """The folds as JSON, if the experiment was started."""
        path = self.path / FOLDS
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def write_experiment(self, configuration: str, folds: str) -> None:
        """Write configuration and folds when an experiment starts.

        Raises:
            StorageError: if they cannot be written.
        """
        write_text(self.path / CONFIG, configuration)
        write_text(self.path / FOLDS, folds)

    def write_ablation(self, configurations: str) -> None:
        """Write the configurations of the variants when an ablation starts.

        Raises:
            StorageError: if they cannot be written.
        """
        write_text(self.path / ABLATION, configurations)

    def results(self) -> Results:
        """Results of an experiment.

        Raises:
            UsageError: if there are none, or emotone 0.1 wrote them.
        """
        return self._stored(RESULTS)

    def ablation_results(self) -> AblationResults:
        """Results of an ablation.

        Raises:
            UsageError: see :meth:`results`.
        """
        return self._stored(ABLATION_RESULTS)

    def write_curves(self, runs: Sequence[RunRecord]) -> None:
        """Write the epochs of all runs that have some as ``curves.csv``.

        Raises:
            StorageError: if it cannot be written.
        """
        tables = [
            curves(run.history).assign(fold=run.fold, seed=run.seed) for run in runs if run.history
        ]
        if tables:
            write_table(self.path / CURVES, pd.concat(tables, ignore_index=True))

    def write_results(self, results: Results | AblationResults) -> None:
        """Write ``results.json``.

        Raises:
            StorageError: if it cannot be written.
        """
        kind: TypeAdapter[Results] | TypeAdapter[AblationResults]
        kind = RESULTS if isinstance(results, Results) else ABLATION_RESULTS
        text = kind.dump_json(results, indent=1)  # type: ignore[arg-type]
        write_text(self.path / RESULTS_FILE, text.decode() + "\n")

    def reopen(self, seeds: Set[int]) -> None:
        """Mark the experiment as unfinished; its results stay until new ones replace them.

        Args:
            seeds: those of which each run gets its folder back.

        Raises:
            StorageError: if the folder cannot be written.
        """
        hidden = self.path / f".{RUNS}{TEMPORARY}"  # so that a kill leaves all runs or none
        try:
            hidden.mkdir()
            if seeds:
                self._restore_runs(seeds, hidden)
            hidden.rename(self.path / RUNS)
        except OSError as error:
            raise StorageError(
                f"cannot write to {self}: {error.strerror}; choose another --out"
            ) from error

    def _restore_runs(self, seeds: Set[int], place: Path) -> None:
        tables = (self.predictions(), self.enrolment(), self.disturbed())
        for record in self.results().runs:
            if record.seed not in seeds:
                continue
            run = RunFolder(place / self.run(record.fold, record.seed).path.name)
            predictions, enrolment, disturbed = (
                None
                if table is None
                else table[(table["fold"] == record.fold) & (table["seed"] == record.seed)]
                for table in tables
            )
            assert predictions is not None
            run.write_predictions(predictions, enrolment, disturbed)
            if record.history:
                run.write_curves(record.history)
            run.finish(record)

    def remove_runs(self) -> None:
        """Remove the run folders, once their predictions and records are merged."""
        runs = self.path / RUNS
        if runs.exists():
            hidden = self.path / f".{RUNS}{TEMPORARY}"  # removing takes time, renaming is atomic
            with suppress_os_errors():
                runs.rename(hidden)
                shutil.rmtree(hidden)

    def _stored(self, kind: TypeAdapter[Stored]) -> Stored:
        text = self._read(RESULTS_FILE)
        try:
            values = json.loads(text)
            found = values.get("format")
            if found == FORMAT:
                return kind.validate_python(values)
        except (AttributeError, ValueError, ValidationError) as error:
            raise UnusableResultsError(
                f"{self.path / RESULTS_FILE} is damaged; run the emotone crossval or ablate "
                "command that made it again"
            ) from error
        if found is None:
            raise UnusableResultsError(
                f"{self.path / RESULTS_FILE} was written by emotone 0.1; run the emotone crossval "
                f"or ablate command that made it again: it converts the runs in {RUNS} and trains "
                "those that are missing"
            )
        raise UsageError(
            f"{self.path / RESULTS_FILE} was written by another version of emotone (format "
            f"{found}, this one reads {FORMAT}); install the version that wrote it"
        )

    def _read(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableResultsError(
                f"{self} holds no finished experiment (no readable {name}); give the --out folder "
                "of emotone crossval or ablate after it has ended"
            ) from error

    def _table(self, name: str) -> pd.DataFrame:
        try:
            return super()._table(name)
        except (OSError, ValueError) as error:
            reason = f": {str(error).splitlines()[0]}" if isinstance(error, ValueError) else ""
            raise UnusableResultsError(
                f"{self} holds no finished experiment (no readable {name}{reason}); give the "
                "--out folder of emotone crossval or ablate after it has ended"
            ) from error
