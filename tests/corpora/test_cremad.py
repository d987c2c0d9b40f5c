from pathlib import Path

import pytest

from emotone import corpora
from emotone.corpora.cremad import CremadOptions
from emotone.errors import CorpusError
from tests.helpers import rows, write


def example(root: Path) -> CremadOptions:
    for name in ("1001_DFA_ANG_XX", "1002_IEO_HAP_HI", "1002_TIE_NEU_X"):
        write(root / "AudioWAV" / f"{name}.wav")
    (root / "VideoDemographics.csv").write_text("ActorID,Age,Sex\n1001,51,Male\n1002,21,Female\n")
    return CremadOptions(root=root)


def test_sexes_come_from_the_demographics(tmp_path: Path) -> None:
    options = example(tmp_path)
    assert rows(corpora.read(options), "emotion", "speaker", "sex", "level") == {
        "1001_DFA_ANG_XX": ("anger", "1001", "male", "XX"),
        "1002_IEO_HAP_HI": ("happiness", "1002", "female", "HI"),
        "1002_TIE_NEU_X": ("neutral", "1002", "female", "X"),
    }
    (tmp_path / "VideoDemographics.csv").unlink()
    corpus = corpora.read(options)
    assert set(corpus.table["sex"]) == {""}
    assert "there is no VideoDemographics.csv" in corpus.problems[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column 'ActorID'; required are ActorID, Sex, found none"),
        (b"ActorID,Age,Sex\n1001,51,Male,x\n", "row 2 has 4 fields, the header has 3"),
        (b"ActorID,Sex\n1001,\xff\n", "cannot be read as a CSV table"),
    ],
)
def test_damaged_demographics_are_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    options = example(tmp_path)
    (tmp_path / "VideoDemographics.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"VideoDemographics\.csv: {message}"):
        corpora.read(options)
