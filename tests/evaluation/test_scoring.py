import numpy as np
import pandas as pd
import pytest

from emotone.corpora.base import corpus_from_rows
from emotone.evaluation import metrics
from emotone.evaluation import summary as evaluation

LABELS = ["anger", "neutral", "sadness"]


def predictions(seeds: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(seeds):
        for speaker in range(6):
            for _ in range(20):
                truth = rng.choice(LABELS, p=[0.5, 0.3, 0.2])
                guess = truth if rng.random() < 0.5 + 0.05 * speaker else rng.choice(LABELS)
                rows.append((f"f{speaker // 2}", seed, f"s{speaker}", truth, guess))
    table = pd.DataFrame(rows, columns=["fold", "seed", "speaker", "truth", "prediction"])
    table["utterance"] = table.groupby("seed").cumcount().map("u{}".format)
    for label in LABELS:
        table[f"p_{label}"] = (table["prediction"] == label).astype(float)
    return table


def test_figures_are_those_of_the_metrics() -> None:
    table = predictions()
    summary = evaluation.summarise(table, LABELS)
    truth, guess = table["truth"].tolist(), table["prediction"].tolist()
    assert summary["UAR"]["pooled"] == pytest.approx(metrics.uar(truth, guess))
    assert summary["WAR"]["pooled"] == pytest.approx(metrics.war(truth, guess))
    folds = [
        metrics.uar(group["truth"].tolist(), group["prediction"].tolist())
        for _, group in table.groupby("fold")
    ]
    assert summary["UAR"]["fold_mean"] == pytest.approx(np.mean(folds))
    assert summary["UAR"]["fold_std"] == pytest.approx(np.std(folds, ddof=1))
    assert summary["UAR"]["seed_std"] is None
    low, high = summary["UAR"]["interval_95"]
    assert low < summary["UAR"]["pooled"] < high
    assert np.sum(summary["confusion"]) == len(table)
    assert np.mean(list(summary["recall"].values())) == pytest.approx(summary["UAR"]["pooled"])
    assert list(summary["by_speaker"]) == [f"s{n}" for n in range(6)]


def test_several_seeds_give_the_mean_over_seeds() -> None:
    table = predictions(seeds=2)
    # the same truth in both seeds, as of a real experiment
    table.loc[table["seed"] == 1, "truth"] = table.loc[table["seed"] == 0, "truth"].to_numpy()
    each = [
        evaluation.summarise(group, LABELS)["UAR"]["pooled"] for _, group in table.groupby("seed")
    ]
    summary = evaluation.summarise(table, LABELS)
    assert summary["UAR"]["pooled"] == pytest.approx(np.mean(each))
    assert summary["UAR"]["seed_std"] == pytest.approx(np.std(each, ddof=1))
    assert summary["by_speaker"]["s0"]["utterances"] == 20


def test_each_corpus_of_several_has_its_rates() -> None:
    table = predictions(seeds=2)
    assert evaluation.by_corpus(table, LABELS, ["made"]) == {}
    first = table["speaker"].isin(["s0", "s1"])
    table["speaker"] = np.where(first, "b/", "a/") + table["speaker"]
    found = evaluation.by_corpus(table, LABELS, ["b", "a", "never tested"])
    assert {name: rates["utterances"] for name, rates in found.items()} == {"a": 80, "b": 40}
    for name, rows in {"a": table[~first], "b": table[first]}.items():
        alone = evaluation.summarise(rows, LABELS)
        for rate in ("UAR", "WAR"):
            assert found[name][rate]["pooled"] == pytest.approx(alone[rate]["pooled"])
            assert found[name][rate]["interval_95"] == pytest.approx(alone[rate]["interval_95"])
            assert found[name][rate]["seed_std"] == pytest.approx(alone[rate]["seed_std"])
    (one,) = evaluation.by_corpus(table[first & (table["seed"] == 0)], LABELS, "ab").values()
    assert one["UAR"]["seed_std"] is None


def test_a_class_that_is_never_tested_has_no_recall() -> None:
    table = predictions()
    table = table[table["truth"] != "sadness"]
    summary = evaluation.summarise(table, LABELS)
    assert summary["recall"]["sadness"] is None
    assert summary["UAR"]["pooled"] == pytest.approx(
        metrics.uar(table["truth"].tolist(), table["prediction"].tolist())
    )


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
    table = evaluation.predictions_table(corpus, [2], "s2", 7, np.array([[0.2, 0.7, 0.1]]))
    assert table.iloc[0].to_dict() == {
        "utterance": "u2", "file": "0/u2.wav", "start": 0.0, "end": 1.5, "fold": "s2",
        "seed": 7, "speaker": "s2", "truth": "sadness", "prediction": "neutral",
        "p_anger": 0.2, "p_neutral": 0.7, "p_sadness": 0.1,
    }  # fmt: skip
