from pathlib import Path

import audformat
import pandas as pd
import pytest

from emotone.errors import UsageError
from emotone.evaluation.results_folder import ResultsFolder
from emotone.reporting import database
from tests.made_results import LABELS, made_predictions, made_results


def folder_of(path: Path, seeds: int) -> ResultsFolder:
    predictions = made_predictions(seeds)
    folder = ResultsFolder(path)
    folder.write_results(made_results(seeds))
    folder.write_predictions(
        predictions.assign(file=predictions["utterance"] + ".wav", start=0.0, end=1.5)
    )
    return folder


def test_audformat_loads_what_is_written(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "results", seeds=1)
    found = audformat.Database.load(str(database.export(folder.path, tmp_path / "out")))
    assert list(found.tables) == ["predictions"]
    assert found.description == "Predictions of emotone, speaker-independent"
    table = found["predictions"].get()
    predictions = folder.predictions().set_index("utterance")
    assert len(table) == len(predictions) == 120
    for (file, start, end), row in table.iterrows():
        expected = predictions.loc[Path(file).stem]
        assert (start, end) == (pd.Timedelta(0), pd.Timedelta("1.5s"))
        for column in ("truth", "prediction", "speaker", "fold"):
            assert row[column] == expected[column]
        for label in LABELS:
            assert row[label] == expected[f"p_{label}"]


def test_each_seed_has_a_table(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "results", seeds=2)
    found = audformat.Database.load(str(database.export(folder.path, tmp_path / "out")))
    assert list(found.tables) == ["predictions-seed-0", "predictions-seed-1"]


def test_other_files_are_not_overwritten(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "results", seeds=1)
    with pytest.raises(UsageError, match="holds other files; choose an empty folder"):
        database.export(folder.path, folder.path)
    (tmp_path / "thesis.docx").write_text("precious")
    with pytest.raises(UsageError, match=r"thesis\.docx is a file; choose an empty folder"):
        database.export(folder.path, tmp_path / "thesis.docx")
    assert (tmp_path / "thesis.docx").read_text() == "precious"
