"""Scores of dimensions: against audmetric, with intervals over speakers, where undefined."""

from typing import Any

import audmetric
import numpy as np
import pandas as pd
import pytest

from emotone.evaluation.concordance import dimension_scores, mean_ccc


def made(seeds: int = 2, **columns: Any) -> pd.DataFrame:
    """Predictions of six speakers with ten utterances each, better for later speakers."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(size=60)
    tables = []
    for seed in range(seeds):
        speaker = np.repeat(np.arange(6), 10)
        noise = rng.normal(0, 0.4 - 0.05 * speaker)
        found = (truth + noise).clip(0, 1)
        tables.append(
            pd.DataFrame(
                {"speaker": speaker.astype(str), "seed": seed, "truth_arousal": truth,
                 "d_arousal": found} | columns
            )
        )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_figures_are_those_of_audmetric_averaged_over_seeds() -> None:
    table = made()
    score = dimension_scores(table, ["arousal"])["arousal"]
    pairs = [(rows["truth_arousal"], rows["d_arousal"]) for _, rows in table.groupby("seed")]
    assert score.of_seeds == pytest.approx([audmetric.concordance_cc(*pair) for pair in pairs])
    assert score.ccc == pytest.approx(np.mean(score.of_seeds))
    pearson = np.mean([audmetric.pearson_cc(*pair) for pair in pairs])
    assert score.pearson == pytest.approx(pearson)
    error = np.mean([audmetric.mean_absolute_error(*pair) for pair in pairs])
    assert score.mean_absolute_error == pytest.approx(error)
    assert score.utterances == 60


def test_the_interval_is_a_bootstrap_over_speakers() -> None:
    """Compared with drawing rows, by an independent loop."""
    table = made(seeds=2)
    found = dimension_scores(table, ["arousal"])["arousal"].interval_95
    rng = np.random.default_rng(1)
    groups = dict(list(table.groupby("speaker")))
    drawn = []
    for _ in range(400):
        rows = pd.concat([groups[str(n)] for n in rng.integers(0, 6, 6)])
        drawn.append(
            np.mean(
                [
                    audmetric.concordance_cc(one["truth_arousal"], one["d_arousal"])
                    for _, one in rows.groupby("seed")
                ]
            )
        )
    assert found == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.03)


def test_missing_values_do_not_count() -> None:
    table = made(seeds=1)
    table.loc[:9, "truth_arousal"] = np.nan
    score = dimension_scores(table, ["arousal"])["arousal"]
    rows = table[10:]
    assert score.utterances == 50
    assert score.ccc == pytest.approx(
        audmetric.concordance_cc(rows["truth_arousal"], rows["d_arousal"])
    )


@pytest.mark.parametrize("value", [0.5, np.nan])
def test_constant_and_absent_values_are_undefined_not_nan(value: float) -> None:
    score = dimension_scores(made(seeds=1, truth_arousal=value), ["arousal"])["arousal"]
    assert (score.ccc, score.interval_95, score.pearson, score.of_seeds) == (None, None, None, ())
    assert score.utterances == (60 if value == 0.5 else 0)
    assert (score.mean_absolute_error is None) == np.isnan(value)


def test_the_mean_is_over_defined_dimensions() -> None:
    truth = np.array([[0.0, 0.3], [1.0, 0.3], [np.nan, 0.3]])
    found = np.array([[0.1, 0.2], [0.9, 0.3], [0.4, 0.4]])
    assert mean_ccc(truth, found) == pytest.approx(audmetric.concordance_cc([0, 1], [0.1, 0.9]))
    assert mean_ccc(truth[:, 1:], found[:, 1:]) is None
