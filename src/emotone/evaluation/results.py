"""Contents of ``results.json``: the results of an experiment or of an ablation, as types.

Both share one schema: every rate is a :class:`Rate`, a :class:`Setting` describes what was tested
and a :class:`System` what was trained. Shares and rates are in 0 … 1.
"""

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from emotone.evaluation.metrics import Comparison, standard_deviation
from emotone.evaluation.protocol import ProtocolOptions

__all__ = [
    "AblationResults",
    "AblationRow",
    "Rate",
    "Rates",
    "Results",
    "Scores",
    "Setting",
    "SpeakerRates",
    "System",
]

FORMAT = 2  # of results.json; emotone 0.1 wrote none


@dataclass(frozen=True)
class Rate:
    """A recognition rate, pooled over all test utterances.

    Attributes:
        mean: mean over seeds.
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
        return standard_deviation(self.of_seeds)


@dataclass(frozen=True)
class Rates:
    """UAR and WAR of the same predictions."""

    uar: Rate
    war: Rate


@dataclass(frozen=True)
class CorpusRates(Rates):
    """Rates of one corpus in an experiment over several, see :class:`Scores` for ``ensemble``."""

    utterances: int
    ensemble: Rates | None = None


@dataclass(frozen=True)
class DisturbedRates(Rates):
    """Rates on disturbed test utterances, over all and for each corpus if there are several.

    See :class:`Scores` for ``ensemble``.
    """

    by_corpus: dict[str, CorpusRates]
    ensemble: Rates | None = None


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
        recall: recall of each label; ``None`` for a label that was never tested.
        confusion: utterances by truth (rows) and prediction (columns), all seeds together.
        by_speaker: rates of each test speaker.
    """

    ensemble: Rates | None
    recall: dict[str, float | None]
    confusion: tuple[tuple[int, ...], ...]
    by_speaker: dict[str, SpeakerRates]


@dataclass(frozen=True)
class DimensionScore:
    """How well a dimension is predicted, pooled over the test utterances that have a value.

    Attributes:
        utterances: number of these utterances.
        ccc: concordance correlation coefficient in −1 … 1, mean over seeds; ``None`` if it is
            undefined, since all true values are equal.
        interval_95: of it, bootstrap over speakers.
        of_seeds: that of each seed.
        pearson: Pearson's correlation, mean over seeds; ``None`` if it is undefined.
        mean_absolute_error: on the scale 0 … 1, mean over seeds.
    """

    utterances: int
    ccc: float | None
    interval_95: tuple[float, float] | None
    of_seeds: tuple[float, ...]
    pearson: float | None
    mean_absolute_error: float | None

    @property
    def std(self) -> float | None:
        """Standard deviation over seeds; ``None`` if there is only one."""
        return standard_deviation(self.of_seeds)


Dimensions = dict[str, DimensionScore]  # by name


@dataclass(frozen=True)
class EnrolmentPoint:
    """UAR after enrolment with a number of the test speaker's utterances.

    Attributes:
        enrolled: number of enrolment utterances.
        uar: UAR pooled over all draws and seeds.
        gain: difference to the UAR without enrolment.
    """

    enrolled: int
    uar: float
    gain: Comparison


@dataclass(frozen=True)
class Epoch:
    """One epoch of training; losses in nats, UAR in 0 … 1 with its standard error.

    Without validation speakers there are only a training loss and a time. With dimensions,
    ``validation_ccc`` is their mean concordance correlation, and the training loss is the weighted
    sum of both losses.
    """

    training_loss: float
    validation_loss: float | None = None
    validation_uar: float | None = None
    standard_error: float | None = None
    seconds: float = field(default=0.0, compare=False)
    validation_ccc: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """One run: a fold with a seed.

    Attributes:
        fold: name of the fold.
        seed: seed of the run.
        seconds: duration of training and test, without interruptions.
        parameters: number of parameters of the model.
        multiply_adds_per_s: multiplications with weights per second of audio, without front end;
            ``None`` if not counted.
        validation_uar: validation UAR at the kept epoch; ``None`` without validation set.
        history: all epochs; empty for a model that is not trained in epochs.
        kept_epoch: number of the epoch whose weights are kept, from 1.
        choices: further choices, such as an SVM's ``C``.
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
        corpus: name of the corpus, or several names joined by ``+``.
        labels: the emotions.
        utterances: number of utterances of the corpus.
        speakers: number of speakers of the corpus.
        protocol: how the corpus was divided.
        folds: number of folds.
        seeds: seeds of the runs.
        synthetic: whether emotone generated the speech.
        versions: versions of all software that the figures depend on.
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
        """Name of the corpus, or "synthetic speech"."""
        return "synthetic speech" if self.synthetic else self.corpus

    @property
    def independence(self) -> str:
        """Whether the figures hold for new speakers, and for new sentences."""
        return self.protocol.independence


@dataclass(frozen=True)
class System:
    """What was trained.

    Attributes:
        kind: kind of the model.
        title: name of the kind in tables.
        transductive: whether features are normalised with all of a test speaker's utterances.
        pretrained_on: corpora that the network was pre-trained on.
        parameters: number of parameters; ``None`` before the first run is finished.
        multiply_adds_per_s: see :class:`RunRecord`; ``None`` before the first run is finished.
        taught_by: model whose predictions were its soft labels.
    """

    kind: str
    title: str
    transductive: bool
    pretrained_on: str | None
    parameters: int | None
    multiply_adds_per_s: int | None
    taught_by: str | None = None


@dataclass(frozen=True)
class Results:
    """Results of an experiment.

    Attributes:
        setting: what was tested and how.
        system: what was trained.
        scores: all rates.
        validation_uar: mean over runs of the UAR at the kept epochs; ``None`` without validation
            set.
        by_corpus: rates of each corpus; empty if there is only one.
        enrolment: with ``norm: enrol``, the UAR over the number of enrolment utterances.
        disturbed: rates on disturbed test utterances, if they were asked for.
        runs: records of all runs.
        dimensions: how well each dimension is predicted; empty if there are none.
        only_dimensions: whether no classes were learnt, so that their rates mean nothing.
        format: version of the schema.
    """

    setting: Setting
    system: System
    scores: Scores
    validation_uar: float | None
    by_corpus: dict[str, CorpusRates]
    enrolment: tuple[EnrolmentPoint, ...]
    runs: tuple[RunRecord, ...]
    disturbed: DisturbedRates | None = None
    dimensions: Dimensions = field(default_factory=dict)
    only_dimensions: bool = False
    format: int = FORMAT

    @property
    def independence(self) -> str:
        """Whether the figures hold for new speakers, and what the system needs for them."""
        parts = [self.setting.independence]
        if self.system.transductive:
            parts.append("transductive")
        if self.system.pretrained_on:
            parts.append(f"pre-trained on {self.system.pretrained_on}")
        if self.system.taught_by:
            parts.append(f"taught by {self.system.taught_by}")
        return ", ".join(parts)


@dataclass(frozen=True)
class PairedDifference(Comparison):
    """UAR of a variant minus that of a reference, over the seeds that both have.

    Attributes:
        seeds: the common seeds.
        p_holm: p-value after Holm's correction for all comparisons with the same reference.
    """

    seeds: tuple[int, ...]
    p_holm: float


@dataclass(frozen=True)
class AblationRow:
    """One variant of an ablation. A seed counts once all its folds are finished.

    Attributes:
        variant: name of the variant.
        folder: results folder of the variant, relative to that of the ablation.
        system: what was trained.
        is_default: whether the variant is the default of this version.
        seeds: seeds that count.
        runs: number of runs.
        finished: number of finished runs.
        rates: rates over the seeds that count; ``None`` if there are none.
        epochs: median over runs; ``None`` for a model that is not trained in epochs.
        training_s: median seconds per run, of one process; the median, because runs that were
            paused or shared their core took longer.
        differences: differences to the references with common seeds.
        dimensions: how well each dimension is predicted, over the seeds that count.
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
    dimensions: Dimensions = field(default_factory=dict)


@dataclass(frozen=True)
class AblationResults:
    """Results of an ablation.

    Attributes:
        setting: what was tested and how.
        references: variants that all others are compared with.
        rows: one row per variant.
        format: version of the schema.
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
