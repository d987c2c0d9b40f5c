from pathlib import Path

from emotone import corpora
from emotone.corpora.savee import SaveeOptions
from tests.helpers import rows, write


def example(root: Path) -> SaveeOptions:
    for name in ("DC_a01", "JE_sa15", "JK/su03", "KL/n30"):
        write(root / f"{name}.wav")
    return SaveeOptions(root=root)


def test_names(tmp_path: Path) -> None:
    assert rows(corpora.read(example(tmp_path)), "emotion", "speaker") == {
        "DC_a01": ("anger", "DC"),
        "JE_sa15": ("sadness", "JE"),
        "JK_su03": ("surprise", "JK"),
        "KL_n30": ("neutral", "KL"),
    }
