import numpy as np
import pandas as pd
import pytest

from emotone.corpora.base import corpus_from_rows
from emotone.errors import ModelError
from emotone.evaluation import metrics, scoring
from tests.made_results import LABELS, made_predictions


def test_figures_are_those_of_the_metrics() -> None:
    table = made_predictions()
    scores = scoring.score(table, LABELS)
    truth, guess = table["truth"].tolist(), table["prediction"].tolist()
    assert scores.uar.mean == pytest.approx(metrics.uar(truth, guess))
    assert scores.war.mean == pytest.approx(metrics.war(truth, guess))
    folds = [
        metrics.uar(group["truth"].tolist(), group["prediction"].tolist())
        for _, group in table.groupby("fold")
    ]
    assert scores.uar.fold_mean == pytest.approx(np.mean(folds))
    assert scores.uar.fold_std == pytest.approx(np.std(folds, ddof=1))
    assert scores.uar.std is None
    assert scores.ensemble is None
    low, high = scores.uar.interval_95
    assert low < scores.uar.mean < high
    assert np.sum(scores.confusion) == len(table)
    assert np.mean(list(scores.recall.values())) == pytest.approx(scores.uar.mean)
    assert list(scores.by_speaker) == [f"s{n}" for n in range(6)]


def test_several_seeds_give_the_mean_over_seeds() -> None:
    table = made_predictions(seeds=2)
    each = [scoring.score(group, LABELS).uar.mean for _, group in table.groupby("seed")]
    scores = scoring.score(table, LABELS)
    assert scores.uar.of_seeds == pytest.approx(each)
    assert scores.uar.mean == pytest.approx(np.mean(each))
    assert scores.uar.std == pytest.approx(np.std(each, ddof=1))
    assert scores.by_speaker["s0"].utterances == 20


def test_the_ensemble_is_the_mean_of_the_posteriors() -> None:
    table = made_predictions(seeds=2)
    columns = [f"p_{label}" for label in LABELS]
    rng = np.random.default_rng(1)
    table[columns] = rng.dirichlet(np.ones(3), len(table))
    both = [group.set_index("utterance") for _, group in table.groupby("seed")]
    guess = (both[0][columns] + both[1][columns]).to_numpy().argmax(axis=1)
    expected = metrics.uar(both[0]["truth"].tolist(), np.array(LABELS)[guess].tolist())
    found = scoring.score(table, LABELS).ensemble
    assert found is not None
    assert found.uar.mean == pytest.approx(expected)
    assert found.uar.std is None


def test_each_corpus_of_several_has_its_rates() -> None:
    table = made_predictions(seeds=2)
    assert scoring.by_corpus(table, LABELS, ["made"]) == {}
    first = table["speaker"].isin(["s0", "s1"])
    table["speaker"] = np.where(first, "b/", "a/") + table["speaker"]
    found = scoring.by_corpus(table, LABELS, ["b", "a", "never tested"])
    assert {name: rates.utterances for name, rates in found.items()} == {"a": 80, "b": 40}
    assert found["b"].ensemble == scoring.score(table[first], LABELS).ensemble
    assert scoring.disturbed(table, LABELS, ["a", "b"]).ensemble == scoring.ensemble(table, LABELS)
    for name, rows in {"a": table[~first], "b": table[first]}.items():
        alone = scoring.score(rows, LABELS)
        assert (found[name].uar, found[name].war) == (alone.uar, alone.war)
    (one,) = scoring.by_corpus(table[first & (table["seed"] == 0)], LABELS, "ab").values()
    assert one.uar.std is None


def test_a_class_that_is_never_tested_has_no_recall() -> None:
    table = made_predictions()
    table = table[table["truth"] != "sadness"]
    scores = scoring.score(table, LABELS)
    assert scores.recall["sadness"] is None
    assert scores.uar.mean == pytest.approx(
        metrics.uar(table["truth"].tolist(), table["prediction"].tolist())
    )


def test_two_systems_are_compared_over_the_seeds_that_both_have() -> None:
    three, two = (scoring.confusions_by_seed(made_predictions(n), LABELS) for n in (3, 2))
    worse = {seed: counts[..., ::-1] for seed, counts in two.items()}
    found = scoring.paired_difference(three, worse)
    expected = [
        metrics.uar_of(three[seed].sum(axis=0)) - metrics.uar_of(worse[seed].sum(axis=0))
        for seed in (0, 1)
    ]  # every seed has the same utterances, so the pooled rate is the mean
    assert found.difference == pytest.approx(np.mean(expected))
    assert scoring.paired_difference(three, two).difference == 0


def test_the_gain_of_enrolment_is_to_nothing_known() -> None:
    table = made_predictions()
    known = table.assign(prediction=table["truth"])
    scored = [table.assign(enrolled=0, draw=0), known.assign(enrolled=3, draw=0)]
    none, three = scoring.enrolment_curve(pd.concat(scored), LABELS)
    uar = metrics.uar(table["truth"].tolist(), table["prediction"].tolist())
    assert (none.enrolled, none.gain.difference, three.enrolled, three.uar) == (0, 0, 3, 1)
    assert none.uar == pytest.approx(uar)
    assert three.gain.difference == pytest.approx(1 - uar)


def test_predictions_are_the_likeliest_labels() -> None:
    rows = [
        {
            "utterance": f"u{n}",
            "file": f"/corpus/{n % 2}/u{n}.wav",
            "end": 1.5,
            "emotion": LABELS[n],
            "speaker": f"s{n}",
        }
        for n in range(3)
    ]
    corpus = corpus_from_rows("made", rows)
    table = scoring.predictions_table(corpus, [2], "s2", 7, np.array([[0.2, 0.7, 0.1]]))
    assert table.iloc[0].to_dict() == {
        "utterance": "u2", "file": "0/u2.wav", "start": 0.0, "end": 1.5, "fold": "s2",
        "seed": 7, "speaker": "s2", "truth": "sadness", "prediction": "neutral",
        "p_anger": 0.2, "p_neutral": 0.7, "p_sadness": 0.1,
    }  # fmt: skip
    with pytest.raises(ModelError, match=r"fold s2, seed 7: .* the training diverged; use a lower"):
        scoring.predictions_table(corpus, [2], "s2", 7, np.array([[0.2, np.nan, 0.1]]))
