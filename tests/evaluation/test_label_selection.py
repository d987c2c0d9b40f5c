from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotone.errors import UsageError
from emotone.evaluation.label_selection import among, results_among
from emotone.evaluation.results_folder import ResultsFolder
from tests.made_results import LABELS, made_predictions, made_results


def test_probabilities_are_those_among_the_labels_left() -> None:
    table = pd.DataFrame(
        {
            "truth": ["a", "b", "c"],
            "prediction": ["c", "c", "c"],
            "p_a": [0.3, 0.1, 0.2],
            "p_b": [0.1, 0.3, 0.2],
            "p_c": [0.6, 0.6, 0.6],
        }
    )
    found = among(table, ["a", "b"])
    assert found.columns.tolist() == ["truth", "prediction", "p_a", "p_b"]
    assert found["prediction"].tolist() == ["a", "b"]  # c is not possible, nor is it tested
    np.testing.assert_allclose(found[["p_a", "p_b"]], [[0.75, 0.25], [0.25, 0.75]])


def test_an_experiment_is_scored_anew(tmp_path: Path) -> None:
    folder, table = ResultsFolder(tmp_path), made_predictions()
    columns = [f"p_{label}" for label in LABELS]
    table[columns] = np.random.default_rng(0).dirichlet(np.ones(3), len(table))
    folder.write_predictions(table)
    folder.write_results(made_results())
    assert results_among(folder, LABELS) == folder.results()
    found = results_among(folder, LABELS[:2])
    rows = table[table["truth"].isin(LABELS[:2])]
    guess = np.array(LABELS[:2])[rows[columns[:2]].to_numpy().argmax(axis=1)]
    expected = (guess == rows["truth"]).groupby(rows["truth"]).mean().mean()
    assert found.scores.uar.mean == pytest.approx(expected)
    assert found.setting == replace(folder.results().setting, labels=tuple(LABELS[:2]))
    with pytest.raises(UsageError, match=r"no results for calm; its labels are"):
        results_among(folder, ["calm", *LABELS])
