"""The runs of an experiment: a fold with a seed each, in processes here or on a Ray cluster."""

import json
import math
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from emotone.corpora import Corpus
from emotone.errors import EmotoneError, StorageError, UsageError
from emotone.evaluation import summary as evaluation
from emotone.evaluation.folds import Fold
from emotone.experiments import cluster
from emotone.experiments.config import ExperimentConfig
from emotone.files import replacing, suppress_os_errors, write_text
from emotone.inference import model_folder
from emotone.inference.execution import Executor, die_with_parent
from emotone.models import opensmile_svm as functionals
from emotone.models.network import Network, multiply_adds
from emotone.models.opensmile_svm import Functionals, OpensmileSvmOptions
from emotone.training import loop as training
from emotone.training import parallel
from emotone.training.datasets import Spectrograms
from emotone.training.loop import History, Speed

PREDICTIONS, ENROLMENT = "predictions.csv", "enrolment.csv"
ENROLMENT_COUNTS = (0, 3, 10, 25)  # utterances of the test speaker that are known
ENROLMENT_DRAWS = 5
WEIGHTS = "weights.safetensors"
RUN, CHECKPOINT = "run.json", "checkpoint.safetensors"


class Observer(Protocol):
    """Who is told how an experiment goes on."""

    def corpus(self, corpus: Corpus, folds: Sequence[Fold]) -> None:
        """Called once, when the corpus is read and divided."""

    def reading(self, done: int, total: int) -> None:
        """Called while audio is read."""

    def start(self, missing: Sequence["Run"], finished: int, jobs: int) -> None:
        """Called before training: runs to do, how many were finished before, runs at once."""

    def epoch(self, run: "Run", history: History, speed: Speed) -> None:
        """Called after each epoch of each run."""

    def finished(self, run: "Run", result: dict[str, Any]) -> None:
        """Called after each run with what went into its ``run.json``."""


@dataclass(frozen=True)
class Experiment:
    """An experiment that is ready to run: its corpus read and divided, its folder claimed.

    Attributes:
        config: what is run.
        corpus: on what.
        folds: the divisions of the corpus.
        data: what the model sees of the corpus; ``None`` until it is needed.
        out: results folder.
        name: of a variant among others; empty if the experiment stands alone.
        pretraining: the experiment whose networks the runs begin with, seed by seed.
    """

    config: ExperimentConfig
    corpus: Corpus
    folds: Sequence[Fold]
    data: Spectrograms | Functionals | None
    out: Path
    name: str = ""
    pretraining: "Experiment | None" = None

    @property
    def epochs(self) -> int:
        """Epochs of each run, at most; one where nothing is learnt in epochs."""
        return self.config.training.epochs if isinstance(self.data, Spectrograms) else 1

    @cached_property
    def epoch_cost(self) -> float:
        """Multiply-adds for all audio of the corpus, to compare experiments by."""
        if isinstance(self.config.model, OpensmileSvmOptions):
            return 0.0
        assert isinstance(self.data, Spectrograms)
        network = Network(self.config.features, self.config.model, self.corpus.labels)
        return multiply_adds(network) * self.data.seconds(self.config.training.segment_s)

    @property
    def pretrained_on(self) -> str | None:
        """Names of the corpora that the networks begin with."""
        if self.pretraining is not None:
            return self.pretraining.corpus.name
        model = self._model()
        return None if model is None else "+".join(model_folder.read(model).training["corpora"])

    def initial(self, seed: int) -> Path | None:
        """Weights that the runs of a seed begin with."""
        if self.pretraining is not None:
            (before,) = self.pretraining.steps(seed)
            return before.folder / WEIGHTS
        model = self._model()
        return None if model is None else model / model_folder.WEIGHTS

    def _model(self) -> Path | None:
        asked = self.config.pretraining
        return None if asked is None or asked.model is None else model_folder.locate(asked.model)

    def runs(self) -> list["Run"]:
        """All folds with all seeds, the first seed first."""
        return [Run(self, fold, seed) for seed in self.config.seeds for fold in self.folds]

    def steps(self, seed: int) -> list["Run"]:
        """All that is to be done for a seed: the pre-training, if any, and the folds."""
        before = self.pretraining.steps(seed) if self.pretraining is not None else []
        return before + [Run(self, fold, seed) for fold in self.folds]

    def all_steps(self) -> list["Run"]:
        """All that is to be done, seed by seed."""
        return [run for seed in self.config.seeds for run in self.steps(seed)]

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do, so that no audio is needed."""
        return all(run.is_finished for run in self.all_steps())


@dataclass(frozen=True)
class Run:
    """One training and test: a fold with a seed."""

    experiment: Experiment
    fold: Fold
    seed: int

    @property
    def name(self) -> str:
        """Name of the run, unique among those that run together."""
        name = f"{self.fold.name}-{self.seed}"
        return f"{self.experiment.name}, {name}" if self.experiment.name else name

    @property
    def folder(self) -> Path:
        """Where the run keeps its state and result."""
        return self.experiment.out / "runs" / f"{self.fold.name}-{self.seed}"

    @property
    def is_finished(self) -> bool:
        """Whether there is a result."""
        return (self.folder / RUN).is_file()

    @property
    def initial(self) -> Path | None:
        """Weights to begin with."""
        return self.experiment.initial(self.seed)

    @property
    def is_ready(self) -> bool:
        """Whether all is there that the run begins with."""
        return self.initial is None or self.initial.is_file()


class InterruptedRunError(EmotoneError):
    """The user stopped an experiment; it can be continued."""

    exit_code = 130


def jobs_of(config: ExperimentConfig) -> int:
    """How many runs to do at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return config.runtime.jobs or max((cores or 1) // config.runtime.threads, 1)


def run_all(runs: Sequence[Run], jobs: int, observer: Observer, deadline: float = math.inf) -> None:
    """Do the runs that are not finished, each in a process; stop them all if one fails.

    Args:
        runs: what to do, in this order.
        jobs: how many at once.
        observer: is told of progress.
        deadline: when to stop, by :func:`time.monotonic`; runs that are under way then keep their
            checkpoints.

    Raises:
        InterruptedRunError: after Ctrl-C.
    """
    missing = [run for run in runs if not run.is_finished]
    if parallel.processes() > 1:
        observer.start(missing, len(runs) - len(missing), 1)
        _run_together(missing, observer, deadline)
        return
    if missing and (runtime := missing[0].experiment.config.runtime).cluster is not None:
        gpus = runtime.gpu_share if runtime.device == "cuda" else 0
        with cluster.connected(runtime.cluster, cores=runtime.threads, gpus=gpus) as machines:
            observer.start(missing, len(runs) - len(missing), machines.slots)
            _run_on(machines, missing, observer, deadline)
        return
    observer.start(missing, len(runs) - len(missing), jobs)
    context = _processes()
    waiting = list(missing)
    active: dict[Connection, tuple[Run, Any]] = {}
    with _noticing_interrupts() as interrupted:
        try:
            while (waiting or active) and time.monotonic() < deadline:
                while len(active) < jobs and any(run.is_ready for run in waiting):
                    run = next(run for run in waiting if run.is_ready)
                    waiting.remove(run)
                    ours, theirs = context.Pipe(duplex=False)
                    process = context.Process(target=_work, args=(theirs, run))
                    process.start()
                    theirs.close()
                    active[ours] = (run, process)
                for connection in wait(list(active), timeout=0.2):
                    assert isinstance(connection, Connection)
                    run, process = active[connection]
                    if _listen(connection, run, observer):
                        process.join()
                        connection.close()
                        del active[connection]
                if interrupted():
                    raise InterruptedRunError(
                        "stopped; give the same command again to continue where it was"
                    )
        finally:
            for connection, (_, process) in active.items():
                process.kill()
                process.join()
                connection.close()


def _run_together(missing: Sequence[Run], observer: Observer, deadline: float) -> None:
    """Do runs one after the other, each in all processes that are joined; called in the first."""
    if missing and missing[0].experiment.config.runtime.cluster is not None:
        raise UsageError("torchrun and --cluster exclude each other; give one of them")
    for run in missing:
        if time.monotonic() >= deadline:
            return
        torch.set_num_threads(run.experiment.config.runtime.threads)
        if isinstance(run.experiment.data, Spectrograms):
            parallel.told(run)
        result = _run(run, run.initial, partial(observer.epoch, run))
        observer.finished(run, result)


def follow() -> None:
    """Take part in the runs of the first process, until it ends; called in the others.

    Raises:
        StorageError: if what the first process has read is not to be seen from here.
    """
    while (run := _told()) is not None:
        torch.set_num_threads(run.experiment.config.runtime.threads)
        _train(run, run.initial)


def _told() -> Run | None:
    nothing: Run | None = None
    try:
        return parallel.told(nothing)
    except FileNotFoundError as error:
        raise StorageError(
            f"{error.filename} is not on this machine ({socket.gethostname()}); give --out a "
            "folder that all machines share"
        ) from error


def _run_on(
    machines: Executor, missing: Sequence[Run], observer: Observer, deadline: float
) -> None:
    """Do runs on the machines of a cluster; those that fail are reported when all others are done.

    A run whose machine dies begins anew elsewhere; it ends with the same weights.
    """
    waiting, active, failures = list(missing), dict[Any, Run](), list[tuple[Run, EmotoneError]]()
    sent: dict[Path, tuple[Any, Any]] = {}
    with _noticing_interrupts() as interrupted:
        try:
            while (waiting or active) and time.monotonic() < deadline:
                for run in [run for run in waiting if run.is_ready]:
                    waiting.remove(run)
                    data = run.experiment.data
                    if run.experiment.out not in sent:
                        light, values = (
                            data.carried() if isinstance(data, Spectrograms) else (data, None)
                        )
                        lightly = replace(run.experiment, data=light, pretraining=None)
                        sent[run.experiment.out] = machines.share(lightly), machines.share(values)
                    weights = run.initial.read_bytes() if run.initial is not None else None
                    handle = machines.submit(
                        _work_far, *sent[run.experiment.out], run.fold, run.seed, weights
                    )
                    active[handle] = run
                if not active:  # what is left begins with a run that failed
                    break
                for handle in futures.wait(active, 0.5, futures.FIRST_COMPLETED).done:
                    run = active.pop(handle)
                    try:
                        _keep(run, handle.result())
                    except EmotoneError as error:
                        failures.append((run, error))
                    else:
                        observer.finished(run, json.loads((run.folder / RUN).read_text("utf-8")))
                if interrupted():
                    raise InterruptedRunError(
                        "stopped; give the same command again to continue where it was"
                    )
        finally:
            for handle in active:
                handle.cancel()
    if failures:
        run, reason = failures[0]
        names = ", ".join(run.name for run, _ in failures)
        raise StorageError(
            f"{len(failures)} of {len(missing)} runs failed ({names}); {run.name}: {reason}. All "
            "others are finished; give the same command again for those that failed"
        )


def _work_far(
    experiment: Experiment, values: NDArray[np.float32] | None, fold: Fold, seed: int,
    weights: bytes | None,
) -> dict[str, bytes]:  # fmt: skip
    """Do one run on another machine; returns the files of its folder."""
    torch.set_num_threads(experiment.config.runtime.threads)
    training.keep_memory()
    with tempfile.TemporaryDirectory() as folder:
        initial = None
        if weights is not None:
            initial = Path(folder) / WEIGHTS
            initial.write_bytes(weights)
        data = experiment.data
        if isinstance(data, Spectrograms):
            assert values is not None
            data = data.loaded(values)
        run = Run(replace(experiment, data=data, out=Path(folder)), fold, seed)
        _run(run, initial)
        return {path.name: path.read_bytes() for path in run.folder.iterdir()}


def _keep(run: Run, written: dict[str, bytes]) -> None:
    """Write the files of a run that was done elsewhere; the one that says it is finished last."""
    for name in sorted(written, key=lambda name: name == RUN):
        with replacing(run.folder / name) as temporary:
            temporary.write_bytes(written[name])


def _listen(connection: Connection, run: Run, observer: Observer) -> bool:
    """Pass one message of a run on to the observer; return whether the run is over."""
    try:
        kind, message = connection.recv()
    except EOFError as error:
        raise StorageError(
            f"run {run.name}: its process died, perhaps for want of memory; give the same command "
            "again to continue, with fewer runtime.jobs if it happens again"
        ) from error
    if kind == "epoch":
        observer.epoch(run, *message)
        return False
    if kind == "error":
        raise message
    observer.finished(run, message)
    return True


@contextmanager
def _noticing_interrupts() -> Iterator[Any]:
    """Turn Ctrl-C into a flag, so that it is heard wherever it arrives.

    Signals reach only the main thread of Python; elsewhere nothing is changed.
    """
    heard = False

    def hear(_number: int, _frame: object) -> None:
        nonlocal heard
        heard = True

    try:
        before = signal.signal(signal.SIGINT, hear)
    except ValueError:  # not the main thread
        yield lambda: False
        return
    try:
        yield lambda: heard
    finally:
        signal.signal(signal.SIGINT, before)


def _work(connection: Connection, run: Run) -> None:
    """Do one run; the body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    die_with_parent()
    torch.set_num_threads(run.experiment.config.runtime.threads)
    training.keep_memory()
    try:
        result = _run(run, run.initial, lambda *message: connection.send(("epoch", message)))
        connection.send(("finished", result))
    except EmotoneError as error:
        connection.send(("error", error))
    finally:
        connection.close()


def _run(
    run: Run, initial: Path | None, on_epoch: training.Progress = lambda history, speed: None
) -> dict[str, Any]:
    config, data, folder = run.experiment.config, run.experiment.data, run.folder
    start = time.perf_counter()
    if isinstance(data, Functionals):
        assert isinstance(config.model, OpensmileSvmOptions)
        fold = run.fold
        probabilities, record = functionals.train_and_test(
            data, fold.training, fold.validation, fold.test, config.model
        )
        _write_predictions(run, probabilities)
    else:
        assert isinstance(data, Spectrograms)
        network, record = _train(run, initial, on_epoch)
        if run.fold.test:
            probabilities = training.posteriors(network, data, run.fold.test, config.training)
            _write_predictions(run, probabilities)
        else:
            with replacing(run.folder / WEIGHTS) as temporary:
                temporary.write_bytes(save(network.state_dict()))
        if run.fold.test and config.features.norm == "enrol":
            with replacing(run.folder / ENROLMENT) as temporary:
                _enrolment(run, network).to_csv(temporary, index=False)
    seconds = time.perf_counter() - start
    result = {"fold": run.fold.name, "seed": run.seed, "seconds": seconds} | record
    write_text(folder / RUN, json.dumps(result, indent=1))
    with suppress_os_errors():
        (folder / CHECKPOINT).unlink()
    return result


def _write_predictions(run: Run, probabilities: NDArray[np.float32]) -> None:
    table = evaluation.predictions_table(
        run.experiment.corpus, run.fold.test, run.fold.name, run.seed, probabilities
    )
    if run.fold.speaker_dependent:
        table["protocol"] = "speaker-dependent"
    with replacing(run.folder / PREDICTIONS) as temporary:
        table.to_csv(temporary, index=False)


def _train(
    run: Run, initial: Path | None, on_epoch: training.Progress = lambda history, speed: None
) -> tuple[Network, dict[str, Any]]:
    """Train a network; return it and how it went."""
    experiment, config = run.experiment, run.experiment.config
    assert isinstance(experiment.data, Spectrograms)
    assert not isinstance(config.model, OpensmileSvmOptions)
    network, history = training.fit(
        experiment.data,
        run.fold.training,
        run.fold.validation,
        features=config.features,
        model=config.model,
        options=config.training,
        seed=run.seed,
        device=config.runtime.device,
        initial=initial,
        checkpoint=run.folder / CHECKPOINT,
        on_epoch=on_epoch,
    )
    kept = history.kept_epoch(config.training.tolerance)
    return network, {
        "validation_UAR": history.epochs[kept].validation_uar,
        "epochs": len(history.epochs),
        "kept_epoch": kept + 1,
        "precision": training.usable_precision(config.training.precision, config.runtime.device),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "multiply_adds_per_s": multiply_adds(network),
        "seconds": sum(epoch.seconds for epoch in history.epochs),
        "history": [asdict(epoch) for epoch in history.epochs],
    }


def _enrolment(run: Run, network: Network) -> pd.DataFrame:
    """Recognise test utterances knowing some others of their speaker, for ``norm: enrol``.

    Of each speaker, utterances to enrol with are drawn at random, at most half of all; the rest
    are scored, the same for every number enrolled with. Smaller numbers are part of larger ones.
    """
    data, corpus = run.experiment.data, run.experiment.corpus
    assert isinstance(data, Spectrograms)
    tables = []
    for draw in range(ENROLMENT_DRAWS):
        rng = np.random.default_rng([run.seed, draw])
        enrolled: dict[str, list[int]] = {}
        scored: list[int] = []
        for speaker in run.fold.speakers["test"]:
            theirs = rng.permutation([n for n in run.fold.test if data.speakers[n] == speaker])
            most = min(max(ENROLMENT_COUNTS), len(theirs) // 2)
            enrolled[speaker] = theirs[:most].tolist()
            scored += sorted(theirs[most:].tolist())
        for count in ENROLMENT_COUNTS:
            statistics = training.enrolment_statistics(
                network, data, {speaker: known[:count] for speaker, known in enrolled.items()}
            )
            probabilities = training.posteriors(
                network, data, scored, run.experiment.config.training, statistics
            )
            table = evaluation.predictions_table(
                corpus, scored, run.fold.name, run.seed, probabilities
            )
            columns = ["utterance", "fold", "seed", "speaker", "truth", "prediction"]
            tables.append(table[columns].assign(draw=draw, enrolled=count))
    return pd.concat(tables, ignore_index=True)


def _processes() -> Any:
    """How to start processes: forked, where possible, from a server that imports what is slow."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "lightning_fabric"])
    return context
