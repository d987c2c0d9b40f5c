from pathlib import Path

from emotone import corpora
from emotone.corpora.urdu import UrduOptions
from tests.helpers import rows, write


def example(root: Path) -> UrduOptions:
    for name in ("Angry/SM1_F10_A010", "Happy/SF5_F1_H01", "Neutral/SM27_F9_N09", "Sad/SM1_F2_S2"):
        write(root / f"{name}.wav")
    return UrduOptions(root=root)


def test_names(tmp_path: Path) -> None:
    assert rows(corpora.read(example(tmp_path)), "emotion", "speaker", "sex") == {
        "SM1_F10_A010": ("anger", "SM1", "male"),
        "SF5_F1_H01": ("happiness", "SF5", "female"),
        "SM27_F9_N09": ("neutral", "SM27", "male"),
        "SM1_F2_S2": ("sadness", "SM1", "male"),
    }
