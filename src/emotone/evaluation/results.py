"""What ``results.json`` says: the results of an experiment and of an ablation, as types.

One schema for both: a rate is a :class:`Rate` wherever it stands, what was tested is a
:class:`Setting`, what was trained a :class:`System`. Shares and rates are in 0 … 1.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from emotone.evaluation.folds import ProtocolOptions
from emotone.evaluation.metrics import Comparison

FORMAT = 2  # of results.json; emotone 0.1 wrote none


@dataclass(frozen=True)
class Rate:
    """A recognition rate, pooled over all test utterances.

    Attributes:
        mean: over seeds.
        interval_95: bootstrap interval over speakers, see
            :func:`emotone.evaluation.metrics.speaker_interval`.
        of_seeds: the rate of each seed.
        fold_mean: mean over folds of each fold's rate. A fold's UAR is over the classes that its
            test speakers show.
        fold_std: standard deviation over folds.
    """

    mean: float
    interval_95: tuple[float, float]
    of_seeds: tuple[float, ...]
    fold_mean: float
    fold_std: float

    @property
    def std(self) -> float | None:
        """Standard deviation over seeds; ``None`` if there is only one."""
        return float(np.std(self.of_seeds, ddof=1)) if len(self.of_seeds) > 1 else None


@dataclass(frozen=True)
class Rates:
    """UAR and WAR of the same answers."""

    uar: Rate
    war: Rate


@dataclass(frozen=True)
class CorpusRates(Rates):
    """Rates of one corpus in an experiment over several."""

    utterances: int


@dataclass(frozen=True)
class SpeakerRates:
    """Rates of one test speaker, over all seeds."""

    utterances: int
    uar: float
    war: float


@dataclass(frozen=True)
class Scores(Rates):
    """All rates of an experiment.

    Attributes:
        ensemble: rates of the mean posteriors of all seeds; ``None`` if there is only one.
        recall: of each label; ``None`` for a label that was never tested.
        confusion: utterances by truth (rows) and prediction (columns), all seeds together.
        by_speaker: rates of each test speaker.
    """

    ensemble: Rates | None
    recall: dict[str, float | None]
    confusion: tuple[tuple[int, ...], ...]
    by_speaker: dict[str, SpeakerRates]


@dataclass(frozen=True)
class EnrolmentPoint:
    """UAR when a number of the test speaker's utterances are known.

    Attributes:
        enrolled: that number.
        uar: pooled over all draws and seeds.
        gain: difference to the UAR with none known.
    """

    enrolled: int
    uar: float
    gain: Comparison


@dataclass(frozen=True)
class Epoch:
    """One epoch of training; losses in nats, UAR in 0 … 1 with its standard error.

    Without validation speakers there are a training loss and a time only.
    """

    training_loss: float
    validation_loss: float | None = None
    validation_uar: float | None = None
    standard_error: float | None = None
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class RunRecord:
    """One run: a fold with a seed.

    Attributes:
        fold: name of the fold.
        seed: of the run.
        seconds: of training and test, time that a run was interrupted left out.
        parameters: of the model.
        multiply_adds_per_s: multiplications with weights per second of audio, without front end;
            ``None`` if not counted.
        validation_uar: at the kept epoch; ``None`` if no validation set is used.
        history: the epochs; empty for a model that is not trained in epochs.
        kept_epoch: number of the epoch whose weights are kept, from 1.
        choices: what else was chosen on the way, such as an SVM's ``C``.
    """

    fold: str
    seed: int
    seconds: float
    parameters: int
    multiply_adds_per_s: int | None = None
    validation_uar: float | None = None
    history: tuple[Epoch, ...] = ()
    kept_epoch: int | None = None
    choices: dict[str, Any] = field(default_factory=dict)

    @property
    def epochs(self) -> int | None:
        """Number of epochs; ``None`` for a model that is not trained in epochs."""
        return len(self.history) or None


@dataclass(frozen=True)
class Setting:
    """What was tested and how.

    Attributes:
        corpus: name of the corpus; those of several joined by ``+``.
        labels: the emotions.
        utterances: of the corpus.
        speakers: number of speakers of the corpus.
        protocol: how it was divided.
        folds: number of folds.
        seeds: of the runs.
        synthetic: whether emotone made the speech itself.
        versions: of all software that figures depend on.
    """

    corpus: str
    labels: tuple[str, ...]
    utterances: int
    speakers: int
    protocol: ProtocolOptions
    folds: int
    seeds: tuple[int, ...]
    synthetic: bool
    versions: dict[str, str]

    @property
    def title(self) -> str:
        """Name of the corpus, or that it is synthetic."""
        return "synthetic speech" if self.synthetic else self.corpus

    @property
    def independence(self) -> str:
        """Whether the figures hold for new speakers."""
        return f"speaker-{'dependent' if self.protocol.speaker_dependent else 'independent'}"


@dataclass(frozen=True)
class System:
    """What was trained.

    Attributes:
        kind: of the model.
        title: name of the kind in tables.
        transductive: whether features are normalised with all of a test speaker's utterances.
        pretrained_on: corpora that the network was pre-trained on.
        parameters: of the model; ``None`` before the first run is finished, as the next.
        multiply_adds_per_s: see :class:`RunRecord`.
    """

    kind: str
    title: str
    transductive: bool
    pretrained_on: str | None
    parameters: int | None
    multiply_adds_per_s: int | None


@dataclass(frozen=True)
class Results:
    """Results of an experiment.

    Attributes:
        setting: what was tested and how.
        system: what was trained.
        scores: all rates.
        validation_uar: mean over runs at the kept epochs; ``None`` if no validation set is used.
        by_corpus: rates of each corpus of several; empty if there is only one.
        enrolment: with ``norm: enrol``, the UAR over the number of utterances known.
        runs: fold by fold and seed by seed.
        format: of the file.
    """

    setting: Setting
    system: System
    scores: Scores
    validation_uar: float | None
    by_corpus: dict[str, CorpusRates]
    enrolment: tuple[EnrolmentPoint, ...]
    runs: tuple[RunRecord, ...]
    format: int = FORMAT

    @property
    def independence(self) -> str:
        """Whether the figures hold for new speakers, and at what price."""
        parts = [self.setting.independence]
        if self.system.transductive:
            parts.append("transductive")
        if self.system.pretrained_on:
            parts.append(f"pre-trained on {self.system.pretrained_on}")
        return ", ".join(parts)


@dataclass(frozen=True)
class PairedDifference(Comparison):
    """UAR of a variant minus that of a reference, over the seeds that both have.

    Attributes:
        seeds: these seeds.
        p_holm: p-value after Holm's correction for all comparisons with the same reference.
    """

    seeds: tuple[int, ...]
    p_holm: float


@dataclass(frozen=True)
class AblationRow:
    """One variant of an ablation. A seed counts once all its folds are finished.

    Attributes:
        variant: its name.
        folder: its results folder, relative to the ablation's.
        system: what was trained.
        is_default: whether it is the default of this version.
        seeds: that count.
        runs: number of runs.
        finished: how many of them are finished.
        rates: over the seeds that count; ``None`` if there are none.
        epochs: median over runs; ``None`` for a model that is not trained in epochs.
        training_s: median over runs, of one process; the median, because runs that were paused or
            shared their core took longer.
        differences: to each reference that has seeds in common.
    """

    variant: str
    folder: str
    system: System
    is_default: bool
    seeds: tuple[int, ...]
    runs: int
    finished: int
    rates: Rates | None
    epochs: int | None
    training_s: float | None
    differences: dict[str, PairedDifference]


@dataclass(frozen=True)
class AblationResults:
    """Results of an ablation.

    Attributes:
        setting: what was tested and how.
        references: variants that all others are compared with.
        rows: the variants.
        format: of the file.
    """

    setting: Setting
    references: tuple[str, ...]
    rows: tuple[AblationRow, ...]
    format: int = FORMAT

    @property
    def missing(self) -> int:
        """Number of runs that are not finished."""
        return sum(row.runs - row.finished for row in self.rows)


RESULTS: TypeAdapter[Results] = TypeAdapter(Results)
ABLATION_RESULTS: TypeAdapter[AblationResults] = TypeAdapter(AblationResults)
RUN_RECORD: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)
