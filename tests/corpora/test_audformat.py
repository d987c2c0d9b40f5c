from pathlib import Path

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


def test_times_may_be_numbers(tmp_path: Path) -> None:
    options = small_audformat(tmp_path, segmented=True)
    (tmp_path / "db.emotion.parquet").unlink()
    (tmp_path / "db.emotion.csv").write_text(
        "file,start,end,emotion\naudio/001.wav,0.0,0.05,angry\naudio/002.wav,0.02,0.1,happiness\n"
    )
    table = corpora.read(options).table
    assert table["start"].tolist() == [0.0, 0.02]
    assert table["end"].tolist() == [0.05, 0.1]
    assert table["speaker"].tolist() == ["s1", "s2"]


def test_a_damaged_database_is_one_line(tmp_path: Path) -> None:
    options = small_audformat(tmp_path)
    (tmp_path / "db.files.parquet").unlink()
    with pytest.raises(CorpusError, match=r"the database in .* cannot be read") as caught:
        corpora.read(options)
    assert "\n" not in str(caught.value)
    (tmp_path / "db.yaml").write_text("a: [")
    with pytest.raises(CorpusError, match=r"the database in .* cannot be read"):
        corpora.read(options)
