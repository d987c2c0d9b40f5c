"""The parts of an experiment: runs, each a fold with a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from emotone.corpora import Corpus
from emotone.corpora.fingerprints import Fingerprints
from emotone.evaluation.folds import Fold
from emotone.evaluation.results import Epoch, RunRecord
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.run_folder import RunFolder
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.learners import Data, epoch_cost
from emotone.inference import model_folder
from emotone.training.teacher import Teacher

__all__ = ["Observer"]

TESTED = {  # by protocol: what the name of a fold is the name of
    "leave_one_speaker_out": "test speaker",
    "leave_one_session_out": "test session",
    "cross_corpus": "test corpus",
}


@dataclass(frozen=True)
class Experiment:
    """An experiment that is ready to run: its corpus read and divided, its folder claimed.

    Attributes:
        config: configuration of the experiment.
        corpus: the corpus.
        folds: the divisions of the corpus.
        folder: results folder.
        data: input of the model; ``None`` until it is needed.
        name: name of a variant among others; empty if the experiment stands alone.
        fingerprints: those of its utterances; ``None`` until its audio is read.
        teacher: source of soft labels; checked for every fold.
    """

    config: ExperimentConfig
    corpus: Corpus
    folds: Sequence[Fold]
    folder: ResultsFolder
    data: Data | None = None
    name: str = ""
    fingerprints: Fingerprints | None = None
    teacher: Teacher | None = None

    @property
    def epochs(self) -> int:
        """Epochs of each run, at most; one for a model that is not trained in epochs."""
        return self.config.training.epochs if self.config.model.is_network else 1

    @cached_property
    def epoch_cost(self) -> float:
        """Multiply-adds for all audio of the corpus, to compare experiments by."""
        assert self.data is not None
        return epoch_cost(self.config, self.data, self.corpus.labels)

    @property
    def pretrained_on(self) -> str | None:
        """Names of the corpora that the networks are pre-trained on."""
        model, asked = self.initial_model, self.config.pretraining
        if model is None or asked is None:
            return None
        names = "+".join(model_folder.read(model).training["corpora"])
        return f"{names} (overlap allowed)" if asked.allow_overlap else names

    @property
    def initial(self) -> Path | None:
        """Weights that the runs start from."""
        model = self.initial_model
        return None if model is None else model / model_folder.WEIGHTS

    @property
    def initial_model(self) -> Path | None:
        """Model folder that the runs start from."""
        asked = self.config.pretraining
        return None if asked is None or asked.model is None else model_folder.locate(asked.model)

    def runs(self) -> list["Run"]:
        """All folds with all seeds, the first seed first."""
        return [run for seed in self.config.seeds for run in self.runs_of(seed)]

    def runs_of(self, seed: int) -> list["Run"]:
        """All folds with one seed."""
        return [Run(self, fold, seed) for fold in self.folds]

    def whole_seeds(self) -> list[int]:
        """Seeds with all folds finished; only they are scored over the whole corpus."""
        return [
            seed for seed in self.config.seeds if all(run.is_finished for run in self.runs_of(seed))
        ]

    def records(self) -> list[RunRecord]:
        """Records of the finished runs."""
        if self.folder.is_complete:
            return list(self.folder.results().runs)
        return [run.folder.record() for run in self.runs() if run.folder.is_finished]

    @property
    def is_finished(self) -> bool:
        """Whether all runs are finished, so no audio is needed."""
        return all(run.is_finished for run in self.runs())


@dataclass(frozen=True)
class Run:
    """One training and test: a fold with a seed."""

    experiment: Experiment
    fold: Fold
    seed: int

    @property
    def name(self) -> str:
        """Name of the run, unique among those that run together.

        Such as ``test speaker 03, seed 0`` or ``baseline, fold 1, seed 0``.
        """
        tested = TESTED.get(self.experiment.config.protocol.name, "fold")
        what = f"{tested} {self.fold.name}" if self.fold.test else "all speakers"
        parts = (self.experiment.name, what, f"seed {self.seed}")
        return ", ".join(part for part in parts if part)

    @property
    def folder(self) -> RunFolder:
        """Folder of the state and the results of the run."""
        return self.experiment.folder.run(self.fold.name, self.seed)

    @property
    def is_finished(self) -> bool:
        """Whether the run is finished."""
        return self.folder.is_finished or self.experiment.folder.is_complete


class Observer(Protocol):
    """Progress callbacks of an experiment."""

    def corpus(self, corpus: Corpus, folds: Sequence[Fold]) -> None:
        """Called once, when the corpus is read and divided."""

    def reading(self, done: int, total: int) -> None:
        """Called while audio is read."""

    def start(self, missing: Sequence[Run], finished: int, slots: int) -> None:
        """Called before training: missing runs, number of finished ones, runs at once."""

    def epochs(self, run: Run, history: Sequence[Epoch]) -> None:
        """Called during a run and after it, with all its epochs so far."""

    def finished(self, run: Run, record: RunRecord) -> None:
        """Called after each run."""

    def failed(self, run: Run, error: Exception) -> None:
        """Called for a run that failed; the others continue."""


class Silent(Observer):
    """An observer that does nothing."""


SILENT = Silent()  # type: ignore[abstract]  # the methods of the protocol do nothing
