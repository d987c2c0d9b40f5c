import json
from pathlib import Path

import pandas as pd
import pytest

from emotone import card
from emotone.errors import UsageError


def results(out: Path, corpus: str, protocol: str) -> Path:
    """Results of two corpora: of a, everything is right, of b, nothing."""
    out.mkdir()
    rows = [
        {"utterance": f"{name}/{speaker}{truth}", "fold": name, "seed": 0,
         "speaker": f"{name}/{speaker}", "truth": truth,
         "prediction": truth if name == "a" else "fear"}
        for name in ("a", "b") for speaker in (1, 2, 3) for truth in ("anger", "neutral")
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(out / "predictions.csv", index=False)
    summary = {
        "corpus": corpus, "labels": ["anger", "fear", "neutral"], "seeds": [0],
        "protocol": {"name": protocol, "folds": 2},
    }  # fmt: skip
    (out / "results.json").write_text(json.dumps(summary))
    (out / "config.yaml").write_text("model: {kind: crnn}")
    return out


def test_pooled_corpora_have_a_row_together_and_one_each(tmp_path: Path) -> None:
    rows = card.rows_of(results(tmp_path / "pooled", "a+b", "kfold"))
    rates = {row["corpus"]: row["UAR"]["mean"] for row in rows}
    assert rates == {"a + b": 0.5, "of these, a": 1.0, "of these, b": 0.0}
    assert {row["tested"] for row in rows} == {"new speakers, 2-fold over speakers"}


def test_corpora_left_out_have_a_row_each(tmp_path: Path) -> None:
    rows = card.rows_of(results(tmp_path / "crossed", "a+b", "cross_corpus"))
    assert {row["corpus"]: row["WAR"]["mean"] for row in rows} == {"a": 1.0, "b": 0.0}


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished results"):
        card.rows_of(tmp_path)
