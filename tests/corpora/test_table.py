from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotone import corpora
from emotone.corpora.table import TableOptions
from emotone.errors import CorpusError
from tests.helpers import write


def example(root: Path) -> TableOptions:
    write(root / "a.wav")
    write(root / "sub" / "b.wav")
    text = "file,emotion,speaker,session,take\na.wav,anger,007,1,x\nsub/b.wav,fear,8,2,y\n"
    (root / "table.csv").write_text(text)
    return TableOptions(root=root / "table.csv")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_tables_of_all_kinds(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "a.wav")
    frame = pd.DataFrame(
        {
            "file": ["a.wav", "a.wav"],
            "emotion": ["anger", "calm"],
            "speaker": ["007", "8"],
            "start": [0.0, 0.05],
            "end": [0.05, np.nan],
            "note": ["x", "y"],
        }
    )
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if suffix == "tsv" else ",", index=False)
    table = corpora.read(TableOptions(root=path)).table
    assert table["utterance"].tolist() == ["a#0", "a#1"]
    assert table["speaker"].tolist() == ["007", "8"]
    assert table["start"].tolist() == [0.0, 0.05]
    assert np.isnan(table["end"][1])
    assert table["note"].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,emotion\na.wav,anger\n", "no column 'speaker'; required are file, emotion, speaker"),
        ("file,emotion,speakr\na.wav,anger,1\n", "no column 'speaker'; did you mean 'speakr'?"),
        (
            "file,emotion,speaker\na.wav,angry,1\n",
            "row 2 has the unknown emotion 'angry'; did you mean 'anger'?",
        ),
        ("file,emotion,speaker\na.wav,anger,\n", "row 2 has no speaker; fill it in"),
        ("file,emotion,speaker\ngone.wav,anger,1\n", "1 files do not exist, the first is "),
        ("file,emotion,speaker\n", "no rows; add one per utterance"),
        ("", "cannot be read as a CSV table"),
        ("file,emotion,speaker,start\na.wav,anger,1,soon\n", "row 2 has 'soon' as start"),
        ("file,emotion,speaker,start\na.wav,anger,1,-1\n", "row 2 has '-1' as start"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "a.wav")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(CorpusError) as caught:
        corpora.read(TableOptions(root=tmp_path / "t.csv"))
    assert message in str(caught.value)


def test_files_that_are_not_tables(tmp_path: Path) -> None:
    (tmp_path / "t.xls").touch()
    (tmp_path / "t.parquet").write_text("no")
    for root, message in (
        (None, r"set corpus\.root=TABLE\.csv"),
        (tmp_path / "gone.csv", "does not exist"),
        (tmp_path / "t.xls", r"expected \.csv, \.tsv or \.parquet, got '\.xls'"),
        (tmp_path / "t.parquet", "cannot be read as a PARQUET table"),
    ):
        with pytest.raises(CorpusError, match=message):
            corpora.read(TableOptions(root=root))


def test_a_table_may_use_names_that_are_mapped(tmp_path: Path) -> None:
    options = example(tmp_path)
    assert options.root is not None
    options.root.write_text(options.root.read_text().replace("anger", "wrath"))
    mapped = options.model_copy(update={"map": {"wrath": "anger"}})
    assert corpora.read(mapped).labels == ["anger", "fear"]
