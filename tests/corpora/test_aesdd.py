from pathlib import Path

from emotone import corpora
from emotone.corpora.aesdd import AesddOptions, parse
from tests.helpers import real_corpus, rows, write


def example(root: Path) -> AesddOptions:
    for folder, name in (("anger", "a01 (1)"), ("anger", "a06 (5)b"), ("fear", "f11 (01)")):
        write(root / folder / f"{name}.wav")
    return AesddOptions(root=root)


def test_names(tmp_path: Path) -> None:
    assert rows(corpora.read(example(tmp_path)), "emotion", "speaker", "sex", "text") == {
        "a01 (1)": ("anger", "1", "", "01"),
        "a06 (5)b": ("anger", "5", "", "06"),
        "f11 (01)": ("fear", "1", "", "11"),
    }
    assert parse("x01 (1)") is None


def test_real_corpus_is_as_its_owner_ships_it() -> None:
    corpus = corpora.read(AesddOptions(root=real_corpus("aesdd")))
    assert corpus.speakers == ["1", "2", "3", "4", "5", "6"]
    assert corpus.table["emotion"].value_counts().to_dict() == {
        "anger": 121, "disgust": 122, "fear": 120, "happiness": 119, "sadness": 122,
    }  # fmt: skip
    folders = corpus.table["file"].map(lambda file: Path(file).parent.name)
    assert (folders == corpus.table["emotion"]).all()
    assert corpus.problems == ()
