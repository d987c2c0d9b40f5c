"""Cross-validation: folds × seeds, each run in a process of its own, resumable at any moment."""

import json
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import count
from pathlib import Path

import pandas as pd

from emotone import corpora
from emotone.corpora import Corpus
from emotone.corpora.fingerprints import fingerprints_in
from emotone.errors import UsageError
from emotone.evaluation import concordance, scoring
from emotone.evaluation.folds import Fold, make_folds
from emotone.evaluation.results import Results, RunRecord, Setting, System
from emotone.evaluation.results_folder import ResultsFolder, UnusableResultsError
from emotone.evaluation.run_folder import concatenated
from emotone.experiments.compatibility import (
    configuration_of,
    refuse_other_experiment,
    refuse_unfit_model,
)
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.execution import run_all
from emotone.experiments.learners import read_data
from emotone.experiments.logs import check_logs
from emotone.experiments.overlap import (
    fingerprints_of,
    refuse_common,
    refuse_corpora_in_common,
    refuse_repetitions,
)
from emotone.experiments.plan import SILENT, Experiment, Observer, Run
from emotone.files import hash_of_all
from emotone.training.spectrograms import delete_cache
from emotone.training.teacher import Teacher, read_teacher

__all__ = ["crossval"]

VERSIONS = ("emotone", "torch", "lightning-fabric", "numpy", "soundfile", "soxr", "audmetric")


def crossval(config: ExperimentConfig, out: Path, observer: Observer = SILENT) -> Results:
    """Run all folds and seeds of an experiment that are not finished.

    Args:
        config: the experiment.
        out: results folder; resumes if it holds the same experiment, or one with fewer seeds.
        observer: progress callbacks.

    Raises:
        UsageError: if ``out`` holds another experiment; nothing is changed then.
        CorpusError, FoldError: if the corpus cannot be used.
        StorageError: if results cannot be written.
        InterruptedRunError: after Ctrl-C.

    >>> from emotone.experiments.sources import configuration
    >>> changes = ["corpus.speakers=4", "corpus.utterances=4", "training.epochs=1"]
    >>> config = configuration("synthetic", [*changes, "protocol.validation_speakers=0"])
    >>> results = crossval(config, Path("out"))
    >>> results.setting.folds, sorted(results.scores.by_speaker)
    (4, ['S00', 'S01', 'S02', 'S03'])
    """
    folder = ResultsFolder(out)
    with folder.locked():
        refuse_other_experiment(config, folder)
        corpus = corpora.read_all(config.corpus)
        folds = make_folds(corpus, config.protocol)
        observer.corpus(corpus, folds)
        experiment = prepare(config, corpus, folds, folder)
        if not experiment.is_finished:
            experiment = read_audio(experiment, folder.spectrograms, observer)
        run_all(experiment.runs(), config.runtime, observer)
        results = merge_results(experiment, config.seeds)
        delete_cache(folder.spectrograms)
        return results


def prepare(
    config: ExperimentConfig,
    corpus: Corpus,
    folds: Sequence[Fold],
    folder: ResultsFolder,
    name: str = "",
) -> Experiment:
    """Claim a results folder; :func:`read_audio` then gives the experiment its data.

    Args:
        config: the experiment.
        corpus: its corpus.
        folds: its folds.
        folder: results folder, which the caller has locked.
        name: see :class:`Experiment`.

    Raises:
        UsageError: if the folder holds another experiment or corpus; nothing is changed then.
        StorageError: if the folder cannot be written.
    """
    refuse_other_experiment(config, folder)
    config.model.require()
    check_logs(config.runtime)
    teacher = _teacher(config, corpus, folds)
    _claim(config, corpus, folds, folder)
    folder.remove_leftovers()
    if folder.is_complete and (seeds := _whole_seeds(folds, folder)) != set(config.seeds):
        folder.reopen(seeds)
    if config.pretraining is not None and config.pretraining.model is not None:
        refuse_unfit_model(config, corpus)
    return Experiment(config, corpus, folds, folder, None, name, teacher=teacher)


def _teacher(config: ExperimentConfig, corpus: Corpus, folds: Sequence[Fold]) -> Teacher | None:
    """Read the teacher of an experiment and check it for every fold."""
    if config.training.teacher is None:
        return None
    teacher = read_teacher(config.training.teacher, corpus, config.corpus)
    for fold in folds:
        teacher.soft_labels(fold)
    return teacher


def read_audio(
    experiment: Experiment,
    cache: Path,
    observer: Observer,
    beside: Sequence[ResultsFolder] = (),
) -> Experiment:
    """Return the experiment with its data.

    Args:
        experiment: from :func:`prepare`.
        cache: folder of spectrograms, which several experiments may share.
        observer: progress callbacks.
        beside: folders whose results are compared with those of this one.

    Raises:
        CorpusError: if audio cannot be used.
        FoldError, UsageError: if content would be tested on that was trained on, or runs of one of
            the folders heard other audio.
        StorageError: if the cache cannot be written.
    """
    config, corpus = experiment.config, experiment.corpus
    threads, advance = config.runtime.processes, _counter(observer, len(corpus.table))
    prints = fingerprints_of(corpus, cache, threads, advance)
    experiment = replace(experiment, fingerprints=prints)
    _refuse_other_audio(experiment, (experiment.folder, *beside), observer)
    _refuse_what_was_trained_on(experiment)
    data = read_data(config, corpus, cache, _counter(observer, len(corpus.table)))
    return replace(experiment, data=data)


def _counter(observer: Observer, total: int) -> Callable[[], None]:
    """Return a function that reports one more utterance."""
    numbers = count(1)
    return lambda: observer.reading(next(numbers), total)


def _refuse_what_was_trained_on(experiment: Experiment) -> None:
    """Raise if roles share content, or a network that the runs start from was trained on it."""
    corpus, prints = experiment.corpus, experiment.fingerprints
    asked = experiment.config.pretraining
    assert prints is not None
    refuse_corpora_in_common(corpus, prints)
    refuse_repetitions(corpus, experiment.folds, prints)
    model = experiment.initial_model
    if model is None or asked is None or asked.allow_overlap:
        return
    trained = fingerprints_in(model)
    if trained is not None:
        refuse_common(corpus, prints, trained, model.name)


def merge_results(experiment: Experiment, seeds: Sequence[int]) -> Results:
    """Write predictions and results of finished seeds; remove the runs if these are all seeds.

    Args:
        experiment: all folds of ``seeds`` are finished.
        seeds: seeds to score.

    Raises:
        StorageError: if the folder cannot be written.
    """
    folder = experiment.folder
    if folder.is_complete:
        return folder.results()
    runs = [run for run in experiment.runs() if run.seed in seeds]
    predictions = pd.concat([run.folder.predictions() for run in runs], ignore_index=True)
    enrolment = concatenated([run.folder.enrolment() for run in runs])
    disturbed = concatenated([run.folder.disturbed() for run in runs])
    results = _results(experiment, runs, predictions, enrolment, disturbed)
    folder.write_predictions(predictions, enrolment, disturbed)
    folder.write_curves(results.runs)
    folder.write_results(results)
    for run in runs:
        run.folder.remove_checkpoint()
    if len(runs) == len(experiment.runs()):
        folder.remove_runs()
    return results


def _results(
    experiment: Experiment,
    runs: Sequence[Run],
    predictions: pd.DataFrame,
    enrolment: pd.DataFrame | None,
    disturbed: pd.DataFrame | None,
) -> Results:
    labels, names = experiment.corpus.labels, experiment.corpus.name.split("+")
    records = [run.folder.record() for run in runs]
    return Results(
        setting=setting(experiment, sorted({run.seed for run in runs})),
        system=system(experiment, records),
        scores=scoring.score(predictions, labels),
        validation_uar=_mean(record.validation_uar for record in records),
        by_corpus=scoring.by_corpus(predictions, labels, names),
        enrolment=() if enrolment is None else scoring.enrolment_curve(enrolment, labels),
        disturbed=None if disturbed is None else scoring.disturbed(disturbed, labels, names),
        runs=tuple(records),
        dimensions=concordance.dimension_scores(predictions, experiment.corpus.dimensions),
        only_dimensions=experiment.config.only_dimensions,
    )


def setting(experiment: Experiment, seeds: Sequence[int]) -> Setting:
    """Describe what is tested and how.

    Args:
        experiment: the experiment.
        seeds: seeds that are scored.
    """
    config, corpus = experiment.config, experiment.corpus
    return Setting(
        corpus=corpus.name,
        labels=tuple(corpus.labels),
        utterances=len(corpus.table),
        speakers=len(corpus.speakers),
        protocol=config.protocol,
        folds=len(experiment.folds),
        seeds=tuple(seeds),
        synthetic=any(options.name == "synthetic" for options in config.corpus),
        versions=versions(),
    )


def system(experiment: Experiment, records: Sequence[RunRecord]) -> System:
    """Describe what is trained.

    Args:
        experiment: the experiment.
        records: records of finished runs; may be empty.
    """
    model = experiment.config.model
    return System(
        kind=model.kind,
        title=model.title,
        transductive=experiment.config.features.norm == "speaker",
        pretrained_on=experiment.pretrained_on,
        parameters=records[0].parameters if records else None,
        multiply_adds_per_s=records[0].multiply_adds_per_s if records else None,
        taught_by=None if experiment.teacher is None else experiment.teacher.title,
    )


def _claim(
    config: ExperimentConfig, corpus: Corpus, folds: Sequence[Fold], folder: ResultsFolder
) -> None:
    """Write configuration and folds; existing folds must be the same."""
    columns = ["utterance", "emotion", "speaker", "start", "end", *corpus.dimensions]
    record = {
        "corpus": corpus.name,
        "utterances": len(corpus.table),
        "content": str(pd.util.hash_pandas_object(corpus.table[columns], index=False).sum()),
        "folds": [fold.as_dict(corpus) for fold in folds],
    }
    try:
        there = folder.folds()
        found = None if there is None else json.loads(there)
    except ValueError as error:
        raise UsageError(
            f"the list of folds in {folder} is damaged, so its runs cannot be continued; choose "
            "another --out"
        ) from error
    has_begun = folder.started_seeds() != set()
    if there is not None and has_begun:
        heard = {"audio": found["audio"]} if isinstance(found, dict) and "audio" in found else {}
        record |= heard
        if found != json.loads(json.dumps(record)):
            raise UsageError(
                f"the corpus is not the one that {folder} was started with: utterances, labels or "
                "speakers differ; choose another --out"
            )
    if there is None or not has_begun or configuration_of(folder).seeds != config.seeds:
        folder.write_experiment(config.as_yaml(), json.dumps(record, indent=1))


def _refuse_other_audio(
    experiment: Experiment, folders: Sequence[ResultsFolder], observer: Observer
) -> None:
    """Raise if runs of a folder heard other audio of the same names; note what the first hear.

    Folders of earlier versions do not say what they heard.
    """
    files = experiment.corpus.table["file"].unique()
    audio = hash_of_all(map(Path, files), _counter(observer, len(files)))
    for folder in folders:
        record = json.loads(folder.folds() or "{}")
        if folder.started_seeds() != set() and record.get("audio", audio) != audio:
            raise UsageError(
                f"the corpus is not the one that {folder} was started with: the audio differs; "
                "choose another --out"
            )
    folder = experiment.folder
    if folder.started_seeds() == set():
        record = json.loads(folder.folds() or "{}") | {"audio": audio}
        folder.write_experiment(folder.configuration(), json.dumps(record, indent=1))


def _whole_seeds(folds: Sequence[Fold], folder: ResultsFolder) -> set[int]:
    """Seeds whose results and predictions can be read and cover all folds."""
    try:
        results, predictions = folder.results(), folder.predictions()
        enrolment, disturbed = folder.enrolment(), folder.disturbed()
    except UnusableResultsError:
        return set()
    seeds = set(results.setting.seeds)
    is_whole = (
        len(predictions) == len(seeds) * sum(len(fold.test) for fold in folds)
        and (enrolment is not None or not results.enrolment)
        and (disturbed is not None or results.disturbed is None)
    )
    return seeds if is_whole else set()


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def versions() -> dict[str, str]:
    """Versions of all software that the figures depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in VERSIONS}
