"""Executes the runs of an experiment, in local processes or on a Ray cluster, with one loop."""

import math
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from emotone.errors import EmotoneError, StorageError, UsageError
from emotone.evaluation.folds import Fold
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments import cluster
from emotone.experiments.config import RuntimeOptions
from emotone.experiments.logs import Logs
from emotone.experiments.plan import Experiment, Observer, Run
from emotone.experiments.running import execute
from emotone.inference.execution import Executor, ProcessExecutor
from emotone.inference.worker import CrashedError
from emotone.options import SECONDS_PER_HOUR
from emotone.training.checkpoint import saved_epochs
from emotone.training.hardware import check_device, keep_memory
from emotone.training.spectrograms import Spectrograms

POLL_S = 0.2


class InterruptedRunError(EmotoneError):
    """The user stopped an experiment; the same command continues it."""

    exit_code = 130


def deadline_after(hours: float | None) -> float:
    """Return when a time limit ends, by :func:`time.monotonic`; never for ``None``.

    Raises:
        UsageError: if the hours are no time.
    """
    if hours is not None and not hours >= 0:  # NaN is not
        raise UsageError(f"--hours must be 0 or more, got {hours}")
    return math.inf if hours is None else time.monotonic() + hours * SECONDS_PER_HOUR


def run_all(
    runs: Sequence[Run], runtime: RuntimeOptions, observer: Observer, deadline: float = math.inf
) -> None:
    """Execute the runs that are not finished; failures are reported after the other runs.

    Args:
        runs: runs in this order.
        runtime: where, and how many at once.
        observer: progress callbacks.
        deadline: when to stop, from :func:`deadline_after`; unfinished runs keep their checkpoints.

    Raises:
        InterruptedRunError: after Ctrl-C.
        StorageError: if runs failed; names them and the reason of the first.
    """
    missing = [run for run in runs if not run.is_finished]
    finished = len(runs) - len(missing)
    if not missing:
        observer.start(missing, finished, 1)
        return
    failures: list[tuple[Run, Exception]] = []
    with (
        closing(Logs(runtime)) as logs,
        _calls(runtime) as calls,
        _interrupt_flag() as interrupted,
    ):
        observer.start(missing, finished, calls.slots)
        waiting = list(missing)
        active: dict[Future[Any], Run] = {}
        while (waiting or active) and time.monotonic() < deadline:
            while waiting and len(active) < calls.slots:
                run = waiting.pop(0)
                active[calls.submit(run)] = run
            done, _ = wait(active, timeout=POLL_S, return_when=FIRST_COMPLETED)
            for run in active.values():
                _report_epochs(run, observer, logs)
            for future in done:
                run = active.pop(future)
                try:
                    calls.collect(run, future)
                    record = run.folder.record()
                except Exception as error:
                    failures.append((run, error))
                    observer.failed(run, error)
                    continue
                observer.epochs(run, record.history)
                logs.write(run, record.history)
                observer.finished(run, record)
            if interrupted():
                raise InterruptedRunError("stopped; run the same command again to continue")
    if failures:
        _raise(failures, len(missing))


def _raise(failures: Sequence[tuple[Run, Exception]], missing: int) -> None:
    run, reason = failures[0]
    if not isinstance(reason, EmotoneError):
        raise reason
    names = "; ".join(run.name for run, _ in failures)
    raise StorageError(
        f"{len(failures)} of {missing} runs failed ({names}); {run.name}: {reason}. All others are "
        "finished; run the same command again to repeat those that failed"
    ) from reason


def _report_epochs(run: Run, observer: Observer, logs: Logs) -> None:
    """Report the finished epochs in the checkpoint of a run."""
    with suppress(StorageError):  # a damaged one, which the run itself reports
        if epochs := saved_epochs(run.folder.checkpoint):
            observer.epochs(run, epochs)
            logs.write(run, epochs)


class _Calls(Protocol):
    """How runs become calls of an executor."""

    @property
    def slots(self) -> int:
        """Runs at once."""

    def submit(self, run: Run) -> Future[Any]:
        """Start a run."""

    def collect(self, run: Run, future: Future[Any]) -> None:
        """Put the result of a run into its folder; raises what the run raised."""


@contextmanager
def _calls(runtime: RuntimeOptions) -> Iterator[_Calls]:
    if runtime.cluster is None:
        check_device(runtime.device)
        executor = ProcessExecutor(
            runtime.processes,
            context=_context(),
            max_tasks=1,
            initializer=_start,
            initial_arguments=(runtime.threads,),
        )
        try:
            yield _CallsHere(executor)
        finally:
            executor.close()
        return
    gpus = runtime.gpu_share if runtime.device == "cuda" else 0
    with cluster.connected(runtime.cluster, cores=runtime.threads, gpus=gpus) as machines:
        yield _CallsOnCluster(machines)


class _CallsHere:
    """Runs in processes of this machine, which write into the results folder themselves."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.slots = executor.slots

    def submit(self, run: Run) -> Future[Any]:
        return self._executor.submit(_execute_here, run, run.experiment.initial)

    def collect(self, _run: Run, future: Future[Any]) -> None:
        try:
            future.result()
        except CrashedError as error:
            if not error.outside:
                raise
            raise CrashedError(
                f"{error}, possibly out of memory; use fewer runtime.jobs if it happens again"
            ) from error


class _CallsOnCluster:
    """Runs on other machines, which share no files with this one."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.slots = executor.slots
        self._shared: dict[Path, tuple[Any, Any]] = {}

    def submit(self, run: Run) -> Future[Any]:
        place = run.experiment.folder.path
        if place not in self._shared:
            light, values = run.experiment.data, None
            if isinstance(light, Spectrograms):
                light, values = light.detach()
            experiment = replace(run.experiment, data=light)
            self._shared[place] = self._executor.share(experiment), self._executor.share(values)
        initial = run.experiment.initial
        weights = None if initial is None else initial.read_bytes()
        return self._executor.submit(
            _execute_elsewhere, *self._shared[place], run.fold, run.seed, weights
        )

    def collect(self, run: Run, future: Future[Any]) -> None:
        run.folder.restore(future.result())


def _context() -> Any:
    """How to start processes: where possible, forked from a server with slow imports done."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "lightning_fabric"])
    return context


def _start(threads: int) -> None:
    """Prepare a process for a run."""
    torch.set_num_threads(threads)
    keep_memory()


def _execute_here(run: Run, initial: Path | None) -> None:
    execute(run, initial)


def _execute_elsewhere(
    experiment: Experiment, values: NDArray[np.float32] | None, fold: Fold, seed: int,
    weights: bytes | None,
) -> dict[str, bytes]:  # fmt: skip
    """Execute a run on another machine; return the files of its folder."""
    _start(experiment.config.runtime.threads)
    with tempfile.TemporaryDirectory() as place:
        initial = None
        if weights is not None:
            initial = Path(place) / "initial.safetensors"
            initial.write_bytes(weights)
        data = experiment.data
        if isinstance(data, Spectrograms):
            assert values is not None
            data = data.attach(values)
        run = Run(replace(experiment, data=data, folder=ResultsFolder(Path(place))), fold, seed)
        execute(run, initial)
        return run.folder.contents()


@contextmanager
def _interrupt_flag() -> Iterator[Any]:
    """Turn Ctrl-C into a flag, wherever it arrives.

    Signals reach only the main thread of Python; elsewhere nothing is changed.
    """
    noticed = False

    def notice(_number: int, _frame: object) -> None:
        nonlocal noticed
        noticed = True

    try:
        before = signal.signal(signal.SIGINT, notice)
    except ValueError:  # not the main thread
        yield lambda: False
        return
    try:
        yield lambda: noticed
    finally:
        signal.signal(signal.SIGINT, before)
