import json
from pathlib import Path
from typing import Any

import pytest

from emotone.errors import UsageError
from emotone.evaluation.metrics import Comparison
from emotone.inference import model_folder
from emotone.reporting import card


def results(out: Path, protocol: str) -> Path:
    """Results of two corpora: of a, everything is right, of b, half."""
    out.mkdir()
    rates = [
        {
            name: {"pooled": rate, "interval_95": [rate, rate], "seed_std": None}
            for name in ("UAR", "WAR")
        }
        for rate in (0.75, 1.0, 0.5)
    ]
    found = rates[0] | {
        "corpus": "a+b", "seeds": [0], "protocol": {"name": protocol, "folds": 2},
        "by_corpus": {"a": rates[1], "b": rates[2]},
    }  # fmt: skip
    (out / "results.json").write_text(json.dumps(found))
    (out / "config.yaml").write_text("model: {kind: crnn}")
    return out


def test_pooled_corpora_have_a_row_together_and_one_each(tmp_path: Path) -> None:
    rows = card.rows_of(results(tmp_path / "pooled", "kfold"))
    rates = {row["corpus"]: row["UAR"]["pooled"] for row in rows}
    assert rates == {"a + b": 0.75, "of these, a": 1.0, "of these, b": 0.5}
    assert {row["tested"] for row in rows} == {"new speakers, 2-fold over speakers"}


def test_corpora_left_out_have_a_row_each(tmp_path: Path) -> None:
    rows = card.rows_of(results(tmp_path / "crossed", "cross_corpus"))
    assert {row["corpus"]: row["WAR"]["pooled"] for row in rows} == {"a": 1.0, "b": 0.5}


def test_a_row_says_how_seeds_differ_and_what_is_compared(tmp_path: Path) -> None:
    model: dict[str, Any] = json.loads(
        (model_folder.MODELS / "emotone-8" / model_folder.CONFIG).read_text()
    )
    ours, *_ = card.rows_of(results(tmp_path / "ours", "kfold"))
    assert "minus it" not in card.render("m", model, [ours])
    ours["UAR"]["seed_std"] = 0.012
    theirs = ours | {"system": "another", "minus": Comparison(0.05, -0.01, 0.1, 0.04)}
    said = card.render("m", model, [ours, theirs]).splitlines()
    start = "| a + b | new speakers, 2-fold over speakers | "
    rates = " | 75.0 ± 1.2 [75.0, 75.0] | 75.0 | 1 | "
    assert f"{start}this network{rates}– |" in said
    assert f"{start}another{rates}+5.0 [−1.0, +10.0] |" in said


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished results"):
        card.rows_of(tmp_path)
