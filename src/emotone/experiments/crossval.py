"""Cross-validation: folds × seeds, each run in a process of its own, resumable at any moment."""

import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from filelock import FileLock, Timeout

from emotone import corpora, files
from emotone.corpora import Corpus
from emotone.errors import StorageError, UsageError
from emotone.evaluation import summary as evaluation
from emotone.evaluation.folds import Fold, make_folds, training_fold
from emotone.experiments.config import ExperimentConfig, options_of
from emotone.experiments.runs import (
    CHECKPOINT,
    ENROLMENT,
    PREDICTIONS,
    RUN,
    Experiment,
    Observer,
    Run,
    jobs_of,
    run_all,
)
from emotone.files import replacing, suppress_os_errors, write_text
from emotone.inference import model_folder
from emotone.models import opensmile_svm as functionals
from emotone.models.opensmile_svm import Functionals, OpensmileSvmOptions
from emotone.training import spectrograms
from emotone.training.spectrograms import Spectrograms

CONFIG, FOLDS, RESULTS = "config.yaml", "folds.json", "results.json"
PRETRAINING = "pretraining"  # folder
SPECTROGRAMS = ".spectrograms"  # folder, while an experiment runs
VERSIONS = ("emotone", "torch", "lightning-fabric", "numpy", "soundfile", "soxr", "audmetric")


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
        experiment = prepare(config, corpus, folds, out)
        if not experiment.is_finished:
            experiment = read_audio(experiment, out / SPECTROGRAMS, observer)
        run_all(experiment.all_steps(), jobs_of(config), observer)
        results = merge(experiment, experiment.runs())
        spectrograms.delete_cache(out / SPECTROGRAMS)
        return results


def prepare(
    config: ExperimentConfig, corpus: Corpus, folds: Sequence[Fold], out: Path, name: str = ""
) -> Experiment:
    """Claim a results folder; :func:`read_audio` then gives the experiment what it learns from.

    Args:
        config: the experiment.
        corpus: its corpus.
        folds: its folds.
        out: results folder, which the caller has locked.
        name: see :class:`Experiment`.

    Raises:
        UsageError: if ``out`` was begun with another experiment or corpus; nothing is changed then.
        StorageError: if the folder cannot be written.
    """
    refuse_other_experiment(config, out)
    _claim(config, corpus, folds, out)
    for left in out.rglob(f".*{files.TEMPORARY}"):  # by a process that was killed
        left.unlink()
    before = None
    if config.pretraining is not None and config.pretraining.model is not None:
        _refuse_unfit_model(config, corpus, model_folder.locate(config.pretraining.model))
    elif config.pretraining is not None:
        before = _pretraining(config, corpus, out / PRETRAINING, name)
    return Experiment(config, corpus, folds, None, out, name, before)


def read_audio(experiment: Experiment, cache: Path, observer: Observer) -> Experiment:
    """Return the experiment with its data, and with those of its pre-training.

    Args:
        experiment: from :func:`prepare`.
        cache: folder of spectrograms, which several experiments may share.
        observer: is told of progress.

    Raises:
        CorpusError: if audio cannot be used.
        StorageError: if the cache cannot be written.
    """
    before = experiment.pretraining
    if before is not None:
        before = read_audio(before, cache, observer)
    data = _data(experiment.config, experiment.corpus, cache, observer)
    return replace(experiment, data=data, pretraining=before)


def _refuse_unfit_model(config: ExperimentConfig, corpus: Corpus, folder: Path) -> None:
    """Raise unless networks of ``config`` can begin with a model, and no tested speaker did."""
    model = model_folder.read(folder)
    model_folder.content(folder, model_folder.WEIGHTS, model)
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


def _pretraining(config: ExperimentConfig, corpus: Corpus, out: Path, name: str) -> Experiment:
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
    return prepare(alone, learnt, [fold], out, name)


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep a results folder for this process; one that is in use is refused."""
    is_new = not out.exists()
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
        with suppress_os_errors():
            if is_new and {path.name for path in out.iterdir()} <= {".lock"}:  # nothing was begun
                (out / ".lock").unlink(missing_ok=True)
                out.rmdir()


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
    return spectrograms.load_or_compute(
        corpus, config.features, cache, threads=jobs, advance=advance
    )


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
        "by_corpus": evaluation.by_corpus(predictions, corpus.labels, corpus.name.split("+")),
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
