"""Cross-validation: folds × seeds, each run in a process of its own, resumable at any moment."""

import json
import math
import multiprocessing
import os
import platform
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
import yaml
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors.torch import save

from emotone import bundle, cluster, corpora, datasets, evaluation, files, functionals, training
from emotone.config import ExperimentConfig, options_of
from emotone.corpora import Corpus
from emotone.datasets import Spectrograms
from emotone.errors import EmotoneError, StorageError, UsageError
from emotone.files import replacing, suppress_os_errors, write_text
from emotone.folds import Fold, make_folds, training_fold
from emotone.functionals import Functionals, OpensmileSvmOptions
from emotone.jobs import die_with_parent
from emotone.model import Network, multiply_adds
from emotone.training import History, Speed

CONFIG, FOLDS, RESULTS, PREDICTIONS = "config.yaml", "folds.json", "results.json", "predictions.csv"
ENROLMENT = "enrolment.csv"
ENROLMENT_COUNTS = (0, 3, 10, 25)  # utterances of the test speaker that are known
ENROLMENT_DRAWS = 5
PRETRAINING, WEIGHTS = "pretraining", "weights.safetensors"
RUN, CHECKPOINT = "run.json", "checkpoint.safetensors"
SPECTROGRAMS = ".spectrograms"  # folder, while an experiment runs
VERSIONS = ("emotone", "torch", "lightning-fabric", "numpy", "soundfile", "soxr", "audmetric")


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
        data: what the model sees of the corpus.
        out: results folder.
        name: of a variant among others; empty if the experiment stands alone.
        pretraining: the experiment whose networks the runs begin with, seed by seed.
    """

    config: ExperimentConfig
    corpus: Corpus
    folds: Sequence[Fold]
    data: Spectrograms | Functionals
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
        return None if model is None else "+".join(bundle.read(model).training["corpora"])

    def initial(self, seed: int) -> Path | None:
        """Weights that the runs of a seed begin with."""
        if self.pretraining is not None:
            (before,) = self.pretraining.steps(seed)
            return before.folder / WEIGHTS
        model = self._model()
        return None if model is None else model / bundle.WEIGHTS

    def _model(self) -> Path | None:
        asked = self.config.pretraining
        return None if asked is None or asked.model is None else bundle.locate(asked.model)

    def runs(self) -> list["Run"]:
        """All folds with all seeds, the first seed first."""
        return [Run(self, fold, seed) for seed in self.config.seeds for fold in self.folds]

    def steps(self, seed: int) -> list["Run"]:
        """All that is to be done for a seed: the pre-training, if any, and the folds."""
        before = self.pretraining.steps(seed) if self.pretraining is not None else []
        return before + [Run(self, fold, seed) for fold in self.folds]


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


def crossval(config: ExperimentConfig, out: Path, observer: Observer) -> dict[str, Any]:
    """Run all folds and seeds of an experiment, or what is left of it.

    Args:
        config: the experiment.
        out: results folder; one that holds the same experiment is continued.
        observer: is told of progress.

    Returns:
        The contents of ``results.json``.

    Raises:
        UsageError: if ``out`` holds another experiment; nothing is changed then.
        CorpusError, FoldError: if the corpus cannot be used.
        StorageError: if results cannot be written.
        InterruptedRunError: after Ctrl-C.
    """
    with locked(out):
        refuse_other_experiment(config, out)
        corpus = corpora.read_all(config.corpus)
        folds = make_folds(corpus, config.protocol)
        observer.corpus(corpus, folds)
        experiment = prepare(config, corpus, folds, out, out / SPECTROGRAMS, observer)
        runs = [run for seed in config.seeds for run in experiment.steps(seed)]
        run_all(runs, jobs_of(config), observer)
        results = merge(experiment, experiment.runs())
        datasets.forget(out / SPECTROGRAMS)
        return results


def prepare(
    config: ExperimentConfig,
    corpus: Corpus,
    folds: Sequence[Fold],
    out: Path,
    cache: Path,
    observer: Observer,
    name: str = "",
) -> Experiment:
    """Claim a results folder and read the audio.

    Args:
        config: the experiment.
        corpus: its corpus.
        folds: its folds.
        out: results folder, which the caller has locked.
        cache: folder of spectrograms, which several experiments may share.
        observer: is told of progress.
        name: see :class:`Experiment`.

    Raises:
        UsageError: if ``out`` was begun with another experiment or corpus; nothing is changed then.
        CorpusError: if audio cannot be used.
        StorageError: if the folder cannot be written.
    """
    refuse_other_experiment(config, out)
    _claim(config, corpus, folds, out)
    for left in out.rglob(f".*{files.TEMPORARY}"):  # by a process that was killed
        left.unlink()
    before = None
    if config.pretraining is not None and config.pretraining.model is not None:
        _refuse_unfit_model(config, corpus, bundle.locate(config.pretraining.model))
    elif config.pretraining is not None:
        before = _pretraining(config, corpus, out / PRETRAINING, cache, observer, name)
    data = _data(config, corpus, cache, observer)
    return Experiment(config, corpus, folds, data, out, name, before)


def _refuse_unfit_model(config: ExperimentConfig, corpus: Corpus, folder: Path) -> None:
    """Raise unless networks of ``config`` can begin with a model, and no tested speaker did."""
    model = bundle.read(folder)
    bundle.content(folder, bundle.WEIGHTS, model)
    found, asked = options_of(model), (config.features, config.model)
    names = ("features", "model")
    there, here = (
        {name: part.model_dump(mode="json") for name, part in zip(names, both, strict=True)}
        for both in (found, asked)
    )
    if differing := differences(there, here):
        raise UsageError(
            f"pretraining.model: {folder.name} has another network ({'; '.join(differing[:3])}); "
            "emotone adapt takes over its options"
        )
    if shared := set(model.training["corpora"]) & set(corpus.table["corpus"]):
        raise UsageError(
            f"pretraining.model: {folder.name} has learnt speakers of {', '.join(shared)}, who "
            "are tested here; adapt it to other speakers"
        )


def _pretraining(
    config: ExperimentConfig, corpus: Corpus, out: Path, cache: Path, observer: Observer, name: str
) -> Experiment:
    asked = config.pretraining
    assert asked is not None
    learnt = corpora.read_all(asked.corpus)
    shared = set(learnt.table["file"]) & set(corpus.table["file"])
    if shared or set(learnt.table["corpus"]) & set(corpus.table["corpus"]):
        raise UsageError(
            f"pretraining.corpus: {learnt.name} has files of {corpus.name}, whose speakers are "
            "tested; pre-train on other corpora"
        )
    alone = ExperimentConfig(
        corpus=asked.corpus, features=config.features, model=config.model,
        training=asked.training, seeds=config.seeds, runtime=config.runtime,
    )  # fmt: skip
    fold = training_fold(learnt, "all", asked.validation_speakers)
    name = f"{name}, pre-training" if name else "pre-training"
    return prepare(alone, learnt, [fold], out, cache, observer, name)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep a results folder for this process; one that is in use is refused."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            f"another emotone is writing to {out}; wait for it or choose another --out"
        ) from error
    except OSError as error:
        raise StorageError(
            f"cannot write to {out}: {error.strerror}; choose another --out"
        ) from error
    try:
        yield
    finally:
        lock.release()


def refuse_other_experiment(config: ExperimentConfig, out: Path) -> None:
    """Raise a :class:`UsageError` if a folder holds anything but this experiment."""
    path = out / CONFIG
    if not path.is_file():
        ours = (".lock", files.TEMPORARY)
        there = sorted(out.iterdir()) if out.is_dir() else []
        strangers = [item.name for item in there if not item.name.endswith(ours)]
        if strangers:
            raise UsageError(
                f"{out} holds other files ({strangers[0]}, …) and no {CONFIG}; "
                "choose an empty --out"
            )
        return
    try:
        found = ExperimentConfig.model_validate(yaml.safe_load(path.read_text("utf-8"))).identity()
    except (ValueError, yaml.YAMLError, OSError) as error:
        raise UsageError(
            f"{path} is not a configuration of this version of emotone; choose another --out"
        ) from error
    differing = differences(found, config.identity())
    if differing:
        raise UsageError(
            f"{out} holds another experiment ({', '.join(differing)}); nothing was changed. "
            "Choose another --out, or give the options it was made with"
        )


def differences(found: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> list[str]:
    """Say where two identities differ, option by option."""
    result = []
    for key in sorted(found.keys() | asked.keys()):
        there, here = found.get(key), asked.get(key)
        if isinstance(there, dict) and isinstance(here, dict):
            result += differences(there, here, f"{prefix}{key}.")
        elif there != here:
            result.append(f"{prefix}{key}: {there} there, {here} asked")
    return result


def _claim(config: ExperimentConfig, corpus: Corpus, folds: Sequence[Fold], out: Path) -> None:
    """Write configuration and folds, or check that the ones there are the same."""
    columns = ["utterance", "emotion", "speaker", "start", "end"]
    record = {
        "corpus": corpus.name,
        "utterances": len(corpus.table),
        "content": str(pd.util.hash_pandas_object(corpus.table[columns], index=False).sum()),
        "folds": [fold.as_dict(corpus) for fold in folds],
    }
    text = json.dumps(record, indent=1)
    path = out / FOLDS
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != json.loads(text):
            raise UsageError(
                f"the corpus is not the one that {out} was begun with: utterances, labels or "
                "speakers differ; choose another --out"
            )
        return
    write_text(out / CONFIG, config.as_yaml())
    write_text(path, text)


def _data(
    config: ExperimentConfig, corpus: Corpus, cache: Path, observer: Observer
) -> Spectrograms | Functionals:
    total, done = len(corpus.table), 0

    def advance() -> None:
        nonlocal done
        done += 1
        observer.reading(done, total)

    jobs = jobs_of(config)
    if isinstance(config.model, OpensmileSvmOptions):
        return functionals.functionals(corpus, config.model, cache, threads=jobs, advance=advance)
    return datasets.spectrograms(corpus, config.features, cache, threads=jobs, advance=advance)


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
    runtime = runs[0].experiment.config.runtime
    if runtime.cluster is not None and missing:
        with cluster.connected(runtime.cluster) as machines:
            observer.start(missing, len(runs) - len(missing), machines.cores // runtime.threads)
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


def _run_on(
    machines: cluster.Cluster, missing: Sequence[Run], observer: Observer, deadline: float
) -> None:
    """Do runs on the machines of a cluster; those that fail are reported when all others are done.

    A run whose machine dies begins anew elsewhere; it ends with the same weights.
    """
    runtime = missing[0].experiment.config.runtime
    gpus = runtime.gpu_share if runtime.device == "cuda" else 0
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
                        sent[run.experiment.out] = machines.put(lightly), machines.put(values)
                    weights = run.initial.read_bytes() if run.initial is not None else None
                    handle = machines.submit(
                        _work_far, *sent[run.experiment.out], run.fold, run.seed, weights,
                        cores=runtime.threads, gpus=gpus,
                    )  # fmt: skip
                    active[handle] = run
                if not active:  # what is left begins with a run that failed
                    break
                for handle in machines.wait(list(active), 0.5):
                    run = active.pop(handle)
                    try:
                        _keep(run, machines.result(handle))
                    except EmotoneError as error:
                        failures.append((run, error))
                    else:
                        observer.finished(run, json.loads((run.folder / RUN).read_text("utf-8")))
                if interrupted():
                    raise InterruptedRunError(
                        "stopped; give the same command again to continue where it was"
                    )
        finally:
            machines.cancel(list(active))
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
        network, record = _train(run, initial, on_epoch)
        if run.fold.test:
            segment_s = config.training.segment_s
            _write_predictions(run, training.posteriors(network, data, run.fold.test, segment_s))
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
    run: Run, initial: Path | None, on_epoch: training.Progress
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
                network, data, scored, run.experiment.config.training.segment_s, statistics
            )
            table = evaluation.predictions_table(
                corpus, scored, run.fold.name, run.seed, probabilities
            )
            columns = ["utterance", "fold", "seed", "speaker", "truth", "prediction"]
            tables.append(table[columns].assign(draw=draw, enrolled=count))
    return pd.concat(tables, ignore_index=True)


def _processes() -> Any:
    """How to start processes: forked, where possible, from a server that imports PyTorch once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def merge(experiment: Experiment, runs: Sequence[Run]) -> dict[str, Any]:
    """Put finished runs together in ``predictions.csv`` and ``results.json``."""
    config, corpus, out = experiment.config, experiment.corpus, experiment.out
    folders = [run.folder for run in runs]
    for folder in folders:
        with suppress_os_errors():  # left by a kill between the last two steps of a run
            (folder / CHECKPOINT).unlink(missing_ok=True)
    text = {"utterance": str, "fold": str, "speaker": str}
    predictions = pd.concat(
        [pd.read_csv(folder / PREDICTIONS, dtype=text) for folder in folders], ignore_index=True
    )
    with replacing(out / PREDICTIONS) as temporary:
        predictions.to_csv(temporary, index=False)
    curves = [folder / ENROLMENT for folder in folders if (folder / ENROLMENT).is_file()]
    if curves:
        enrolment = pd.concat([pd.read_csv(path, dtype=text) for path in curves])
        with replacing(out / ENROLMENT) as temporary:
            enrolment.to_csv(temporary, index=False)
    details = [json.loads((folder / RUN).read_text(encoding="utf-8")) for folder in folders]
    results = {
        "corpus": corpus.name,
        "synthetic": any(options.name == "synthetic" for options in config.corpus),
        "speaker_dependent": config.protocol.speaker_dependent,
        "labels": corpus.labels,
        "utterances": len(corpus.table),
        "speakers": len(corpus.speakers),
        "transductive": config.features.norm == "speaker",
        "pretrained_on": experiment.pretrained_on,
        "protocol": config.protocol.model_dump(mode="json"),
        "seeds": sorted({run.seed for run in runs}),
        "parameters": details[0]["parameters"],
        "multiply_adds_per_s": details[0]["multiply_adds_per_s"],
        "validation_UAR": _mean(run["validation_UAR"] for run in details),
        **evaluation.summarise(predictions, corpus.labels),
        "enrolment": evaluation.enrolment(enrolment, corpus.labels) if curves else [],
        "runs": details,
        "versions": versions(),
    }
    write_text(out / RESULTS, json.dumps(results, indent=1))
    return results


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def versions() -> dict[str, str]:
    """Versions of all that figures depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in VERSIONS}
