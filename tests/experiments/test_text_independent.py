import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from emotone.experiments.crossval import crossval
from tests.helpers import Recorder, config, emotone, one_line, predictions

pytestmark = pytest.mark.slow


def with_text(table: Path) -> Path:
    """Give a table from ``make_table`` the number of the take as what is said."""
    rows = pd.read_csv(table)
    rows.assign(text=rows["file"].str[-5]).to_csv(table, index=False)
    return table


def test_each_utterance_is_tested_once_and_the_report_says_how(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, out = with_text(make_table()), tmp_path / "out"
    protocol = {
        "name": "kfold", "folds": 2, "validation_speakers": 0, "text_independent": True,
    }  # fmt: skip
    recorder = Recorder()
    results = crossval(config(table, protocol=protocol), out, recorder)
    assert "fold 1, texts 1, seed 0" in recorder.runs
    assert results.independence == "speaker- and text-independent"
    found = predictions(out)
    assert found["utterance"].is_unique
    assert len(found) == 16
    assert set(found["fold"]) == {f"{fold}, texts {texts}" for fold in "12" for texts in "12"}
    folds = json.loads((out / "folds.json").read_text())["folds"]
    assert {tuple(fold["training"]["texts"] + fold["test"]["texts"]) for fold in folds} == {
        ("0", "1"),
        ("1", "0"),
    }
    assert emotone("report", out).returncode == 0
    assert "speaker- and text-independent" in (out / "report.md").read_text()
    crossval(config(table, protocol=protocol), out, again := Recorder())
    assert again.left == 0


def test_a_table_without_texts_is_refused_in_one_line(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    done = emotone(
        "crossval", make_table(), "protocol.text_independent=true", "--out", tmp_path / "out"
    )
    assert done.returncode == 1
    assert "what is said is not known of 16 of 16 utterances" in one_line(done)
