import os
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from emotone import corpora
from emotone.corpora.contradictions import conflicts
from emotone.corpora.inspection import inspect
from emotone.corpora.table import TableOptions
from emotone.errors import CorpusError, FoldError
from emotone.evaluation.folds import make_folds
from emotone.evaluation.protocol import ProtocolOptions
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
            "file,emotion,speaker\na.wav,anger,1,x\n",
            "row 2 has 4 fields, the header has 3",
        ),
        ("file,emotion,speaker\na.wav,anger,\n", "row 2 has no speaker; fill it in"),
        ("file,emotion,speaker\ngone.wav,anger,1\n", "1 file does not exist, the first is "),
        ("file,emotion,speaker\n", "no rows; add one per utterance"),
        ("", "cannot be read as a CSV table"),
        ("file,emotion,speaker,start\na.wav,anger,1,soon\n", "row 2 has 'soon' as start"),
        ("file,emotion,speaker,start\na.wav,anger,1,-1\n", "row 2 has '-1' as start"),
        (
            "file,emotion,speaker,start,end\na.wav,anger,1,1,0.5\n",
            "row 2 is from 1 to 0.5 s; expected",
        ),
        ("file,emotion,speaker\n\n,,\na.wav,anger,\n", "row 4 has no speaker; fill it in"),
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
        (None, r"give the table itself, such as TABLE\.csv"),
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


def small_table(root: Path, rows: str, header: str = "file,emotion,speaker") -> TableOptions:
    for name in ("a", "b", "c", "d"):
        write(root / f"{name}.wav")
    (root / "t.csv").write_text(f"{header}\n{rows}\n", encoding="utf-8")
    return TableOptions(root=root / "t.csv")


def test_a_relative_path_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    table = corpora.read(TableOptions(root=Path("data/table.csv"))).table
    assert table["file"].tolist() == ["data/a.wav", "data/sub/b.wav"]


def test_labels_are_the_users(tmp_path: Path) -> None:
    options = small_table(tmp_path, "a.wav,Sad,1\nb.wav,joyful,1\nc.wav,frustrated,2")
    assert corpora.read(options).table["emotion"].tolist() == ["sadness", "joyful", "frustrated"]
    strict = options.model_copy(update={"strict_labels": True})
    with pytest.raises(CorpusError, match=r"row 3: unknown emotion 'joyful'.*known emotions are"):
        corpora.read(strict)
    mapped = TableOptions(root=options.root, map={"joyful": "happiness", "frustrated": "cross"})
    assert corpora.read(mapped).labels == ["cross", "happiness", "sadness"]
    one = options.model_copy(update={"keep": ("joyful",)})
    assert corpora.read(one).labels == ["joyful"]


def test_speakers_are_normalised_and_kept_as_text(tmp_path: Path) -> None:
    rows = "a.wav,anger,001\nb.wav,anger,001\u00a0\nc.wav,anger,Zoe\u0308\nd.wav,anger,Zo\u00eb "
    assert corpora.read(small_table(tmp_path, rows)).speakers == ["001", "Zo\u00eb"]
    rows = "a.wav,anger,NA\nb.wav,anger,None\nc.wav,anger,Anna\nd.wav,anger,anna"
    corpus = corpora.read(small_table(tmp_path, rows))
    assert corpus.speakers == ["Anna", "NA", "None", "anna"]
    assert corpus.problems == (
        "the speakers 'Anna', 'anna' differ in capital letters only; are they one person?",
    )


def test_a_row_of_a_parquet_table_is_numbered_whatever_its_index(tmp_path: Path) -> None:
    frame = pd.DataFrame({"file": ["a.wav"], "emotion": ["sad"], "speaker": [""]}, index=["x"])
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(CorpusError, match="row 2 has no speaker; fill it in"):
        corpora.read(TableOptions(root=tmp_path / "t.parquet"))


def test_a_comma_at_the_end_of_each_row(tmp_path: Path) -> None:
    options = small_table(tmp_path, "a.wav,anger,1,\nb.wav,fear,2,")
    table = corpora.read(options).table
    assert table["speaker"].tolist() == ["1", "2"]
    assert table["emotion"].tolist() == ["anger", "fear"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.wav,anger,1\na.wav,fear,1", "a.wav is listed with several labels (anger, fear)"),
        ("a.wav,anger,1\na.wav,anger,2", "a.wav is listed with several speakers (1, 2)"),
    ],
)
def test_a_file_listed_twice_stops_a_split(tmp_path: Path, rows: str, message: str) -> None:
    corpus = corpora.read(small_table(tmp_path, f"{rows}\nb.wav,anger,3\nc.wav,fear,4"))
    assert conflicts(corpus.table) == [message]
    assert message in inspect(corpus).problems
    with pytest.raises(FoldError, match="is listed with several"):
        make_folds(corpus, ProtocolOptions(validation_speakers=0))


def test_a_row_listed_twice_is_reported(tmp_path: Path) -> None:
    rows = "a.wav,anger,1,0,\na.wav,anger,1,0,0.5\nb.wav,fear,1,,\nb.wav,fear,1,,\nb.wav,fear,1,,"
    options = small_table(tmp_path, rows, header="file,emotion,speaker,start,end")
    message = "2 rows are listed before, the first of b.wav; they would count twice"
    assert message in inspect(corpora.read(options)).problems


def test_a_table_may_list_a_missing_file_that_is_excluded(tmp_path: Path) -> None:
    options = small_table(tmp_path, "a.wav,anger,1\ngone.wav,anger,1")
    excluding = options.model_copy(update={"exclude": ("gone*",)})
    assert corpora.read(excluding).table["utterance"].tolist() == ["a"]


def test_a_spreadsheet_may_write_semicolons(tmp_path: Path) -> None:
    options = small_table(tmp_path, "a.wav;sad;1", header="file;emotion;speaker")
    assert corpora.read(options).table["emotion"].tolist() == ["sadness"]


def test_a_name_that_no_file_can_have_is_one_line(tmp_path: Path) -> None:
    options = small_table(tmp_path, f"a.wav,sad,1\n{'x' * 300}.wav,sad,1")
    with pytest.raises(CorpusError, match=r"1 file does not exist, the first is .*xxx"):
        corpora.read(options)


def test_a_table_that_is_not_utf_8_is_one_line(tmp_path: Path) -> None:
    options = small_table(tmp_path, "a.wav,sad,1")
    assert options.root is not None
    options.root.write_bytes(b"file,emotion,speaker\na\xff.wav,sad,1\n")
    with pytest.raises(CorpusError, match=r"cannot be read as a CSV table .*in UTF-8"):
        corpora.read(options)


def test_names_in_options_are_normalised_too(tmp_path: Path) -> None:
    options = small_table(tmp_path, "a.wav,Z\u00f6n\u00a0ig ,1\nb.wav,sad,1")
    mapped = TableOptions(root=options.root, map={"Zo\u0308n ig": "mild "}, keep=(" mild",))
    assert corpora.read(mapped).labels == ["mild"]


def test_two_labels_of_one_emotion_are_reported(tmp_path: Path) -> None:
    options = small_table(tmp_path, "a.wav,sad,1\nb.wav,gloomy,1\nc.wav,Gloomy,1")
    corpus = corpora.read(TableOptions(root=options.root, map={"gloomy": "sad"}))
    assert corpus.labels == ["Gloomy", "sad", "sadness"]
    assert corpus.problems == ("the labels 'sad', 'sadness' name one emotion; are they one label?",)


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/n\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (folder / "t.csv").write_text("file,emotion,speaker\na.wav,anger,s\n")
    with pytest.raises(CorpusError, match="path of a table must be UTF-8; rename"):
        corpora.read(TableOptions(root=folder / "t.csv"))


def test_a_table_without_permission_is_said_to_be_so(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("file,emotion,speaker\n")
    with (
        mock.patch("emotone.csv_tables._lines", side_effect=PermissionError(13, "no")),
        pytest.raises(CorpusError, match=r"t\.csv: cannot be read: no$"),
    ):
        corpora.read(TableOptions(root=table))


def test_what_is_said_stays_text(tmp_path: Path) -> None:
    write(tmp_path / "a.wav")
    path = tmp_path / "table.csv"
    path.write_text("file,emotion,speaker,text\na.wav,anger,s1,007\na.wav,anger,s1,\n")
    assert corpora.read(TableOptions(root=path)).table["text"].tolist() == ["007", ""]
