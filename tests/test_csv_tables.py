from pathlib import Path

import pytest

from emotone import csv_tables
from emotone.errors import CorpusError, EmotoneError, UsageError


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,2\n",
        b"a;b\n1;2\n",
        b"\xef\xbb\xbf a ,b,\n 1,2,\n,,\n",
        b'a,b\r\n1,"2"\r\n\r\n',
        b"a\tb\n1\t2\n",
    ],
)
def test_what_spreadsheets_write(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.CSV").write_bytes(content)
    assert csv_tables.records(tmp_path / "t.CSV", ("a",)) == [(2, {"a": "1", "b": "2"})]


def test_a_required_column_is_no_hint_for_another(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("start,spekar\n")
    with pytest.raises(UsageError, match="no column 'speaker'; did you mean 'spekar'"):
        csv_tables.records(tmp_path / "t.csv", ("start", "speaker"))
    (tmp_path / "t.csv").write_text("start\n")
    with pytest.raises(UsageError, match="no column 'speaker'; required are start, speaker"):
        csv_tables.records(tmp_path / "t.csv", ("start", "speaker"))


@pytest.mark.parametrize("error", [CorpusError, UsageError])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"no column 'a'; required are a, found none$"),
        (b"a\ta\n1\t2\n", "2 columns are called 'a'; remove or rename all but one$"),
        (b'a\tb\n\n\n1\t"2\n3\t4\n', r"row 4 cannot be read \(.*\); close each quotation mark"),
        (b"a\tb\n1\t2\t3\n", "row 2 has 3 fields, the header has 2; put fields"),
        ("a\tb\n".encode("utf-16"), r"cannot be read as a TSV table \(.*in UTF-8$"),
    ],
)
def test_what_is_not_a_table(
    tmp_path: Path, content: bytes, message: str, error: type[EmotoneError]
) -> None:
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(error, match=message):
        csv_tables.records(tmp_path / "t.tsv", ("a",), error)
    with pytest.raises(error, match=r"gone\.tsv: cannot be read: No such file"):
        csv_tables.records(tmp_path / "gone.tsv", ("a",), error)
