from pathlib import Path

import pytest

from emotone import corpora
from emotone.corpora.nemo import NemoOptions
from emotone.errors import CorpusError
from tests.helpers import real_corpus, rows, write


def example(root: Path) -> NemoOptions:
    write(root / "samples" / "WR0_surprised_64.flac")
    write(root / "samples" / "EB0_neutral_13.wav")
    lines = ["file_id\temotion\traw_text\tspeaker_id\tgender\tage"]
    lines += ["WR0_surprised_64.wav\tsurprised\tUcho.\t        WR0\tmale\t23"]
    lines += ["EB0_neutral_13.wav\tneutral\tHistoria.\tEB0\tfemale\t27"]
    lines += ["EB0_anger_1.wav\tanger\tHistoria.\tEB0\tfemale\t27"]
    (root / "data.tsv").write_text("\n".join(lines), encoding="utf-8")
    return NemoOptions(root=root)


def test_rows_without_audio_are_a_problem_not_an_error(tmp_path: Path) -> None:
    corpus = corpora.read(example(tmp_path))
    assert rows(corpus, "emotion", "speaker", "sex", "text") == {
        "WR0_surprised_64": ("surprise", "WR0", "male", "Ucho."),
        "EB0_neutral_13": ("neutral", "EB0", "female", "Historia."),
    }
    assert corpus.problems[0] == "1 of 3 rows of data.tsv have no audio in samples"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column 'file_id'; required are file_id, emotion, speaker_id, gender, found none"),
        (b"file_id\temotion\tspeaker\tgender\n", "no column 'speaker_id'; did you mean 'speaker'"),
        (b"file_id\temotion\tspeaker_id\tgender\na\tanger\tWR0\tmale\tx\n", "row 2 has 5 fields"),
        (b"file_id\temotion\tspeaker_id\tgender\nEB0_anger_1.wav\tan", "row 2 has no speaker_id"),
        (
            b"file_id\temotion\tspeaker_id\tgender\na\tanger\tWR0\tm",
            "row 2 has the gender 'm'; expected female or male",
        ),
        ("file_id\n".encode("utf-16"), "cannot be read as a TSV table"),
    ],
)
def test_a_damaged_table_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    options = example(tmp_path)
    (tmp_path / "data.tsv").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"data\.tsv: {message}"):
        corpora.read(options)


def test_real_nemo() -> None:
    corpus = corpora.read(NemoOptions(root=real_corpus("nemo")))
    assert len(corpus.table) == 4481
    assert len(corpus.speakers) == 9
    assert len(corpus.labels) == 6
