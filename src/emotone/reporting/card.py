"""The model card: training data, evaluation, calibration, robustness, out-of-scope use."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emotone.evaluation import scoring
from emotone.evaluation.audit_results import Audit
from emotone.evaluation.changes import GROUPS
from emotone.evaluation.metrics import Comparison
from emotone.evaluation.results import (
    CorpusRates,
    Dimensions,
    Rates,
    Results,
    Scores,
    Setting,
)
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.scoring import Counts
from emotone.reporting.rendering import protocol_name, template


@dataclass(frozen=True)
class EvaluationRow:
    """A row of the table of results.

    Attributes:
        corpus: name of the tested corpora.
        tested: the protocol.
        system: title of the tested system.
        seeds: number of seeds.
        rates: UAR and WAR.
        difference: UAR of the card's model minus that of this row; ``None`` for the model itself.
        dimensions: how well each dimension is predicted.
    """

    corpus: str
    tested: str
    system: str
    seeds: int
    rates: Rates
    difference: Comparison | None = None
    dimensions: Dimensions = field(default_factory=dict)


@dataclass(frozen=True)
class Effect:
    """Effect of one change of the input.

    Attributes:
        unchanged: share of predictions that stay the same.
        uar_change: UAR after the change minus that before.
    """

    unchanged: float
    uar_change: float


@dataclass(frozen=True)
class Robustness:
    """Effects of changes of the input.

    Attributes:
        corpora: what was tested; the columns of the table.
        effects: effects on each corpus by name of the change; the rows of the table.
    """

    corpora: Sequence[str]
    effects: Mapping[str, Sequence[Effect]]


def render(
    title: str,
    model: dict[str, Any],
    rows: Sequence[EvaluationRow],
    *,
    licence: str = "",
    robustness: Robustness | None = None,
    recognises: bool = True,
) -> str:
    """Render ``MODEL_CARD.md``.

    Args:
        title: name of the model.
        model: content of its ``config.json``, see
            :class:`emotone.inference.model_folder.ModelConfig`.
        rows: rows of the table of results, see :func:`evaluation_rows`.
        licence: a sentence about the licence of the weights.
        robustness: effects of changes of the input.
        recognises: whether the folder has an ONNX model.
    """
    text = template("card.md.j2").render(
        title=title,
        loaded=json.dumps(title),
        labels=list(model["labels"]),
        dimensions=list(model.get("dimensions", ())),
        training=model["training"],
        parameters=model["training"]["parameters"],
        members=model.get("members", 1),
        rows=list(rows),
        compared=any(row.difference is not None for row in rows),
        licence=licence or "The licence of the weights follows from those of the corpora.",
        robustness=robustness,
        recognises=recognises,
    )
    return text + "\n"


def evaluation_rows(results: Results, members: int = 1) -> list[EvaluationRow]:
    """Rows of an experiment for a model card: of all corpora together, and of each.

    With leave-one-corpus-out there is no row for all together.

    Args:
        results: cross-validation.
        members: number of networks of the model. Several answer together, so the rows are those of
            the mean posteriors of as many seeds.
    """
    title, seeds = results.system.title, len(results.setting.seeds)
    rows = []
    for part, rates in _parts(results).items():
        dimensions = results.dimensions if rates is results.scores else {}
        row = EvaluationRow(
            _name_of(part, results), _tested(results), title, seeds, rates, dimensions=dimensions
        )
        if members > 1 and rates.ensemble is not None:
            row = replace(row, system=f"{title}, {members} together", rates=rates.ensemble)
        rows.append(row)
    return rows


def compared_rows(ours: ResultsFolder, theirs: ResultsFolder) -> list[EvaluationRow]:
    """Rows of another system, with the differences of our UAR to its.

    Args:
        ours: cross-validation of the card's model.
        theirs: cross-validation of the other system, over the same folds; with as many seeds, or
            with one if the system is deterministic.

    Raises:
        UsageError: if a folder holds no results.
    """
    results = theirs.results()
    one, other = (_counts(folder, results.setting) for folder in (ours, theirs))
    return [
        replace(row, difference=_difference(one[part], other[part]))
        for part, row in zip(_parts(results), evaluation_rows(results), strict=True)
    ]


def robustness(audits: Sequence[Audit]) -> Robustness:
    """Robustness as ``emotone audit`` found it, a column for each audit.

    Changes that one of them lacks are left out.
    """
    found = [{effect.change: effect for effect in audit.robustness} for audit in audits]
    common = [change for change in found[0] if all(change in effects for effects in found)]
    return Robustness(
        [
            f"{subject.corpus} ({subject.speakers} speakers, {subject.utterances} utterances)"
            for subject in (audit.subject for audit in audits)
        ],
        {
            f"{GROUPS[found[0][change].group]}: {found[0][change].title}": [
                Effect(effects[change].unchanged, effects[change].uar_change) for effects in found
            ]
            for change in common
        },
    )


def _counts(folder: ResultsFolder, setting: Setting) -> dict[str, Counts]:
    """Confusion counts of all corpora together, and of each."""
    predictions = folder.predictions()
    parts = {setting.corpus: predictions}
    parts |= scoring.split_by_corpus(predictions, setting.corpus.split("+"))
    return {name: scoring.confusions_by_seed(rows, setting.labels) for name, rows in parts.items()}


def _difference(ours: Counts, theirs: Counts) -> Comparison:
    if len(theirs) == 1:  # deterministic: the one run stands for all seeds
        theirs = dict.fromkeys(ours, *theirs.values())
    return scoring.paired_difference(ours, theirs)


def _parts(results: Results) -> dict[str, Scores | CorpusRates]:
    """Rates of each row, by name of the corpus."""
    if results.setting.protocol.name == "cross_corpus":
        return dict(results.by_corpus)
    return {results.setting.corpus: results.scores, **results.by_corpus}


def _name_of(part: str, results: Results) -> str:
    if results.setting.protocol.name != "cross_corpus" and part in results.by_corpus:
        return f"{part} only"
    return part.replace("+", " + ")


def _tested(results: Results) -> str:
    name = protocol_name(results.setting.protocol)
    return name if results.setting.protocol.name == "cross_corpus" else f"new speakers, {name}"
