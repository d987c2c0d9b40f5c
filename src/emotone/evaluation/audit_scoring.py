"""Answers under all changes to the figures of an audit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emotone.evaluation import calibration, metrics
from emotone.evaluation.audit_results import (
    Bin,
    Clean,
    Coverage,
    CoveragePoint,
    Effect,
    Fairness,
    Part,
    Reliability,
    SoundAnswers,
)
from emotone.evaluation.changes import CHANGES, Criterion
from emotone.evaluation.non_speech import TITLES

COLUMNS = ("corpus", "language", "sex", "age", "speaker")  # of a corpus, for fairness
AGES = (0, 18, 30, 50, 65)  # starts of the groups
ENOUGH = 20  # utterances of a part that is compared
CURVE_POINTS = 100
NONE = -1  # no answer


@dataclass
class Answer:
    """What the model answers to an utterance; a line of ``answers.jsonl``.

    Attributes:
        utterance: its name.
        probabilities: of the unchanged utterance; empty if there is no answer.
        confident: whether this answer is confident.
        problem: why there is no answer.
        changed: number of the label and whether it is confident, for each change; ``None`` where
            there is no answer.
    """

    utterance: str
    probabilities: list[float] = field(default_factory=list)
    confident: bool = False
    problem: str = ""
    changed: dict[str, tuple[int, bool] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Answers:
    """All answers as arrays, one row per utterance that has an answer unchanged.

    Attributes:
        table: rows of the corpus.
        labels: of the model.
        truth: number of the label, shape ``(utterances,)``.
        probabilities: shape ``(utterances, labels)``.
        confident: shape ``(utterances,)``.
        changed: number of the label, or :data:`NONE`, for each change, shape ``(utterances,)``.
        changed_confident: the same for whether it is confident.
    """

    table: pd.DataFrame
    labels: Sequence[str]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    confident: NDArray[np.bool_]
    changed: Mapping[str, NDArray[np.int8]]
    changed_confident: Mapping[str, NDArray[np.bool_]]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Number of the answered label, shape ``(utterances,)``."""
        numbers: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return numbers

    def counts(self, predicted: NDArray[np.integer]) -> NDArray[np.int64]:
        """Confusion counts, shape ``(speakers, labels + 1, labels + 1)``; the last is no answer."""
        speakers = pd.factorize(self.table["speaker"])[0]
        size = len(self.labels) + 1
        counts = np.zeros((speakers.max(initial=0) + 1, size, size), np.int64)
        np.add.at(counts, (speakers, self.truth, predicted), 1)  # -1 is the last one
        return counts

    def part(self, rows: NDArray[np.bool_]) -> "Answers":
        """Some of the utterances, without what they answer when they are changed."""
        return Answers(
            self.table[rows], self.labels, self.truth[rows], self.probabilities[rows],
            self.confident[rows], {}, {},
        )  # fmt: skip


def gather(
    table: pd.DataFrame, answers: Iterable[Answer], labels: Sequence[str], changes: Sequence[str]
) -> Answers:
    """Collect answers, which come in the order of the table; those with a problem are left out."""
    used, probabilities, confident = [], [], []
    changed: dict[str, list[tuple[int, bool]]] = {name: [] for name in changes}
    for row, answer in enumerate(answers):
        if answer.problem:
            continue
        used.append(row)
        probabilities.append(answer.probabilities)
        confident.append(answer.confident)
        for name in changes:
            changed[name].append(answer.changed[name] or (NONE, False))
    rows = table.iloc[used]
    pairs = {name: np.array(found, np.int8).reshape(-1, 2) for name, found in changed.items()}
    return Answers(
        rows,
        labels,
        np.array([labels.index(label) for label in rows["emotion"]], np.int64),
        np.array(probabilities, np.float64).reshape(-1, len(labels)),
        np.array(confident, bool),
        {name: found[:, 0] for name, found in pairs.items()},
        {name: found[:, 1].astype(bool) for name, found in pairs.items()},
    )


def clean(answers: Answers) -> Clean:
    """Rates of the unchanged utterances."""
    counts = answers.counts(answers.predicted)
    total = counts.sum(axis=0)[:-1, :-1]
    tested = total.sum(axis=1)
    return Clean(
        uar=float(metrics.uar_of(total)),
        uar_interval_95=metrics.speaker_interval(counts),
        war=float(metrics.war_of(total)),
        recall={
            label: float(total[row, row] / tested[row]) if tested[row] else None
            for row, label in enumerate(answers.labels)
        },
        confusion=tuple(tuple(row) for row in total.tolist()),
    )


def effect(answers: Answers, change: str) -> Effect:
    """Effect of one change."""
    after = answers.changed[change]
    counts = answers.counts(after)
    compared = metrics.compare(counts[None], answers.counts(answers.predicted)[None])
    known = CHANGES[change]
    criterion = known.criterion or Criterion()
    return Effect(
        change=change,
        title=known.title,
        group=known.group,
        unchanged=float((after == answers.predicted).mean()),
        uar=float(metrics.uar_of(counts.sum(axis=0))),
        uar_change=compared.difference,
        interval_95=compared.interval_95,
        confident=float(answers.changed_confident[change].mean()),
        answered=float((after != NONE).mean()),
        least_unchanged=criterion.unchanged,
        least_uar_change=criterion.uar_change,
        most_confident=criterion.confident,
    )


def fairness(answers: Answers) -> tuple[Fairness, ...]:
    """Answers by each column of :data:`COLUMNS` that has several values."""
    found = []
    for column in COLUMNS:
        if column not in answers.table:
            continue
        values = answers.table[column]
        names = (age_groups(values) if column == "age" else values).fillna("").astype(str)
        parts = tuple(
            _part(name, answers.part((names == name).to_numpy()))
            for name in sorted(names.unique())
            if name
        )
        if len(parts) > 1:
            found.append(_fairness(column, parts))
    return tuple(found)


def _fairness(column: str, parts: tuple[Part, ...]) -> Fairness:
    compared = [part for part in parts if part.compared]
    rates = [part.uar for part in compared]
    shifts = [
        abs(part.predicted[label] - share)
        for part in compared
        for label, share in part.truth.items()
    ]
    return Fairness(
        column=column,
        parts=parts,
        uar_gap=max(rates) - min(rates) if len(rates) > 1 else None,
        lowest_uar=min(rates, default=None),
        share_shift=max(shifts, default=None),
    )


def _part(name: str, answers: Answers) -> Part:
    counts = answers.counts(answers.predicted)
    size, speakers = len(answers.truth), len(counts)
    shares = [
        np.bincount(numbers, minlength=len(answers.labels)) / size
        for numbers in (answers.truth, answers.predicted)
    ]
    truth, predicted = (dict(zip(answers.labels, s.tolist(), strict=True)) for s in shares)
    return Part(
        name=name,
        utterances=size,
        speakers=speakers,
        uar=float(metrics.uar_of(counts.sum(axis=0))),
        interval_95=metrics.speaker_interval(counts) if speakers > 1 else None,
        confident=float(answers.confident.mean()),
        truth=truth,
        predicted=predicted,
        compared=size >= ENOUGH and len(np.unique(answers.truth)) > 1,
    )


def age_groups(ages: "pd.Series[Any]") -> "pd.Series[str]":
    """Ages in years as groups such as ``30 to 49``; other values stay.

    >>> age_groups(pd.Series(["31", "17.5", 70, "adult", None])).tolist()
    ['30 to 49', '0 to 17', '65 and over', 'adult', '']
    """
    starts = [f"{low} to {high - 1}" for low, high in pairwise(AGES)]
    names = [*starts, f"{AGES[-1]} and over"]
    years = pd.to_numeric(ages, errors="coerce")
    groups = [
        (str(text) if pd.notna(text) else "")
        if np.isnan(age) or age < 0
        else names[int(np.searchsorted(AGES, age, side="right")) - 1]
        for text, age in zip(ages, years, strict=True)
    ]
    return pd.Series(groups, index=ages.index, dtype=str)


def reliability(answers: Answers) -> Reliability:
    """Calibration of the unchanged utterances."""
    confidence, right, bins = calibration.binned(answers.probabilities, answers.truth)
    of_truth = answers.probabilities[np.arange(len(right)), answers.truth]
    return Reliability(
        error=calibration.calibration_error(
            answers.probabilities, answers.truth, np.ones(len(right))
        ),
        negative_log_likelihood=float(-np.log(np.maximum(of_truth, calibration.SMALLEST)).mean()),
        bins=tuple(
            Bin(
                int((bins == number).sum()),
                float(confidence[bins == number].mean()),
                float(right[bins == number].mean()),
            )
            for number in np.unique(bins)
        ),
    )


def coverage(answers: Answers) -> Coverage:
    """Accuracy of the most confident answers, for every share of them."""
    confidence = answers.probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = (answers.predicted == answers.truth)[order]
    numbers = np.arange(1, len(right) + 1)
    accuracy = right.cumsum() / numbers
    shown = np.unique(np.linspace(1, len(right), CURVE_POINTS).round().astype(int)) - 1
    chosen = (answers.predicted == answers.truth)[answers.confident]
    return Coverage(
        curve=tuple(
            CoveragePoint(
                float(numbers[place] / len(right)),
                float(accuracy[place]),
                float(confidence[order][place]),
            )
            for place in shown
        ),
        confident=float(answers.confident.mean()),
        accuracy=float(chosen.mean()) if len(chosen) else None,
        area=float(accuracy.mean()),
    )


def sounds(found: Mapping[str, Sequence[bool | None]]) -> tuple[SoundAnswers, ...]:
    """Answers to sounds without speech.

    Args:
        found: for each kind whether each answer is confident; ``None`` where there is no answer.
    """
    return tuple(
        SoundAnswers(
            kind=kind,
            title=TITLES[kind],
            sounds=len(answers),
            answered=float(np.mean([answer is not None for answer in answers])),
            confident=float(np.mean([answer is True for answer in answers])),
        )
        for kind, answers in found.items()
    )
