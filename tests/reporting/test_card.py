import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emotone.evaluation import metrics, scoring
from emotone.evaluation.metrics import Comparison
from emotone.evaluation.protocol import ProtocolOptions
from emotone.evaluation.results import CorpusRates, Results
from emotone.evaluation.results_folder import ResultsFolder
from emotone.inference import model_folder
from emotone.reporting import card
from tests.made_audit import made_audit
from tests.made_results import (
    LABELS,
    made_predictions,
    made_rates,
    made_results,
    made_setting,
    made_system,
)


def two_corpora(protocol: str = "kfold", **changes: Any) -> Results:
    """Results of two corpora: of a, everything is right, of b, half."""
    setting = made_setting(corpus="a+b", protocol=ProtocolOptions(name=protocol, folds=2))
    results = made_results(setting=setting)
    return replace(
        results,
        scores=replace(results.scores, **vars(made_rates(0.75))),
        by_corpus={
            "a": CorpusRates(**vars(made_rates(1.0)), utterances=60),
            "b": CorpusRates(**vars(made_rates(0.5)), utterances=60),
        },
        **changes,
    )


def test_pooled_corpora_have_a_row_together_and_one_each() -> None:
    rows = card.evaluation_rows(two_corpora())
    rates = {row.corpus: row.rates.uar.mean for row in rows}
    assert rates == {"a + b": 0.75, "a only": 1.0, "b only": 0.5}
    assert {row.tested for row in rows} == {"new speakers, 2-fold over speakers"}


def test_corpora_left_out_have_a_row_each() -> None:
    rows = card.evaluation_rows(two_corpora("cross_corpus"))
    assert {row.corpus: row.rates.war.mean for row in rows} == {"a": 1.01, "b": 0.51}
    assert {row.tested for row in rows} == {"leave-one-corpus-out"}


def shipped(name: str) -> dict[str, Any]:
    path = model_folder.MODELS / name / model_folder.CONFIG
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def test_a_row_says_how_seeds_differ_and_what_is_compared() -> None:
    ours, *_ = card.evaluation_rows(two_corpora())
    ours = replace(ours, rates=made_rates(0.75, 0.74, 0.76), seeds=2)
    assert "Δ UAR" not in card.render("m", shipped("emotone-8"), [ours])
    theirs = replace(ours, system="another", difference=Comparison(0.05, (-0.01, 0.1), 0.04))
    said = card.render("m", shipped("emotone-8"), [ours, theirs]).splitlines()
    start = "| a + b | new speakers, 2-fold over speakers | "
    rates = " | 75.0 ± 1.4 [70.0, 80.0] | 76.0 ± 1.4 | 2 | "
    assert f"{start}CRNN{rates}– |" in said
    assert f"{start}another{rates}+5.0 [−1.0, +10.0] |" in said


def test_audits_give_a_column_each_and_the_changes_they_share() -> None:
    one = made_audit()
    other = replace(one, robustness=one.robustness[1:])
    found = card.robustness([one, other])
    assert found.corpora == ["emodb (14 speakers, 560 utterances)"] * 2
    assert found.effects == {
        "Noise at 20 dB: pink <title>": [card.Effect(0.855, -0.04)] * 2,
        "Rooms: rt60_1_0 <title>": [card.Effect(0.5, -0.2)] * 2,
    }


@pytest.mark.parametrize("name", ["emotone-base", "emotone-8"])
def test_the_sections_are_those_of_model_cards(name: str) -> None:
    effects = {"MP3": [card.Effect(0.977, 0.008), card.Effect(0.9, -0.01)]}
    robustness = card.Robustness(["a", "b"], effects)
    said = card.render("m", shipped(name), [], robustness=robustness).splitlines()
    assert [line for line in said if line.startswith("## ")] == [
        "## Training data", "## Evaluation", "## Calibration", "## Robustness",
        "## Out-of-scope use",
    ]  # fmt: skip
    assert "| MP3 | 97.7 %, +0.8 | 90.0 %, −1.0 |" in said
    assert any(line.startswith("There are no figures") for line in said)


def test_calibration_is_that_of_the_configuration() -> None:
    values = shipped("emotone-8")
    found = values["training"]["calibration"]
    text = " ".join(card.render("m", values, []).split())
    assert f"Temperature {found['temperature']:.2f}, fitted on 1440 cross-validated" in text
    assert f"are confident: {100 * found['confident']:.1f} % of all; " in text
    assert f"{100 * found['confident_accuracy']:.1f} % of them are correct." in text
    values["training"]["calibration"] = None
    assert "Not calibrated" in card.render("m", values, [])


def folder_of(path: Path, predictions: pd.DataFrame, title: str) -> ResultsFolder:
    folder = ResultsFolder(path)
    seeds = tuple(int(seed) for seed in predictions["seed"].unique())
    folder.write_predictions(predictions.assign(file="f", start=0.0, end=1.0))
    folder.write_results(
        made_results(
            setting=made_setting(corpus="a+b", seeds=seeds),
            system=made_system(title=title),
            scores=scoring.score(predictions, LABELS),
            by_corpus=scoring.by_corpus(predictions, LABELS, ["a", "b"]),
        )
    )
    return folder


def test_another_system_is_compared_part_by_part(tmp_path: Path) -> None:
    table = made_predictions(seeds=2)
    table["speaker"] = np.where(table["speaker"].isin(["s0", "s1"]), "a/", "b/") + table["speaker"]
    one = table[table["seed"] == 0]
    better = table.assign(prediction=table["truth"])  # always right, with two seeds
    ours = folder_of(tmp_path / "ours", better, "CRNN")
    theirs = folder_of(tmp_path / "theirs", one, "deterministic")
    rows = card.compared_rows(ours, theirs)
    assert [(row.corpus, row.system, row.seeds) for row in rows] == [
        ("a + b", "deterministic", 1), ("a only", "deterministic", 1),
        ("b only", "deterministic", 1),
    ]  # fmt: skip
    first = one["speaker"].str.startswith("a/")
    for row, rows_of in zip(rows, (one, one[first], one[~first]), strict=True):
        uar = metrics.uar(rows_of["truth"].tolist(), rows_of["prediction"].tolist())
        assert row.difference is not None
        assert row.difference.difference == pytest.approx(1 - uar)
