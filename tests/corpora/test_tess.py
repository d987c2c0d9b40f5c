from pathlib import Path

from emotone import corpora
from emotone.corpora.tess import TessOptions
from tests.helpers import rows, write


def example(root: Path) -> TessOptions:
    for name in ("OAF_angry/OAF_back_angry", "YAF_ps/YAF_pike_ps", "OAF_neutral/OA_bite_neutral"):
        write(root / f"{name}.wav")
    return TessOptions(root=root)


def test_names(tmp_path: Path) -> None:
    assert rows(corpora.read(example(tmp_path)), "emotion", "speaker", "text") == {
        "OAF_back_angry": ("anger", "OAF", "back"),
        "YAF_pike_ps": ("surprise", "YAF", "pike"),
        "OA_bite_neutral": ("neutral", "OAF", "bite"),
    }
