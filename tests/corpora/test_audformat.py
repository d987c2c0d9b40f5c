from pathlib import Path

import audformat
import pandas as pd
import pytest

from emotone import corpora
from emotone.corpora.audformat import AudformatOptions
from emotone.errors import CorpusError
from tests.helpers import small_audformat


def example(root: Path) -> AudformatOptions:
    return small_audformat(root)


def test_filewise_and_segmented(tmp_path: Path) -> None:
    expected = {
        "emotion": ["anger", "happiness"],
        "speaker": ["s1", "s2"],
        "sex": ["female", "male"],
    }
    table = corpora.read(small_audformat(tmp_path / "files")).table
    assert table[list(expected)].to_dict("list") == expected
    assert set(table["language"]) == {"deu"}
    table = corpora.read(small_audformat(tmp_path / "segments", segmented=True)).table
    assert table[list(expected)].to_dict("list") == expected
    assert table["start"].tolist() == [0.0, 0.02]
    assert table["end"].tolist() == [0.05, 0.1]


def test_what_is_said_is_in_a_column_of_any_table(tmp_path: Path) -> None:
    options = small_audformat(tmp_path)
    assert corpora.read(options).table["text"].tolist() == ["", ""]
    path = tmp_path / "db.files.parquet"
    pd.read_parquet(path).assign(code=["a01", float("nan")]).to_parquet(path)
    database = audformat.Database.load(str(tmp_path), load_data=False)
    database["files"]["code"] = audformat.Column()
    database.save(str(tmp_path), header_only=True)
    named = options.model_copy(update={"text": "code"})
    assert corpora.read(named).table["text"].tolist() == ["a01", ""]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    options = small_audformat(tmp_path)
    for changes, message in (
        ({"emotion": "mood"}, "no column 'mood' in table any .*emotion: emotion; files: speaker"),
        ({"speaker": "actor"}, "no column 'actor' in any table"),
        ({"table": "emotions"}, "no table 'emotions'; did you mean 'emotion'"),
    ):
        with pytest.raises(CorpusError, match=message):
            corpora.read(options.model_copy(update=changes))


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    options = small_audformat(tmp_path)
    (tmp_path / "db.files.pkl").write_bytes(b"anything")
    with pytest.raises(CorpusError, match="is a pickled table, which could execute code"):
        corpora.read(options)


@pytest.mark.parametrize("times", ["0.0,0.05|0.02,0.1", "0 days,50ms|0 days 00:00:00.02,100ms"])
def test_times_may_be_numbers(tmp_path: Path, times: str) -> None:
    options = small_audformat(tmp_path, segmented=True)
    (tmp_path / "db.emotion.parquet").unlink()
    first, second = times.split("|")
    (tmp_path / "db.emotion.csv").write_text(
        f"file,start,end,emotion\naudio/001.wav,{first},angry\naudio/002.wav,{second},happiness\n"
    )
    table = corpora.read(options).table
    assert table["start"].tolist() == [0.0, 0.02]
    assert table["end"].tolist() == [0.05, 0.1]
    assert table["speaker"].tolist() == ["s1", "s2"]


def test_numbers_in_parquet_and_an_open_end(tmp_path: Path) -> None:
    options = small_audformat(tmp_path, segmented=True)
    path = tmp_path / "db.emotion.parquet"
    rows = pd.read_parquet(path).assign(start=[0.0, 0.02], end=[0.05, float("nan")])
    rows.to_parquet(path)
    table = corpora.read(options).table
    assert table["start"].tolist() == [0.0, 0.02]
    assert table["end"].fillna(-1).tolist() == [0.05, -1]


def test_speakers_called_na_and_none(tmp_path: Path) -> None:
    options = small_audformat(tmp_path)
    (tmp_path / "db.files.parquet").unlink()
    (tmp_path / "db.files.csv").write_text("file,speaker\naudio/001.wav,NA\naudio/002.wav,None\n")
    assert corpora.read(options).speakers == ["NA", "None"]


def test_labels_are_the_databases(tmp_path: Path) -> None:
    options = small_audformat(tmp_path)
    path = tmp_path / "db.emotion.parquet"
    pd.read_parquet(path).assign(emotion=["angry", "joyful"]).to_parquet(path)
    assert corpora.read(options).labels == ["anger", "joyful"]
    with pytest.raises(CorpusError, match="unknown emotion 'joyful'"):
        corpora.read(options.model_copy(update={"strict_labels": True}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("db.files.parquet", None, r"db\.files\.csv cannot be read .*No such file"),
        ("db.emotion.parquet", "nonsense", r"db\.emotion\.parquet cannot be read"),
        ("db.emotion.csv", "file,mood\na.wav,angry\n", r"db\.emotion\.csv .*not in index"),
        ("db.emotion.csv", "file,start,end,emotion\na,x,1,angry\n", r"db\.emotion\.csv .*unit abb"),
        ("db.yaml", "a: [", r"db\.yaml cannot be read"),
        ("db.yaml", "- 1", r"db\.yaml cannot be read"),
        ("db.yaml", "", r"db\.yaml cannot be read"),
    ],
)
def test_a_damaged_database_is_one_line(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    options = small_audformat(tmp_path)
    (tmp_path / name).with_suffix(".parquet").unlink(missing_ok=True)
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(CorpusError, match=message) as caught:
        corpora.read(options)
    assert "\n" not in str(caught.value)
