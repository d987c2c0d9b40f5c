"""Training curves while an experiment runs: as CSV, in TensorBoard, in MLflow.

The process that starts the runs writes them, from the epochs that the runs report; what a run
computes does not depend on it.
"""

import importlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from emotone.errors import EmotoneError, UsageError
from emotone.evaluation.results import Epoch
from emotone.experiments.config import RuntimeOptions
from emotone.experiments.plan import Run
from emotone.files import write_text

TENSORBOARD, MLFLOW = "tensorboard", "mlflow"  # folders, beside the results
MLFLOW_RUNS = "mlflow-runs.json"  # which run of MLflow is which, for resuming
LONGEST_VALUE = 500  # characters of a parameter in MLflow
FAILURES = {  # of the libraries that may be missing
    "tensorboard": "pip install 'emotone[tensorboard]'",
    "mlflow": "pip install 'emotone[mlflow]'",
}


class Log(Protocol):
    """Where training curves go."""

    def write(self, run: Run, history: Sequence[Epoch]) -> None:
        """Write the epochs of a run that are not written yet.

        Args:
            run: a run.
            history: all its epochs so far.
        """

    def close(self) -> None:
        """Write what is not written yet."""


class Logs:
    """All logs of an experiment.

    A log that fails later is left out with a warning: the training goes on.

    Args:
        options: say which logs there are, and where.

    Raises:
        UsageError: if a package that a log needs is not installed.
    """

    def __init__(self, options: RuntimeOptions) -> None:
        kinds: dict[str, type[_TensorBoard | _Mlflow]] = {
            "tensorboard": _TensorBoard,
            "mlflow": _Mlflow,
        }
        self._logs: dict[str, Log] = {"csv": _Csv()}
        self._written: dict[Path, int] = {}  # epochs of each run
        for name in options.log:
            if name in kinds:
                self._logs[name] = kinds[name](options.log_folder)

    def write(self, run: Run, history: Sequence[Epoch]) -> None:
        """Write the epochs of a run that are not written yet; see :meth:`Log.write`."""
        if len(history) == self._written.get(run.folder.path, 0):
            return
        self._written[run.folder.path] = len(history)
        for name in list(self._logs):
            self._attempt(name, lambda log: log.write(run, history))

    def close(self) -> None:
        """Write what is not written yet."""
        for name in list(self._logs):
            self._attempt(name, lambda log: log.close())

    def _attempt(self, name: str, call: Any) -> None:
        try:
            call(self._logs[name])
        except EmotoneError:
            raise
        except Exception as error:  # the libraries raise many kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            warnings.warn(f"runtime.log: {name} stopped: {reason}", stacklevel=2)
            del self._logs[name]


def check_logs(options: RuntimeOptions) -> None:
    """Raise a :class:`UsageError` if a package that a log needs is not installed."""
    for name in options.log:
        _library(name)


class _Csv:
    """``curves.csv`` in the folder of each run."""

    def write(self, run: Run, history: Sequence[Epoch]) -> None:
        run.folder.write_curves(history)

    def close(self) -> None: ...


class _TensorBoard:
    """A folder of TensorBoard with a subfolder for each run."""

    def __init__(self, folder: Path | None) -> None:
        _library("tensorboard")
        self._folder = folder
        self._writers: dict[Path, Any] = {}
        self._written: dict[Path, int] = {}

    def write(self, run: Run, history: Sequence[Epoch]) -> None:
        place = _place(run, self._folder) / TENSORBOARD / _name(run)
        if place not in self._writers:
            from torch.utils.tensorboard import SummaryWriter

            shutil.rmtree(place, ignore_errors=True)  # of an interrupted run: all comes again
            self._writers[place] = SummaryWriter(str(place))
        for step, values in _values(history, self._written.get(place, 0)):
            for name, value in values.items():
                self._writers[place].add_scalar(name, value, step)
        self._written[place] = len(history)
        self._writers[place].flush()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


class _Mlflow:
    """An experiment of MLflow, named after the results folder, with a run for each run.

    ``MLFLOW_TRACKING_URI`` says where it is; by default in a database beside the results.
    """

    def __init__(self, folder: Path | None) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves the machine
        # by default it tries a server that is gone for minutes, in which the training waits
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        self._library = _library("mlflow")
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._folder = folder
        self._clients: dict[Path, Any] = {}

    def write(self, run: Run, history: Sequence[Epoch]) -> None:
        place = _place(run, self._folder)
        client = self._client(place)
        known = place / MLFLOW_RUNS
        runs: dict[str, str] = json.loads(known.read_text()) if known.is_file() else {}
        name = _name(run)
        if name not in runs:
            runs[name] = self._started(client, place, run)
            write_text(known, json.dumps(runs, indent=1))
        logged = client.get_run(runs[name]).data.metrics.get("epoch", 0)
        for step, values in _values(history, round(logged)):
            for metric, value in {**values, "epoch": step}.items():
                client.log_metric(runs[name], metric, value, step=step)
        if run.folder.is_finished:
            client.set_terminated(runs[name])

    def close(self) -> None: ...

    def _client(self, place: Path) -> Any:
        if place not in self._clients:
            place.mkdir(parents=True, exist_ok=True)
            beside = f"sqlite:///{(place / MLFLOW).absolute()}.db"
            address = os.environ.get("MLFLOW_TRACKING_URI", beside)
            self._clients[place] = self._library.MlflowClient(tracking_uri=address)
        return self._clients[place]

    def _started(self, client: Any, place: Path, run: Run) -> str:
        """Start a run of MLflow with the configuration as its parameters; return its id."""
        title = f"emotone {place.absolute().name}"
        found = client.get_experiment_by_name(title)
        experiment = client.create_experiment(title) if found is None else found.experiment_id
        started: str = client.create_run(experiment, run_name=run.name).info.run_id
        parameters = {"fold": run.fold.name, "seed": run.seed}
        for name, value in (parameters | dict(_flat(run.experiment.config.identity()))).items():
            client.log_param(started, name, str(value)[:LONGEST_VALUE])
        return started


def _library(name: str) -> Any:
    """Import the library of a log.

    Raises:
        UsageError: if it is not installed.
    """
    if name not in FAILURES:
        return None
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"runtime.log: {name} needs a package that is not installed ({error.name}): "
            f"{FAILURES[name]}"
        ) from error


def _place(run: Run, folder: Path | None) -> Path:
    return run.experiment.folder.path if folder is None else folder


def _name(run: Run) -> str:
    """Name of a run for files, unique among those that run together."""
    variant = "".join(char if char.isalnum() else "-" for char in run.experiment.name)
    return f"{variant}-{run.folder.path.name}".lstrip("-")


def _values(history: Sequence[Epoch], written: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Number, from 1, and known values of each epoch that is not written yet."""
    for number, epoch in enumerate(history[written:], start=written + 1):
        yield number, {name: value for name, value in vars(epoch).items() if value is not None}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Options with their full names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
