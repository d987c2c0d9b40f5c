"""Contents of ``audit.json``: what an audit found, as types. Shares and rates are in 0 … 1."""

from dataclasses import dataclass

from pydantic import TypeAdapter

FORMAT = 1  # of audit.json

Interval = tuple[float, float]


@dataclass(frozen=True)
class Subject:
    """What was audited, and with what.

    Attributes:
        model: name of the model folder.
        labels: emotions that the model answers.
        threshold: probability from which an answer is confident.
        corpus: names of the corpora.
        utterances: number of utterances with an answer.
        speakers: their number of speakers.
        known_speakers: how many of these the model was trained on.
        synthetic: whether the speech is synthetic.
        seed: of all random draws.
        notes: what was left out or skipped and why, one sentence each.
        versions: versions of the software.
    """

    model: str
    labels: tuple[str, ...]
    threshold: float
    corpus: str
    utterances: int
    speakers: int
    known_speakers: int
    synthetic: bool
    seed: int
    notes: tuple[str, ...]
    versions: dict[str, str]


@dataclass(frozen=True)
class Clean:
    """Answers to the utterances as they are.

    Attributes:
        uar: over the emotions that occur.
        uar_interval_95: bootstrap interval over speakers.
        war: accuracy.
        recall: of each emotion; ``None`` if it does not occur.
        confusion: utterances by truth (rows) and answer (columns).
    """

    uar: float
    uar_interval_95: Interval
    war: float
    recall: dict[str, float | None]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Effect:
    """What a change of the utterances does to the answers.

    Attributes:
        change: key of :data:`emotone.evaluation.changes.CHANGES`.
        title: its name.
        group: key of :data:`emotone.evaluation.changes.GROUPS`.
        unchanged: share of answers that stay the same.
        uar: UAR under the change.
        uar_change: ``uar`` minus the UAR of the unchanged utterances.
        interval_95: paired bootstrap interval of ``uar_change`` over speakers.
        confident: share of utterances with a confident answer.
        answered: share of utterances with any answer.
        least_unchanged: criterion; ``None`` if there is none.
        least_uar_change: criterion; ``None`` if there is none.
        most_confident: criterion; ``None`` if there is none.
    """

    change: str
    title: str
    group: str
    unchanged: float
    uar: float
    uar_change: float
    interval_95: Interval
    confident: float
    answered: float
    least_unchanged: float | None
    least_uar_change: float | None
    most_confident: float | None = None

    @property
    def passed(self) -> bool | None:
        """Whether the criteria are met; ``None`` if there are none."""
        met = [
            self.least_unchanged is None or self.unchanged >= self.least_unchanged,
            self.least_uar_change is None or self.uar_change >= self.least_uar_change,
            self.most_confident is None or self.confident <= self.most_confident,
        ]
        limits = (self.least_unchanged, self.least_uar_change, self.most_confident)
        return None if limits == (None, None, None) else all(met)


@dataclass(frozen=True)
class Part:
    """Answers to the utterances with one value of a column.

    Attributes:
        name: value of the column.
        utterances: their number.
        speakers: their number of speakers.
        uar: over the emotions that occur in this part.
        interval_95: bootstrap interval over speakers; ``None`` for a single speaker.
        confident: share of confident answers.
        truth: share of each emotion.
        predicted: share of each answer.
        compared: whether the part is large enough for :attr:`Fairness.uar_gap`.
    """

    name: str
    utterances: int
    speakers: int
    uar: float
    interval_95: Interval | None
    confident: float
    truth: dict[str, float]
    predicted: dict[str, float]
    compared: bool


@dataclass(frozen=True)
class Fairness:
    """Answers by a column of the corpus.

    Attributes:
        column: ``sex``, ``speaker``, ``language``, ``age`` or ``corpus``.
        parts: one for each of its values.
        uar_gap: largest difference of the UAR of two parts that are compared.
        lowest_uar: of the parts that are compared.
        share_shift: largest difference between the shares of an emotion among the answers and in
            truth, of the parts that are compared.
    """

    column: str
    parts: tuple[Part, ...]
    uar_gap: float | None
    lowest_uar: float | None
    share_shift: float | None


@dataclass(frozen=True)
class Bin:
    """Answers of similar confidence: their number, mean confidence and accuracy."""

    utterances: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Calibration of the probabilities.

    Attributes:
        error: expected calibration error in 15 bins.
        negative_log_likelihood: mean, in nats.
        bins: of the reliability diagram; empty ones are left out.
    """

    error: float
    negative_log_likelihood: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class CoveragePoint:
    """The most confident answers: their share, their accuracy and the least probability."""

    coverage: float
    accuracy: float
    probability: float


@dataclass(frozen=True)
class Coverage:
    """Accuracy against coverage.

    Attributes:
        curve: from few answers to all.
        confident: share of confident answers, at the model's threshold.
        accuracy: of these; ``None`` if there are none.
        area: mean accuracy over all coverages.
    """

    curve: tuple[CoveragePoint, ...]
    confident: float
    accuracy: float | None
    area: float


@dataclass(frozen=True)
class SoundAnswers:
    """Answers to sounds without speech of one kind; ``answered`` and ``confident`` are shares."""

    kind: str
    title: str
    sounds: int
    answered: float
    confident: float


@dataclass(frozen=True)
class Requirement:
    """A line of ``--require``.

    Attributes:
        key: of a measure, see :mod:`emotone.evaluation.requirements`.
        least: lower limit, if any.
        most: upper limit, if any.
        found: the measure; ``None`` if it was not measured.
    """

    key: str
    least: float | None
    most: float | None
    found: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the measure is known and within the limits."""
        if self.found is None:
            return False
        return (self.least is None or self.found >= self.least) and (
            self.most is None or self.found <= self.most
        )


@dataclass(frozen=True)
class Audit:
    """Everything that an audit found."""

    subject: Subject
    clean: Clean
    robustness: tuple[Effect, ...]
    fairness: tuple[Fairness, ...]
    calibration: Reliability
    coverage: Coverage
    non_speech: tuple[SoundAnswers, ...]
    requirements: tuple[Requirement, ...] = ()
    format: int = FORMAT


AUDIT = TypeAdapter(Audit)
