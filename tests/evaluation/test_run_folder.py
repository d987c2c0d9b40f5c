import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotone.errors import UsageError
from emotone.evaluation.results import Epoch, RunRecord
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.run_folder import PredictionsFolder, concatenated
from tests.made_results import LABELS

RUN = RunRecord("1", 3, 1.5, 123, None, 0.5, (Epoch(1.0, 1.1, 0.5, 0.1, 2.0), Epoch(0.9)), 1,
                {"precision": "32-true"})  # fmt: skip


def test_a_run_is_finished_when_its_record_is_there(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path).run("1", 3)
    table = pd.DataFrame({"speaker": ["s"], "seed": [3]})
    folder.write_predictions(table)
    folder.checkpoint.write_bytes(b"state")
    assert not folder.is_finished
    folder.finish(RUN)
    assert folder.is_finished
    assert folder.record() == RUN
    assert not folder.checkpoint.exists()
    elsewhere = ResultsFolder(tmp_path / "other").run("1", 3)
    elsewhere.restore(folder.contents())
    assert elsewhere.record() == RUN
    pd.testing.assert_frame_equal(elsewhere.predictions(), table)


def test_records_of_runs_that_0_1_wrote_are_converted(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path).run("03", 0)
    folder.path.mkdir(parents=True)
    epoch = {
        "training_loss": 1.0, "validation_loss": None, "validation_uar": None,
        "standard_error": None, "seconds": 2.0,
    }  # fmt: skip
    old = {
        "fold": "03", "seed": 0, "seconds": 2.0, "validation_UAR": None, "epochs": 1,
        "kept_epoch": 1, "precision": "bf16-mixed", "parameters": 5, "multiply_adds_per_s": 7,
        "history": [epoch],
    }  # fmt: skip
    (folder.path / "run.json").write_text(json.dumps(old))
    expected = RunRecord("03", 0, 2.0, 5, 7, None, (Epoch(1.0, seconds=2.0),), 1,
                         {"precision": "bf16-mixed"})  # fmt: skip
    assert folder.record() == expected
    assert folder.record().epochs == 1


@pytest.mark.parametrize("content", [b"", b"\xff", b"[1]", b"5", b'{"fold": "1"}'])
def test_a_damaged_record_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    folder = ResultsFolder(tmp_path).run("1", 3)
    folder.path.mkdir(parents=True)
    (folder.path / "run.json").write_bytes(content)
    with pytest.raises(
        UsageError, match=r"run\.json is damaged, or of another version.*remove .*1-3"
    ):
        folder.record()


@pytest.mark.parametrize(
    ("name", "content"),
    [("predictions.csv", b""), ("predictions.csv", b"a,b\n1,2\n1,2,3\n"), ("predictions.csv", None),
     ("predictions.parquet", b"no"),
     ("predictions.csv", b"utterance,fold,seed,speaker,truth,p_anger\na,1,0,s,anger,\n"),
     ("predictions.csv", b"utterance,fold,seed,speaker,truth,p_anger\na,1,0,s,anger,x\n")],
)  # fmt: skip
def test_damaged_predictions_say_what_to_do(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = ResultsFolder(tmp_path).run("1", 3)
    folder.path.mkdir(parents=True)
    if content is not None:
        (folder.path / name).write_bytes(content)
    with pytest.raises(
        UsageError, match=rf"{name} is damaged.*remove .*1-3, then the same command"
    ):
        folder.predictions()


def test_the_predictions_of_enrolled_speakers_are_kept_beside(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path).run("1", 3)
    table = pd.DataFrame({"speaker": ["007"], "seed": [3]})
    folder.write_predictions(table)
    assert folder.enrolment() is None
    folder.write_predictions(table, table.assign(enrolled=10))
    enrolment = folder.enrolment()
    assert enrolment is not None
    pd.testing.assert_frame_equal(enrolment, table.assign(enrolled=10))
    folder.write_weights(b"weights")
    assert folder.weights.read_bytes() == b"weights"


def test_packed_tables_are_the_same_and_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"p_{label}": rng.random(2000).round(6) for label in LABELS})
    table = table.assign(speaker="007", fold="03", seed=1, end=np.nan, prediction="anger")
    plain, packed = (PredictionsFolder(tmp_path / name, packed=name == "packed")
                     for name in ("plain", "packed"))  # fmt: skip
    for folder in (plain, packed):
        folder.write_predictions(table, table.assign(enrolled=10))
        pd.testing.assert_frame_equal(folder.predictions(), table)
        enrolment = folder.enrolment()
        assert enrolment is not None
        assert set(enrolment["enrolled"]) == {10}
        assert folder.disturbed() is None
    sizes = [
        sum(path.stat().st_size for path in folder.path.iterdir()) for folder in (plain, packed)
    ]
    assert sizes[1] < sizes[0] / 2
    assert {path.suffix for path in packed.path.iterdir()} == {".parquet"}


def test_tables_are_put_together_where_there_are_some() -> None:
    one, other = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2, 3]})
    both = concatenated([one, None, other])
    assert both is not None
    assert both["a"].tolist() == [1, 2, 3]
    assert both.index.tolist() == [0, 1, 2]
    assert concatenated([None, None]) is None


def test_the_record_of_a_model_without_epochs_is_converted(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path).run("03", 0)
    folder.path.mkdir(parents=True)
    old = {
        "fold": "03", "seed": 0, "seconds": 2.0, "validation_UAR": 0.5, "C": 0.01,
        "parameters": 5, "multiply_adds_per_s": None,
    }  # fmt: skip
    (folder.path / "run.json").write_text(json.dumps(old))
    expected = RunRecord("03", 0, 2.0, 5, None, 0.5, choices={"C": 0.01})
    assert folder.record() == expected
