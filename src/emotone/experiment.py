"""Cross-validation: folds × seeds, each run in a process of its own, resumable at any moment."""

import ctypes
import json
import multiprocessing
import os
import platform
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
import yaml
from filelock import FileLock, Timeout

from emotone import corpora, datasets, evaluation, files, training
from emotone.config import ExperimentConfig
from emotone.corpora import Corpus
from emotone.datasets import Spectrograms
from emotone.errors import EmotoneError, StorageError, UsageError
from emotone.files import replacing, suppress_os_errors, write_text
from emotone.folds import Fold, make_folds
from emotone.training import History, Speed

CONFIG, FOLDS, RESULTS, PREDICTIONS = "config.yaml", "folds.json", "results.json", "predictions.csv"
RUN, CHECKPOINT = "run.json", "checkpoint.safetensors"
SPECTROGRAMS = ".spectrograms"  # folder, while an experiment runs
VERSIONS = ("emotone", "torch", "lightning-fabric", "numpy", "soundfile", "soxr", "audmetric")


class Observer(Protocol):
    """Who is told how an experiment goes on."""

    def corpus(self, corpus: Corpus, folds: Sequence[Fold]) -> None:
        """Called once, when the corpus is read and divided."""

    def reading(self, done: int, total: int) -> None:
        """Called while audio is read."""

    def start(self, runs: int, finished: int, epochs: int) -> None:
        """Called before training: number of runs, how many are finished, epochs of each."""

    def epoch(self, run: str, history: History, speed: Speed) -> None:
        """Called after each epoch of each run."""

    def finished(self, run: str, result: dict[str, Any]) -> None:
        """Called after each run with what went into its ``run.json``."""


@dataclass(frozen=True)
class Run:
    """One training and test: a fold with a seed."""

    fold: Fold
    seed: int

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return f"{self.fold.name}-{self.seed}"


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
    with _locked(out):
        _refuse_other_experiment(config, out)
        corpus = corpora.read_all(config.corpus)
        folds = make_folds(corpus, config.protocol)
        observer.corpus(corpus, folds)
        _claim(config, corpus, folds, out)
        for left in out.rglob(f".*{files.TEMPORARY}"):  # by a process that was killed
            left.unlink()
        data = _spectrograms(config, corpus, out, observer)
        runs = [Run(fold, seed) for seed in config.seeds for fold in folds]
        missing = [run for run in runs if not (_folder(out, run) / RUN).is_file()]
        observer.start(len(runs), len(runs) - len(missing), config.training.epochs)
        _run_all(missing, config, corpus, data, out, observer)
        results = _merge(runs, config, corpus, out)
        datasets.forget(out / SPECTROGRAMS)
        return results


@contextmanager
def _locked(out: Path) -> Iterator[None]:
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


def _refuse_other_experiment(config: ExperimentConfig, out: Path) -> None:
    path = out / CONFIG
    if not path.is_file():
        ours = (".lock", files.TEMPORARY)
        strangers = [item.name for item in out.iterdir() if not item.name.endswith(ours)]
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
    differing = _differences(found, config.identity())
    if differing:
        raise UsageError(
            f"{out} holds another experiment ({', '.join(differing)}); nothing was changed. "
            "Choose another --out, or give the options it was made with"
        )


def _differences(found: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> list[str]:
    result = []
    for key in sorted(found.keys() | asked.keys()):
        there, here = found.get(key), asked.get(key)
        if isinstance(there, dict) and isinstance(here, dict):
            result += _differences(there, here, f"{prefix}{key}.")
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


def _spectrograms(
    config: ExperimentConfig, corpus: Corpus, out: Path, observer: Observer
) -> Spectrograms:
    total, done = len(corpus.table), 0

    def advance() -> None:
        nonlocal done
        done += 1
        observer.reading(done, total)

    return datasets.spectrograms(
        corpus, config.features, out / SPECTROGRAMS, threads=_jobs(config), advance=advance
    )


def _jobs(config: ExperimentConfig) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return config.runtime.jobs or max((cores or 1) // config.runtime.threads, 1)


def _folder(out: Path, run: Run) -> Path:
    return out / "runs" / run.name


def _run_all(
    runs: Sequence[Run],
    config: ExperimentConfig,
    corpus: Corpus,
    data: Spectrograms,
    out: Path,
    observer: Observer,
) -> None:
    """Run in processes, as many at once as there are jobs; stop them all if one fails."""
    context = _processes()
    waiting = list(reversed(runs))
    active: dict[Connection, tuple[Run, Any]] = {}
    with _noticing_interrupts() as interrupted:
        try:
            while waiting or active:
                while waiting and len(active) < _jobs(config):
                    run = waiting.pop()
                    ours, theirs = context.Pipe(duplex=False)
                    process = context.Process(
                        target=_work, args=(theirs, run, config, corpus, data, out)
                    )
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
                        f"stopped; give the same command again to continue in {out}"
                    )
        finally:
            for connection, (_, process) in active.items():
                process.kill()
                process.join()
                connection.close()


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
        observer.epoch(run.name, *message)
        return False
    if kind == "error":
        raise message
    observer.finished(run.name, message)
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


def _work(
    connection: Connection,
    run: Run,
    config: ExperimentConfig,
    corpus: Corpus,
    data: Spectrograms,
    out: Path,
) -> None:
    """Do one run; the body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _die_with_parent()
    torch.set_num_threads(config.runtime.threads)
    training.keep_memory()
    try:
        result = _run(run, config, corpus, data, out, connection)
        connection.send(("finished", result))
    except EmotoneError as error:
        connection.send(("error", error))
    finally:
        connection.close()


def _run(
    run: Run,
    config: ExperimentConfig,
    corpus: Corpus,
    data: Spectrograms,
    out: Path,
    connection: Connection,
) -> dict[str, Any]:
    folder = _folder(out, run)
    start = time.perf_counter()
    network, history = training.fit(
        data,
        run.fold.training,
        run.fold.validation,
        features=config.features,
        model=config.model,
        options=config.training,
        seed=run.seed,
        device=config.runtime.device,
        checkpoint=folder / CHECKPOINT,
        on_epoch=lambda history, speed: connection.send(("epoch", (history, speed))),
    )
    test = run.fold.test
    probabilities = training.posteriors(network, data, test, config.training.segment_s)
    table = evaluation.predictions_table(corpus, test, run.fold.name, run.seed, probabilities)
    if run.fold.speaker_dependent:
        table["protocol"] = "speaker-dependent"
    with replacing(folder / PREDICTIONS) as temporary:
        table.to_csv(temporary, index=False)
    kept = history.kept_epoch(config.training.tolerance)
    result = {
        "fold": run.fold.name,
        "seed": run.seed,
        "epochs": len(history.epochs),
        "kept_epoch": kept + 1,
        "validation_UAR": history.epochs[kept].validation_uar,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "seconds": time.perf_counter() - start,
        "history": [asdict(epoch) for epoch in history.epochs],
    }
    write_text(folder / RUN, json.dumps(result, indent=1))
    with suppress_os_errors():
        (folder / CHECKPOINT).unlink()
    return result


def _processes() -> Any:
    """How to start processes: forked, where possible, from a server that imports PyTorch once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _die_with_parent() -> None:
    """Let this process be killed when its parent dies, where the system (Linux) can."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG
    try:
        ctypes.CDLL("libc.so.6").prctl(set_parent_death_signal, signal.SIGKILL)
    except (OSError, AttributeError):
        return


def _merge(
    runs: Sequence[Run], config: ExperimentConfig, corpus: Corpus, out: Path
) -> dict[str, Any]:
    """Put all runs together in ``predictions.csv`` and ``results.json``."""
    folders = [_folder(out, run) for run in runs]
    for folder in folders:
        with suppress_os_errors():  # left by a kill between the last two steps of a run
            (folder / CHECKPOINT).unlink(missing_ok=True)
    text = {"utterance": str, "fold": str, "speaker": str}
    predictions = pd.concat(
        [pd.read_csv(folder / PREDICTIONS, dtype=text) for folder in folders], ignore_index=True
    )
    with replacing(out / PREDICTIONS) as temporary:
        predictions.to_csv(temporary, index=False)
    details = [json.loads((folder / RUN).read_text(encoding="utf-8")) for folder in folders]
    results = {
        "corpus": corpus.name,
        "synthetic": any(options.name == "synthetic" for options in config.corpus),
        "speaker_dependent": config.protocol.speaker_dependent,
        "labels": corpus.labels,
        "utterances": len(corpus.table),
        "speakers": len(corpus.speakers),
        "transductive": config.features.norm == "speaker",
        "protocol": config.protocol.model_dump(mode="json"),
        "seeds": list(config.seeds),
        "parameters": details[0]["parameters"],
        "validation_UAR": sum(run["validation_UAR"] for run in details) / len(details),
        **evaluation.summarise(predictions, corpus.labels),
        "runs": details,
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in VERSIONS},
    }
    write_text(out / RESULTS, json.dumps(results, indent=1))
    return results
