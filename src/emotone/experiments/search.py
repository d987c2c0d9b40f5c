"""Hyper-parameter search that cannot see test speakers.

The test speakers of one fold of the protocol are set aside before anything is read of them. The
others are divided into inner folds; a trial is a configuration, scored on each inner fold once, by
training on the others. Optuna proposes trials (Akiba et al., KDD 2019; the tree-structured Parzen
estimator of Bergstra et al., NIPS 2011) and prunes those that are worse than the median of earlier
ones after the same runs. Trials are in one SQLite file; the runs of each are a results folder.
"""

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from emotone import corpora, safe_yaml
from emotone.corpora import Corpus
from emotone.errors import FoldError, UsageError
from emotone.evaluation import metrics
from emotone.evaluation.folds import Fold, make_folds
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.search_results import SearchResults, write_search
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import merge_results, prepare, read_audio
from emotone.experiments.execution import deadline_after, run_all
from emotone.experiments.plan import Experiment, Observer, Run
from emotone.experiments.space import Space
from emotone.experiments.studies import Proposal, Study, require_optuna
from emotone.files import write_text
from emotone.options import differences, nearest
from emotone.text import plural
from emotone.training.spectrograms import delete_cache

DESCRIPTION, DATABASE, BEST, TRIALS = "search.yaml", "search.db", "best.yaml", "trials"
DEFAULT_TRIALS = 50
HOPELESS = 20  # impossible trials without any other


@dataclass(frozen=True)
class Limits:
    """When a search ends; ``None`` for no limit, and :data:`DEFAULT_TRIALS` without any."""

    trials: int | None = None
    hours: float | None = None

    @property
    def most(self) -> float:
        """Number of trials, those of earlier calls included."""
        if self.trials is None:
            return DEFAULT_TRIALS if self.hours is None else math.inf
        return self.trials


@dataclass(frozen=True)
class Material:
    """What a search may use of a corpus.

    Attributes:
        corpus: the utterances of all but the held-out speakers.
        folds: its inner folds.
        fold: name of the fold whose test speakers are held out.
        held_out: these speakers.
    """

    corpus: Corpus
    folds: Sequence[Fold]
    fold: str
    held_out: tuple[str, ...]


def search(
    space: Space,
    out: Path,
    observer: Observer,
    limits: Limits | None = None,
    *,
    fold: str | None = None,
    inner_folds: int = 3,
) -> SearchResults:
    """Search a space of configurations; the best one is written to ``best.yaml``.

    Args:
        space: the options to search, and the configuration they belong to, whose seeds each trial
            has.
        out: folder of the search; resumes if it holds the same search.
        observer: progress callbacks.
        limits: when to end.
        fold: name of the fold whose test speakers are held out; ``None`` for the first.
        inner_folds: number of groups of the other speakers.

    Raises:
        UsageError: if ``out`` holds something else, there is no such fold, Optuna is not
            installed, or the hours are no time; nothing is changed then. If no configuration of
            the space is possible.
        CorpusError, FoldError: if the corpus cannot be used.
        StorageError: if results cannot be written.
        InterruptedRunError: after Ctrl-C.
    """
    config, limits = space.config, limits or Limits()
    folder, identity = ResultsFolder(out), _identity(space, fold, inner_folds)
    deadline = deadline_after(limits.hours)
    require_optuna()
    with folder.locked():
        _refuse_other_search(folder, identity)
        material = _material(config, fold, inner_folds)
        write_text(out / DESCRIPTION, yaml.safe_dump(identity))
        study = Study(out / DATABASE, space, seed=config.seeds[0])
        observer.corpus(material.corpus, material.folds)
        searching = _Search(study, material, folder, observer, deadline)
        while study.ended < limits.most and time.monotonic() < deadline:
            if not searching.next_trial():
                break
            _refuse_hopeless(study)
        results = _results(space, study, material, inner_folds)
        write_search(out, results)
        if results.scored:
            best = space.configuration(results.best.values)
            only = best.protocol.model_copy(update={"only": (material.fold,)})
            write_text(out / BEST, best.model_copy(update={"protocol": only}).as_yaml())
        delete_cache(folder.spectrograms)
        return results


class _Search:
    """A search that runs."""

    def __init__(
        self,
        study: Study,
        material: Material,
        folder: ResultsFolder,
        observer: Observer,
        deadline: float,
    ) -> None:
        self.study, self.material, self.folder = study, material, folder
        self.observer, self.deadline = observer, deadline

    def next_trial(self) -> bool:
        """Run a trial; return whether it ended before the deadline."""
        trial = self.study.ask()
        try:
            config = self.study.space.configuration(trial.values)
        except UsageError as error:
            trial.is_impossible(str(error))
            return True
        place = f"{TRIALS}/{_digest(config)}"
        trial.note(folder=place)
        experiment = self._experiment(config, place, f"trial {trial.number}")
        if not experiment.folder.is_complete:
            outcome = self._run(trial, experiment)
            if outcome != "finished":
                return outcome == "pruned"
        results = merge_results(experiment, config.seeds)
        seconds = sum(run.seconds for run in results.runs)
        trial.note(runs=len(results.runs), seconds=seconds)
        trial.score(results.scores.uar.mean)
        return True

    def _run(
        self, trial: Proposal, experiment: Experiment
    ) -> Literal["finished", "pruned", "stopped"]:
        """Execute the runs of a trial, as many at once as the machine can, until it is pruned."""
        runtime, runs = experiment.config.runtime, experiment.runs()
        for first in range(0, len(runs), runtime.processes):
            done = runs[: first + runtime.processes]
            run_all(done[first:], runtime, self.observer, self.deadline)
            if not all(run.is_finished for run in done):
                return "stopped"
            uar = float(np.mean([_uar(run) for run in done]))
            seconds = sum(record.seconds for record in experiment.records())
            trial.note(uar=uar, runs=len(done), seconds=seconds)
            if trial.is_pruned(uar, len(done)) and len(done) < len(runs):
                trial.prune()
                return "pruned"
        return "finished"

    def _experiment(self, config: ExperimentConfig, place: str, name: str) -> Experiment:
        protocol = _inner_protocol(config, len(self.material.folds))
        config = config.model_copy(update={"protocol": protocol})
        material, folder = self.material, self.folder.variant(place)
        experiment = prepare(config, material.corpus, material.folds, folder, name)
        if experiment.is_finished:
            return experiment
        return read_audio(experiment, self.folder.spectrograms, self.observer)


def _material(config: ExperimentConfig, name: str | None, inner_folds: int) -> Material:
    """Set the test speakers of a fold aside and divide the others."""
    if config.protocol.speaker_dependent:
        raise FoldError(
            "emotone search needs folds that share no speakers; leave out "
            "protocol.speaker_dependent"
        )
    corpus = corpora.read_all(config.corpus)
    outer = {fold.name: fold for fold in make_folds(corpus, config.protocol)}
    if name is not None and name not in outer:
        raise UsageError(
            f"--fold: no fold '{name}'{nearest(name, outer)}; there are {'; '.join(outer)}"
        )
    fold = outer[name] if name is not None else next(iter(outer.values()))
    seen = sorted({*fold.training, *fold.validation})
    table = corpus.table.iloc[seen].reset_index(drop=True)
    rest = replace(corpus, table=table)
    if inner_folds > len(rest.speakers):
        raise FoldError(
            f"--inner-folds {inner_folds}: without the test speakers of fold {fold.name}, "
            f"{corpus.name} has {plural(len(rest.speakers), 'speaker')}; each inner fold needs one"
        )
    folds = make_folds(rest, _inner_protocol(config, inner_folds))
    return Material(rest, folds, fold.name, fold.speakers["test"])


def _inner_protocol(config: ExperimentConfig, folds: int) -> Any:
    return config.protocol.model_copy(
        update={"name": "kfold", "folds": folds, "validation": "speakers", "only": ()}
    )


def _identity(space: Space, fold: str | None, inner_folds: int) -> dict[str, Any]:
    return {
        "config": space.config.identity(),
        "space": space.identity(),
        "fold": fold,
        "inner_folds": inner_folds,
    }


def _refuse_other_search(folder: ResultsFolder, identity: Mapping[str, Any]) -> None:
    path = folder.path / DESCRIPTION
    if not path.is_file():
        folder.refuse_other_files()
        return
    try:
        found = safe_yaml.read(path)
    except UsageError:
        found = None
    asked = safe_yaml.parsed(yaml.safe_dump(dict(identity)), DESCRIPTION)
    if not isinstance(found, dict) or found != asked:
        differing = differences(found, asked) if isinstance(found, dict) else ["it is damaged"]
        raise UsageError(
            f"{folder} holds another search ({'; '.join(differing[:3])}); nothing was changed. "
            "Choose another --out, or give the files and options it was made with"
        )


def _refuse_hopeless(study: Study) -> None:
    """Raise a :class:`UsageError` if nothing in the space seems possible."""
    trials = study.trials()
    if len(trials) >= HOPELESS and all(trial.state == "impossible" for trial in trials):
        raise UsageError(
            f"no configuration of the space is possible: {trials[-1].reason}; change the space, "
            "with another --out"
        )


def _results(space: Space, study: Study, material: Material, inner_folds: int) -> SearchResults:
    config = space.config
    return SearchResults(
        corpus=material.corpus.name,
        synthetic=any(options.name == "synthetic" for options in config.corpus),
        fold=material.fold,
        held_out=material.held_out,
        speakers=tuple(material.corpus.speakers),
        inner_folds=inner_folds,
        seeds=config.seeds,
        trials=tuple(study.trials()),
        start=study.start,
        importance=study.importance(),
        logarithmic=tuple(name for name, one in space.dimensions.items() if one.log),
    )


def _digest(config: ExperimentConfig) -> str:
    """Name of a configuration, so that a trial that was interrupted finds its runs."""
    text = json.dumps(config.identity(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _uar(run: Run) -> float:
    predictions = run.folder.predictions()
    return float(metrics.uar(predictions["truth"].tolist(), predictions["prediction"].tolist()))
