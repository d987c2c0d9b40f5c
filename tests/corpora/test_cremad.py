from pathlib import Path

from emotone import corpora
from emotone.corpora.cremad import CremadOptions
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
