"""Results that tests make up, as types."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from emotone.evaluation import scoring
from emotone.evaluation.protocol import ProtocolOptions
from emotone.evaluation.results import (
    AblationResults,
    AblationRow,
    Epoch,
    PairedDifference,
    Rate,
    Rates,
    Results,
    RunRecord,
    Setting,
    System,
)

LABELS = ("anger", "neutral", "sadness")


def made_predictions(seeds: int = 1) -> pd.DataFrame:
    """Predictions for 6 speakers in 3 folds, right more often for later speakers."""
    truths = np.random.default_rng(0).choice(LABELS, (6, 20), p=[0.5, 0.3, 0.2])
    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for speaker in range(6):
            for truth in truths[speaker]:
                guess = truth if rng.random() < 0.5 + 0.05 * speaker else rng.choice(LABELS)
                rows.append((f"f{speaker // 2}", seed, f"s{speaker}", truth, guess))
    table = pd.DataFrame(rows, columns=["fold", "seed", "speaker", "truth", "prediction"])
    table["utterance"] = table.groupby("seed").cumcount().map("u{}".format)
    for label in LABELS:
        table[f"p_{label}"] = (table["prediction"] == label).astype(float)
    return table


def made_setting(**changes: Any) -> Setting:
    """What was tested."""
    setting = Setting(
        corpus="made <up>",
        labels=LABELS,
        utterances=120,
        speakers=6,
        protocol=ProtocolOptions(name="kfold", folds=3),
        folds=3,
        seeds=(0,),
        synthetic=False,
        versions={"emotone": "1"},
    )
    return replace(setting, **changes)


def made_system(**changes: Any) -> System:
    """What was trained."""
    system = System(
        kind="crnn",
        title="CRNN",
        transductive=False,
        pretrained_on=None,
        parameters=12345,
        multiply_adds_per_s=3_000_000,
    )
    return replace(system, **changes)


def made_history(epochs: int) -> tuple[Epoch, ...]:
    """Epochs that get better."""
    return tuple(Epoch(1.0 / n, 1.1 / n, 0.2 * n, 0.01, 1.0) for n in range(1, epochs + 1))


def made_results(seeds: int = 1, **changes: Any) -> Results:
    """Results of an experiment with as many seeds."""
    results = Results(
        setting=made_setting(seeds=tuple(range(seeds))),
        system=made_system(),
        scores=scoring.score(made_predictions(seeds), LABELS),
        validation_uar=0.6,
        by_corpus={},
        enrolment=(),
        runs=tuple(
            RunRecord("f0", 0, 60.0, 12345, history=made_history(epochs), kept_epoch=3)
            for epochs in (4, 3)
        ),
    )
    return replace(results, **changes)


def made_rate(mean: float, *of_seeds: float) -> Rate:
    """A rate with an interval of ± 0.05."""
    return Rate(mean, (mean - 0.05, mean + 0.05), of_seeds or (mean,), mean, 0.02)


def made_rates(mean: float, *of_seeds: float) -> Rates:
    """UAR and, 0.01 higher, WAR."""
    return Rates(made_rate(mean, *of_seeds), made_rate(mean + 0.01, *of_seeds))


def made_row(variant: str, rates: Rates | None, **changes: Any) -> AblationRow:
    """A row of an ablation."""
    row = AblationRow(
        variant=variant,
        folder=f"variants/{variant.replace(' ', '-')}",
        system=made_system(),
        is_default=False,
        seeds=(0,) if rates else (),
        runs=3,
        finished=3 if rates else 0,
        rates=rates,
        epochs=30,
        training_s=90.0,
        differences={},
    )
    return replace(row, **changes)


def made_ablation(**changes: Any) -> AblationResults:
    """Results of an ablation: a baseline with two seeds, a better default, one unfinished."""
    difference = PairedDifference(0.1, (-0.01, 0.2), 0.04, seeds=(0,), p_holm=0.08)
    results = AblationResults(
        setting=made_setting(seeds=(0, 1)),
        references=("baseline",),
        rows=(
            made_row("baseline", made_rates(0.6, 0.59, 0.61), seeds=(0, 1), runs=6, finished=6),
            made_row(
                "full_size", made_rates(0.7), is_default=True, differences={"baseline": difference}
            ),
            made_row("not yet", None, finished=1),
        ),
    )
    return replace(results, **changes)
